//! Lines about splits: their sizes, copies across them, and what an evaluation is on.

use tinderbox_train::splits::{Changes, Scope};
use tinderbox_train::task::{Noun, SplitOverview};

use tinderbox_train::format::thousands;

/// Columns of a terminal that a line fills at most.
const WIDTH: usize = 80;

/// A row of a table.
pub const ROW: Noun = Noun("row", "rows");
/// A text.
pub const TEXT: Noun = Noun("text", "texts");
/// An image.
pub const IMAGE: Noun = Noun("image", "images");

/// A count of items, as in `1,292 rows`.
pub fn count(noun: Noun, count: usize) -> String {
    format!("{} {}", thousands(count), noun.of(count))
}

/// One line for each split: count, source and class counts. Classes that do not fit in 80 columns
/// are counted.
///
/// ```text
/// train  960 rows from base.csv: high 330, low 310, mid 320
/// ```
pub fn split_lines(splits: &[SplitOverview], noun: Noun) -> Vec<String> {
    let longest =
        |text: &dyn Fn(&SplitOverview) -> usize| splits.iter().map(text).max().unwrap_or(0);
    let name = longest(&|split| split.name.len());
    let count = longest(&|split| thousands(split.count).len());
    let line = |split: &SplitOverview| {
        let items = thousands(split.count);
        let noun = if split.count == 1 { noun.0 } else { noun.1 };
        let mut line = format!("{:<name$}  {items:>count$} {noun}", split.name);
        if !split.source.is_empty() {
            line.push_str(" from ");
            line.push_str(&split.source);
        }
        add_classes(&mut line, &split.classes);
        line
    };
    splits.iter().map(line).collect()
}

fn add_classes(line: &mut String, classes: &[(String, usize)]) {
    let parts: Vec<String> = classes
        .iter()
        .enumerate()
        .map(|(at, (class, count))| {
            let before = if at == 0 { ": " } else { ", " };
            format!("{before}{class} {}", thousands(*count))
        })
        .collect();
    let letters =
        |parts: &[String]| -> usize { parts.iter().map(|part| part.chars().count()).sum() };
    for (at, next) in parts.iter().enumerate() {
        let rest = parts.len() - at;
        let used = line.chars().count();
        // Room for the words that count the rest, unless the rest fits.
        let fits = used + letters(&parts[at..]) <= WIDTH;
        if at > 0 && !fits && used + next.chars().count() + 18 > WIDTH {
            let noun = if rest == 1 { "class" } else { "classes" };
            line.extend([", ", &thousands(rest), " more ", noun]);
            return;
        }
        line.push_str(next);
    }
}

/// A line about duplicates, if there are any; `kept` says whether those of an item are in one split.
pub fn duplicates_note(duplicates: usize, items: usize, noun: Noun, kept: bool) -> Option<String> {
    let verb = if duplicates == 1 {
        "is a duplicate"
    } else {
        "are duplicates"
    };
    let kept = if kept {
        "; duplicates stay in one split"
    } else {
        ""
    };
    (duplicates > 0).then(|| {
        format!(
            "{} of {} {verb} of another {}{kept}",
            thousands(duplicates),
            count(noun, items),
            noun.0
        )
    })
}

/// What an evaluation is on, where that needs saying: other data, or data that changed.
pub fn scope_notes(scope: &Scope, split: &str, items: usize, noun: Noun) -> Vec<String> {
    match scope {
        Scope::Whole { trained_on } => {
            let all = if items == 1 { "" } else { "all " };
            let mut notes = vec![format!(
                "this is not the data that the model was trained on: evaluating {all}{}",
                count(noun, items)
            )];
            if *trained_on > 0 {
                notes.push(format!(
                    "warning: {} of them also {} in the training split: the score is too good",
                    thousands(*trained_on),
                    if *trained_on == 1 { "occurs" } else { "occur" }
                ));
            }
            notes
        }
        Scope::Stored { rows, changes } => changed_notes(rows.len(), *changes, split, noun),
    }
}

fn changed_notes(found: usize, changes: Changes, split: &str, noun: Noun) -> Vec<String> {
    let mut notes = Vec::new();
    if changes.missing > 0 {
        notes.push(format!(
            "warning: {} of {} in the {split} split {} missing from the data",
            thousands(changes.missing),
            count(noun, found + changes.missing),
            if changes.missing == 1 { "is" } else { "are" }
        ));
    }
    if changes.relabeled > 0 {
        notes.push(format!(
            "warning: {} in the {split} split changed labels since training",
            count(noun, changes.relabeled)
        ));
    }
    if changes.new > 0 {
        notes.push(format!(
            "warning: {} {} new since training and not evaluated",
            count(noun, changes.new),
            if changes.new == 1 { "is" } else { "are" }
        ));
    }
    notes
}

/// What is assumed where a run has no list of its splits: see
/// [`SplitList::load`](tinderbox_train::splits::SplitList::load).
pub fn no_list_note(split: &str) -> String {
    format!(
        "warning: the run has no `splits.json`: the {split} split is recomputed from the recipe and \
         its seed, which is correct only if the data is unchanged"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_split_has_a_line_within_80_columns() {
        let classes = |count: usize| {
            (0..count)
                .map(|at| (format!("class-{at}"), 10 + at))
                .collect()
        };
        let split = |name: &str, count, source: &str, classes| SplitOverview {
            name: name.to_owned(),
            count,
            source: source.to_owned(),
            classes,
        };
        let lines = split_lines(
            &[
                split("train", 900, "a.csv", classes(2)),
                split("valid", 1, "", Vec::new()),
                split("test", 99, "b.csv", classes(100)),
            ],
            ROW,
        );
        assert_eq!(
            lines[0],
            "train  900 rows from a.csv: class-0 10, class-1 11"
        );
        assert_eq!(lines[1], "valid    1 row");
        assert!(lines[2].starts_with("test    99 rows from b.csv: class-0 10, class-1 11, "));
        assert!(lines[2].ends_with(" more classes"), "{}", lines[2]);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
    }

    #[test]
    fn duplicates_are_counted() {
        let line = duplicates_note(12, 70, ROW, true).unwrap();
        assert_eq!(
            line,
            "12 of 70 rows are duplicates of another row; duplicates stay in one split"
        );
        // Where the splits were given, they need not.
        let line = duplicates_note(1, 70, IMAGE, false).unwrap();
        assert_eq!(line, "1 of 70 images is a duplicate of another image");
        assert_eq!(duplicates_note(0, 70, ROW, true), None);
    }

    #[test]
    fn an_evaluation_says_what_it_is_on() {
        let notes = |scope: &Scope| scope_notes(scope, "test", 300, ROW);
        let whole = notes(&Scope::Whole { trained_on: 0 });
        assert_eq!(whole.len(), 1);
        assert!(whole[0].ends_with("evaluating all 300 rows"), "{whole:?}");
        assert!(notes(&Scope::Whole { trained_on: 7 })[1].contains("7 of them also occur"));
        assert!(notes(&Scope::Whole { trained_on: 1 })[1].contains("1 of them also occurs"));
        let one = scope_notes(&Scope::Whole { trained_on: 0 }, "test", 1, ROW);
        assert!(one[0].ends_with("evaluating 1 row"), "{one:?}");
        let stored = |missing, new, relabeled| {
            let changes = Changes {
                missing,
                new,
                relabeled,
                moved: false,
            };
            notes(&Scope::Stored {
                rows: vec![0; 58],
                changes,
            })
        };
        assert!(stored(0, 0, 0).is_empty());
        let all = stored(2, 5, 3);
        assert!(
            all[0].contains("2 of 60 rows in the test split are missing"),
            "{all:?}"
        );
        assert!(
            all[1].contains("3 rows in the test split changed labels"),
            "{all:?}"
        );
        assert!(all[2].contains("5 rows are new since training"), "{all:?}");
    }
}
