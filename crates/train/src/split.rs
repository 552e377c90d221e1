//! The `split` section of a recipe, and the items of each split.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{ConfigError, check_range, check_share};

/// How data without given splits is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Share held out for the test, in `(0, 1)`, where the data has no test split.
    pub test_fraction: f64,
    /// Share of the rest that is held out for validation, in `(0, 1)`, where the data has no
    /// validation split.
    pub valid_fraction: f64,
    /// Folds of the cross-validation before the final training; 0 for none.
    pub folds: usize,
    /// Seed of the splits.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            test_fraction: 0.2,
            valid_fraction: 0.1,
            folds: 0,
            seed: 0,
        }
    }
}

impl Split {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_share("split.test_fraction", self.test_fraction)?;
        check_share("split.valid_fraction", self.valid_fraction)?;
        check_folds(self.folds)
    }

    /// The seed of the validation split of a fold, from 0, other than that of the final training.
    pub fn fold_seed(&self, fold: usize) -> u64 {
        self.seed.wrapping_add((2 + fold as u64) << 32)
    }
}

/// Checks the number of folds in a recipe.
///
/// # Errors
///
/// If it is 1 or more than a thousand.
pub fn check_folds(folds: usize) -> Result<(), ConfigError> {
    if folds == 1 {
        return Err(ConfigError::new("split.folds", 1, "0, or 2 and more"));
    }
    check_range("split.folds", folds as f64, 0.0..=1_000.0)
}

/// Positions of the items of each split in the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// The training split.
    pub train: Vec<usize>,
    /// The validation split.
    pub valid: Vec<usize>,
    /// The test split.
    pub test: Vec<usize>,
}

impl Splits {
    /// The splits with their names.
    pub fn named(&self) -> [(&'static str, &[usize]); 3] {
        let Self { train, valid, test } = self;
        [("train", train), ("valid", valid), ("test", test)]
    }

    /// Puts the validation split in the place of the test split, whose items then are in no split and in none of
    /// the `folds`: for trainings that are compared with each other before one of them is tested.
    pub fn hide_test(&mut self, folds: &mut [Self]) {
        let hidden: HashSet<usize> = self.test.iter().copied().collect();
        for fold in folds {
            for rows in [&mut fold.train, &mut fold.valid, &mut fold.test] {
                rows.retain(|row| !hidden.contains(row));
            }
        }
        self.test.clone_from(&self.valid);
    }

    /// A split by its name.
    pub fn get(&self, name: &str) -> Option<&[usize]> {
        let mut splits = self.named().into_iter();
        splits.find(|(own, _)| *own == name).map(|(_, rows)| rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fold_and_empty_shares_are_refused() {
        assert_eq!(Split::default().validate(), Ok(()));
        for (split, key) in [
            (
                Split {
                    folds: 1,
                    ..Split::default()
                },
                "split.folds",
            ),
            (
                Split {
                    valid_fraction: 0.0,
                    ..Split::default()
                },
                "split.valid_fraction",
            ),
            (
                Split {
                    test_fraction: f64::NAN,
                    ..Split::default()
                },
                "split.test_fraction",
            ),
        ] {
            assert_eq!(split.validate().unwrap_err().key, key);
        }
    }

    #[test]
    fn a_hidden_test_split_is_nowhere() {
        let of = |train: &[usize], valid: &[usize], test: &[usize]| Splits {
            train: train.to_vec(),
            valid: valid.to_vec(),
            test: test.to_vec(),
        };
        let mut splits = of(&[0, 1, 2], &[3], &[4, 5]);
        let mut folds = [of(&[0, 4], &[1, 5], &[2, 3]), of(&[2, 3], &[1], &[0, 4, 5])];
        splits.hide_test(&mut folds);
        assert_eq!(splits, of(&[0, 1, 2], &[3], &[3]));
        assert_eq!(folds, [of(&[0], &[1], &[2, 3]), of(&[2, 3], &[1], &[0])]);
    }

    #[test]
    fn a_split_has_its_name() {
        let splits = Splits {
            train: vec![0, 2],
            valid: vec![1],
            test: Vec::new(),
        };
        assert_eq!(splits.get("train"), Some(&[0, 2][..]));
        assert_eq!(splits.get("test"), Some(&[][..]));
        assert_eq!(splits.get("dev"), None);
    }
}
