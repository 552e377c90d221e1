//! Preprocessing of the columns of a table.

use serde::{Deserialize, Serialize};
use tinderbox_models::tabular::{CategoricalEmbedding, NumericEmbedding};

/// How the columns of a table are preprocessed, fitted on the training rows alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Scaling of numbers.
    pub numeric_scaling: NumericScaling,
    /// Rows that a category must have; rarer ones are merged.
    pub min_frequency: usize,
    /// Rows that must share a number for it to become a category too, besides its scaled value:
    /// for versions, flags and sizes, which are names more than amounts; 0 for none.
    pub numeric_code_min_count: usize,
    /// Whether a column that marks missing cells is added.
    pub missing_indicators: bool,
    /// Scaling of a numeric target.
    pub target_scaling: TargetScaling,
    /// Width of the embedding of a number; unused by `none` and `encoding`.
    pub d_numeric: usize,
    /// Embedding of numbers.
    pub numeric_embedding: NumericEmbedding,
    /// Embedding of categories.
    pub categorical_embedding: CategoricalEmbedding,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            numeric_scaling: NumericScaling::Quantile,
            min_frequency: 5,
            numeric_code_min_count: 0,
            missing_indicators: true,
            target_scaling: TargetScaling::Auto,
            d_numeric: 16,
            numeric_embedding: NumericEmbedding::PiecewiseLinear {
                n_bins: 24,
                rectify: false,
            },
            categorical_embedding: CategoricalEmbedding::OneHot,
        }
    }
}

/// Scaling of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumericScaling {
    /// Mean 0 and standard deviation 1.
    Standard,
    /// To a normal distribution, by rank: there are no outliers.
    Quantile,
}

/// Scaling of a numeric target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetScaling {
    /// The logarithm, if all targets are above zero and it makes them less skewed.
    Auto,
    /// Mean 0 and standard deviation 1.
    Standard,
    /// The same of the logarithm: for prices and other sizes, whose errors are shares.
    Log,
}
