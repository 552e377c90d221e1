//! A network in a graph: its weights by their names, and the layers that read them.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use tinderbox_models::layers::Activation;

use crate::error::ExportError;
use crate::graph::{Graph, Value, float, int, ints, size};

/// Constant of batch and layer normalization where a network has no other one.
pub(crate) const EPSILON: f64 = 1e-5;

/// Geometry of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    pub(crate) stride: usize,
    /// On each side.
    pub(crate) padding: usize,
    pub(crate) groups: usize,
}

impl Conv {
    /// Zero padding that keeps the size at stride 1.
    pub(crate) fn same(kernel: usize, stride: usize) -> Self {
        Self {
            stride,
            padding: kernel / 2,
            groups: 1,
        }
    }
}

struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// A network in a graph.
pub(crate) struct Net<'g> {
    pub(crate) graph: &'g mut Graph,
    tensors: BTreeMap<String, Tensor>,
    /// Before the names of the weights of a network that is one of several.
    prefix: String,
}

impl<'g> Net<'g> {
    /// A network with the weights of a SafeTensors file.
    pub(crate) fn new(
        graph: &'g mut Graph,
        weights: &[u8],
        prefix: impl Into<String>,
    ) -> Result<Self, ExportError> {
        let mismatch = |error| ExportError::Mismatch(format!("{error}"));
        let file = SafeTensors::deserialize(weights).map_err(mismatch)?;
        let mut tensors = BTreeMap::new();
        for (name, tensor) in file.tensors() {
            if tensor.dtype() != Dtype::F32 {
                let reason = format!("`{name}` is not in single precision");
                return Err(ExportError::Mismatch(reason));
            }
            let values = tensor.data().as_chunks::<4>().0.iter();
            let tensor = Tensor {
                shape: tensor.shape().to_vec(),
                values: values.map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            };
            tensors.insert(name, tensor);
        }
        Ok(Self {
            graph,
            tensors,
            prefix: prefix.into(),
        })
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, ExportError> {
        let tensor = self.tensors.get(name);
        tensor.ok_or_else(|| ExportError::Mismatch(format!("there is no `{name}`")))
    }

    /// Whether the network has a tensor.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize], ExportError> {
        Ok(&self.tensor(name)?.shape)
    }

    /// The numbers of a tensor.
    pub(crate) fn values(&self, name: &str) -> Result<&[f32], ExportError> {
        Ok(&self.tensor(name)?.values)
    }

    /// The tensor of this name in the graph.
    pub(crate) fn weight(&mut self, name: &str) -> Result<Value, ExportError> {
        let tensor = self.tensors.get(name);
        let tensor =
            tensor.ok_or_else(|| ExportError::Mismatch(format!("there is no `{name}`")))?;
        let full = format!("{}{name}", self.prefix);
        Ok(self.graph.weight(&full, &tensor.shape, &tensor.values))
    }

    /// Multiplies rows `[batch, d_input]` by a linear layer's weights and adds its bias, if it has one.
    pub(crate) fn linear(&mut self, x: &Value, layer: &str) -> Result<Value, ExportError> {
        let weight = self.weight(&format!("{layer}.weight"))?;
        let mut inputs = vec![x.clone(), weight];
        let bias = format!("{layer}.bias");
        if self.has(&bias) {
            inputs.push(self.weight(&bias)?);
        }
        let inputs: Vec<&Value> = inputs.iter().collect();
        Ok(self.graph.op_with("Gemm", &inputs, vec![int("transB", 1)]))
    }

    /// The same for `[.., d_input]`.
    pub(crate) fn linear_nd(&mut self, x: &Value, layer: &str) -> Result<Value, ExportError> {
        let weight = self.weight(&format!("{layer}.weight"))?;
        let weight = self.graph.transpose(&weight, &[1, 0]);
        let x = self.graph.matmul(x, &weight);
        let bias = format!("{layer}.bias");
        if !self.has(&bias) {
            return Ok(x);
        }
        let bias = self.weight(&bias)?;
        Ok(self.graph.add(&x, &bias))
    }

    /// A convolution of `[batch, channels, height, width]`, with its bias, if it has one.
    pub(crate) fn conv(
        &mut self,
        x: &Value,
        layer: &str,
        geometry: Conv,
    ) -> Result<Value, ExportError> {
        let name = format!("{layer}.weight");
        let kernel = self.shape(&name)?[2..].to_vec();
        let mut inputs = vec![x.clone(), self.weight(&name)?];
        let bias = format!("{layer}.bias");
        if self.has(&bias) {
            inputs.push(self.weight(&bias)?);
        }
        let inputs: Vec<&Value> = inputs.iter().collect();
        let Conv {
            stride,
            padding,
            groups,
        } = geometry;
        let attributes = vec![
            ints("kernel_shape", &kernel),
            ints("strides", &[stride; 2]),
            ints("pads", &[padding; 4]),
            int("group", size(groups)),
        ];
        Ok(self.graph.op_with("Conv", &inputs, attributes))
    }

    /// Normalizes channels by running statistics.
    pub(crate) fn batch_norm(
        &mut self,
        x: &Value,
        layer: &str,
        epsilon: f64,
    ) -> Result<Value, ExportError> {
        let mut inputs = vec![x.clone()];
        for part in ["weight", "bias", "running_mean", "running_var"] {
            inputs.push(self.weight(&format!("{layer}.{part}"))?);
        }
        let inputs: Vec<&Value> = inputs.iter().collect();
        let attributes = vec![float("epsilon", epsilon)];
        Ok(self
            .graph
            .op_with("BatchNormalization", &inputs, attributes))
    }

    /// Normalizes the last axis.
    pub(crate) fn layer_norm(
        &mut self,
        x: &Value,
        layer: &str,
        epsilon: f64,
    ) -> Result<Value, ExportError> {
        let weight = self.weight(&format!("{layer}.weight"))?;
        let bias = self.weight(&format!("{layer}.bias"))?;
        let attributes = vec![int("axis", -1), float("epsilon", epsilon)];
        Ok(self
            .graph
            .op_with("LayerNormalization", &[x, &weight, &bias], attributes))
    }

    /// Rectifies.
    pub(crate) fn relu(&mut self, x: &Value) -> Value {
        self.graph.op("Relu", &[x])
    }

    /// An activation function.
    pub(crate) fn activation(&mut self, x: &Value, activation: Activation) -> Value {
        match activation {
            Activation::Relu => self.relu(x),
            Activation::Gelu => self.gelu(x),
            Activation::Silu => self.silu(x),
            Activation::Tanh => self.graph.op("Tanh", &[x]),
            Activation::LeakyRelu => {
                self.graph
                    .op_with("LeakyRelu", &[x], vec![float("alpha", 0.01)])
            }
        }
    }

    /// `x sigmoid(x)`
    pub(crate) fn silu(&mut self, x: &Value) -> Value {
        let gate = self.graph.op("Sigmoid", &[x]);
        self.graph.mul(x, &gate)
    }

    /// The exact one, which these operators lack.
    pub(crate) fn gelu(&mut self, x: &Value) -> Value {
        let scale = self.graph.scalar(std::f32::consts::FRAC_1_SQRT_2);
        let (half, one) = (self.graph.scalar(0.5), self.graph.scalar(1.0));
        let share = self.graph.mul(x, &scale);
        let share = self.graph.op("Erf", &[&share]);
        let share = self.graph.add(&share, &one);
        let share = self.graph.mul(&share, &half);
        self.graph.mul(x, &share)
    }

    /// The mean of each channel, `[batch, channels]`.
    pub(crate) fn global_average(&mut self, x: &Value) -> Value {
        let x = self.graph.op("GlobalAveragePool", &[x]);
        self.graph.op_with("Flatten", &[&x], vec![int("axis", 1)])
    }

    /// Maximum over square windows.
    pub(crate) fn max_pool(
        &mut self,
        x: &Value,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Value {
        let attributes = vec![
            ints("kernel_shape", &[kernel; 2]),
            ints("strides", &[stride; 2]),
            ints("pads", &[padding; 4]),
        ];
        self.graph.op_with("MaxPool", &[x], attributes)
    }
}
