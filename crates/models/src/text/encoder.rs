//! Transformer encoder for text classification.
//!
//! Reference: Vaswani et al., *Attention is all you need*, 2017, <https://arxiv.org/abs/1706.03762>;
//! pre-normalization as in Xiong et al., *On layer
//! normalization in the Transformer architecture*, 2020, <https://arxiv.org/abs/2002.04745>.
//! Differs from them: GELU (Hendrycks and Gimpel, 2016, <https://arxiv.org/abs/1606.08415>); position
//! embeddings are learned (Devlin et al., 2019) or rotary (Su et al., 2021,
//! <https://arxiv.org/abs/2104.09864>); initial weights of GPT-2 (Radford et al., 2019): normal with
//! a standard deviation of 0.02, scaled down on residual branches. Dropout after the embedding and
//! on each branch.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear};
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};
use tinderbox_kernels::RotaryTable;

use crate::config::{
    ConfigError, MAX_SIZE, check_heads, check_parameters, check_probability, check_range,
    check_size,
};
use crate::layers::attention::{AttentionConfig, SelfAttention};
use crate::layers::dense::{add_branch, drop_out, project, project_gelu};
use crate::layers::init::{TRANSFORMER, linear, transformer_residual};
use crate::layers::norm::LayerNorm;
use crate::layers::pooling::{Pooling, pool};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of layers.
pub(crate) const MAX_LAYERS: usize = 256;

/// Maximum vocabulary size.
pub(crate) const MAX_VOCABULARY: usize = 1 << 20;

/// Added to the variance for numerical stability.
pub(crate) const EPSILON: f64 = 1e-5;

/// Base of the rotary position embeddings.
pub(crate) const ROTARY_BASE: f64 = 10_000.0;

/// Position embeddings, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector per position is added to the token embedding.
    Learned,
    /// Queries and keys are rotated by an angle proportional to the position.
    Rotary,
}

/// Configuration to create a [`TextEncoder`] with [`init`](TextEncoderConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TextEncoderConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Maximum number of tokens in a text.
    #[config(default = 256)]
    pub max_len: usize,
    /// Size of a token's embedding.
    #[config(default = 128)]
    pub d_model: usize,
    /// Number of attention heads; must divide `d_model`.
    #[config(default = 4)]
    pub n_heads: usize,
    /// Number of layers.
    #[config(default = 2)]
    pub n_layers: usize,
    /// Hidden size of the feed-forward layers.
    #[config(default = 256)]
    pub d_hidden: usize,
    /// Position embeddings.
    #[config(default = "Positions::Learned")]
    pub positions: Positions,
    /// Pooling of the tokens.
    #[config(default = "Pooling::Mean")]
    pub pooling: Pooling,
    /// Dropout probability after the embedding and on each residual branch, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
}

data_sized!(TextEncoderConfig::new(vocab_size, num_classes), max_len);

impl TextEncoderConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("vocab_size", self.vocab_size, 1..=MAX_VOCABULARY)?;
        check_size("num_classes", self.num_classes)?;
        check_size("max_len", self.max_len)?;
        check_size("d_model", self.d_model)?;
        check_heads(
            self.d_model,
            self.n_heads,
            self.positions == Positions::Rotary,
        )?;
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
    pub fn init(&self, device: &Device) -> TextEncoder {
        assert_eq!(self.validate(), Ok(()), "invalid TextEncoderConfig");
        let embedding = |count| {
            EmbeddingConfig::new(count, self.d_model)
                .with_initializer(TRANSFORMER)
                .init(device)
        };
        let learned = self.positions == Positions::Learned;
        TextEncoder {
            tokens: embedding(self.vocab_size),
            positions: learned.then(|| embedding(self.max_len)),
            rotary: (!learned)
                .then(|| RotaryTable::new(self.d_model / self.n_heads, self.max_len, ROTARY_BASE)),
            dropout: DropoutConfig::new(self.dropout).init(),
            layers: self.layer().init_stack(self.n_layers, device),
            norm: LayerNorm::new(self.d_model, EPSILON, device),
            head: linear(self.d_model, self.num_classes, TRANSFORMER, device),
            pooling: self.pooling,
            max_len: self.max_len,
        }
    }

    /// Describes the layers of a valid configuration without building them; shapes are those of a
    /// text of maximum length.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let rows = vec![self.max_len, self.d_model];
        let positions = match self.positions {
            Positions::Learned => self.max_len.saturating_mul(self.d_model),
            Positions::Rotary => 0,
        };
        let tokens = self.vocab_size.saturating_mul(self.d_model);
        let mut layers = vec![LayerSummary {
            name: "tokens".into(),
            kind: "embedding".into(),
            output_shape: rows.clone(),
            parameters: tokens.saturating_add(positions),
        }];
        layers.extend(
            (0..self.n_layers.min(MAX_LAYERS)).map(|index| LayerSummary {
                name: format!("layers.{index}"),
                kind: "attention + feed-forward".into(),
                output_shape: rows.clone(),
                parameters: self.layer().parameters(),
            }),
        );
        layers.push(LayerSummary {
            name: "norm".into(),
            kind: "layer norm".into(),
            output_shape: rows,
            parameters: 2 * self.d_model.min(MAX_SIZE),
        });
        layers.push(LayerSummary {
            name: "head".into(),
            kind: "linear".into(),
            output_shape: vec![self.num_classes],
            parameters: linear_parameters(self.d_model, self.num_classes, true),
        });
        layers
    }

    fn layer(&self) -> EncoderLayerConfig {
        EncoderLayerConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            d_hidden: self.d_hidden,
            dropout: self.dropout,
        }
    }
}

/// Layers of attention and feed-forward networks, pooling and a linear layer.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::TextEncoderConfig;
///
/// let device = Device::flex();
/// let model = TextEncoderConfig::new(1000, 4).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7], [8, 9, 0]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, false], [false, false, true]], &device);
/// assert_eq!(model.forward(ids, padding).dims(), [2, 4]);
/// ```
#[derive(Module, Debug)]
pub struct TextEncoder {
    tokens: Embedding,
    positions: Option<Embedding>,
    #[module(skip)]
    rotary: Option<RotaryTable>,
    dropout: Dropout,
    layers: Vec<EncoderLayer>,
    norm: LayerNorm,
    head: Linear,
    #[module(skip)]
    pooling: Pooling,
    max_len: usize,
}

impl TextEncoder {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, seq]`, token ids below the vocabulary size
    /// - padding: `[batch, seq]`, true at padding positions, which are ignored
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the shapes differ or the text is longer than the maximum length.
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        project(&self.head, self.embed(ids, padding))
    }

    /// Computes the logits of each token.
    ///
    /// # Shapes
    ///
    /// - ids, padding: `[batch, seq]`, as [`forward`](Self::forward)
    /// - output: `[batch, seq, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_tokens(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<3> {
        project(&self.head, self.encode(ids, padding))
    }

    /// Computes one vector per text. The dot product of two normalized vectors is their cosine
    /// similarity.
    ///
    /// # Shapes
    ///
    /// - ids, padding: `[batch, seq]`, as [`forward`](Self::forward)
    /// - output: `[batch, d_model]`, the input of the last layer
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn embed(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        pool(self.pooling, self.encode(ids, padding.clone()), padding)
    }

    /// Computes a vector per token.
    ///
    /// # Shapes
    ///
    /// - ids, padding: `[batch, seq]`, as [`forward`](Self::forward)
    /// - output: `[batch, seq, d_model]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn encode(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<3> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let max_len = self.max_len;
        assert!(
            seq <= max_len,
            "a text has {seq} tokens, expected at most {max_len}"
        );
        let mut x = self.tokens.forward(ids);
        if let Some(positions) = &self.positions {
            x = x + positions.weight.val().narrow(0, 0, seq).unsqueeze();
        }
        x = drop_out(&self.dropout, x);
        let padding = Some(padding);
        for layer in &self.layers {
            x = layer.forward(x, padding.clone(), self.rotary.as_ref());
        }
        self.norm.forward(x)
    }

    /// Number of layers. For parameter groups: their paths begin with `layers.0`, `layers.1` and so on.
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }
}

/// One layer of an encoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncoderLayerConfig {
    pub(crate) d_model: usize,
    pub(crate) n_heads: usize,
    pub(crate) d_hidden: usize,
    pub(crate) dropout: f64,
}

impl EncoderLayerConfig {
    fn attention(self) -> AttentionConfig {
        AttentionConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            bias: true,
            causal: false,
        }
    }

    pub(crate) fn init_stack(self, layers: usize, device: &Device) -> Vec<EncoderLayer> {
        let output = transformer_residual(layers);
        (0..layers).map(|_| self.init(&output, device)).collect()
    }

    fn init(self, output: &Initializer, device: &Device) -> EncoderLayer {
        let Self {
            d_model, d_hidden, ..
        } = self;
        EncoderLayer {
            attention_norm: LayerNorm::new(d_model, EPSILON, device),
            attention: self.attention().init(&TRANSFORMER, output, device),
            feed_forward_norm: LayerNorm::new(d_model, EPSILON, device),
            feed_forward: FeedForward {
                up: linear(d_model, d_hidden, TRANSFORMER, device),
                down: linear(d_hidden, d_model, output.clone(), device),
            },
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }

    /// Number of parameters; saturates.
    pub(crate) fn parameters(self) -> usize {
        let up = linear_parameters(self.d_model, self.d_hidden, true);
        let down = linear_parameters(self.d_hidden, self.d_model, true);
        let norms = self.d_model.saturating_mul(4);
        let attention = self.attention().parameters();
        attention
            .saturating_add(up)
            .saturating_add(down)
            .saturating_add(norms)
    }
}

#[derive(Module, Debug)]
pub(crate) struct EncoderLayer {
    attention_norm: LayerNorm,
    attention: SelfAttention,
    feed_forward_norm: LayerNorm,
    feed_forward: FeedForward,
    dropout: Dropout,
}

impl EncoderLayer {
    /// - x and output: `[batch, seq, d_model]`
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        padding: Option<Tensor<2, Bool>>,
        rotary: Option<&RotaryTable>,
    ) -> Tensor<3> {
        let branch = self.attention_norm.forward(x.clone());
        let branch = self.attention.forward(branch, padding, rotary);
        let x = add_branch(&self.dropout, x, branch);
        let branch = self.feed_forward_norm.forward(x.clone());
        let branch = self.feed_forward.forward(branch);
        add_branch(&self.dropout, x, branch)
    }
}

/// Two linear layers with GELU between them, applied to each token.
#[derive(Module, Debug)]
pub(crate) struct FeedForward {
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl FeedForward {
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        project(&self.down, project_gelu(&self.up, x))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::TensorData;

    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_padding_changes_nothing,
        assert_round_trips, ids, padding, scale_weights, values,
    };

    fn small(positions: Positions, pooling: Pooling) -> TextEncoderConfig {
        TextEncoderConfig::new(30, 3)
            .with_max_len(16)
            .with_d_model(8)
            .with_n_heads(2)
            .with_n_layers(2)
            .with_d_hidden(12)
            .with_positions(positions)
            .with_pooling(pooling)
    }

    const KINDS: [(Positions, Pooling); 4] = [
        (Positions::Learned, Pooling::Mean),
        (Positions::Learned, Pooling::Cls),
        (Positions::Rotary, Pooling::Mean),
        (Positions::Rotary, Pooling::Cls),
    ];

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for (positions, pooling) in KINDS {
            let model = small(positions, pooling).init(&device);
            for seq in [1, 5, 16] {
                let logits =
                    model.forward(ids([3, seq], 30, &device), padding(&[seq; 3], seq, &device));
                assert_eq!(logits.dims(), [3, 3]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a text has 17 tokens, expected at most 16")]
    fn a_text_that_is_too_long_is_refused() {
        let device = Device::flex();
        let model = small(Positions::Rotary, Pooling::Mean).init(&device);
        model.forward(ids([1, 17], 30, &device), padding(&[17], 17, &device));
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 5")]
    fn padding_of_another_shape_is_refused() {
        let device = Device::flex();
        let model = small(Positions::Learned, Pooling::Mean).init(&device);
        model.forward(ids([1, 4], 30, &device), padding(&[5], 5, &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch_with_any_padding() {
        let device = Device::flex();
        for (positions, pooling) in KINDS {
            let model = scale_weights(small(positions, pooling).init(&device), 20.0);
            assert_padding_changes_nothing(30, |ids, padding| model.forward(ids, padding));
        }
    }

    #[test]
    fn positions_matter() {
        let device = Device::flex();
        for (positions, pooling) in KINDS {
            let model = scale_weights(small(positions, pooling).init(&device), 20.0);
            let text = |ids: [i32; 4]| {
                let ids = Tensor::from_data(TensorData::new(ids.to_vec(), [1, 4]), &device);
                values(model.forward(ids, padding(&[4], 4, &device)))
            };
            let apart = text([5, 6, 7, 8])
                .iter()
                .zip(text([5, 7, 6, 8]))
                .map(|(left, right)| (left - right).abs())
                .fold(0.0, f32::max);
            assert!(apart > 1e-3, "{positions:?}, {pooling:?}: {apart}");
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for (positions, pooling) in KINDS {
            let config = TextEncoderConfig {
                vocab_size: 12,
                ..small(positions, pooling)
            };
            let model = scale_weights(config.init(&device), 20.0);
            let logits = model.forward(
                ids([4, 16], 12, &device),
                padding(&[16, 3, 9, 1], 16, &device),
            );
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn dropout_acts_while_training_only() {
        let training = Device::flex().autodiff();
        let config = small(Positions::Learned, Pooling::Mean).with_dropout(0.5);
        let model = scale_weights(config.init(&training), 20.0);
        let twice = |model: &TextEncoder, device: &Device| {
            [0, 1].map(|_| {
                values(model.forward(ids([2, 8], 30, device), padding(&[8, 5], 8, device)))
            })
        };
        let [first, second] = twice(&model, &training);
        assert_ne!(first, second);
        let [first, second] = twice(&model.valid(), &Device::flex());
        assert_eq!(first, second);
    }

    #[test]
    fn outputs_agree_with_sums_by_hand() {
        let device = Device::flex();
        let config = small(Positions::Learned, Pooling::Mean).with_n_layers(1);
        let mut model = config.init(&device);
        // Without the residual branches only the embedding, its normalization and the head are left.
        let zero = |linear: &mut Linear| {
            linear.weight = Param::from_tensor(linear.weight.val() * 0.0);
        };
        zero(&mut model.layers[0].attention.output);
        zero(&mut model.layers[0].feed_forward.down);
        let [tokens, positions] = [&model.tokens, model.positions.as_ref().unwrap()]
            .map(|embedding| values(embedding.weight.val()));
        let head = values(model.head.weight.val());
        let texts = [vec![4, 9, 1], vec![2]];
        let expected = texts.iter().flat_map(|text| {
            let mut mean = [0.0_f64; 8];
            for (position, &token) in text.iter().enumerate() {
                let row: Vec<f64> = (0..8)
                    .map(|i| f64::from(tokens[token * 8 + i] + positions[position * 8 + i]))
                    .collect();
                let center = row.iter().sum::<f64>() / 8.0;
                let variance = row.iter().map(|x| (x - center).powi(2)).sum::<f64>() / 8.0;
                for (mean, x) in mean.iter_mut().zip(row) {
                    *mean += (x - center) / (variance + 1e-5).sqrt() / text.len() as f64;
                }
            }
            let head = &head;
            (0..3).map(move |class| {
                let products = mean.iter().enumerate();
                products
                    .map(|(i, x)| x * f64::from(head[i * 3 + class]))
                    .sum::<f64>() as f32
            })
        });
        let ids = Tensor::from_ints([[4, 9, 1], [2, 0, 0]], &device);
        let logits = model.forward(ids, padding(&[3, 1], 3, &device));
        assert_close(logits, &expected.collect::<Vec<_>>());
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for (positions, pooling) in KINDS {
            let config = small(positions, pooling);
            let model = config.init(&Device::flex());
            assert_eq!(model.num_layers(), 2);
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small(Positions::Rotary, Pooling::Cls));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = TextEncoderConfig::new(30, 3);
        for invalid in [
            TextEncoderConfig::new(0, 3),
            TextEncoderConfig::new(usize::MAX, 3),
            TextEncoderConfig::new(30, 0),
            base.clone().with_max_len(0),
            base.clone().with_d_model(1_000_000_000_000),
            base.clone().with_n_heads(0),
            base.clone().with_n_heads(3),
            base.clone()
                .with_d_model(12)
                .with_n_heads(4)
                .with_positions(Positions::Rotary),
            base.clone().with_n_layers(0),
            base.clone().with_n_layers(1_000_000),
            base.clone().with_d_hidden(0),
            base.clone().with_dropout(1.0),
            base.clone().with_d_model(MAX_SIZE).with_d_hidden(MAX_SIZE),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
