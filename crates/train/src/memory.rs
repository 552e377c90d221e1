//! Whether a network fits in memory, estimated before anything is allocated.

use tinderbox_datasets::memory::available_memory;
use tinderbox_models::LayerSummary;

/// Bytes of an `f32`.
const VALUE: u64 = 4;

/// Copies of every parameter that training keeps at least: the weight, its gradient and two moments.
const PARAMETER_COPIES: u64 = 4;

/// Copies of every activation that training keeps at least: before and after the nonlinearity, and its
/// gradient.
const ACTIVATION_COPIES: u64 = 3;

/// The network would not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "training needs at least {} of memory ({} for activations of {batch_size} items, {} for {parameters} \
     parameters), and {} are available: reduce {keys}",
    gigabytes(*.needed), gigabytes(*.activations), gigabytes(.needed - .activations),
    gigabytes(*.available)
)]
pub struct MemoryError {
    /// Least memory that training takes, in bytes.
    pub needed: u64,
    /// Part of it that is for activations, in bytes.
    pub activations: u64,
    /// Memory that is available, in bytes.
    pub available: u64,
    /// Number of parameters.
    pub parameters: u64,
    /// Items in a batch.
    pub batch_size: usize,
    /// Recipe keys that make the network smaller.
    pub keys: String,
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// Memory that training takes at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// For weights, gradients and the optimizer, in bytes.
    pub parameters: u64,
    /// For the inputs and outputs of the layers of one batch, in bytes.
    pub activations: u64,
}

impl Estimate {
    /// Adds up the layers for a batch of inputs of `input` values each; saturates.
    pub fn of_training(layers: &[LayerSummary], input: usize, batch_size: usize) -> Self {
        let sum = |values: &dyn Fn(&LayerSummary) -> u64| {
            layers
                .iter()
                .fold(0, |sum: u64, layer| sum.saturating_add(values(layer)))
        };
        let parameters = sum(&|layer| layer.parameters as u64);
        let outputs = sum(&|layer| {
            let sides = layer.output_shape.iter();
            sides.fold(1, |product: u64, &side| product.saturating_mul(side as u64))
        });
        let values = outputs
            .saturating_mul(ACTIVATION_COPIES)
            .saturating_add(input as u64);
        Self {
            parameters: parameters.saturating_mul(PARAMETER_COPIES * VALUE),
            activations: values
                .saturating_mul(batch_size as u64)
                .saturating_mul(VALUE),
        }
    }

    /// Both together; saturates.
    pub fn total(&self) -> u64 {
        self.parameters.saturating_add(self.activations)
    }
}

/// Checks that training a network would fit in the memory that is available to this process. `input` is the
/// number of values of an item, `keys` names what would make the network smaller.
///
/// The estimate is the least that any training takes, so what passes may still not fit. Where the system
/// does not tell how much is available, everything passes.
///
/// # Errors
///
/// If it would not fit.
pub fn check_memory(
    layers: &[LayerSummary],
    input: usize,
    batch_size: usize,
    keys: &str,
) -> Result<(), MemoryError> {
    match available_memory() {
        Some(available) => check_against(available, layers, input, batch_size, keys),
        None => Ok(()),
    }
}

fn check_against(
    available: u64,
    layers: &[LayerSummary],
    input: usize,
    batch_size: usize,
    keys: &str,
) -> Result<(), MemoryError> {
    let estimate = Estimate::of_training(layers, input, batch_size);
    if estimate.total() <= available {
        return Ok(());
    }
    Err(MemoryError {
        needed: estimate.total(),
        activations: estimate.activations,
        available,
        parameters: estimate.parameters / (PARAMETER_COPIES * VALUE),
        batch_size,
        keys: keys.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(output_shape: &[usize], parameters: usize) -> LayerSummary {
        LayerSummary {
            name: "a".to_owned(),
            kind: "conv".to_owned(),
            output_shape: output_shape.to_vec(),
            parameters,
        }
    }

    #[test]
    fn the_estimate_is_the_sum_of_the_layers() {
        let layers = [layer(&[2, 10, 10], 1000), layer(&[5], 50)];
        let estimate = Estimate::of_training(&layers, 300, 8);
        assert_eq!(estimate.parameters, 1050 * 16);
        assert_eq!(estimate.activations, 8 * (205 * 3 + 300) * 4);
        let huge = [layer(&[usize::MAX, usize::MAX], usize::MAX)];
        assert_eq!(Estimate::of_training(&huge, 1, 2).total(), u64::MAX);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let layers = [layer(&[16, 8000, 8000], 1000)];
        let check = |available| check_against(available, &layers, 3, 32, "`data.height`");
        let message = check(8_000_000_000).unwrap_err().to_string();
        assert_eq!(
            message,
            "training needs at least 393.2 GB of memory (393.2 GB for activations of 32 items, 0.0 GB \
             for 1000 parameters), and 8.0 GB are available: reduce `data.height`"
        );
        assert_eq!(check(400_000_000_000), Ok(()));
    }
}
