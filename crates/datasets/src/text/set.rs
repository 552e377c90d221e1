//! Labeled texts in memory.

use std::collections::{BTreeSet, HashMap};

use super::TextOptions;
use super::error::TextError;
use super::rows::TextRow;

/// A text and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabeledText {
    /// The text.
    pub text: String,
    /// Its class, a position in [`TextSet::class_names`].
    pub label: u16,
}

/// Texts with a class each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSet {
    texts: Vec<String>,
    labels: Vec<u16>,
    class_names: Vec<String>,
}

impl TextSet {
    /// Puts texts and their classes together; a label is a position in `class_names`.
    ///
    /// ```
    /// use tinderbox_datasets::text::TextSet;
    ///
    /// let names = ["ham", "spam"].map(str::to_owned).to_vec();
    /// let set = TextSet::new(vec!["win a prize".to_owned()], vec![1], names)?;
    /// assert_eq!(set.texts(), ["win a prize"]);
    /// # Ok::<(), tinderbox_datasets::text::TextError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there are not as many labels as texts, or a label is not less than the number of classes.
    pub fn new(
        texts: Vec<String>,
        labels: Vec<u16>,
        class_names: Vec<String>,
    ) -> Result<Self, TextError> {
        if texts.len() != labels.len() {
            let (texts, labels) = (texts.len(), labels.len());
            return Err(TextError::Lengths { texts, labels });
        }
        let classes = class_names.len();
        if let Some(row) = (0..labels.len()).find(|&row| usize::from(labels[row]) >= classes) {
            let label = labels[row];
            return Err(TextError::LabelRange {
                row,
                label,
                classes,
            });
        }
        Ok(Self {
            texts,
            labels,
            class_names,
        })
    }

    /// The rows of those numbers, in that order.
    ///
    /// # Panics
    ///
    /// If a number is not less than the number of rows.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            texts: rows.iter().map(|&row| self.texts[row].clone()).collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            class_names: self.class_names.clone(),
        }
    }

    /// Texts whose labels are known to be right.
    #[cfg(feature = "sets")]
    pub(crate) fn of(texts: Vec<String>, labels: Vec<u16>, class_names: Vec<String>) -> Self {
        debug_assert_eq!(texts.len(), labels.len());
        Self {
            texts,
            labels,
            class_names,
        }
    }

    /// Gives the classes other names, one for each.
    #[cfg(feature = "sets")]
    pub(crate) fn named(self, class_names: Vec<String>) -> Result<Self, TextError> {
        Self::new(self.texts, self.labels, class_names)
    }

    /// Numbers the labels: in the order of the classes given, else by their names, or by their
    /// numbers if all are whole.
    pub(crate) fn of_rows(
        file: &str,
        rows: Vec<TextRow>,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        if rows.is_empty() {
            let file = file.to_owned();
            return Err(TextError::Empty { file });
        }
        check_labeled(&rows)?;
        let labels = rows.iter().map(|row| row.labels[0].as_str());
        let class_names = class_names(file, labels, 2, options)?;
        let number = numbers(&class_names);
        let (mut texts, mut labels) = (Vec::new(), Vec::new());
        for row in rows {
            labels.push(class(&row.labels[0], &row, &number, &class_names)?);
            texts.push(row.text());
        }
        Ok(Self {
            texts,
            labels,
            class_names,
        })
    }

    /// The texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The class of every text, a position in [`class_names`](Self::class_names).
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The names of the classes.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The rows whose text is none of those in `other`: what may be trained on if `other` is tested.
    /// Of equal texts the first is kept.
    pub fn rows_not_in(&self, other: &Self) -> Vec<usize> {
        let mut seen: BTreeSet<&str> = other.texts.iter().map(String::as_str).collect();
        (0..self.texts.len())
            .filter(|&row| seen.insert(&self.texts[row]))
            .collect()
    }
}

/// Refuses a row without a label.
pub(super) fn check_labeled(rows: &[TextRow]) -> Result<(), TextError> {
    match rows.iter().find(|row| row.lacks_label()) {
        Some(row) => Err(TextError::EmptyLabel {
            location: row.location.clone(),
        }),
        None => Ok(()),
    }
}

/// The number of the class of a row.
pub(super) fn class(
    label: &str,
    row: &TextRow,
    number: &HashMap<&str, u16>,
    class_names: &[String],
) -> Result<u16, TextError> {
    number
        .get(label)
        .copied()
        .ok_or_else(|| TextError::UnknownClass {
            location: row.location.clone(),
            label: label.to_owned(),
            classes: class_names.to_vec(),
        })
}

/// The classes given, else those that occur: by their names, or by their numbers if all are whole.
pub(super) fn class_names<'a>(
    file: &str,
    labels: impl Iterator<Item = &'a str>,
    fewest: usize,
    options: &TextOptions,
) -> Result<Vec<String>, TextError> {
    let file = file.to_owned();
    let names = options.classes.clone().unwrap_or_else(|| distinct(labels));
    match names.len() {
        0 => Err(TextError::NoLabel { file }),
        found if found < fewest => Err(TextError::OneClass {
            file,
            class: names.into_iter().next().unwrap_or_default(),
        }),
        1..=65_536 => Ok(names),
        found => Err(TextError::TooManyClasses { file, found }),
    }
}

fn distinct<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let distinct: BTreeSet<&str> = labels.collect();
    let mut names: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0));
    }
    names
}

/// The number of every class.
pub(super) fn numbers(class_names: &[String]) -> HashMap<&str, u16> {
    let numbered = class_names.iter().enumerate();
    numbered
        .map(|(at, name)| (name.as_str(), at as u16))
        .collect()
}
