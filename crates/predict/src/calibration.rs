//! Temperature scaling: one number, fitted on validation rows, that makes probabilities honest.
//!
//! Reference: Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, 2017,
//! <https://arxiv.org/abs/1706.04599>.

use serde::{Deserialize, Serialize};

/// Coldest and hottest temperature that is looked at.
const RANGE: [f64; 2] = [0.05, 20.0];

/// Smallest probability of which the logarithm is taken.
const SMALLEST: f32 = 1e-12;

/// Why no temperature can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// There is nothing to fit it on.
    #[error("a temperature needs validation rows, and there are none")]
    NoRows,
    /// Logits and labels do not belong together.
    #[error("there are {logits} logits for {rows} rows of {classes} classes")]
    Count {
        /// Number of logits.
        logits: usize,
        /// Number of labels.
        rows: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A label is not a class.
    #[error("validation row {row} has class {label}, but there are {classes} classes")]
    Label {
        /// The row, counted from 0.
        row: usize,
        /// Its class.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A logit is not a number.
    #[error("a logit of validation row {row} is not a finite number")]
    NotFinite {
        /// The row, counted from 0.
        row: usize,
    },
    /// A temperature that was stored is not one.
    #[error("a temperature must lie in [0.05, 20], is {0}")]
    Temperature(f64),
}

/// What logits are divided by before they become probabilities: above 1 if they were too sure of
/// themselves, below 1 if too unsure. Which class is the likeliest stays as it is.
///
/// ```
/// use tinderbox_predict::calibration::Temperature;
///
/// // Sure of itself, and right three times in four.
/// let logits = [4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0];
/// let temperature = Temperature::fit(&logits, 2, &[0, 0, 0, 1])?;
/// let probabilities = temperature.softmax(&[4.0, 0.0], 2);
/// assert!((probabilities[0] - 0.75).abs() < 1e-4);
/// # Ok::<(), tinderbox_predict::calibration::CalibrationError>(())
/// ```
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Temperature(f64);

impl Default for Temperature {
    /// Leaves logits as they are.
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Temperature {
    type Error = CalibrationError;

    fn try_from(value: f64) -> Result<Self, CalibrationError> {
        if (RANGE[0]..=RANGE[1]).contains(&value) {
            Ok(Self(value))
        } else {
            Err(CalibrationError::Temperature(value))
        }
    }
}

impl From<Temperature> for f64 {
    fn from(temperature: Temperature) -> Self {
        temperature.0
    }
}

impl Temperature {
    /// Finds the temperature of the least mean cross-entropy on `logits`, row after row of
    /// `classes`, with their true classes.
    ///
    /// It is looked for between 0.05 and 20. Where colder is always better, as on rows that are all
    /// right, the rows do not say how sure to be: the temperature is 1, not one that turns every
    /// probability into 0 or 1.
    ///
    /// # Errors
    ///
    /// If there are no rows, the sizes do not fit, a label is not a class or a logit not finite.
    pub fn fit(logits: &[f32], classes: usize, labels: &[usize]) -> Result<Self, CalibrationError> {
        check(logits, classes, labels)?;
        if slope(logits, classes, labels, 1.0 / RANGE[0]) <= 0.0 {
            return Ok(Self::default());
        }
        // The loss is convex in 1 / T, so that its slope there changes its sign once.
        let [mut low, mut high] = RANGE.map(|temperature| (1.0 / temperature).ln());
        (low, high) = (high, low);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if slope(logits, classes, labels, middle.exp()) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        let temperature = (-f64::midpoint(low, high)).exp();
        Ok(Self(temperature.clamp(RANGE[0], RANGE[1])))
    }

    /// The same for a net with one logit for yes.
    ///
    /// # Errors
    ///
    /// As [`fit`](Self::fit).
    pub fn fit_binary(logits: &[f32], labels: &[bool]) -> Result<Self, CalibrationError> {
        let pairs: Vec<f32> = logits.iter().flat_map(|&logit| [0.0, logit]).collect();
        let labels: Vec<usize> = labels.iter().map(|&label| usize::from(label)).collect();
        Self::fit(&pairs, 2, &labels)
    }

    /// As [`fit`](Self::fit), from probabilities instead of logits, such as the mean of several
    /// networks.
    ///
    /// # Errors
    ///
    /// As [`fit`](Self::fit).
    pub fn fit_probabilities(
        probabilities: &[f32],
        classes: usize,
        labels: &[usize],
    ) -> Result<Self, CalibrationError> {
        Self::fit(&logarithms(probabilities), classes, labels)
    }

    /// Calibrates probabilities, row after row of `classes`; a temperature of 1 returns them
    /// unchanged.
    pub fn calibrate(self, probabilities: Vec<f32>, classes: usize) -> Vec<f32> {
        if self == Self::default() {
            return probabilities;
        }
        self.softmax(&logarithms(&probabilities), classes)
    }

    /// Divides logits by the temperature.
    pub fn apply(self, logits: &mut [f32]) {
        for logit in logits {
            *logit = (f64::from(*logit) / self.0) as f32;
        }
    }

    /// The probabilities of logits, row after row of `classes`.
    pub fn softmax(self, logits: &[f32], classes: usize) -> Vec<f32> {
        let rows = logits.chunks_exact(classes.max(1));
        rows.flat_map(|row| softmax(row, 1.0 / self.0).into_iter().map(|p| p as f32))
            .collect()
    }

    /// The probabilities of yes, of a net with one logit.
    pub fn sigmoid(self, logits: &[f32]) -> Vec<f32> {
        let yes = |&logit: &f32| 1.0 / (1.0 + (-f64::from(logit) / self.0).exp());
        logits.iter().map(|logit| yes(logit) as f32).collect()
    }
}

fn logarithms(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.max(SMALLEST).ln()).collect()
}

fn check(logits: &[f32], classes: usize, labels: &[usize]) -> Result<(), CalibrationError> {
    let rows = labels.len();
    if logits.len() != rows * classes {
        return Err(CalibrationError::Count {
            logits: logits.len(),
            rows,
            classes,
        });
    }
    if rows == 0 {
        return Err(CalibrationError::NoRows);
    }
    if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
        return Err(CalibrationError::NotFinite { row: at / classes });
    }
    match labels.iter().position(|&label| label >= classes) {
        Some(row) => Err(CalibrationError::Label {
            row,
            label: labels[row],
            classes,
        }),
        None => Ok(()),
    }
}

/// Derivative of the summed cross-entropy by `1 / T`: the expected logit less the true one.
fn slope(logits: &[f32], classes: usize, labels: &[usize], scale: f64) -> f64 {
    let rows = logits.chunks_exact(classes).zip(labels);
    rows.map(|(row, &label)| {
        let probabilities = softmax(row, scale).into_iter();
        let expected: f64 = probabilities.zip(row).map(|(p, &z)| p * f64::from(z)).sum();
        expected - f64::from(row[label])
    })
    .sum()
}

fn softmax(row: &[f32], scale: f64) -> Vec<f64> {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = row
        .iter()
        .map(|&logit| (scale * (f64::from(logit) - f64::from(highest))).exp());
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 18] = [
        6.0, 1.0, 0.5, 0.2, 5.0, 1.0, 4.0, 3.0, 0.0, 1.0, 0.0, 7.0, 3.0, 5.5, 0.0, 2.0, 1.0, 6.0,
    ];
    const LABELS: [usize; 6] = [0, 1, 1, 2, 0, 2];

    /// Expected: `scipy` 1.17.1, `minimize_scalar` on the mean of `log_softmax`.
    #[test]
    fn the_temperature_has_the_least_loss() {
        let temperature = f64::from(Temperature::fit(&LOGITS, 3, &LABELS).unwrap());
        assert!((temperature - 1.821_727_2).abs() < 1e-5, "{temperature}");
        let probabilities = Temperature(temperature).softmax(&LOGITS, 3);
        let rows = probabilities.chunks(3).zip(LABELS);
        let loss = -rows
            .map(|(row, label)| f64::from(row[label]).ln())
            .sum::<f64>()
            / 6.0;
        assert!((loss - 0.533_891_2).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn one_logit_is_calibrated_as_two() {
        let logits = [3.0, -2.0, 4.0, 2.5, -3.0];
        let labels = [true, false, false, true, true];
        let pairs: Vec<f32> = logits.iter().flat_map(|&z| [-z, 0.0]).collect();
        let one = Temperature::fit_binary(&logits, &labels).unwrap();
        let two = Temperature::fit(&pairs, 2, &labels.map(usize::from)).unwrap();
        assert!((f64::from(one) - f64::from(two)).abs() < 1e-9);
        let yes = one.sigmoid(&logits);
        let both = two.softmax(&pairs, 2);
        assert!(
            yes.iter()
                .zip(both.chunks(2))
                .all(|(y, b)| (y - b[1]).abs() < 1e-6)
        );
    }

    #[test]
    fn rows_that_are_all_right_make_nothing_surer() {
        let kept = Temperature::fit(&[1.0, 0.0, 0.0, 1.0], 2, &[0, 1]).unwrap();
        assert!((f64::from(kept) - 1.0).abs() < 1e-9);
        let hot = Temperature::fit(&[1.0, 0.0, 0.0, 1.0], 2, &[1, 0]).unwrap();
        assert!((f64::from(hot) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn probabilities_are_calibrated_as_their_logits() {
        let probabilities = Temperature::default().softmax(&LOGITS, 3);
        let of_logits = f64::from(Temperature::fit(&LOGITS, 3, &LABELS).unwrap());
        let fitted = Temperature::fit_probabilities(&probabilities, 3, &LABELS).unwrap();
        assert!((f64::from(fitted) - of_logits).abs() < 1e-5, "{fitted:?}");
        let expected = fitted.softmax(&LOGITS, 3);
        let calibrated = fitted.calibrate(probabilities.clone(), 3);
        let mut pairs = calibrated.iter().zip(expected);
        assert!(pairs.all(|(p, expected)| (p - expected).abs() < 1e-6));
        let unchanged = Temperature::default().calibrate(probabilities.clone(), 3);
        assert_eq!(unchanged, probabilities);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let logits = [1e30, -1e30, 5.0, 0.0];
        let temperature = Temperature::fit(&logits, 2, &[0, 1]).unwrap();
        assert!(
            temperature
                .softmax(&logits, 2)
                .iter()
                .all(|p| p.is_finite())
        );
        let mut scaled = [3.0, -1.0];
        Temperature::try_from(2.0).unwrap().apply(&mut scaled);
        assert!((scaled[0] - 1.5).abs() < 1e-6 && (scaled[1] + 0.5).abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = Temperature::fit;
        assert_eq!(fit(&[], 2, &[]), Err(CalibrationError::NoRows));
        assert_eq!(
            fit(&[0.0; 4], 2, &[0, 2]),
            Err(CalibrationError::Label {
                row: 1,
                label: 2,
                classes: 2
            })
        );
        assert_eq!(
            fit(&[0.0, 1.0, f32::NAN, 0.0], 2, &[0, 1]),
            Err(CalibrationError::NotFinite { row: 1 })
        );
        assert!(matches!(
            fit(&[0.0; 3], 2, &[0, 1]),
            Err(CalibrationError::Count { .. })
        ));
    }

    #[test]
    fn a_stored_temperature_is_checked() {
        let one: Temperature = serde_json::from_str("1.5").unwrap();
        assert_eq!(serde_json::to_string(&one).unwrap(), "1.5");
        for bad in ["0.0", "-1.0", "1e9", "\"hot\""] {
            assert!(serde_json::from_str::<Temperature>(bad).is_err(), "{bad}");
        }
    }
}
