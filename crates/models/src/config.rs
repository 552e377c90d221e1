//! Checks that every configuration shares: sizes that would panic, abort or not fit are refused.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds, RangeInclusive};

use thiserror::Error;

use crate::summary::{LayerSummary, total_parameters};

/// Largest width, side or number of classes: a size of 10^12 from a file would abort the process.
pub const MAX_SIZE: usize = 65_536;

/// Largest number of trainable parameters, 8 GiB of `f32`.
pub const MAX_PARAMETERS: usize = 1 << 31;

/// A value that a configuration does not allow.
///
/// ```
/// use tinderbox_models::vision::CnnConfig;
///
/// let error = CnnConfig::new(1, 28, 28, 10).with_dropout(1.5).validate().unwrap_err();
/// let message = error.within("model").to_string();
/// assert_eq!(message, "`model.dropout` must be at least 0 and below 1 (got 1.5)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{key}` must be {expected} (got {value})")]
pub struct ConfigError {
    /// Path of the key, as in `model.hidden[2]`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The values it may have, as in `between 1 and 65536`.
    pub expected: String,
}

impl ConfigError {
    /// An error about one key.
    pub fn new(key: impl Into<String>, value: impl Display, expected: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    /// Prefixes the key with the section of a larger configuration that this one is in.
    #[must_use]
    pub fn within(self, section: &str) -> Self {
        Self {
            key: format!("{section}.{}", self.key),
            ..self
        }
    }
}

/// Checks that a number is in a range.
///
/// # Errors
///
/// If it is not, NaN included.
pub fn check_range<T>(key: &str, value: T, range: impl RangeBounds<T>) -> Result<(), ConfigError>
where
    T: PartialOrd + Display,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(key, value, describe(&range)))
}

/// A range in words, as in `at least 0 and below 1`.
fn describe<T: Display>(range: &impl RangeBounds<T>) -> String {
    if let (Bound::Included(low), Bound::Included(high)) = (range.start_bound(), range.end_bound())
    {
        return format!("between {low} and {high}");
    }
    let low = match range.start_bound() {
        Bound::Included(low) => Some(format!("at least {low}")),
        Bound::Excluded(low) => Some(format!("above {low}")),
        Bound::Unbounded => None,
    };
    let high = match range.end_bound() {
        Bound::Included(high) => Some(format!("at most {high}")),
        Bound::Excluded(high) => Some(format!("below {high}")),
        Bound::Unbounded => None,
    };
    let bounds: Vec<String> = [low, high].into_iter().flatten().collect();
    bounds.join(" and ")
}

/// Checks a probability of zeroing something: 1 is refused, it would zero everything.
///
/// # Errors
///
/// If it is not at least 0 and below 1.
pub fn check_probability(key: &str, value: f64) -> Result<(), ConfigError> {
    check_range(key, value, 0.0..1.0)
}

/// Checks a width, a side or a number of classes.
pub(crate) fn check_size(key: &str, value: usize) -> Result<(), ConfigError> {
    check_range(key, value, 1..=MAX_SIZE)
}

/// Checks the length of a list, then each entry.
pub(crate) fn check_list(
    key: &str,
    values: &[usize],
    lengths: RangeInclusive<usize>,
    range: &RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    if !lengths.contains(&values.len()) {
        let (min, max) = lengths.into_inner();
        let expected = format!("a list of {min} to {max} numbers");
        return Err(ConfigError::new(key, values.len(), expected));
    }
    for (index, &value) in values.iter().enumerate() {
        check_range(&format!("{key}[{index}]"), value, range.clone())?;
    }
    Ok(())
}

/// Checks a number that nothing works without.
pub(crate) fn check_positive(key: &str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(key, value, "a finite number above 0"))
}

/// Checks that `n_heads` heads share the vectors evenly; with `even`, as rotary embeddings need it,
/// each gets an even number of columns.
pub(crate) fn check_heads(d_model: usize, n_heads: usize, even: bool) -> Result<(), ConfigError> {
    check_size("n_heads", n_heads)?;
    let factor = if even { 2 } else { 1 };
    if d_model.is_multiple_of(n_heads * factor) {
        return Ok(());
    }
    let expected = if even {
        format!("a multiple of 2 * `n_heads` = {}", n_heads * factor)
    } else {
        format!("a multiple of `n_heads` = {n_heads}")
    };
    Err(ConfigError::new("d_model", d_model, expected))
}

/// Checks that the layers together fit.
pub(crate) fn check_parameters(layers: &[LayerSummary]) -> Result<(), ConfigError> {
    let parameters = total_parameters(layers);
    if parameters <= MAX_PARAMETERS {
        return Ok(());
    }
    let expected = format!("at most {MAX_PARAMETERS} in total");
    Err(ConfigError::new("parameters", parameters, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_key_and_the_range() {
        let error = check_list("hidden", &[8, 0], 0..=4, &(1..=MAX_SIZE)).unwrap_err();
        assert_eq!(
            error.within("model").to_string(),
            "`model.hidden[1]` must be between 1 and 65536 (got 0)"
        );
        let error = check_list("blocks", &[], 1..=4, &(1..=MAX_SIZE)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`blocks` must be a list of 1 to 4 numbers (got 0)"
        );
        let error = check_probability("dropout", f64::NAN).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`dropout` must be at least 0 and below 1 (got NaN)"
        );
        let error = check_heads(12, 4, true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`d_model` must be a multiple of 2 * `n_heads` = 8 (got 12)"
        );
    }

    #[test]
    fn open_and_half_open_ranges_are_described() {
        let expected = |result: Result<(), ConfigError>| result.unwrap_err().expected;
        assert_eq!(expected(check_range("key", 0, 1..)), "at least 1");
        assert_eq!(expected(check_range("key", 2.0, ..=1.5)), "at most 1.5");
        let open = (Bound::Excluded(0.0), Bound::Excluded(1.0));
        assert_eq!(
            expected(check_range("key", 1.0, open)),
            "above 0 and below 1"
        );
        assert_eq!(check_range("key", 0.5, open), Ok(()));
    }
}
