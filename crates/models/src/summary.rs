//! Summary of a model: its layers and number of parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::Serialize;

/// One layer of a model, computed from its configuration without building it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Path of the layer in the model and in its weights file, such as `blocks.0`.
    pub name: String,
    /// Operations of the layer, such as `linear + relu`.
    pub kind: String,
    /// Shape of the output, without the batch axis.
    pub output_shape: Vec<usize>,
    /// Number of trainable parameters; saturates.
    pub parameters: usize,
}

/// Number of trainable parameters.
///
/// Unlike [`Module::num_params`], leaves out the running statistics of batch normalization and the
/// bins of numeric columns. Includes frozen parameters: freezing belongs to the training, not to the
/// architecture. Initializes no lazy parameter.
///
/// ```
/// use burn::nn::BatchNormConfig;
/// use burn::{module::Module, tensor::Device};
/// use tinderbox_models::trainable_parameters;
///
/// let norm = BatchNormConfig::new(8).init(&Device::flex());
/// assert_eq!(norm.num_params(), 32);
/// assert_eq!(trainable_parameters(&norm), 16);
/// ```
pub fn trainable_parameters<M: Module>(module: &M) -> usize {
    let mut counter = Counter::default();
    module.visit(&mut counter);
    counter.parameters
}

/// Whether the field `name` of a module of type `container` is a statistic, not a parameter.
pub(crate) fn is_running_statistic(name: &str, container: &str) -> bool {
    match container {
        "Struct:BatchNorm" => name.starts_with("running_"),
        // The piecewise-linear encoding.
        "Struct:Bins" => true,
        _ => false,
    }
}

#[derive(Default)]
struct Counter {
    parameters: usize,
    in_statistic: bool,
}

impl ModuleVisitor for Counter {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.in_statistic = is_running_statistic(name, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.in_statistic {
            self.parameters += param.lazy_shape().num_elements();
        }
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.in_statistic = false;
    }
}

/// Sum of the trainable parameters of all layers; saturates.
pub(crate) fn total_parameters(layers: &[LayerSummary]) -> usize {
    layers
        .iter()
        .fold(0, |total, layer| total.saturating_add(layer.parameters))
}

/// Number of parameters of a linear layer; saturates.
pub(crate) fn linear_parameters(d_input: usize, d_output: usize, bias: bool) -> usize {
    d_input
        .saturating_add(usize::from(bias))
        .saturating_mul(d_output)
}
