//! Rows of texts and labels, from columns or keys.

use std::path::Path;

use super::delimited::{cells, open as open_delimited, position};
use super::documents::open;
use super::error::{Place, TextError};
use super::json_lines::{each_object, word};
use super::{JSON_LINES, TextOptions, ends};

/// A row as it was found.
pub(super) struct Row {
    /// The text of every column or key named in [`TextOptions::text`].
    pub(super) texts: Vec<String>,
    /// The labels, without white space around them.
    pub(super) labels: Vec<String>,
    pub(super) place: Place,
}

/// How many labels a row has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    One,
    /// Any number, in a list or separated by `|` or `;`.
    Many,
}

/// Reads CSV, TSV or JSON lines, by the name of the file, and refuses texts that are empty or too long.
pub(super) fn read_rows(
    path: &Path,
    labels: Labels,
    options: &TextOptions,
) -> Result<Vec<Row>, TextError> {
    let rows = if ends(path, &JSON_LINES) {
        json_rows(path, labels, options)?
    } else {
        delimited_rows(path, labels, options)?
    };
    if rows.is_empty() {
        let file = path.display().to_string();
        return Err(TextError::Empty { file });
    }
    Ok(rows)
}

fn json_rows(path: &Path, labels: Labels, options: &TextOptions) -> Result<Vec<Row>, TextError> {
    let name = path.display().to_string();
    let mut rows = Vec::new();
    each_object(open(path)?, &name, options, |object| {
        let list = object.list(&options.label);
        let labels = match list.filter(|_| labels == Labels::Many) {
            Some(list) => list,
            None => labels.split(&object.get(&options.label)?),
        };
        rows.push(Row::new(
            object.texts(options)?,
            labels,
            object.place(),
            options,
        )?);
        Ok(())
    })?;
    Ok(rows)
}

fn delimited_rows(
    path: &Path,
    labels: Labels,
    options: &TextOptions,
) -> Result<Vec<Row>, TextError> {
    let name = path.display().to_string();
    let gathered = open_delimited(open(path)?, &name, options)?;
    let columns = options.text.iter();
    let columns: Result<Vec<usize>, TextError> = columns
        .map(|column| position(&gathered, column, &name))
        .collect();
    let columns = columns?;
    let label = position(&gathered, &options.label, &name)?;
    let cells = cells(&gathered);
    let row = |row: usize| {
        let place = Place::Line {
            file: name.clone(),
            line: gathered.lines.line(row),
        };
        let texts = columns.iter().map(|&at| cells[at][row].to_owned());
        Row::new(
            texts.collect(),
            labels.split(cells[label][row]),
            place,
            options,
        )
    };
    (0..gathered.rows_in_file).map(row).collect()
}

impl Labels {
    /// The labels in a cell.
    fn split(self, cell: &str) -> Vec<String> {
        let cell = cell.trim();
        if self == Self::One {
            return vec![cell.to_owned()];
        }
        let list = serde_json::from_str::<Vec<serde_json::Value>>(cell).ok();
        list.and_then(|list| list.iter().map(word).collect())
            .unwrap_or_else(|| cell.split(['|', ';']).map(str::to_owned).collect())
    }
}

impl Row {
    fn new(
        mut texts: Vec<String>,
        mut labels: Vec<String>,
        place: Place,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        for cell in texts.iter_mut().chain(&mut labels) {
            cell.truncate(cell.trim_end().len());
            cell.drain(..cell.len() - cell.trim_start().len());
        }
        let limit = options.max_bytes;
        if texts.iter().any(String::is_empty) {
            return Err(TextError::EmptyText { place });
        }
        if texts.iter().any(|text| text.len() > limit) {
            return Err(TextError::TooLong { place, limit });
        }
        Ok(Self {
            texts,
            labels,
            place,
        })
    }
}
