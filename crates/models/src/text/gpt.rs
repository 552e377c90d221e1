//! Transformer decoder for language modeling.
//!
//! Reference: Radford et al., *Language models are unsupervised multitask learners* (GPT-2), 2019,
//! <https://openai.com/research/better-language-models>; with the changes of Touvron et al., *Llama*,
//! 2023, <https://arxiv.org/abs/2302.13971>: rotary position embeddings (Su et al., 2021,
//! <https://arxiv.org/abs/2104.09864>), root-mean-square normalization (Zhang and Sennrich, 2019,
//! <https://arxiv.org/abs/1910.07467>), gated feed-forward networks (Shazeer, 2020,
//! <https://arxiv.org/abs/2002.05202>), no biases.
//! Differs from Llama: dropout after the embedding and on each branch, initial weights of GPT-2.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear};
use burn::tensor::{Device, Int, Tensor};
use tinderbox_kernels::{RotaryTable, swiglu};

use crate::config::{
    ConfigError, MAX_SIZE, check_heads, check_parameters, check_probability, check_range,
    check_size,
};
use crate::layers::attention::{AttentionConfig, KeyValues, SelfAttention};
use crate::layers::dense::{add_branch, drop_out, project, project_all};
use crate::layers::init::{TRANSFORMER, linear_without_bias, transformer_residual};
use crate::layers::norm::RmsNorm;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;
use crate::text::encoder::{MAX_LAYERS, MAX_VOCABULARY, ROTARY_BASE};

/// Added to the mean square for numerical stability.
const EPSILON: f64 = 1e-5;

/// Configuration to create a [`Gpt`] with [`init`](GptConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct GptConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Maximum number of tokens in a text.
    #[config(default = 256)]
    pub max_len: usize,
    /// Size of a token's embedding.
    #[config(default = 128)]
    pub d_model: usize,
    /// Number of attention heads; `d_model` must be a multiple of twice this number.
    #[config(default = 4)]
    pub n_heads: usize,
    /// Number of layers.
    #[config(default = 4)]
    pub n_layers: usize,
    /// Hidden size of the gated feed-forward layers.
    #[config(default = 384)]
    pub d_hidden: usize,
    /// Whether the output layer shares its weights with the embedding (Press and Wolf, 2017,
    /// <https://arxiv.org/abs/1608.05859>).
    #[config(default = true)]
    pub tie_embeddings: bool,
    /// Dropout probability after the embedding and on each residual branch, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
}

data_sized!(GptConfig::new(vocab_size), max_len);

impl GptConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("vocab_size", self.vocab_size, 1..=MAX_VOCABULARY)?;
        check_size("max_len", self.max_len)?;
        check_size("d_model", self.d_model)?;
        check_heads(self.d_model, self.n_heads, true)?;
        check_range("n_layers", self.n_layers, 1..=MAX_LAYERS)?;
        check_range("d_hidden", self.d_hidden, 1..=MAX_SIZE)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> Gpt {
        assert_eq!(self.validate(), Ok(()), "invalid GptConfig");
        let output = transformer_residual(self.n_layers);
        let head = || linear_without_bias(self.d_model, self.vocab_size, TRANSFORMER, device);
        Gpt {
            tokens: EmbeddingConfig::new(self.vocab_size, self.d_model)
                .with_initializer(TRANSFORMER)
                .init(device),
            rotary: RotaryTable::new(self.d_model / self.n_heads, self.max_len, ROTARY_BASE),
            dropout: DropoutConfig::new(self.dropout).init(),
            layers: (0..self.n_layers)
                .map(|_| self.init_layer(&output, device))
                .collect(),
            norm: RmsNorm::new(self.d_model, EPSILON, device),
            head: (!self.tie_embeddings).then(head),
        }
    }

    fn attention(&self) -> AttentionConfig {
        AttentionConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            bias: false,
            causal: true,
        }
    }

    fn init_layer(&self, output: &Initializer, device: &Device) -> DecoderLayer {
        let (d_model, hidden) = (self.d_model, self.d_hidden);
        DecoderLayer {
            attention_norm: RmsNorm::new(d_model, EPSILON, device),
            attention: self.attention().init(&TRANSFORMER, output, device),
            feed_forward_norm: RmsNorm::new(d_model, EPSILON, device),
            feed_forward: GatedFeedForward {
                gate: linear_without_bias(d_model, hidden, TRANSFORMER, device),
                up: linear_without_bias(d_model, hidden, TRANSFORMER, device),
                down: linear_without_bias(hidden, d_model, output.clone(), device),
            },
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }

    /// Describes the layers of a valid configuration without building them; shapes are those of a
    /// text of maximum length.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let rows = vec![self.max_len, self.d_model];
        let describe = |name: String, kind: &str, output_shape, parameters| LayerSummary {
            name,
            kind: kind.into(),
            output_shape,
            parameters,
        };
        let tokens = linear_parameters(self.d_model, self.vocab_size, false);
        let feed_forward = linear_parameters(self.d_model, self.d_hidden, false);
        let layer = feed_forward
            .saturating_mul(3)
            .saturating_add(self.attention().parameters())
            .saturating_add(self.d_model.saturating_mul(2));
        let mut layers = vec![describe("tokens".into(), "embedding", rows.clone(), tokens)];
        layers.extend((0..self.n_layers.min(MAX_LAYERS)).map(|index| {
            let kind = "causal attention + gated feed-forward";
            describe(format!("layers.{index}"), kind, rows.clone(), layer)
        }));
        layers.push(describe("norm".into(), "rms norm", rows, self.d_model));
        let (kind, parameters) = if self.tie_embeddings {
            ("linear, tied to the embedding", 0)
        } else {
            ("linear", tokens)
        };
        let scores = vec![self.max_len, self.vocab_size];
        layers.push(describe("head".into(), kind, scores, parameters));
        layers
    }
}

/// Layers of causal attention and gated feed-forward networks.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::text::GptConfig;
///
/// let device = Device::flex();
/// let model = GptConfig::new(65).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7]], &device);
/// assert_eq!(model.forward(ids.clone()).dims(), [1, 3, 65]);
///
/// let mut cache = model.cache(1, 256, &device);
/// assert_eq!(model.next(ids, &mut cache).dims(), [1, 65]);
/// assert_eq!(cache.len(), 3);
/// ```
#[derive(Module, Debug)]
pub struct Gpt {
    tokens: Embedding,
    #[module(skip)]
    rotary: RotaryTable,
    dropout: Dropout,
    layers: Vec<DecoderLayer>,
    norm: RmsNorm,
    head: Option<Linear>,
}

impl Gpt {
    /// Computes the logits of the next token at each position.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, seq]`, token ids below the vocabulary size
    /// - output: `[batch, seq, vocab_size]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If there are more than [`max_len`](Self::max_len) tokens.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let mut x = drop_out(&self.dropout, self.tokens.forward(ids));
        for layer in &self.layers {
            x = layer.forward(x, &self.rotary);
        }
        self.scores(self.norm.forward(x))
    }

    /// Computes the logits of the token that follows the last one. The cache holds the previous tokens,
    /// so that the cost per token is linear in their number, not quadratic.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, rows]`, the tokens that are not in the cache yet, which are appended to it
    /// - output: `[batch, vocab_size]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If there is no token, the cache is full, or it belongs to another batch size or model.
    pub fn next(&self, ids: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<2> {
        let [_batch, rows] = ids.dims();
        assert!(rows > 0, "expected at least one token");
        assert!(
            rows <= cache.room(),
            "the cache has room for {} tokens, got {rows}",
            cache.room()
        );
        let mut x = self.tokens.forward(ids);
        for (layer, cache) in self.layers.iter().zip(&mut cache.layers) {
            x = layer.forward_cached(x, cache, &self.rotary);
        }
        cache.len += rows;
        let last = self.norm.forward(x.narrow(1, rows - 1, 1));
        self.scores(last).squeeze_dim(1)
    }

    /// Creates an empty cache with room for `capacity` tokens of each of `batch` texts.
    ///
    /// # Panics
    ///
    /// If `capacity` is greater than [`max_len`](Self::max_len).
    pub fn cache(&self, batch: usize, capacity: usize, device: &Device) -> KvCache {
        let max_len = self.max_len();
        assert!(
            capacity <= max_len,
            "a text has at most {max_len} tokens, got {capacity}"
        );
        let [_, d_model] = self.tokens.weight.dims();
        let layers = self.layers.iter();
        KvCache {
            layers: layers
                .map(|_| KeyValues::new([batch, capacity, d_model], device))
                .collect(),
            len: 0,
            capacity,
        }
    }

    /// Maximum number of tokens in a text.
    pub fn max_len(&self) -> usize {
        self.rotary.max_positions()
    }

    /// Number of layers. For parameter groups: their paths begin with `layers.0`, `layers.1` and so on.
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }

    fn scores(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.head {
            Some(head) => project(head, x),
            None => {
                tinderbox_kernels::linear(x, vec![self.tokens.weight.val().transpose()], vec![])
            }
        }
    }
}

/// Keys and values of the previous tokens of a [`Gpt`].
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<KeyValues>,
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// Number of tokens in the cache.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of tokens for which there is room left.
    pub fn room(&self) -> usize {
        self.capacity - self.len
    }
}

#[derive(Module, Debug)]
struct DecoderLayer {
    attention_norm: RmsNorm,
    attention: SelfAttention,
    feed_forward_norm: RmsNorm,
    feed_forward: GatedFeedForward,
    dropout: Dropout,
}

impl DecoderLayer {
    fn forward(&self, x: Tensor<3>, rotary: &RotaryTable) -> Tensor<3> {
        let branch = self.attention_norm.forward(x.clone());
        let branch = self.attention.forward(branch, None, Some(rotary));
        self.feed_forward(add_branch(&self.dropout, x, branch))
    }

    fn forward_cached(
        &self,
        x: Tensor<3>,
        cache: &mut KeyValues,
        rotary: &RotaryTable,
    ) -> Tensor<3> {
        let branch = self.attention_norm.forward(x.clone());
        let branch = self.attention.forward_cached(branch, cache, rotary);
        self.feed_forward(x + branch)
    }

    fn feed_forward(&self, x: Tensor<3>) -> Tensor<3> {
        let branch = self.feed_forward_norm.forward(x.clone());
        let branch = self.feed_forward.forward(branch);
        add_branch(&self.dropout, x, branch)
    }
}

/// A linear layer gated by another, and an output layer, applied to each token.
#[derive(Module, Debug)]
struct GatedFeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl GatedFeedForward {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = project_all(&[&self.gate, &self.up], x);
        project(&self.down, swiglu(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, ids,
        scale_weights, values,
    };

    fn small(tied: bool) -> GptConfig {
        GptConfig::new(11)
            .with_max_len(40)
            .with_d_model(8)
            .with_n_heads(2)
            .with_n_layers(2)
            .with_d_hidden(12)
            .with_tie_embeddings(tied)
    }

    #[test]
    fn output_has_a_logit_per_vocabulary_entry() {
        let device = Device::flex();
        for tied in [true, false] {
            let model = small(tied).init(&device);
            assert_eq!(model.forward(ids([3, 7], 11, &device)).dims(), [3, 7, 11]);
        }
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        let model = scale_weights(small(true).init(&device), 20.0);
        let batch = ids([4, 9], 11, &device);
        let alone = model.forward(batch.clone().slice(2..3));
        assert_close(model.forward(batch).slice(2..3), &values(alone));
    }

    #[test]
    fn a_token_does_not_see_later_tokens() {
        let device = Device::flex();
        let model = scale_weights(small(false).init(&device), 20.0);
        let text = ids([2, 9], 11, &device);
        let all = model.forward(text.clone()).narrow(1, 0, 4);
        assert_close(model.forward(text.narrow(1, 0, 4)), &values(all));
    }

    #[test]
    fn cached_logits_equal_uncached_ones() {
        let device = Device::flex();
        for tied in [true, false] {
            let model = scale_weights(small(tied).init(&device), 20.0);
            let text = ids([3, 40], 11, &device);
            let all = model.forward(text.clone());
            // The whole prompt at once, token by token, and in chunks.
            for portions in [vec![40], vec![1; 40], vec![5, 1, 1, 20, 13]] {
                let mut cache = model.cache(3, 40, &device);
                for rows in portions {
                    let seen = cache.len();
                    let scores = model.next(text.clone().narrow(1, seen, rows), &mut cache);
                    let expected = all.clone().narrow(1, seen + rows - 1, 1);
                    let apart = (scores - expected.squeeze_dim(1)).abs().max();
                    assert!(apart.into_scalar::<f32>() < 1e-5);
                }
                assert_eq!((cache.len(), cache.room()), (40, 0));
            }
        }
    }

    #[test]
    #[should_panic(expected = "the cache has room for 3 tokens, got 4")]
    fn a_full_cache_is_refused() {
        let device = Device::flex();
        let model = small(true).init(&device);
        let mut cache = model.cache(1, 8, &device);
        assert!(cache.is_empty());
        model.next(ids([1, 5], 11, &device), &mut cache);
        model.next(ids([1, 4], 11, &device), &mut cache);
    }

    #[test]
    #[should_panic(expected = "41 positions exceed the table's maximum of 40")]
    fn a_text_above_the_maximum_length_is_refused() {
        let device = Device::flex();
        small(true).init(&device).forward(ids([1, 41], 11, &device));
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for tied in [true, false] {
            let model = scale_weights(small(tied).init(&device), 20.0);
            let logits = model.forward(ids([3, 20], 11, &device)).reshape([60, 11]);
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for tied in [true, false] {
            let config = small(tied);
            let model = config.init(&Device::flex());
            assert_eq!((model.num_layers(), model.max_len()), (2, 40));
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small(false));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = GptConfig::new(65);
        for invalid in [
            GptConfig::new(0),
            GptConfig::new(usize::MAX),
            base.clone().with_max_len(0),
            base.clone().with_max_len(1_000_000_000_000),
            base.clone().with_n_heads(5),
            base.clone().with_n_heads(128),
            base.clone().with_n_layers(0),
            base.clone().with_d_hidden(0),
            base.clone().with_dropout(-0.1),
            base.clone().with_d_model(MAX_SIZE).with_d_hidden(MAX_SIZE),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
