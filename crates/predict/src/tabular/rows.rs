//! Rows of JSON values, as a request has them.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tinderbox_datasets::table::{CellValues, ColumnSchema, Kind, Table, TableError};

use super::predictor::Predictor;
use crate::PredictError;

/// Stands for the rows in messages of the table.
const NAME: &str = "rows";

/// Why a row cannot be used. Rows count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Columns that the model reads are not there.
    #[error(
        "row {row} lacks the column {}; send `null` for a missing value",
        listed(columns)
    )]
    Missing {
        /// The row.
        row: usize,
        /// The columns.
        columns: Vec<String>,
    },
    /// A column that the training file did not have.
    #[error("row {row}: unknown column `{column}`{}", suggestion(nearest.as_deref()))]
    Unknown {
        /// The row.
        row: usize,
        /// The column.
        column: String,
        /// The column with the most similar name.
        nearest: Option<String>,
    },
    /// A value that the column cannot have.
    #[error("row {row}, column `{column}`: `{value}` is not {expected}")]
    Value {
        /// The row.
        row: usize,
        /// The column.
        column: String,
        /// The value, shortened.
        value: String,
        /// The values that it can have.
        expected: String,
    },
}

fn listed(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    columns.join(", ")
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl Predictor {
    /// The columns that the model reads, in their order.
    pub fn feature_columns(&self) -> Vec<&ColumnSchema> {
        let schema = &self.spec().schema;
        let names = self.encoder().names();
        names.filter_map(|name| schema.column(name)).collect()
    }

    /// A table of rows, each an object with a value for each column that the model reads; `null` is a
    /// missing value. Other columns of the training file are ignored.
    ///
    /// # Errors
    ///
    /// If a row lacks a column, has one that the training file did not have, or a value that the column
    /// cannot have.
    pub fn table_of(&self, rows: &[&Map<String, Value>]) -> Result<Table, PredictError> {
        let columns = self.feature_columns();
        for (row, number) in rows.iter().zip(1..) {
            self.check_columns(row, number, &columns)
                .map_err(PredictError::input)?;
        }
        let texts: Vec<Option<Vec<Cow<'_, str>>>> = columns
            .iter()
            .map(|column| (!holds_numbers(column)).then(|| texts(column, rows)))
            .map(Option::transpose)
            .collect::<Result<_, _>>()
            .map_err(PredictError::input)?;
        let cells = columns.iter().zip(&texts).map(|(column, texts)| {
            let cells = match texts {
                Some(texts) => CellValues::Texts(texts.iter().map(|text| &**text).collect()),
                None => CellValues::Numbers(numbers(column, rows)?),
            };
            Ok((column.name.as_str(), cells))
        });
        let cells: Vec<_> = cells
            .collect::<Result<_, RowError>>()
            .map_err(PredictError::input)?;
        let table = Table::from_cells(NAME, &self.spec().schema, cells);
        let table = table.map_err(|error| match error {
            TableError::Cell {
                line,
                column,
                cell,
                expected,
                ..
            } => PredictError::input(RowError::Value {
                row: line as usize,
                column,
                value: cell,
                expected,
            }),
            error => PredictError::input(error),
        })?;
        self.check_range(&table).map_err(|(row, error)| {
            PredictError::input(match error {
                super::InputError::TooLarge { column, value, .. } => RowError::Value {
                    row: row + 1,
                    column,
                    value: value.to_string(),
                    expected: format!("a number up to {:.1e}", f32::MAX),
                },
                error => return PredictError::input(error),
            })
        })?;
        Ok(table)
    }

    fn check_columns(
        &self,
        row: &Map<String, Value>,
        number: usize,
        columns: &[&ColumnSchema],
    ) -> Result<(), RowError> {
        let known = &self.spec().schema;
        let is_nested = |value: &Value| value.is_array() || value.is_object();
        for (name, value) in row.iter().filter(|(_, value)| is_nested(value)) {
            if let Some(column) = known.column(name) {
                return Err(wrong(column, number, value));
            }
        }
        if let Some(column) = row.keys().find(|name| known.column(name).is_none()) {
            let names = columns.iter().map(|column| column.name.as_str());
            return Err(RowError::Unknown {
                row: number,
                column: column.chars().take(80).collect(),
                nearest: tinderbox_datasets::table::nearest_name(column, names),
            });
        }
        let missing = columns.iter().map(|column| &column.name);
        let missing: Vec<String> = missing
            .filter(|name| !row.contains_key(*name))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(RowError::Missing {
            row: number,
            columns: missing,
        })
    }
}

/// Whether a column is given as numbers, and not as texts that are typed.
fn holds_numbers(column: &ColumnSchema) -> bool {
    matches!(column.kind, Kind::Numeric | Kind::Boolean)
}

fn numbers(column: &ColumnSchema, rows: &[&Map<String, Value>]) -> Result<Vec<f64>, RowError> {
    let values = rows.iter().zip(1..).map(|(row, number)| {
        let value = row.get(&column.name).unwrap_or(&Value::Null);
        if value.is_null() {
            return Ok(f64::NAN);
        }
        let found = match column.kind {
            Kind::Boolean => boolean(column, value),
            _ => numeric(column, value),
        };
        found.ok_or_else(|| wrong(column, number, value))
    });
    values.collect()
}

/// A number; text where the training file wrote numbers in a way that JSON does not have.
fn numeric(column: &ColumnSchema, value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if !column.number.is_plain() => column.number.parse(text.trim()),
        _ => None,
    }
}

/// 0 or 1: of `true` and `false`, the two words of the training file, or the two numbers.
fn boolean(column: &ColumnSchema, value: &Value) -> Option<f64> {
    match (value, &column.words) {
        (Value::Bool(value), _) => Some(f64::from(u8::from(*value))),
        (Value::String(text), Some(words)) => {
            let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
            (is(&words.truth).then_some(1.0)).or_else(|| is(&words.falsity).then_some(0.0))
        }
        (Value::Number(number), None) => {
            let number = number.as_f64()?;
            [0.0, 1.0]
                .into_iter()
                .find(|known| number.total_cmp(known).is_eq())
        }
        _ => None,
    }
}

fn texts<'a>(
    column: &ColumnSchema,
    rows: &[&'a Map<String, Value>],
) -> Result<Vec<Cow<'a, str>>, RowError> {
    let texts = rows.iter().zip(1..).map(|(row, number)| {
        let value = row.get(&column.name).unwrap_or(&Value::Null);
        match value {
            Value::Null => Ok(Cow::Borrowed("")),
            Value::String(text) => Ok(Cow::Borrowed(text.as_str())),
            // A category may be written as a number in the file.
            Value::Number(_) | Value::Bool(_) if column.kind != Kind::Date => {
                Ok(Cow::Owned(value.to_string()))
            }
            _ => Err(wrong(column, number, value)),
        }
    });
    texts.collect()
}

fn wrong(column: &ColumnSchema, row: usize, value: &Value) -> RowError {
    let text = value.to_string();
    let mut short: String = text.chars().take(40).collect();
    if text.len() > short.len() {
        short.push('…');
    }
    RowError::Value {
        row,
        column: column.name.clone(),
        value: short,
        expected: match (column.kind, &column.words) {
            (Kind::Boolean, Some(words)) => {
                format!(
                    "true, false, \"{}\", \"{}\" or null",
                    words.truth, words.falsity
                )
            }
            (Kind::Boolean, None) => "true, false, 0, 1 or null".to_owned(),
            (Kind::Numeric, _) => "a number or null".to_owned(),
            (Kind::Date, _) => "a date in quotes or null".to_owned(),
            _ => "text, a number or null".to_owned(),
        },
    }
}
