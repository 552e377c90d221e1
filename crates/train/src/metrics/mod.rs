//! Test metrics, computed on the host over all predictions at once.
//!
//! | for | what |
//! |---|---|
//! | classes that exclude each other | [`Predictions`]: metrics, confusion, [`ClassScores`], auroc |
//! | yes or no | [`binary_metrics`], [`Ranking`] (auroc, average precision, workload, capture), [`calibration`], [`approval`] |
//! | any number of labels | [`Labels`] |
//! | classes of pixels | [`SegmentationScores`], [`MembraneScores`] |
//! | boxes around objects | [`DetectionScores`] |
//! | lesions in images | [`Froc`] |
//! | a number | [`regression_metrics`] |
//! | texts | [`perplexity`], [`rouge`] |
//! | several seeds or folds | [`Spread`], [`bootstrap`] |
//! | a model and its baselines | [`Comparison`] |
//!
//! A metric that is undefined on what it is given, as the auroc of a single class, is `None`, and
//! is left out of the metrics by name.

mod binary;
mod classes;
mod compare;
mod detection;
mod diagnostics;
mod evaluation;
mod froc;
mod labels;
mod ranking;
mod regression;
mod sections;
mod segmentation;
mod spread;
mod text;
mod threshold;

pub use binary::{CalibrationBin, binary_metrics, brier, calibration, ece, f1, log_loss};
pub use classes::{ClassScores, Mistake, Predictions};
pub use compare::{Comparison, Estimate, Verdict};
pub use detection::{DetectionScores, OperatingPoint, PrecisionRecall, TrueBox, image_f1};
pub use diagnostics::diagnostics;
pub use evaluation::{Evaluation, pooled};
pub use froc::Froc;
pub use labels::Labels;
pub use ranking::{Approval, Ranking, Workload, approval, thin};
pub use regression::{median, regression_metrics};
pub use segmentation::{MembraneScore, MembraneScores, SegmentationScores};
pub use spread::{Spread, bootstrap, spread};
pub use text::{Rouge, perplexity, rouge};

/// Collects the metrics that are defined, by their names.
fn named<const N: usize>(metrics: [(&str, Option<f64>); N]) -> crate::Metrics {
    let defined = metrics.into_iter();
    defined
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// The mean of `values`, if there are any.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

/// Precision and recall's harmonic mean, from counts. `None` if there is neither.
fn f1_of(hits: f64, actual: f64, predicted: f64) -> Option<f64> {
    (actual + predicted > 0.0).then(|| 2.0 * hits / (actual + predicted))
}
