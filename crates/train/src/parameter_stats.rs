//! The sizes of weights and gradients, for those who want to watch a network learn.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The size of a parameter and of its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterStats {
    /// Path of the parameter in the model, as in `net.Mlp.layers.0.weight`.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Root mean square of its values.
    pub weight_rms: f64,
    /// Root mean square of its gradient.
    pub gradient_rms: f64,
}

/// The parameters of a model that have a gradient, in the order of the model.
pub fn parameter_stats<M: Module>(model: &M, grads: &GradientsParams) -> Vec<ParameterStats> {
    let mut visitor = Visitor {
        grads,
        path: Vec::new(),
        stats: Vec::new(),
    };
    model.visit(&mut visitor);
    visitor.stats
}

struct Visitor<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    stats: Vec<ParameterStats>,
}

impl ModuleVisitor for Visitor<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.grads.get::<D>(param.id) else {
            return;
        };
        let rms = |tensor: Tensor<D>| f64::from(tensor.square().mean().sqrt().into_scalar::<f32>());
        self.stats.push(ParameterStats {
            path: self.path.join("."),
            shape: gradient.dims().to_vec(),
            weight_rms: rms(param.val().without_autodiff()),
            gradient_rms: rms(gradient),
        });
    }
}
