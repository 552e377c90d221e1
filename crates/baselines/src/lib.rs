//! Classical methods to compare a deep model with.
//!
//! Rows of numbers or texts go in, probabilities or values come out. The crate knows no tensor, no
//! image and no metric. Everything is deterministic, on any number of threads.
//!
//! | for | method |
//! |---|---|
//! | images | [`logistic_regression`], multinomial, on dense pixels, by `linfa` |
//! | features of a network, or of the windows of an image | [`SoftmaxConfig`], multinomial, whose weights can be read; [`DualRidge`], many targets on few wide rows |
//! | pixels of images | [`BoostingConfig`], gradient-boosted trees, on the responses of filters |
//! | tables | [`LogisticConfig`] and [`RidgeConfig`] on standardized numbers ([`Standardizer`]) and one-hot categories ([`SparseRows`]); [`BoostingConfig`], gradient-boosted trees |
//! | texts | [`TfidfConfig`], whose sparse rows [`LogisticConfig`] takes |
//! | words with tags | [`WordWindowConfig`], whose sparse rows [`LogisticConfig`] takes |
//! | plain text | [`NgramConfig`], modified Kneser-Ney smoothing over tokens |
//!
//! Settings and their defaults are those of scikit-learn, where scikit-learn has the method, so that scores
//! are comparable.
//!
//! ```
//! use tinderbox_baselines::{LogisticConfig, TfidfConfig};
//!
//! let texts = ["cheap pills now", "win cash now", "see you at lunch", "lunch at noon?"];
//! let texts = texts.map(str::to_owned);
//! let terms = TfidfConfig::default().fit(&texts)?;
//! let model = LogisticConfig::default().fit(&terms.transform(&texts), &[1, 1, 0, 0], 2)?;
//! let new = terms.transform(&["pills now".to_owned()]);
//! assert!(model.predict(&new)?[1] > 0.5);
//! # Ok::<(), tinderbox_baselines::BaselineError>(())
//! ```

#[cfg(feature = "dense")]
mod dense;
mod dual_ridge;
mod error;
mod lbfgs;
mod logistic;
mod ngram;
mod ridge;
mod softmax;
mod sparse;
mod table;
mod tfidf;
mod trees;
mod word_window;

#[cfg(feature = "dense")]
pub use dense::{MAX_VALUES, Rows, logistic_regression};
pub use dual_ridge::{DualFit, DualRidge};
pub use error::BaselineError;
pub use logistic::{Logistic, LogisticConfig};
pub use ngram::{Ngram, NgramConfig};
pub use ridge::{Ridge, RidgeConfig};
pub use softmax::{DenseRows, Softmax, SoftmaxConfig};
pub use sparse::SparseRows;
pub use table::{Standardizer, Table};
pub use tfidf::{Terms, Tfidf, TfidfConfig};
pub use trees::{BoostedTrees, BoostingConfig};
pub use word_window::{WordWindow, WordWindowConfig};
