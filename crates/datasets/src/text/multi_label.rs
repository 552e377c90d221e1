//! Texts with any number of labels each.

use std::path::Path;

use super::TextOptions;
use super::error::TextError;
use super::rows::{Labels, TextReport, TextRow, read_rows};
use super::set::{class, class_names, numbers};

/// A text and its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiLabelText {
    /// The text; those in [`TextOptions::text`] joined by a space.
    pub text: String,
    /// Positions in [`MultiLabelSet::label_names`], each once, ascending.
    pub labels: Vec<u16>,
}

/// Texts with any number of labels each, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiLabelSet {
    items: Vec<MultiLabelText>,
    label_names: Vec<String>,
}

/// Reads texts with several labels from a table or JSON; the content of the file decides.
///
/// The labels of a text are separated by `|` or `;`, or are a JSON list as in `["late", "broken"]`. A
/// text without any has an empty cell or list.
///
/// ```
/// use tinderbox_datasets::text::{TextOptions, read_multi_label};
///
/// let dir = std::env::temp_dir().join("tinderbox-read-multi-label");
/// std::fs::create_dir_all(&dir)?;
/// let path = dir.join("mail.csv");
/// std::fs::write(&path, "text,label\nit came late and broken,late|broken\nthank you,\n")?;
/// let set = read_multi_label(&path, &TextOptions::default())?;
/// assert_eq!(set.label_names(), ["broken", "late"]);
/// assert_eq!(set.items()[0].labels, [0, 1]);
/// assert!(set.items()[1].labels.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), but a text may have no label.
pub fn read_multi_label(path: &Path, options: &TextOptions) -> Result<MultiLabelSet, TextError> {
    Ok(read_multi_label_with_report(path, options)?.0)
}

/// As [`read_multi_label`], with what was found out about the file.
///
/// # Errors
///
/// As [`read_multi_label`].
pub fn read_multi_label_with_report(
    path: &Path,
    options: &TextOptions,
) -> Result<(MultiLabelSet, TextReport), TextError> {
    let (mut rows, report) = read_rows(path, Labels::Many, false, options)?;
    for row in &mut rows {
        row.labels.retain(|label| !label.is_empty());
    }
    let file = path.display().to_string();
    let labels = rows.iter().flat_map(|row| &row.labels);
    let label_names = class_names(&file, labels.map(String::as_str), 1, options)?;
    Ok((MultiLabelSet::gather(&rows, label_names)?, report))
}

impl MultiLabelSet {
    fn gather(rows: &[TextRow], label_names: Vec<String>) -> Result<Self, TextError> {
        let number = numbers(&label_names);
        let item = |row: &TextRow| {
            let labels = row.labels.iter();
            let labels = labels.map(|label| class(label, row, &number, &label_names));
            let mut labels: Vec<u16> = labels.collect::<Result<_, _>>()?;
            labels.sort_unstable();
            labels.dedup();
            let text = row.text();
            Ok(MultiLabelText { text, labels })
        };
        let items: Result<Vec<MultiLabelText>, TextError> = rows.iter().map(item).collect();
        Ok(Self {
            items: items?,
            label_names,
        })
    }

    /// The texts with their labels.
    pub fn items(&self) -> &[MultiLabelText] {
        &self.items
    }

    /// The names of the labels.
    pub fn label_names(&self) -> &[String] {
        &self.label_names
    }

    /// The texts of those numbers, in that order.
    ///
    /// # Panics
    ///
    /// If a number is not less than the number of texts.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            items: rows.iter().map(|&row| self.items[row].clone()).collect(),
            label_names: self.label_names.clone(),
        }
    }
}
