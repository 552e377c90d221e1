//! A fit without steps of an optimizer, such as a regression on the features of a network.

use std::path::Path;

use crate::log::{LogState, Metrics, MetricsFile, Pace};
use crate::strategy::{Timings, TrainError};
use crate::trainer::{FitError, METRICS_FILE, Trained};

/// A running fit: it writes `metrics.jsonl` as a [`Trainer`](crate::Trainer) does, with one epoch and no
/// step.
pub struct DirectFit {
    metrics: MetricsFile,
}

impl DirectFit {
    /// Starts in a folder, over whatever an interrupted fit left there.
    ///
    /// # Errors
    ///
    /// If `metrics.jsonl` cannot be written.
    pub fn start(dir: &Path) -> Result<Self, FitError> {
        let pace = Pace {
            batches_per_epoch: 0,
            gradient_accumulation: 1,
            log_every: 1,
        };
        let path = dir.join(METRICS_FILE);
        let metrics = MetricsFile::open(Some(&path), LogState::default(), pace);
        let metrics = metrics.map_err(TrainError::Metrics)?;
        Ok(Self { metrics })
    }

    /// Ends with a model that was fitted to `samples` items, and logs the metrics of its splits.
    ///
    /// # Errors
    ///
    /// If `metrics.jsonl` cannot be written.
    pub fn finish<M>(
        self,
        model: M,
        samples: usize,
        timings: Timings,
        [train, valid]: [Metrics; 2],
    ) -> Result<Trained<M>, FitError> {
        for (split, metrics) in [("train", &train), ("valid", &valid)] {
            let logged = self.metrics.log_split(split, metrics, 1);
            logged.map_err(TrainError::Metrics)?;
        }
        Ok(Trained {
            model,
            best_epoch: 1,
            valid,
            epochs: 1,
            steps: 0,
            samples,
            stopped_early: false,
            timings,
            wall_s: self.metrics.wall_s(),
            metrics: self.metrics,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_that_is_repeated_leaves_the_metrics_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = |loss| Metrics::from([("loss".to_owned(), loss)]);
        for _ in 0..2 {
            let fit = DirectFit::start(dir.path()).unwrap();
            let timings = Timings::default();
            let trained = fit
                .finish((), 7, timings, [metrics(0.25), metrics(0.5)])
                .unwrap();
            assert_eq!((trained.epochs, trained.steps, trained.samples), (1, 0, 7));
            trained.log_test(&metrics(0.75)).unwrap();
        }
        let text = std::fs::read_to_string(dir.path().join(METRICS_FILE)).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains(r#""split":"valid","name":"loss","value":0.5"#));
    }
}
