//! Adam and AdamW in one pass over the weights, where Burn's own take about thirteen.

use burn::optim::{AdamState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{self as kernels, AdamStep};

/// The optimizer of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adam {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    weight_decay: f32,
}

impl Adam {
    pub(super) fn new([beta_1, beta_2, epsilon]: [f64; 3], weight_decay: f64) -> Self {
        Self {
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            epsilon: epsilon as f32,
            weight_decay: weight_decay as f32,
        }
    }
}

impl Optimizer for Adam {
    /// Burn's own, so that a checkpoint looks the same.
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let (time, moment_1, moment_2) = match state {
            Some(AdamState { momentum }) => {
                (momentum.time + 1, momentum.moment_1, momentum.moment_2)
            }
            None => (1, gradient.zeros_like(), gradient.zeros_like()),
        };
        let step = AdamStep {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            learning_rate: rate as f32,
            weight_decay: self.weight_decay,
            step: time,
        };
        let before = kernels::AdamState {
            weights,
            moment_1,
            moment_2,
        };
        let after = kernels::adam(before, gradient, &step);
        let momentum = AdaptiveMomentumState::new(time, after.moment_1, after.moment_2);
        (after.weights, Some(AdamState::new(momentum)))
    }

    fn to_device<const D: usize>(mut state: AdamState<D>, device: &Device) -> AdamState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
    use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};

    use super::*;

    fn train(mut optimizer: ModuleOptimizer, mut layer: Linear, device: &Device) -> Vec<f32> {
        for step in 1..5 {
            let input = Tensor::<2>::from_floats([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], device);
            let loss = layer.forward(input.mul_scalar(step)).tanh().sum();
            let grads = GradientsParams::from_grads(loss.backward(), &layer);
            layer = optimizer.step(ModuleLearningRate::from(0.01), layer, grads);
        }
        layer.weight.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn it_moves_weights_as_burns_own_does() {
        let device = Device::flex().autodiff();
        let layer = LinearConfig::new(3, 2).init(&device);
        let ours = ModuleOptimizer::from(Adam::new([0.9, 0.99, 1e-6], 0.1));
        let burns = AdamWConfig::new()
            .with_beta_2(0.99)
            .with_epsilon(1e-6)
            .with_weight_decay(0.1)
            .init();
        let ours = train(ours, layer.clone(), &device);
        for (ours, burns) in ours.iter().zip(train(burns, layer, &device)) {
            assert!((ours - burns).abs() < 1e-6, "{ours} is not {burns}");
        }
    }
}
