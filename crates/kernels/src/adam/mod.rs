#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;

/// Constants of one step of [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Decay of the mean of the gradients.
    pub beta_1: f32,
    /// Decay of the mean of their squares.
    pub beta_2: f32,
    /// Added to the denominator.
    pub epsilon: f32,
    /// Step size.
    pub rate: f32,
    /// Decoupled decay of the weights; 0 for Adam as it was first.
    pub weight_decay: f32,
    /// Number of the step, from 1.
    pub time: usize,
}

impl AdamStep {
    /// Step size and epsilon with the corrections for means that began at zero (Kingma and Ba, end
    /// of section 2).
    pub(crate) fn corrected(&self) -> [f32; 2] {
        let time = i32::try_from(self.time).unwrap_or(i32::MAX);
        let square = (1.0 - self.beta_2.powi(time)).sqrt();
        let rate = self.rate * square / (1.0 - self.beta_1.powi(time));
        [rate, self.epsilon * square]
    }

    /// What is left of the weights before the step.
    pub(crate) fn kept(&self) -> f32 {
        1.0 - self.rate * self.weight_decay
    }
}

/// Weights with the running means of their gradients and of the squares of these.
#[derive(Clone, Debug)]
pub struct Moved<const D: usize> {
    /// The weights after the step.
    pub weights: Tensor<D>,
    /// Mean of the gradients.
    pub mean: Tensor<D>,
    /// Mean of their squares.
    pub square: Tensor<D>,
}

/// One step of Adam, in place where nobody else holds the tensors.
///
/// Reference: Kingma and Ba, *Adam: a method for stochastic optimization*, 2015,
/// <https://arxiv.org/abs/1412.6980>; with decay: Loshchilov and Hutter, *Decoupled weight decay
/// regularization*, 2019, <https://arxiv.org/abs/1711.05101>.
///
/// All tensors have one shape and none is tracked.
pub fn adam<const D: usize>(now: Moved<D>, gradient: Tensor<D>, step: &AdamStep) -> Moved<D> {
    #[cfg(feature = "flex")]
    if [&now.weights, &now.mean, &now.square, &gradient]
        .into_iter()
        .all(crate::flex::tensors::takes_plain)
    {
        return flex::adam(now, gradient, step);
    }
    let AdamStep { beta_1, beta_2, .. } = *step;
    let [rate, epsilon] = step.corrected();
    let mean = now.mean.mul_scalar(beta_1) + gradient.clone().mul_scalar(1.0 - beta_1);
    let square = now.square.mul_scalar(beta_2) + gradient.square().mul_scalar(1.0 - beta_2);
    let change = mean.clone() / square.clone().sqrt().add_scalar(epsilon);
    let weights = now.weights.mul_scalar(step.kept()) - change.mul_scalar(rate);
    Moved {
        weights,
        mean,
        square,
    }
}
