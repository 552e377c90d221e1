//! Attention of a sequence to itself, which every Transformer here is made of.
//!
//! Reference: Vaswani et al., *Attention is all you need*, 2017, <https://arxiv.org/abs/1706.03762>.
//! Differs from it: no dropout on the weights, so that they need not be kept; a choice to look
//! backwards only, and to turn queries and keys by their place (`RoFormer`, Su et al., 2021,
//! <https://arxiv.org/abs/2104.09864>).

use burn::module::Module;
use burn::nn::{Initializer, Linear};
use burn::tensor::{Bool, Device, Tensor};
use tinderbox_kernels::{RotaryTable, apply_rotary, cached_attention, self_attention};

use crate::layers::dense::{project, project_all};
use crate::layers::init::{linear, linear_without_bias};
use crate::summary::linear_parameters;

#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionConfig {
    pub(crate) d_model: usize,
    pub(crate) n_heads: usize,
    pub(crate) bias: bool,
    pub(crate) causal: bool,
}

impl AttentionConfig {
    /// Initializes the projections; that of the output begins as `output` says.
    pub(crate) fn init(
        self,
        weights: &Initializer,
        output: &Initializer,
        device: &Device,
    ) -> SelfAttention {
        let build = if self.bias {
            linear
        } else {
            linear_without_bias
        };
        let projection =
            |weights: &Initializer| build(self.d_model, self.d_model, weights.clone(), device);
        SelfAttention {
            query: projection(weights),
            key: projection(weights),
            value: projection(weights),
            output: projection(output),
            heads: self.n_heads,
            causal: self.causal,
        }
    }

    /// Counts the weights; saturates.
    pub(crate) fn parameters(self) -> usize {
        linear_parameters(self.d_model, self.d_model, self.bias).saturating_mul(4)
    }
}

/// Queries, keys and values are three layers, so that each has a name of its own, and computed as
/// one product.
#[derive(Module, Debug)]
pub(crate) struct SelfAttention {
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) output: Linear,
    heads: usize,
    causal: bool,
}

impl SelfAttention {
    /// - x and output: `[batch, seq, d_model]`
    /// - padding: `[batch, seq]`, true where nothing may look at
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        padding: Option<Tensor<2, Bool>>,
        rotary: Option<&RotaryTable>,
    ) -> Tensor<3> {
        let mut packed = self.packed(x);
        if let Some(table) = rotary {
            packed = apply_rotary(packed, table, 0);
        }
        let x = self_attention(packed, self.heads, padding, self.causal);
        project(&self.output, x)
    }

    /// The same for rows that follow on those in a cache, which they are added to.
    pub(crate) fn forward_cached(
        &self,
        x: Tensor<3>,
        cache: &mut KeyValues,
        table: &RotaryTable,
    ) -> Tensor<3> {
        let packed = apply_rotary(self.packed(x), table, cache.len);
        let [_, _, width] = packed.dims();
        let d_model = width / 3;
        let [queries, keys, values] =
            [0, 1, 2].map(|part| packed.clone().narrow(2, part * d_model, d_model));
        let [keys, values] = cache.append(keys, values);
        let x = cached_attention(queries, keys, values, self.heads);
        project(&self.output, x)
    }

    fn packed(&self, x: Tensor<3>) -> Tensor<3> {
        project_all(&[&self.query, &self.key, &self.value], x)
    }
}

/// Keys and values of the rows that one layer has seen, in memory for all that it may see.
#[derive(Debug, Clone)]
pub(crate) struct KeyValues {
    /// `[batch, capacity, d_model]` each; absent only while they are written to.
    buffers: Option<[Tensor<3>; 2]>,
    len: usize,
}

impl KeyValues {
    pub(crate) fn new([batch, capacity, d_model]: [usize; 3], device: &Device) -> Self {
        let buffer = || Tensor::zeros([batch, capacity, d_model], device);
        Self {
            buffers: Some([buffer(), buffer()]),
            len: 0,
        }
    }

    /// Writes rows behind the others and returns all there are.
    fn append(&mut self, keys: Tensor<3>, values: Tensor<3>) -> [Tensor<3>; 2] {
        let [batch, rows, d_model] = keys.dims();
        let place = [0..batch, self.len..self.len + rows, 0..d_model];
        self.len += rows;
        let Some([kept_keys, kept_values]) = self.buffers.take() else {
            unreachable!("the buffers are put back below")
        };
        // Nobody else holds them, so they are written to in place.
        let keys = kept_keys.slice_assign(place.clone(), keys);
        let values = kept_values.slice_assign(place, values);
        let all = [&keys, &values].map(|buffer| buffer.clone().narrow(1, 0, self.len));
        self.buffers = Some([keys, values]);
        all
    }
}
