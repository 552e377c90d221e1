//! Rows of JSON values, as a request has them.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tinderbox_datasets::format::shorten;
use tinderbox_datasets::table::{CellValues, ColumnSchema, Kind, Table, TableError, nearest_name};

use super::predictor::Predictor;
use crate::PredictError;

/// Stands for the rows in messages of the table.
const NAME: &str = "rows";

/// Why a row cannot be used. Rows count from 1; a single one has no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Columns that the model reads are not there.
    #[error(
        "{}the {} missing{}; send `null` for a missing value",
        place(*row), listed(columns), suggestion(similar.as_deref())
    )]
    Missing {
        /// The row.
        row: Option<usize>,
        /// The columns.
        columns: Vec<String>,
        /// An unknown column of the row with a name like that of the first.
        similar: Option<String>,
    },
    /// A number that a network cannot hold.
    #[error("{}column `{column}`: {value} is too large, the limit is {:.1e}", place(*row), f32::MAX)]
    TooLarge {
        /// The row.
        row: Option<usize>,
        /// The column.
        column: String,
        /// The number.
        value: String,
    },
    /// A value that the column cannot have.
    #[error("{}column `{column}`: `{value}` is not {expected}", place(*row))]
    Value {
        /// The row.
        row: Option<usize>,
        /// The column.
        column: String,
        /// The value, shortened.
        value: String,
        /// The values that it can have.
        expected: String,
    },
}

fn place(row: Option<usize>) -> String {
    row.map_or_else(String::new, |row| format!("row {row}: "))
}

fn listed(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [name] => format!("column {name} is"),
        names => format!("columns {} are", names.join(", ")),
    }
}

fn suggestion(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |name| {
        format!(", and the model does not know `{name}`")
    })
}

impl Predictor {
    fn feature_columns(&self) -> Vec<&ColumnSchema> {
        let schema = &self.spec().schema;
        let names = self.encoder().names();
        names.filter_map(|name| schema.column(name)).collect()
    }

    /// A table of rows, each an object with a value for each column that the model reads; `null` is a
    /// missing value. Other columns are ignored; those that the schema does not have are returned by their names.
    ///
    /// # Errors
    ///
    /// If a row lacks a column, or has a value that the column cannot have.
    pub fn table_of(
        &self,
        rows: &[&Map<String, Value>],
    ) -> Result<(Table, Vec<String>), PredictError> {
        let columns = self.feature_columns();
        let number_of = |at: usize| (rows.len() > 1).then_some(at + 1);
        let mut unknown: Vec<String> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            check_columns(row, number_of(at), &columns).map_err(PredictError::input)?;
            for name in row.keys() {
                if self.spec().schema.column(name).is_none() && !unknown.contains(name) {
                    unknown.push(name.clone());
                }
            }
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
                row: number_of((line as usize).saturating_sub(1)),
                column,
                value: cell,
                expected,
            }),
            error => PredictError::input(error),
        })?;
        self.check_range(&table).map_err(|(row, error)| {
            PredictError::input(match error {
                super::InputError::TooLarge { column, value, .. } => RowError::TooLarge {
                    row: number_of(row),
                    column,
                    value: format!("{value:e}"),
                },
                error => return PredictError::input(error),
            })
        })?;
        Ok((table, unknown))
    }
}

fn check_columns(
    row: &Map<String, Value>,
    number: Option<usize>,
    columns: &[&ColumnSchema],
) -> Result<(), RowError> {
    let missing = columns.iter().map(|column| &column.name);
    let missing: Vec<String> = missing
        .filter(|name| !row.contains_key(*name))
        .cloned()
        .collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let is_read = |name: &&str| columns.iter().any(|column| column.name == **name);
    let others = row.keys().map(String::as_str);
    Err(RowError::Missing {
        row: number,
        similar: nearest_name(first, others.filter(|name| !is_read(name))),
        columns: missing,
    })
}

/// Whether a column is given as numbers, and not as texts that are typed.
fn holds_numbers(column: &ColumnSchema) -> bool {
    matches!(column.kind, Kind::Numeric | Kind::Boolean)
}

fn numbers(column: &ColumnSchema, rows: &[&Map<String, Value>]) -> Result<Vec<f64>, RowError> {
    let values = rows.iter().enumerate().map(|(at, row)| {
        let value = row.get(&column.name).unwrap_or(&Value::Null);
        if value.is_null() {
            return Ok(f64::NAN);
        }
        let found = match column.kind {
            Kind::Boolean => boolean(column, value),
            _ => numeric(column, value),
        };
        found.ok_or_else(|| wrong(column, (rows.len() > 1).then_some(at + 1), value))
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

/// 0 or 1: of `true` and `false`, the two words of the training file, or its two numbers, also in quotes.
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
        (Value::String(text), None) => match text.trim() {
            "0" => Some(0.0),
            "1" => Some(1.0),
            _ => None,
        },
        _ => None,
    }
}

fn texts<'a>(
    column: &ColumnSchema,
    rows: &[&'a Map<String, Value>],
) -> Result<Vec<Cow<'a, str>>, RowError> {
    let texts = rows.iter().enumerate().map(|(at, row)| {
        let value = row.get(&column.name).unwrap_or(&Value::Null);
        match value {
            Value::Null => Ok(Cow::Borrowed("")),
            Value::String(text) => Ok(Cow::Borrowed(text.as_str())),
            // A category may be written as a number in the file.
            Value::Number(_) | Value::Bool(_) if column.kind != Kind::Date => {
                Ok(Cow::Owned(value.to_string()))
            }
            _ => Err(wrong(column, (rows.len() > 1).then_some(at + 1), value)),
        }
    });
    texts.collect()
}

fn wrong(column: &ColumnSchema, row: Option<usize>, value: &Value) -> RowError {
    RowError::Value {
        row,
        column: column.name.clone(),
        value: shorten(&value.to_string(), 41),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_takes_the_words_of_the_training_file() {
        let column = ColumnSchema::new("senior", Kind::Boolean);
        for (value, expected) in [
            (Value::from("1"), Some(1.0)),
            (Value::from(" 0 "), Some(0.0)),
            (Value::from(1), Some(1.0)),
            (Value::from(false), Some(0.0)),
            (Value::from("2"), None),
            (Value::from("yes"), None),
        ] {
            assert_eq!(boolean(&column, &value), expected, "{value}");
        }
    }
}
