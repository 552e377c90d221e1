//! A logistic regression on the pixels, to compare with.

use std::time::Instant;

use tinderbox_baselines::{BaselineError, MAX_VALUES, Rows, logistic_regression as fit};
use tinderbox_train::metrics::{Evaluation, Predictions};
use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Splits, TaskError};

use super::scratch::{factor, pool};
use crate::vision::data::{DataError, ImageData};

/// Fits a logistic regression on the training split, or on evenly spread images of a large one; images
/// with a side above `side` are scaled down.
///
/// # Errors
///
/// If an image cannot be loaded or the regression cannot be fitted.
pub(super) fn logistic_regression(
    data: &ImageData,
    splits: &Splits,
    side: usize,
) -> Result<BaselineReport, TaskError> {
    let started = Instant::now();
    let [height, width, channels] = data.shape();
    let factor = factor(height, width, side);
    let size = [height / factor, width / factor];
    let features = size.iter().product::<usize>() * channels;
    let train = rows(data, &splits.train, factor, MAX_VALUES / features.max(1))?;
    let samples = train.labels.len();
    let test = rows(data, &splits.test, factor, usize::MAX)?;
    let (classes, labels) = (data.classes.len(), test.labels.clone());
    let probabilities =
        fit(train, test, classes).map_err(|error: BaselineError| TaskError::internal(error))?;
    let evaluation = Evaluation::Classes(Predictions {
        classes,
        probabilities,
        labels,
        threshold: None,
    });
    Ok(BaselineReport {
        result: Baseline {
            method: match factor {
                1 => "logistic regression".to_owned(),
                _ => format!("logistic regression ({}x{})", size[0], size[1]),
            },
            samples,
            wall_s: started.elapsed().as_secs_f64(),
            threshold: None,
            test: evaluation.metrics(),
        },
        evaluation,
    })
}

fn rows(data: &ImageData, rows: &[usize], factor: usize, most: usize) -> Result<Rows, TaskError> {
    let every = rows.len().div_ceil(most.max(1)).max(1);
    let mut all = Rows::default();
    let [height, width, channels] = data.shape();
    let size = (height / factor) * (width / factor) * channels;
    all.features
        .reserve_exact(rows.len().div_ceil(every) * size);
    for &row in rows.iter().step_by(every) {
        let item = data.images.get(row).map_err(DataError::Image)?;
        let image = pool(item.image, factor);
        let values = image.pixels.iter();
        all.features
            .extend(values.map(|&value| f64::from(value) / 255.0));
        all.labels.push(usize::from(item.target));
    }
    Ok(all)
}
