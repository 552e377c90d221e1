//! What an inspection can find.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::format::thousands;
use crate::table::error::shorten;

/// How the strength of a column was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Area under the ROC curve, turned so that it is at least 0.5.
    Auroc,
    /// Cramér's V, corrected for its bias.
    CramersV,
    /// Spearman's rank correlation, without its sign.
    RankCorrelation,
    /// Share of the variance that the words explain, adjusted for their number.
    Explained,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auroc => "AUROC",
            Self::CramersV => "Cramér's V",
            Self::RankCorrelation => "rank correlation",
            Self::Explained => "share of the variance",
        })
    }
}

/// Something in a table that should be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// Rows lack the target.
    TargetMissing {
        /// The target.
        column: String,
        /// How many rows lack it.
        rows: usize,
    },
    /// The target has one value, or none.
    TargetConstant {
        /// The target.
        column: String,
    },
    /// A class has few rows.
    RareClass {
        /// The class.
        class: String,
        /// Its rows.
        rows: usize,
    },
    /// More classes than can be named have few rows.
    RareClasses {
        /// How many do.
        classes: usize,
        /// Each has fewer rows than this.
        fewer_than: usize,
        /// Some of them.
        examples: Vec<String>,
    },
    /// A class has few rows compared with the largest one.
    Imbalance {
        /// The rarest class.
        class: String,
        /// Its rows.
        rows: usize,
        /// All rows that have a class.
        of: usize,
    },
    /// Several columns tell the target nearly without error.
    Formula {
        /// The columns, at least two.
        columns: Vec<String>,
        /// Whether they are multiplied or divided rather than added or subtracted.
        product: bool,
        /// Share of the target's variance that they explain; of its logarithm's for a product.
        r2: f64,
    },
    /// Rows repeat an earlier one, identifiers aside; if there is a target, in what is used as a feature.
    DuplicateRows {
        /// How many do.
        rows: usize,
        /// All rows.
        of: usize,
    },
    /// All cells are missing.
    Empty {
        /// The column.
        column: String,
    },
    /// All cells that are there are equal.
    Constant {
        /// The column.
        column: String,
        /// Its value.
        value: String,
    },
    /// The column holds what an earlier one holds.
    DuplicateColumn {
        /// The column.
        column: String,
        /// The earlier one.
        of: String,
    },
    /// Most cells are missing.
    MostlyMissing {
        /// The column.
        column: String,
        /// The share that is missing, in `[0, 1]`.
        share: f64,
    },
    /// The column names or numbers the rows.
    Identifier {
        /// The column.
        column: String,
    },
    /// The column holds sentences.
    Text {
        /// The column.
        column: String,
    },
    /// A categorical column has many levels.
    ManyLevels {
        /// The column.
        column: String,
        /// How many.
        levels: usize,
        /// In how many rows each stands, on average and rounded down.
        rows: usize,
    },
    /// All words of a column are numbers in some style.
    NumbersAsWords {
        /// The column.
        column: String,
        /// One of them.
        example: String,
    },
    /// A column tells the target nearly without error.
    Leak {
        /// The column.
        column: String,
        /// Whether it is not its values but the holes in it that tell.
        by_missing: bool,
        /// How it was measured.
        measure: Measure,
        /// The strength, at most 1.
        value: f64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetMissing { column, rows } => {
                write!(f, "the target `{column}` is missing in {}", count(*rows))
            }
            Self::TargetConstant { column } => {
                write!(f, "the target `{column}` has a single value")
            }
            Self::RareClass { class, rows } => {
                write!(f, "class `{class}` has only {}", count(*rows))
            }
            Self::RareClasses {
                classes,
                fewer_than,
                examples,
            } => write!(
                f,
                "{} classes have fewer than {fewer_than} rows, such as {}",
                thousands(*classes),
                names(examples)
            ),
            Self::Imbalance { class, rows, of } => write!(
                f,
                "class `{class}` has {} of {of} ({:.2}%): accuracy says little about it, and a 20% \
                 test split has about {} of them",
                count(*rows),
                100.0 * *rows as f64 / *of as f64,
                rows / 5
            ),
            Self::Formula {
                columns,
                product,
                r2,
            } => {
                let how = if *product {
                    "product or ratio"
                } else {
                    "weighted sum or difference"
                };
                write!(
                    f,
                    "the target is a {how} of {} (R² {r2:.4}): check for leakage",
                    names(columns)
                )
            }
            Self::DuplicateRows { rows, of } => write!(
                f,
                "{} of {} {} of another row; duplicates stay in one split",
                thousands(*rows),
                count(*of),
                are_duplicates(*rows)
            ),
            Self::Empty { column } => write!(f, "`{column}` is empty"),
            Self::Constant { column, value } => write!(f, "`{column}` is `{value}` in every row"),
            Self::DuplicateColumn { column, of } => write!(f, "`{column}` is a copy of `{of}`"),
            Self::MostlyMissing { column, share } => {
                write!(
                    f,
                    "`{column}` is missing in {:.1}% of the rows",
                    share * 100.0
                )
            }
            Self::Identifier { column } => {
                write!(
                    f,
                    "`{column}` is an identifier: it is not used as a feature"
                )
            }
            Self::Text { column } => {
                write!(f, "`{column}` is free text: it is not used as a feature")
            }
            Self::ManyLevels {
                column,
                levels,
                rows,
            } => write!(
                f,
                "`{column}` has {} categories, about {} each",
                thousands(*levels),
                count(*rows)
            ),
            Self::NumbersAsWords { column, example } => write!(
                f,
                "`{column}` is read as text, but contains numbers such as `{example}`"
            ),
            Self::Leak {
                column,
                by_missing,
                measure,
                value,
            } => write!(
                f,
                "{}`{column}` alone predicts the target ({measure} {value:.3}): check for leakage",
                if *by_missing { "a missing " } else { "" }
            ),
        }
    }
}

fn are_duplicates(rows: usize) -> &'static str {
    if rows == 1 {
        "is a duplicate"
    } else {
        "are duplicates"
    }
}

/// Names in backticks.
fn names(names: &[String]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", shorten(name)))
        .collect();
    quoted.join(", ")
}

/// `1 row`, `2 rows`.
fn count(rows: usize) -> String {
    let digits = thousands(rows);
    format!("{digits} row{}", if rows == 1 { "" } else { "s" })
}
