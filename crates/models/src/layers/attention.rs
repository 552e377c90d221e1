//! Multi-head self-attention.
//!
//! Reference: Vaswani et al., *Attention is all you need*, 2017, <https://arxiv.org/abs/1706.03762>.
//! Differs from it: no dropout on the attention weights, so that they need not be stored; optional
//! causal masking and rotary position embeddings (`RoFormer`, Su et al., 2021,
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
    /// Initializes the projections: `output` for the last one, `weights` for the others.
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

    /// Number of parameters; saturates.
    pub(crate) fn parameters(self) -> usize {
        linear_parameters(self.d_model, self.d_model, self.bias).saturating_mul(4)
    }
}

/// Query, key and value have separate layers, so that each has its name, but are computed in one
/// product.
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
    /// - padding: `[batch, seq]`, true at padding positions, which nothing attends to
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

    /// As [`forward`](Self::forward), for the tokens that follow those in the cache; appends them to
    /// it.
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

/// Keys and values of the previous tokens of one layer, preallocated for the full capacity.
#[derive(Debug, Clone)]
pub(crate) struct KeyValues {
    /// `[batch, capacity, d_model]` each; `None` only during an append.
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

    /// Appends rows and returns all rows.
    fn append(&mut self, keys: Tensor<3>, values: Tensor<3>) -> [Tensor<3>; 2] {
        let [batch, rows, d_model] = keys.dims();
        let range = [0..batch, self.len..self.len + rows, 0..d_model];
        self.len += rows;
        let Some([kept_keys, kept_values]) = self.buffers.take() else {
            unreachable!("the buffers are put back below")
        };
        // The buffers are not shared, so they are written in place.
        let keys = kept_keys.slice_assign(range.clone(), keys);
        let values = kept_values.slice_assign(range, values);
        let all = [&keys, &values].map(|buffer| buffer.clone().narrow(1, 0, self.len));
        self.buffers = Some([keys, values]);
        all
    }
}
