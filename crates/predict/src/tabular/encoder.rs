//! From cells to what a network takes: fitted on the training rows, stored with the model.
//!
//! | cells | become |
//! |---|---|
//! | numbers | one number on a common scale; the median where one is missing, and on request a missing indicator and a code for each number that many rows share |
//! | categories | a code: 0 for a missing one, 1 for a rare or an unknown one, then one for each category |
//! | yes and no | a code: 0 for a missing one, 1 for no, 2 for yes |
//! | dates | a number as above, sine and cosine of the day of the year, and codes for the month and the day of the week; where there are times of day, sine and cosine of these too, and a code for the hour |

mod apply;
mod fit;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tinderbox_datasets::table::{Table, TableError};

use super::dates;
use super::encoded::{Encoded, EncodedColumn};
use super::features::Features;
use super::scale::Scale;

/// Codes of a categorical column before those of its categories.
const MISSING: i32 = 0;
const OTHER: i32 = 1;
const FIRST: usize = 2;

/// How the cells of a column are encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Coding {
    /// Numbers.
    Number {
        /// Replaces a missing number, in the column's unit.
        fill: f64,
        /// The scale of the numbers.
        scale: Scale,
        /// Numbers with a code of their own, in the order of their codes, from 2 on; none if there is
        /// no such code.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        values: Vec<f64>,
        /// Whether a code marks missing cells.
        missing: bool,
    },
    /// Dates, in days since 1970-01-01.
    Date {
        /// Replaces a missing date.
        fill: f64,
        /// The scale of the dates.
        scale: Scale,
        /// Whether a code marks missing cells.
        missing: bool,
        /// Whether there are numbers for the day of the year.
        #[serde(default)]
        season: bool,
        /// Whether there are numbers and a code for the time of day.
        #[serde(default)]
        time: bool,
    },
    /// Words.
    Categories {
        /// In the order of their codes, from 2 on.
        categories: Vec<String>,
        /// Hashes of the categories that were too rare for a code, ascending: they are not new. Not
        /// the categories, which may be names of people.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rare: Vec<u32>,
    },
    /// Yes and no.
    Boolean {
        /// Whether most training rows have yes; older models do not say so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        usually: bool,
    },
}

/// An encoded column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Name of the column.
    pub name: String,
    /// How its cells are encoded.
    pub coding: Coding,
}

/// Encodes the feature columns of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoder {
    features: Vec<Feature>,
}

/// Categories of a column that no training row has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnseenCategories {
    /// Name of the column.
    pub column: String,
    /// Number of cells with such a category.
    pub cells: usize,
    /// One of the categories.
    pub example: String,
    /// The first line of the file with it.
    pub line: u64,
}

impl Encoder {
    /// Fits the columns called `names` on some rows.
    ///
    /// # Errors
    ///
    /// If there is no such column.
    pub fn fit(
        table: &Table,
        names: &[String],
        rows: &[usize],
        features: &Features,
    ) -> Result<Self, TableError> {
        let features = names.iter().map(|name| {
            Ok(Feature {
                name: name.clone(),
                coding: fit::fit_column(table.column(name)?, rows, features),
            })
        });
        Ok(Self {
            features: features.collect::<Result<_, TableError>>()?,
        })
    }

    /// The columns, in their order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Names of the columns, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| feature.name.as_str())
    }

    /// Numbers in an encoded row.
    pub fn n_numeric(&self) -> usize {
        self.columns().last().map_or(0, |column| column.numeric.end)
    }

    /// Number of values of each code of an encoded row.
    pub fn cardinalities(&self) -> Vec<usize> {
        let features = self.features.iter();
        features
            .flat_map(|feature| cardinalities(&feature.coding))
            .collect()
    }

    /// The columns of an encoded row.
    pub fn columns(&self) -> Vec<EncodedColumn> {
        let (mut numbers, mut codes) = (0, 0);
        let columns = self.features.iter().map(|feature| {
            let width = feature.coding.width();
            let more = cardinalities(&feature.coding).len();
            let column = EncodedColumn {
                name: feature.name.clone(),
                numeric: numbers..numbers + width,
                codes: codes..codes + more,
            };
            (numbers, codes) = (column.numeric.end, column.codes.end);
            column
        });
        columns.collect()
    }

    /// The categories of a table that no training row has, by column.
    ///
    /// # Errors
    ///
    /// If the table lacks a column.
    pub fn unseen_categories(&self, table: &Table) -> Result<Vec<UnseenCategories>, TableError> {
        let unseen = self.features.iter().map(|feature| {
            let column = table.column(&feature.name)?;
            Ok(match &feature.coding {
                Coding::Categories { categories, rare } => {
                    apply::unseen_of(column, categories, rare, table)
                }
                Coding::Number { .. } | Coding::Date { .. } | Coding::Boolean { .. } => None,
            })
        });
        let unseen: Vec<_> = unseen.collect::<Result<_, TableError>>()?;
        Ok(unseen.into_iter().flatten().collect())
    }

    /// The unscaled numbers of all rows, `[rows, n_numeric]`; NaN where a cell is missing.
    ///
    /// # Errors
    ///
    /// If the table lacks a column.
    pub fn unscaled(&self, table: &Table) -> Result<Vec<f64>, TableError> {
        let n_numeric = self.n_numeric();
        let mut unscaled = vec![f64::NAN; table.rows() * n_numeric];
        for (feature, position) in self.features.iter().zip(self.columns()) {
            let column = table.column(&feature.name)?;
            if position.numeric.is_empty() {
                continue;
            }
            for (row, cells) in unscaled.chunks_exact_mut(n_numeric).enumerate() {
                let numbers = feature.coding.numbers(column.number(row));
                cells[position.numeric.clone()].copy_from_slice(&numbers);
            }
        }
        Ok(unscaled)
    }

    /// Whether the codes of each column add something to its numbers, in the order of the columns.
    pub fn has_own_codes(&self) -> impl Iterator<Item = bool> {
        let features = self.features.iter();
        features.map(|feature| !matches!(feature.coding, Coding::Number { .. }))
    }

    /// Encodes all rows of a table that has these columns.
    ///
    /// # Errors
    ///
    /// If it lacks one.
    pub fn encode(&self, table: &Table) -> Result<Encoded, TableError> {
        let rows = table.rows();
        let (n_numeric, n_codes) = (self.n_numeric(), self.cardinalities().len());
        let mut encoded = Encoded {
            rows,
            n_numeric,
            n_codes,
            numeric: vec![0.0; rows * n_numeric],
            codes: vec![0; rows * n_codes],
        };
        for (feature, position) in self.features.iter().zip(self.columns()) {
            let column = table.column(&feature.name)?;
            apply::encode_column(column, &feature.coding, &position, &mut encoded);
        }
        Ok(encoded)
    }
}

impl Coding {
    /// Number of numbers of an encoded cell.
    fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Date { season, time, .. } => {
                1 + 2 * usize::from(*season) + 2 * usize::from(*time)
            }
            Self::Categories { .. } | Self::Boolean { .. } => 0,
        }
    }

    /// The unscaled numbers of a cell; NaN where it is missing.
    fn numbers(&self, cell: f64) -> Vec<f64> {
        match self {
            Self::Number { .. } => vec![cell],
            Self::Date { season, time, .. } => {
                let season = season.then(|| dates::season(cell));
                let time = time.then(|| dates::time_of_day(cell));
                let cycles = season.into_iter().chain(time).flatten();
                std::iter::once(cell).chain(cycles).collect()
            }
            Self::Categories { .. } | Self::Boolean { .. } => Vec::new(),
        }
    }
}

fn cardinalities(coding: &Coding) -> Vec<usize> {
    match coding {
        Coding::Number {
            values, missing, ..
        } => {
            let values = (!values.is_empty()).then_some(values.len() + FIRST);
            let missing = missing.then_some(2);
            values.into_iter().chain(missing).collect()
        }
        Coding::Date { missing, time, .. } => [
            vec![13, 8],
            vec![25; usize::from(*time)],
            vec![2; usize::from(*missing)],
        ]
        .concat(),
        Coding::Categories { categories, .. } => vec![categories.len() + FIRST],
        Coding::Boolean { .. } => vec![3],
    }
}
