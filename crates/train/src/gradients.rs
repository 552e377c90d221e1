//! What happens to gradients between the backward pass and the optimizer.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Scales the gradients so that their global L2 norm is at most `max_norm` (Pascanu, Mikolov and
/// Bengio, *On the difficulty of training recurrent neural networks*, 2013,
/// <https://arxiv.org/abs/1211.5063>).
///
/// The norm is over all parameters together, as in the paper; Burn's own clipping is per tensor.
/// Nothing is read back from the device.
pub fn clip_global_norm<M: Module>(
    module: &M,
    mut grads: GradientsParams,
    max_norm: f64,
) -> GradientsParams {
    let mut squares = Squares {
        grads: &grads,
        sum: None,
    };
    module.visit(&mut squares);
    let Some(sum) = squares.sum else { return grads };
    let scale = (sum.sqrt() + 1e-6)
        .recip()
        .mul_scalar(max_norm)
        .clamp_max(1.0);
    scale_by(module, &mut grads, &scale);
    grads
}

/// The L2 norm of the gradients of all parameters together, read back from the device; none if there are none.
pub fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> Option<f64> {
    let mut squares = Squares { grads, sum: None };
    module.visit(&mut squares);
    Some(f64::from(squares.sum?.sqrt().into_scalar::<f32>()))
}

/// Divides a sum of `count` gradients by `count`.
pub(crate) fn average<M: Module>(
    module: &M,
    mut grads: GradientsParams,
    count: usize,
) -> GradientsParams {
    if count > 1 {
        module.visit(&mut Divide {
            grads: &mut grads,
            count: count as f64,
        });
    }
    grads
}

/// Multiplies gradients by a number.
pub(crate) fn scaled<M: Module>(
    module: &M,
    mut grads: GradientsParams,
    factor: f64,
) -> GradientsParams {
    module.visit(&mut Divide {
        grads: &mut grads,
        count: factor.recip(),
    });
    grads
}

fn scale_by<M: Module>(module: &M, grads: &mut GradientsParams, scale: &Tensor<1>) {
    module.visit(&mut Scale { grads, scale });
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            let square = grad.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    scale: &'a Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads
                .register(param.id, grad * self.scale.clone().reshape([1; D]));
        }
    }
}

struct Divide<'a> {
    grads: &'a mut GradientsParams,
    count: f64,
}

impl ModuleVisitor for Divide<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad.div_scalar(self.count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    fn layer_and_grads(scale: f32) -> (Linear, GradientsParams) {
        let device = Device::flex();
        let layer = LinearConfig::new(2, 1).init(&device);
        let mut grads = GradientsParams::new();
        grads.register(
            layer.weight.id,
            Tensor::<2>::from_floats([[3.0], [0.0]], &device) * scale,
        );
        let bias = layer.bias.as_ref().unwrap();
        grads.register(bias.id, Tensor::<1>::from_floats([4.0], &device) * scale);
        (layer, grads)
    }

    fn values(layer: &Linear, grads: &GradientsParams) -> Vec<f32> {
        let weight = grads
            .get::<2>(layer.weight.id)
            .unwrap()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        let bias = grads.get::<1>(layer.bias.as_ref().unwrap().id).unwrap();
        [weight, bias.into_data().try_to_vec::<f32>().unwrap()].concat()
    }

    fn close(found: &[f32], expected: &[f32]) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn the_norm_is_over_all_parameters_together() {
        let (layer, grads) = layer_and_grads(2.0);
        let clipped = clip_global_norm(&layer, grads, 5.0);
        close(&values(&layer, &clipped), &[3.0, 0.0, 4.0]);
    }

    #[test]
    fn the_norm_is_read_back_before_clipping() {
        let (layer, grads) = layer_and_grads(2.0);
        let norm = global_norm(&layer, &grads).unwrap();
        assert!((norm - 10.0).abs() < 1e-5, "{norm}");
        assert_eq!(global_norm(&layer, &GradientsParams::new()), None);
    }

    #[test]
    fn a_small_gradient_is_left_alone() {
        let (layer, grads) = layer_and_grads(1.0);
        let clipped = clip_global_norm(&layer, grads, 6.0);
        close(&values(&layer, &clipped), &[3.0, 0.0, 4.0]);
    }

    #[test]
    fn accumulated_gradients_are_averaged() {
        let (layer, grads) = layer_and_grads(4.0);
        let mean = average(&layer, grads, 4);
        close(&values(&layer, &mean), &[3.0, 0.0, 4.0]);
    }
}
