//! Columns whose file says what they hold.

#![cfg_attr(
    not(feature = "parquet"),
    allow(dead_code, reason = "only files that hold typed cells need all of it")
)]

use std::ops::Range;

use super::column::Column;
use super::conform::{conform, force};
use super::date;
use super::error::TableError;
use super::infer::{Inferred, infer, number_column, number_kind};
use super::parse::Context;
use super::raw::{PLAIN_NUMBER, RawColumn};
use super::schema::{BooleanWords, ColumnSchema, Kind};

/// One cell.
pub(crate) enum Cell<'a> {
    Missing,
    Number(f64),
    /// A whole number, which may have more digits than an `f64` holds.
    Integer(i128),
    Text(&'a str),
}

/// The cells of a column.
#[derive(Clone)]
pub(crate) enum Gathered {
    Text(RawColumn),
    Numbers(Vec<f64>),
    Booleans(Vec<f64>),
    Dates(Vec<f64>),
}

impl Gathered {
    /// Adds a cell, which is of the kind gathered here.
    pub(crate) fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(raw), Cell::Text(text)) => raw.push(text.as_bytes()),
            (Self::Text(raw), Cell::Integer(value)) => raw.push(value.to_string().as_bytes()),
            (Self::Text(raw), _) => raw.push(b""),
            (Self::Numbers(values) | Self::Booleans(values) | Self::Dates(values), cell) => {
                values.push(match cell {
                    Cell::Number(value) => value,
                    Cell::Integer(value) => value as f64,
                    Cell::Missing | Cell::Text(_) => f64::NAN,
                });
            }
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(raw) => raw.bytes(),
            Self::Numbers(values) | Self::Booleans(values) | Self::Dates(values) => {
                8 * values.len()
            }
        }
    }

    /// A column of text without cells.
    pub(crate) fn text() -> Self {
        Self::Text(RawColumn::default())
    }

    /// Adds a cell of text.
    pub(crate) fn push_raw(&mut self, cell: &[u8]) {
        if let Self::Text(raw) = self {
            raw.push(cell);
        }
    }

    /// The cells of some rows.
    pub(crate) fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Text(raw) => Self::Text(raw.slice(rows)),
            Self::Numbers(values) => Self::Numbers(values[rows].to_vec()),
            Self::Booleans(values) => Self::Booleans(values[rows].to_vec()),
            Self::Dates(values) => Self::Dates(values[rows].to_vec()),
        }
    }

    /// Whole numbers that were gathered as text, as numbers.
    pub(crate) fn into_numbers(self) -> Self {
        let Self::Text(raw) = &self else { return self };
        let number = |cell: &[u8]| std::str::from_utf8(cell).ok()?.parse().ok();
        Self::Numbers(
            raw.cells()
                .map(|cell| number(cell).unwrap_or(f64::NAN))
                .collect(),
        )
    }

    /// The text of each cell, as a CSV file would have it.
    pub(crate) fn texts(&self) -> Vec<String> {
        let raw = self.clone().into_raw();
        let text = |cell: &[u8]| {
            let text = String::from_utf8_lossy(cell);
            text.trim_start_matches(PLAIN_NUMBER).to_owned()
        };
        raw.cells().map(text).collect()
    }

    /// Its cells as a CSV file would have them.
    fn into_raw(self) -> RawColumn {
        let (values, write): (_, fn(f64) -> String) = match self {
            Self::Text(raw) => return raw,
            Self::Numbers(values) => (values, |x| x.to_string()),
            Self::Booleans(values) => (values, |x| (x == 1.0).to_string()),
            Self::Dates(values) => (values, date::format),
        };
        let mut raw = RawColumn::default();
        for value in values {
            let text = if value.is_nan() {
                String::new()
            } else {
                write(value)
            };
            raw.push(text.as_bytes());
        }
        raw
    }
}

/// Makes a column of the kind set, or of the kind that its cells show.
pub(crate) fn infer_gathered(
    name: &str,
    gathered: Gathered,
    kind: Option<Kind>,
    context: &Context<'_>,
) -> Result<Inferred, TableError> {
    check_finite(name, &gathered, context)?;
    let plain = |kind, values| (number_column(ColumnSchema::new(name, kind), values), None);
    Ok(match (gathered, kind) {
        (Gathered::Text(raw), None) => return infer(name, &raw, context),
        (Gathered::Numbers(values) | Gathered::Dates(values) | Gathered::Booleans(values), _)
            if values.iter().all(|x| x.is_nan()) =>
        {
            let mut raw = RawColumn::default();
            for _ in values {
                raw.push(b"");
            }
            return infer(name, &raw, context);
        }
        (Gathered::Numbers(values), None) => plain(number_kind(name, &values), values),
        (Gathered::Numbers(values), Some(Kind::Numeric)) => plain(Kind::Numeric, values),
        (Gathered::Dates(values), None | Some(Kind::Date)) => plain(Kind::Date, values),
        (Gathered::Booleans(values), None | Some(Kind::Boolean)) => {
            let (falsity, truth) = ("false".to_owned(), "true".to_owned());
            let words = Some(BooleanWords { falsity, truth });
            let schema = ColumnSchema {
                words,
                ..ColumnSchema::new(name, Kind::Boolean)
            };
            (number_column(schema, values), None)
        }
        (gathered, Some(kind)) => (force(name, kind, &gathered.into_raw(), context)?, None),
    })
}

/// Makes a column as another file had it.
pub(crate) fn conform_gathered(
    schema: &ColumnSchema,
    gathered: Gathered,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    check_finite(&schema.name, &gathered, context)?;
    match (gathered, schema.kind) {
        (Gathered::Numbers(values), Kind::Numeric)
        | (Gathered::Dates(values), Kind::Date)
        | (Gathered::Booleans(values), Kind::Boolean) => Ok(number_column(schema.clone(), values)),
        (gathered, _) => conform(schema, &gathered.into_raw(), context),
    }
}

fn check_finite(name: &str, gathered: &Gathered, context: &Context<'_>) -> Result<(), TableError> {
    let (Gathered::Numbers(values) | Gathered::Dates(values) | Gathered::Booleans(values)) =
        gathered
    else {
        return Ok(());
    };
    match values.iter().position(|x| x.is_infinite()) {
        Some(row) => Err(context.infinite(name, row, &values[row].to_string(), true)),
        None => Ok(()),
    }
}
