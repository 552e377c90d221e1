//! Exponential moving average of the weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// A second set of weights that follows the first slowly (Polyak and Juditsky, *Acceleration of
/// stochastic approximation by averaging*, 1992, <https://doi.org/10.1137/0330046>).
///
/// The decay starts small and grows to its final value, so that the average forgets the initial
/// weights early. Running statistics of normalisation layers are averaged too.
pub(crate) struct Ema<M> {
    shadow: M,
    decay: f64,
}

impl<M: Module> Ema<M> {
    pub(crate) fn new(model: &M, decay: f64) -> Self {
        Self {
            shadow: model.valid(),
            decay,
        }
    }

    /// The averaged model, ready for inference.
    pub(crate) fn model(&self) -> &M {
        &self.shadow
    }

    /// Continues from stored averages.
    pub(crate) fn set(&mut self, shadow: M) {
        self.shadow = shadow;
    }

    /// Moves the average towards `model`, which has taken `step` steps (from 1).
    pub(crate) fn update(&mut self, model: &M, step: usize) {
        let step = step as f64;
        let decay = self.decay.min((1.0 + step) / (10.0 + step));
        self.shadow = blend(self.shadow.clone(), model, 1.0 - decay);
    }
}

/// Moves the weights of `shadow` the given share of the way towards those of `model`, of which it
/// is a copy.
pub fn blend<M: Module>(shadow: M, model: &M, share: f64) -> M {
    let mut current = Current {
        found: GradientsParams::new(),
        in_statistic: false,
    };
    model.visit(&mut current);
    shadow.map(&mut Blend {
        current: current.found,
        share,
    })
}

/// Finds what can have changed.
struct Current {
    /// The one container of Burn that holds tensors of any rank by parameter.
    found: GradientsParams,
    in_statistic: bool,
}

impl ModuleVisitor for Current {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.in_statistic = container == "Struct:BatchNorm" && name.starts_with("running_");
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weights = param.val();
        // An average of equals may differ from them in its last bit.
        let is_frozen = weights.is_autodiff() && !weights.is_require_grad() && !self.in_statistic;
        if !is_frozen {
            self.found.register(param.id, weights.without_autodiff());
        }
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.in_statistic = false;
    }
}

struct Blend {
    current: GradientsParams,
    share: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(current) = self.current.remove::<D>(param.id) else {
            return param;
        };
        let share = self.share;
        param.map(|shadow| shadow.mul_scalar(1.0 - share) + current.mul_scalar(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Initializer, Linear, LinearConfig};
    use burn::tensor::Device;

    fn layer(value: f64) -> Linear {
        LinearConfig::new(1, 1)
            .with_bias(false)
            .with_initializer(Initializer::Constant { value })
            .init(&Device::flex())
    }

    #[test]
    fn the_average_follows_with_its_decay_once_warm() {
        let start = layer(0.0);
        let mut ema = Ema::new(&start, 0.9);
        let ones = start.clone().map(&mut Set);
        ema.update(&ones, 1_000_000);
        let value = ema.model().weight.val().into_scalar::<f32>();
        assert!((value - 0.1).abs() < 1e-6, "{value}");
        ema.update(&ones, 1_000_000);
        let value = ema.model().weight.val().into_scalar::<f32>();
        assert!((value - 0.19).abs() < 1e-6, "{value}");
        assert!(
            start.weight.val().into_scalar::<f32>().abs() < 1e-9,
            "the source is untouched"
        );
    }

    #[test]
    fn an_early_average_forgets_quickly() {
        let start = layer(0.0);
        let mut ema = Ema::new(&start, 0.999);
        ema.update(&start.clone().map(&mut Set), 1);
        let value = ema.model().weight.val().into_scalar::<f32>();
        assert!((value - 9.0 / 11.0).abs() < 1e-6, "{value}");
    }

    struct Set;
    impl ModuleMapper for Set {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor.ones_like())
        }
    }
}
