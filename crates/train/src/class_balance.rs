//! Warnings about rare classes.

use crate::format::thousands;
use crate::task::{Noun, SplitOverview};

/// How many times the rarest class the largest one may have without a warning.
const IMBALANCE: usize = 20;

/// Fewest test items of a class whose scores are taken for sure.
const FEW_TESTED: usize = 30;

/// Warns of a class that is rare in the training split, or too rare in the test split to be measured.
///
/// `weighted` says whether the recipe weights the classes already.
pub fn class_warnings(splits: &[SplitOverview], item: Noun, weighted: bool) -> Vec<String> {
    warnings(splits, item, "F1 and not at accuracy", weighted)
}

/// The same where the classes are those of boxes in images.
pub fn box_warnings(splits: &[SplitOverview], weighted: bool) -> Vec<String> {
    let scores = "the average precision of each class";
    warnings(splits, Noun("box", "boxes"), scores, weighted)
}

fn warnings(splits: &[SplitOverview], item: Noun, scores: &str, weighted: bool) -> Vec<String> {
    let classes = |name: &str| {
        let split = splits.iter().find(|split| split.name == name);
        split.map_or(&[][..], |split| &split.classes)
    };
    let imbalanced = imbalance(classes("train"), item, scores, weighted);
    imbalanced
        .into_iter()
        .chain(few_tested(classes("test"), item))
        .collect()
}

fn most(classes: &[(String, usize)]) -> usize {
    classes.iter().map(|(_, count)| *count).max().unwrap_or(0)
}

fn imbalance(
    classes: &[(String, usize)],
    item: Noun,
    scores: &str,
    weighted: bool,
) -> Option<String> {
    let (class, count) = classes.iter().min_by_key(|(_, count)| *count)?;
    if most(classes) < IMBALANCE * (*count).max(1) {
        return None;
    }
    let all: usize = classes.iter().map(|(_, count)| count).sum();
    let advice = if weighted {
        ""
    } else {
        "; `--set loss.class_weights=balanced` weights the classes equally"
    };
    Some(format!(
        "the classes are imbalanced: `{class}` has {} of {} training {} ({:.2}%), so look at {scores}{advice}",
        thousands(*count),
        thousands(all),
        item.1,
        100.0 * *count as f64 / all.max(1) as f64
    ))
}

fn few_tested(classes: &[(String, usize)], item: Noun) -> Option<String> {
    let most = most(classes);
    let few = classes
        .iter()
        .filter(|(_, count)| *count < FEW_TESTED && most >= IMBALANCE * *count);
    let (class, count) = few.min_by_key(|(_, count)| *count)?;
    if *count == 0 {
        return Some(format!(
            "no test {} is `{class}`: its recall cannot be measured",
            item.0
        ));
    }
    Some(format!(
        "only {count} test {} {} `{class}`: its recall is uncertain by about {:.0} points",
        item.of(*count),
        if *count == 1 { "is" } else { "are" },
        100.0 / (*count as f64).sqrt()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(train: [usize; 2], test: [usize; 2]) -> [SplitOverview; 2] {
        let split = |name: &str, counts: [usize; 2]| SplitOverview {
            name: name.to_owned(),
            classes: ["no", "yes"]
                .map(str::to_owned)
                .into_iter()
                .zip(counts)
                .collect(),
            ..SplitOverview::default()
        };
        [split("train", train), split("test", test)]
    }

    fn of_rows(train: [usize; 2], test: [usize; 2], weighted: bool) -> Vec<String> {
        class_warnings(&splits(train, test), Noun("row", "rows"), weighted)
    }

    #[test]
    fn rare_classes_of_boxes_are_counted_in_boxes() {
        let found = box_warnings(&splits([1_600, 8], [400, 2]), false).join("\n");
        for words in [
            "`yes` has 8 of 1,608 training boxes",
            "average precision of each class; `--set",
            "only 2 test boxes are `yes`",
        ] {
            assert!(found.contains(words), "`{words}` is not in: {found}");
        }
        assert!(!found.contains("accuracy"), "{found}");
    }

    #[test]
    fn one_test_row_and_none_are_told_apart() {
        let warn = |test| of_rows([500, 400], test, false).join("\n");
        let one = "only 1 test row is `yes`: its recall is uncertain by about 100 points";
        assert_eq!(warn([50, 1]), one);
        assert_eq!(
            warn([50, 0]),
            "no test row is `yes`: its recall cannot be measured"
        );
    }

    #[test]
    fn rare_classes_are_warned_of_in_training_and_test() {
        let warn = |train, test| of_rows(train, test, false).join("\n");
        assert_eq!(warn([500, 400], [50, 40]), "");
        assert_eq!(warn([500, 50], [50, 5]), "");
        let both = warn([16_000, 80], [4_000, 20]);
        for words in [
            "`yes` has 80 of",
            "0.50%",
            "only 20 test rows are `yes`",
            "22 points",
        ] {
            assert!(both.contains(words), "`{words}` is not in: {both}");
        }
        assert!(warn([16_000, 400], [4_000, 100]).contains("class_weights"));
        let weighted = of_rows([16_000, 400], [4_000, 100], true);
        assert!(weighted.len() == 1 && !weighted[0].contains("class_weights"));
        assert!(warn([500, 400], [50, 0]).contains("no test row is `yes`"));
    }
}
