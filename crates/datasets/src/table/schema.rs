//! What is known of a table's columns: enough to read another file in the same way.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::date::DateOrder;
use super::number::{DecimalMark, NumberStyle};

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Numbers that can be compared and averaged.
    Numeric,
    /// Two opposite values, held as 0 and 1.
    Boolean,
    /// Words of which each stands in many rows.
    Categorical,
    /// Moments, held as days since 1970-01-01 with the time of day as their fraction.
    Date,
    /// A name or number of the row itself: of no use to a model.
    Identifier,
    /// Sentences.
    Text,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Numeric,
        Self::Boolean,
        Self::Categorical,
        Self::Date,
        Self::Identifier,
        Self::Text,
    ];

    /// Its name in recipes and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Categorical => "categorical",
            Self::Date => "date",
            Self::Identifier => "identifier",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Kind`].
#[derive(Debug, Error, PartialEq)]
#[error(
    "unknown column kind `{0}`; expected numeric, boolean, categorical, date, identifier or text"
)]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// Kinds that the user has decided, by column name.
pub type Overrides = BTreeMap<String, Kind>;

/// The words of a [`Kind::Boolean`] column, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BooleanWords {
    /// The word for 0, such as `No`.
    pub falsity: String,
    /// The word for 1, such as `Yes`.
    pub truth: String,
}

/// One column: its name, its kind, and how its cells are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSchema {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// How numbers are written.
    #[serde(default, skip_serializing_if = "NumberStyle::is_plain")]
    pub number: NumberStyle,
    /// How dates are written; [`Kind::Date`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<DateOrder>,
    /// The words of a boolean; none where it is written as 0 and 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<BooleanWords>,
}

impl ColumnSchema {
    /// A column whose cells are written in the simplest way: plain numbers, ISO dates, 0 and 1.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            number: NumberStyle::default(),
            date: (kind == Kind::Date).then_some(DateOrder::YearMonthDay),
            words: None,
        }
    }

    /// A column of dates in `order`.
    pub(crate) fn dated(name: &str, order: DateOrder) -> Self {
        Self {
            date: Some(order),
            ..Self::new(name, Kind::Date)
        }
    }

    /// What a cell should be, for messages.
    pub(crate) fn expected(&self) -> String {
        match (self.kind, &self.words, self.date) {
            (Kind::Numeric, ..) if self.number.decimal == DecimalMark::Comma => {
                "a number with a decimal comma".to_owned()
            }
            (Kind::Numeric, ..) => "a number".to_owned(),
            (Kind::Boolean, Some(words), _) => {
                format!("`{}` or `{}`", words.falsity, words.truth)
            }
            (Kind::Boolean, None, _) => "0 or 1".to_owned(),
            (Kind::Date, _, Some(order)) => format!("a date such as `{}`", order.example()),
            (Kind::Date, ..) => "a date".to_owned(),
            _ => "a word".to_owned(),
        }
    }
}

/// The columns of a table, in their order, and how a file of them is read.
///
/// It is part of a saved model: with it, another file gives cells of the same meaning, whatever the
/// order of its columns.
///
/// ```
/// use tinderbox_datasets::table::{ReadOptions, Schema, read_csv, read_csv_with};
///
/// let csv = "day;price\n1.2.2024;3,50\n28.2.2024;4,25\n";
/// let (table, _) = read_csv(csv.as_bytes(), "prices.csv", &ReadOptions::default())?;
/// let schema: Schema = serde_json::from_str(&serde_json::to_string(&table.schema())?)?;
///
/// let next = "price;day\n5,00;2.3.2024\n";
/// let (table, _) = read_csv_with(next.as_bytes(), "next.csv", &schema, &[], &ReadOptions::default())?;
/// assert_eq!(table.column("price")?.number(0), 5.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<ColumnSchema>,
    /// Words that mark a missing cell, without regard to case; an empty cell is always missing.
    pub missing: Vec<String>,
    /// Whether the file began with the names of the columns.
    pub header: bool,
}

impl Schema {
    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Words that mark a missing cell unless others are given.
///
/// `None`, `-` and `.` are not among them: they are often values.
pub fn default_missing() -> Vec<String> {
    ["?", "NA", "N/A", "#N/A", "<NA>", "NaN", "null"]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_parse_as_they_print() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!(
            "words".parse::<Kind>(),
            Err(UnknownKind("words".to_owned()))
        );
    }

    #[test]
    fn a_plain_column_is_short_and_reads_back() {
        let column = ColumnSchema::new("age", Kind::Numeric);
        let json = serde_json::to_string(&column).unwrap();
        assert_eq!(json, r#"{"name":"age","kind":"numeric"}"#);
        assert_eq!(serde_json::from_str::<ColumnSchema>(&json).unwrap(), column);
        assert!(
            serde_json::from_str::<ColumnSchema>(r#"{"name":"a","kind":"numeric","x":1}"#).is_err()
        );
    }
}
