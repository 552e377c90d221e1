//! What every configuration refuses: sizes that panic, abort or do not fit.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::summary::{LayerSummary, total_parameters};

/// Largest width, side or number of classes: a size of 10^12 from a file would abort the process.
pub const MAX_SIZE: usize = 65_536;

/// Largest number of trainable parameters, 8 GiB of `f32`.
pub const MAX_PARAMETERS: usize = 1 << 31;

/// Why a model's configuration is refused.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A size or a count is out of its range.
    #[error("`{field}` is {value}, expected {min} to {max}")]
    OutOfRange {
        /// Key in the configuration, as in `hidden[2]`.
        field: String,
        /// What it says.
        value: usize,
        /// Smallest value allowed.
        min: usize,
        /// Largest value allowed.
        max: usize,
    },
    /// A list is too short or too long.
    #[error("`{field}` has {length} entries, expected {min} to {max}")]
    Length {
        /// Key in the configuration.
        field: &'static str,
        /// Number of entries it has.
        length: usize,
        /// Smallest number of entries allowed.
        min: usize,
        /// Largest number of entries allowed.
        max: usize,
    },
    /// A probability is not in `[0, 1)`.
    #[error("`{field}` is {value}, expected a probability in [0, 1)")]
    Probability {
        /// Key in the configuration.
        field: &'static str,
        /// What it says.
        value: f64,
    },
    /// A number that has to be above 0 is not.
    #[error("`{field}` is {value}, expected a positive number")]
    Positive {
        /// Key in the configuration.
        field: &'static str,
        /// What it says.
        value: f64,
    },
    /// A size is not a multiple of another.
    #[error("`{field}` is {value}, expected a multiple of `{divisor_field}`, which is {divisor}")]
    Multiple {
        /// Key in the configuration.
        field: &'static str,
        /// What it says.
        value: usize,
        /// Key of the other size.
        divisor_field: &'static str,
        /// What that says.
        divisor: usize,
    },
    /// A table without a column.
    #[error("`n_numeric` is 0 and `cardinalities` is empty, expected a column at least")]
    NoColumns,
    /// The columns of a row together become too many numbers.
    #[error(
        "a row becomes {width} numbers, expected at most {MAX_SIZE}: give its columns shorter embeddings"
    )]
    TooWide {
        /// How many numbers a row becomes; saturates.
        width: usize,
    },
    /// The embedding of numeric columns makes no vectors of the network's width.
    #[error(
        "`numeric.kind` is `{kind}`, which makes no tokens; expected `linear`, `linear-relu`, `piecewise-linear` or `periodic`"
    )]
    NoTokens {
        /// What it says.
        kind: &'static str,
    },
    /// Every size is allowed alone, but together they make too many parameters.
    #[error("the model has {parameters} parameters or more, expected at most {MAX_PARAMETERS}")]
    TooManyParameters {
        /// Number of trainable parameters; saturates.
        parameters: usize,
    },
    /// The bounds of a distribution are not two finite numbers in their order.
    #[error("`{}` to `{}` is {low} to {high}, expected two finite numbers in their order", .fields[0], .fields[1])]
    Support {
        /// Keys of the two bounds in the configuration.
        fields: [&'static str; 2],
        /// What it says.
        low: f64,
        /// What it says.
        high: f64,
    },
    /// A vector cannot be shared by so many heads.
    #[error("`d_model` is {d_model}, expected a multiple of `heads`, {heads}{}", if *.even { ", with an even number for each" } else { "" })]
    Heads {
        /// Width of a vector.
        d_model: usize,
        /// Number of heads.
        heads: usize,
        /// Whether a head needs an even number of columns, as rotary places do.
        even: bool,
    },
    /// The paper has no residual network of this depth for CIFAR.
    #[error(
        "`depth` is {depth}, expected 6 n + 2 with n from 1 to {max_n}, as in 20, 32, 44 or 56"
    )]
    Depth {
        /// Number of layers with weights.
        depth: usize,
        /// Largest number of blocks in a stage.
        max_n: usize,
    },
}

/// Checks a width, a side or a number of classes.
pub(crate) fn check_size(field: &str, value: usize) -> Result<(), ConfigError> {
    check_range(field, value, 1..=MAX_SIZE)
}

/// Checks a number against the range of its field.
pub(crate) fn check_range(
    field: &str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    Err(ConfigError::OutOfRange {
        field: field.to_owned(),
        value,
        min,
        max,
    })
}

/// Checks the length of a list, then each entry.
pub(crate) fn check_list(
    field: &'static str,
    values: &[usize],
    lengths: RangeInclusive<usize>,
    range: &RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    let length = values.len();
    if !lengths.contains(&length) {
        let (min, max) = lengths.into_inner();
        return Err(ConfigError::Length {
            field,
            length,
            min,
            max,
        });
    }
    for (index, &value) in values.iter().enumerate() {
        check_range(&format!("{field}[{index}]"), value, range.clone())?;
    }
    Ok(())
}

/// Checks a probability: 1 is refused, it would zero everything.
pub(crate) fn check_probability(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Probability { field, value })
}

/// Checks a number that nothing works without.
pub(crate) fn check_positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::Positive { field, value })
}

/// Checks that a size can be shared out evenly.
pub(crate) fn check_multiple(
    [field, divisor_field]: [&'static str; 2],
    [value, divisor]: [usize; 2],
) -> Result<(), ConfigError> {
    if value.is_multiple_of(divisor) {
        return Ok(());
    }
    Err(ConfigError::Multiple {
        field,
        value,
        divisor_field,
        divisor,
    })
}

/// Checks that the heads share a vector; with `even` each gets an even number of columns.
pub(crate) fn check_heads(d_model: usize, heads: usize, even: bool) -> Result<(), ConfigError> {
    check_range("heads", heads, 1..=MAX_SIZE)?;
    let whole = d_model.is_multiple_of(heads);
    if whole && (!even || (d_model / heads).is_multiple_of(2)) {
        return Ok(());
    }
    Err(ConfigError::Heads {
        d_model,
        heads,
        even,
    })
}

/// Checks the bounds of a distribution.
pub(crate) fn check_support(
    fields: [&'static str; 2],
    [low, high]: [f64; 2],
) -> Result<(), ConfigError> {
    // In single precision, which the atoms are in.
    let (from, to) = (low as f32, high as f32);
    if from.is_finite() && to.is_finite() && from < to && (to - from).is_finite() {
        return Ok(());
    }
    Err(ConfigError::Support { fields, low, high })
}

/// Checks that the layers together fit.
pub(crate) fn check_parameters(layers: &[LayerSummary]) -> Result<(), ConfigError> {
    let parameters = total_parameters(layers);
    if parameters <= MAX_PARAMETERS {
        return Ok(());
    }
    Err(ConfigError::TooManyParameters { parameters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_field_and_the_range() {
        let error = check_list("hidden", &[8, 0], 0..=4, &(1..=MAX_SIZE)).unwrap_err();
        assert_eq!(error.to_string(), "`hidden[1]` is 0, expected 1 to 65536");
        let error = check_list("blocks", &[], 1..=4, &(1..=MAX_SIZE)).unwrap_err();
        assert_eq!(error.to_string(), "`blocks` has 0 entries, expected 1 to 4");
        let error = check_probability("dropout", f64::NAN).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`dropout` is NaN, expected a probability in [0, 1)"
        );
    }
}
