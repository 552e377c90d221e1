//! Labelled texts in memory.

use std::collections::{BTreeSet, HashMap};

use burn::data::dataset::{Dataset, DatasetError};

use super::TextOptions;
use super::error::{Place, TextError};

/// A text and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledText {
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

/// A text with its label as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) label: String,
    pub(crate) place: Place,
}

impl Found {
    /// Takes white space off, and refuses what is empty or too long.
    pub(crate) fn new(
        text: &str,
        label: &str,
        place: Place,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        let (text, label) = (text.trim(), label.trim());
        if text.is_empty() {
            return Err(TextError::EmptyText { place });
        }
        if label.is_empty() {
            return Err(TextError::EmptyLabel { place });
        }
        if text.len() > options.max_bytes {
            return Err(TextError::TooLong {
                place,
                limit: options.max_bytes,
            });
        }
        Ok(Self {
            text: text.to_owned(),
            label: label.to_owned(),
            place,
        })
    }
}

impl TextSet {
    /// Numbers the labels: in the order of the classes given, else by their names, or by their
    /// numbers if all are whole.
    pub(crate) fn gather(
        file: &str,
        found: Vec<Found>,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        let file = file.to_owned();
        let Some(first) = found.first() else {
            return Err(TextError::Empty { file });
        };
        let class_names = options.classes.clone().unwrap_or_else(|| classes(&found));
        if class_names.len() < 2 {
            return Err(TextError::OneClass {
                file,
                class: first.label.clone(),
            });
        }
        if class_names.len() > 1 << 16 {
            return Err(TextError::TooManyClasses {
                file,
                found: class_names.len(),
            });
        }
        let numbered = class_names.iter().enumerate();
        let number: HashMap<&str, u16> = numbered
            .map(|(at, name)| (name.as_str(), at as u16))
            .collect();
        let (mut texts, mut labels) = (Vec::new(), Vec::new());
        for Found { text, label, place } in found {
            let Some(&label) = number.get(label.as_str()) else {
                return Err(TextError::UnknownClass {
                    place,
                    label,
                    classes: class_names,
                });
            };
            texts.push(text);
            labels.push(label);
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

fn classes(found: &[Found]) -> Vec<String> {
    let distinct: BTreeSet<&str> = found.iter().map(|found| found.label.as_str()).collect();
    let mut names: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0));
    }
    names
}

impl Dataset<LabelledText> for TextSet {
    fn get(&self, index: usize) -> Result<LabelledText, DatasetError> {
        Ok(LabelledText {
            text: self.texts[index].clone(),
            label: self.labels[index],
        })
    }

    fn len(&self) -> usize {
        self.texts.len()
    }
}
