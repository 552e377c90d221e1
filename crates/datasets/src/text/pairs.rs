//! Two texts with a class: does the one follow from the other, do they mean the same.

use std::path::Path;

use super::TextOptions;
use super::error::TextError;
use super::rows::{Labels, TextReport, TextRow, read_rows};
use super::set::{check_labeled, class, class_names, numbers};

/// Two texts and their class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabeledPair {
    /// The first text, for instance a premise.
    pub first: String,
    /// The second text, for instance a hypothesis.
    pub second: String,
    /// Their class, a position in [`PairSet::class_names`].
    pub label: u16,
}

/// Pairs of texts with a class each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairSet {
    pairs: Vec<LabeledPair>,
    class_names: Vec<String>,
}

/// Reads pairs of texts from a table or JSON; the content of the file decides. `options.text` names
/// the two columns or keys.
///
/// ```
/// use tinderbox_datasets::text::{TextOptions, read_pairs};
///
/// let dir = std::env::temp_dir().join("tinderbox-read-pairs");
/// std::fs::create_dir_all(&dir)?;
/// let path = dir.join("pairs.csv");
/// std::fs::write(&path, "premise,hypothesis,label\nit rains,it is wet,yes\nit rains,it is dry,no\n")?;
/// let options = TextOptions {
///     text: vec!["premise".to_owned(), "hypothesis".to_owned()],
///     ..TextOptions::default()
/// };
/// let set = read_pairs(&path, &options)?;
/// assert_eq!(set.pairs()[1].second, "it is dry");
/// assert_eq!(set.class_names(), ["no", "yes"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), and if `options.text` does not name two columns.
pub fn read_pairs(path: &Path, options: &TextOptions) -> Result<PairSet, TextError> {
    Ok(read_pairs_with_report(path, options)?.0)
}

/// As [`read_pairs`], with what was found out about the file.
///
/// # Errors
///
/// As [`read_pairs`].
pub fn read_pairs_with_report(
    path: &Path,
    options: &TextOptions,
) -> Result<(PairSet, TextReport), TextError> {
    if options.text.len() != 2 {
        let found = options.text.len();
        return Err(TextError::NotTwo { found });
    }
    let (rows, report) = read_rows(path, Labels::One, true, options)?;
    check_labeled(&rows)?;
    let labels = rows.iter().map(|row| row.labels[0].as_str());
    let class_names = class_names(&path.display().to_string(), labels, 2, options)?;
    Ok((PairSet::gather(rows, class_names)?, report))
}

impl PairSet {
    fn gather(rows: Vec<TextRow>, class_names: Vec<String>) -> Result<Self, TextError> {
        let number = numbers(&class_names);
        let pair = |mut row: TextRow| {
            let label = class(&row.labels[0], &row, &number, &class_names)?;
            let second = row.texts.pop().unwrap_or_default();
            let first = row.texts.pop().unwrap_or_default();
            Ok(LabeledPair {
                first,
                second,
                label,
            })
        };
        let pairs: Result<Vec<LabeledPair>, TextError> = rows.into_iter().map(pair).collect();
        Ok(Self {
            pairs: pairs?,
            class_names,
        })
    }

    /// The pairs.
    pub fn pairs(&self) -> &[LabeledPair] {
        &self.pairs
    }

    /// The names of the classes.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The pairs of those numbers, in that order.
    ///
    /// # Panics
    ///
    /// If a number is not less than the number of pairs.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            pairs: rows.iter().map(|&row| self.pairs[row].clone()).collect(),
            class_names: self.class_names.clone(),
        }
    }
}
