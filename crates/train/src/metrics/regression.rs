//! Predicted numbers.

use super::{mean, named};
use crate::Metrics;

/// The metrics of predicted numbers by their names, in the unit of the numbers given: `rmse`,
/// `mae`, `r2`, and the median (`median_ape`) and mean (`mape`) of the absolute error as a fraction
/// of the true value.
///
/// `r2` is left out if all true values are the same. A true value of 0 has no fraction, so that its
/// row is passed over by the last two.
///
/// ```
/// let metrics = tinderbox_train::metrics::regression_metrics(&[110.0, 180.0], &[100.0, 200.0]);
/// assert!((metrics["mae"] - 15.0).abs() < 1e-9);
/// assert!((metrics["median_ape"] - 0.1).abs() < 1e-9);
/// ```
///
/// # Panics
///
/// If there are not as many predicted as true values.
pub fn regression_metrics(predicted: &[f64], actual: &[f64]) -> Metrics {
    assert_eq!(
        predicted.len(),
        actual.len(),
        "one prediction for each value"
    );
    let errors: Vec<f64> = predicted.iter().zip(actual).map(|(p, a)| p - a).collect();
    let mse = mean(errors.iter().map(|error| error * error));
    let variance = mean(actual.iter().copied())
        .and_then(|centre| mean(actual.iter().map(|value| (value - centre).powi(2))));
    let pairs = errors.iter().zip(actual);
    let mut shares: Vec<f64> = pairs
        .filter(|&(_, &value)| value != 0.0)
        .map(|(error, value)| (error / value).abs())
        .collect();
    named([
        ("rmse", mse.map(f64::sqrt)),
        ("mae", mean(errors.iter().map(|error| error.abs()))),
        (
            "r2",
            mse.zip(variance)
                .and_then(|(mse, variance)| (variance > 0.0).then(|| 1.0 - mse / variance)),
        ),
        ("median_ape", median(&mut shares)),
        ("mape", mean(shares.iter().copied())),
    ])
}

/// Sorts the values, and gives the one in the middle or the mean of the two there; none of nothing.
///
/// ```
/// use tinderbox_train::metrics::median;
///
/// assert_eq!(median(&mut [4.0, 1.0, 2.0]), Some(2.0));
/// assert_eq!(median(&mut [4.0, 1.0]), Some(2.5));
/// assert_eq!(median(&mut []), None);
/// ```
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 {
        upper
    } else {
        f64::midpoint(values[values.len() / 2 - 1], upper)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scikit-learn 1.9.1, `mean_squared_error`, `mean_absolute_error`, `r2_score`,
    /// `mean_absolute_percentage_error`.
    #[test]
    fn metrics_agree_with_scikit_learn() {
        let actual = [3.0, -0.5, 2.0, 7.0, 4.0];
        let metrics = regression_metrics(&[2.5, 0.0, 2.0, 8.0, 5.0], &actual);
        let expected = [
            ("rmse", 0.5_f64.sqrt()),
            ("mae", 0.6),
            ("r2", 0.917_218_543_046_357_6),
            ("mape", 0.311_904_761_904_761_9),
            ("median_ape", 0.5 / 3.0),
        ];
        assert_eq!(metrics.len(), 5);
        for (name, expected) in expected {
            assert!((metrics[name] - expected).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn what_is_undefined_is_left_out() {
        assert_eq!(regression_metrics(&[], &[]), Metrics::new());
        let names = |predicted: &[f64], actual: &[f64]| {
            let metrics = regression_metrics(predicted, actual);
            metrics.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(names(&[1.0, 2.0], &[0.0, 0.0]), ["mae", "rmse"]);
        let metrics = regression_metrics(&[1.0, 2.0, 6.0], &[0.0, 4.0, 4.0]);
        assert!((metrics["median_ape"] - 0.5).abs() < 1e-12);
    }
}
