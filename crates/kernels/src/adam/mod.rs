#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;

/// Hyperparameters of one step of [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Decay rate of the first moment.
    pub beta_1: f32,
    /// Decay rate of the second moment.
    pub beta_2: f32,
    /// Added to the denominator for numerical stability.
    pub epsilon: f32,
    /// Learning rate.
    pub learning_rate: f32,
    /// Decoupled weight decay, as in `AdamW`; 0 for the original Adam.
    pub weight_decay: f32,
    /// Number of this step, starting at 1, for bias correction.
    pub step: usize,
}

impl AdamStep {
    /// Learning rate and epsilon with bias correction (Kingma and Ba, end of section 2).
    pub(crate) fn bias_corrected(&self) -> [f32; 2] {
        let step = i32::try_from(self.step).unwrap_or(i32::MAX);
        let correction_2 = (1.0 - self.beta_2.powi(step)).sqrt();
        let learning_rate = self.learning_rate * correction_2 / (1.0 - self.beta_1.powi(step));
        [learning_rate, self.epsilon * correction_2]
    }

    /// Factor that applies the weight decay.
    pub(crate) fn decay(&self) -> f32 {
        1.0 - self.learning_rate * self.weight_decay
    }
}

/// Weights and their optimizer state; all tensors have the same shape.
#[derive(Clone, Debug)]
pub struct AdamState<const D: usize> {
    /// Weights.
    pub weights: Tensor<D>,
    /// Exponential moving average of the gradients.
    pub moment_1: Tensor<D>,
    /// Exponential moving average of the squared gradients.
    pub moment_2: Tensor<D>,
}

/// Updates weights with one step of Adam or `AdamW`, in place where the tensors are not shared.
///
/// Reference: Kingma and Ba, *Adam: a method for stochastic optimization*, 2015,
/// <https://arxiv.org/abs/1412.6980>; with weight decay: Loshchilov and Hutter, *Decoupled weight
/// decay regularization*, 2019, <https://arxiv.org/abs/1711.05101>.
///
/// The tensors must not track gradients.
pub fn adam<const D: usize>(
    state: AdamState<D>,
    gradient: Tensor<D>,
    step: &AdamStep,
) -> AdamState<D> {
    #[cfg(feature = "flex")]
    if [&state.weights, &state.moment_1, &state.moment_2, &gradient]
        .into_iter()
        .all(crate::flex::tensors::is_supported_untracked)
    {
        return flex::adam(state, gradient, step);
    }
    let AdamStep { beta_1, beta_2, .. } = *step;
    let [learning_rate, epsilon] = step.bias_corrected();
    let moment_1 = state.moment_1.mul_scalar(beta_1) + gradient.clone().mul_scalar(1.0 - beta_1);
    let moment_2 = state.moment_2.mul_scalar(beta_2) + gradient.square().mul_scalar(1.0 - beta_2);
    let update = moment_1.clone() / moment_2.clone().sqrt().add_scalar(epsilon);
    let weights = state.weights.mul_scalar(step.decay()) - update.mul_scalar(learning_rate);
    AdamState {
        weights,
        moment_1,
        moment_2,
    }
}
