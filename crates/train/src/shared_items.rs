//! Items of a split that the model was chosen by or trained on too, so that its score measures memory.

use crate::format::thousands;
use crate::task::Noun;

/// How many items are in two splits, where the splits were given and not made here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedItems {
    /// Test items that also occur in the training or validation split.
    pub test: usize,
    /// Validation items that also occur in the training split.
    pub valid: usize,
    /// Other test items that match one there except for case, spacing and punctuation.
    pub test_similar: usize,
}

impl SharedItems {
    /// Whether no item is in two splits.
    pub fn is_empty(self) -> bool {
        self.test == 0 && self.valid == 0
    }

    /// A warning about each kind that there is.
    pub fn warnings(self, noun: Noun) -> Vec<String> {
        let items = |count: usize| format!("{} {}", thousands(count), noun.of(count));
        let occur = |count: usize| if count == 1 { "occurs" } else { "occur" };
        let Self {
            test,
            valid,
            test_similar,
        } = self;
        let test_warning = format!(
            "{} of the test split also {} in the training or validation split: the test score is too good",
            items(test),
            occur(test)
        );
        let valid_warning = format!(
            "{} of the validation split also {} in the training split: the validation score is too good, and \
             the best epoch is chosen by it",
            items(valid),
            occur(valid)
        );
        let similar_warning = format!(
            "{} of the test split {} from one of the training or validation split only in case, spacing or \
             punctuation: the test score may be too good",
            items(test_similar),
            if test_similar == 1 {
                "differs"
            } else {
                "differ"
            }
        );
        [
            (test, test_warning),
            (valid, valid_warning),
            (test_similar, similar_warning),
        ]
        .into_iter()
        .filter_map(|(count, warning)| (count > 0).then_some(warning))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: Noun = Noun("text", "texts");

    #[test]
    fn only_what_there_is_is_warned_of() {
        let none = SharedItems::default();
        assert!(none.is_empty() && none.warnings(TEXTS).is_empty());
        let some = SharedItems {
            test: 1_200,
            valid: 1,
            test_similar: 0,
        };
        let warnings = some.warnings(TEXTS);
        assert_eq!(
            warnings[0],
            "1,200 texts of the test split also occur in the training or validation split: the test score is too good"
        );
        assert!(warnings[1].starts_with("1 text of the validation split also occurs"));
        assert_eq!(warnings.len(), 2);
        let similar = SharedItems {
            test_similar: 3,
            ..SharedItems::default()
        };
        let warnings = similar.warnings(TEXTS);
        assert!(
            warnings[0].contains("3 texts of the test split"),
            "{warnings:?}"
        );
        assert!(warnings[0].contains("may be too good"), "{warnings:?}");
        assert!(similar.is_empty(), "these are no copies");
    }
}
