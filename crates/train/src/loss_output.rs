//! The output of a step that is measured by its loss alone.

use burn::tensor::{ExecutionError, Tensor};
use burn::train::metric::{Adaptor, ItemLazy, LossInput};

/// The output of a training or validation step whose only metric is the loss.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_train::LossOutput;
///
/// let loss = Tensor::<1>::from_floats([0.5, 1.5], &Device::flex());
/// let output = LossOutput::new(loss);
/// assert_eq!(output.loss.dims(), [2]);
/// ```
#[derive(Clone, Debug)]
pub struct LossOutput {
    /// Loss of each item, `[batch]`.
    pub loss: Tensor<1>,
}

impl LossOutput {
    /// The output of a step with the loss of each item, `[batch]`.
    pub fn new(loss: Tensor<1>) -> Self {
        Self { loss }
    }
}

impl Adaptor<LossInput> for LossOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl ItemLazy for LossOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self::new(self.loss.without_autodiff()))
    }
}
