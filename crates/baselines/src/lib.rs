//! Classical methods to hold a deep model against, so that its gain is seen and not claimed.
//!
//! Rows of numbers or texts go in, probabilities or values come out. The crate knows no tensor, no
//! image and no metric. Everything is deterministic, on any number of threads.
//!
//! | for | method |
//! |---|---|
//! | images | [`logistic_regression`], multinomial, on dense pixels, by `linfa` |
//! | tables | [`LogisticConfig`] and [`RidgeConfig`] on standardised numbers ([`Standardizer`]) beside one-hot categories ([`SparseRows`]); [`BoostingConfig`], gradient-boosted trees |
//! | texts | [`TfidfConfig`], whose sparse rows [`LogisticConfig`] takes |
//!
//! What the settings mean, and what they are by default, is scikit-learn's, so that a figure here
//! is the figure a reader would get there.

#[cfg(feature = "dense")]
mod dense;
mod error;
mod lbfgs;
mod logistic;
mod ridge;
mod sparse;
mod table;
mod tfidf;
mod trees;

#[cfg(feature = "dense")]
pub use dense::{MAX_VALUES, Rows, logistic_regression};
pub use error::BaselineError;
pub use logistic::{Logistic, LogisticConfig};
pub use ridge::{Ridge, RidgeConfig};
pub use sparse::SparseRows;
pub use table::{Standardizer, Table};
pub use tfidf::{Terms, Tfidf, TfidfConfig};
pub use trees::{BoostedTrees, BoostingConfig};
