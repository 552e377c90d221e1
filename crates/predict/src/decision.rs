//! From probabilities to a decision.

use tinderbox_models::ConfigError;

/// The threshold of two classes that is used where no validation items suggest another one.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// The class that a row of probabilities means: of two classes the second if its probability is at
/// least `threshold`, by default a half; of more the most probable.
pub fn decide(row: &[f32], threshold: Option<f64>) -> usize {
    match row {
        [_, second] => usize::from(f64::from(*second) >= threshold.unwrap_or(DEFAULT_THRESHOLD)),
        _ => argmax(row),
    }
}

/// Index of the largest value, the first of equals.
pub fn argmax(row: &[f32]) -> usize {
    let better = |best: usize, index: usize| if row[index] > row[best] { index } else { best };
    (0..row.len()).fold(0, better)
}

/// Checks a decision threshold that a user gave for a model of `classes` classes.
///
/// # Errors
///
/// If it is no probability, or there are not two classes.
pub fn check_threshold(threshold: f64, classes: usize) -> Result<f64, ConfigError> {
    let refuse = |expected| Err(ConfigError::new("--threshold", threshold, expected));
    if classes != 2 {
        return refuse("left out: only a model of two classes has a decision threshold");
    }
    if !(0.0..=1.0).contains(&threshold) {
        return refuse("between 0 and 1");
    }
    Ok(threshold)
}
