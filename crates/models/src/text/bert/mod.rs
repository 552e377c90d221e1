//! BERT, `DistilBERT` and `MiniLM`, compatible with published weights.
//!
//! Reference: Devlin et al., *BERT: pre-training of deep bidirectional Transformers for language
//! understanding*, 2019, <https://arxiv.org/abs/1810.04805>; Sanh et al., *`DistilBERT`*, 2019,
//! <https://arxiv.org/abs/1910.01108>; Wang et al., *`MiniLM`*, 2020,
//! <https://arxiv.org/abs/2002.10957>.
//! Differs from them: no dropout on the attention weights.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the network and its heads |
//! | `hf_config.rs` | `config.json` of the hub |
//! | `pretrained.rs` | loads a published network |
//! | `tensor_names.rs` | names of the published tensors |

mod hf_config;
mod pretrained;
mod tensor_names;

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear};
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};

pub use hf_config::{HfConfig, HfConfigError};
pub use pretrained::{Head, PretrainedBert, PretrainedError};

use crate::config::{
    ConfigError, MAX_SIZE, check_heads, check_parameters, check_probability, check_range,
    check_size,
};
use crate::layers::Activation;
use crate::layers::attention::{AttentionConfig, SelfAttention};
use crate::layers::dense::{add_branch, drop_out, project, project_gelu};
use crate::layers::init::{TRANSFORMER, linear};
use crate::layers::lora::LoraConfig;
use crate::layers::norm::LayerNorm;
use crate::layers::pooling::mean;
use crate::summary::{LayerSummary, linear_parameters};
use crate::text::encoder::{MAX_LAYERS, MAX_VOCABULARY};

/// Configuration to create a [`Bert`] with [`init`](BertConfig::init). The defaults are those of
/// BERT-base.
#[derive(Config, Debug, PartialEq)]
pub struct BertConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Maximum number of tokens in a text.
    #[config(default = 512)]
    pub max_len: usize,
    /// Number of token types, such as the first and second text of a pair; 0 for a network without
    /// them, such as `DistilBERT`.
    #[config(default = 2)]
    pub type_vocab_size: usize,
    /// Size of a token's embedding.
    #[config(default = 768)]
    pub d_model: usize,
    /// Number of attention heads; must divide `d_model`.
    #[config(default = 12)]
    pub n_heads: usize,
    /// Number of layers.
    #[config(default = 12)]
    pub n_layers: usize,
    /// Hidden size of the feed-forward layers.
    #[config(default = 3072)]
    pub d_hidden: usize,
    /// Activation of the feed-forward layers.
    #[config(default = "Activation::Gelu")]
    pub activation: Activation,
    /// Added to the variance for numerical stability.
    #[config(default = 1e-12)]
    pub epsilon: f64,
    /// Dropout probability after the embedding and on each residual branch, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
}

impl BertConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("vocab_size", self.vocab_size, 1..=MAX_VOCABULARY)?;
        check_size("max_len", self.max_len)?;
        check_range("type_vocab_size", self.type_vocab_size, 0..=MAX_SIZE)?;
        check_size("d_model", self.d_model)?;
        check_heads(self.d_model, self.n_heads, false)?;
        check_range("n_layers", self.n_layers, 1..=MAX_LAYERS)?;
        check_size("d_hidden", self.d_hidden)?;
        check_probability("epsilon", self.epsilon)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> Bert {
        assert_eq!(self.validate(), Ok(()), "invalid BertConfig");
        let embedding = |count| {
            EmbeddingConfig::new(count, self.d_model)
                .with_initializer(TRANSFORMER)
                .init(device)
        };
        Bert {
            tokens: embedding(self.vocab_size),
            positions: embedding(self.max_len),
            types: (self.type_vocab_size > 0).then(|| embedding(self.type_vocab_size)),
            norm: LayerNorm::new(self.d_model, self.epsilon, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            layers: (0..self.n_layers)
                .map(|_| self.init_layer(device))
                .collect(),
        }
    }

    /// Describes the layers of a valid configuration without building them; shapes are those of a
    /// text of maximum length.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let rows = vec![self.max_len, self.d_model];
        let embeddings = self
            .vocab_size
            .saturating_add(self.max_len)
            .saturating_add(self.type_vocab_size)
            .saturating_add(2)
            .saturating_mul(self.d_model);
        let describe = |name: String, kind: &str, parameters| LayerSummary {
            name,
            kind: kind.into(),
            output_shape: rows.clone(),
            parameters,
        };
        let mut layers = vec![describe(
            "tokens".into(),
            "embedding + layer norm",
            embeddings,
        )];
        layers.extend((0..self.n_layers.min(MAX_LAYERS)).map(|index| {
            let kind = "attention + feed-forward";
            describe(format!("layers.{index}"), kind, self.layer_parameters())
        }));
        layers
    }

    fn layer_parameters(&self) -> usize {
        let up = linear_parameters(self.d_model, self.d_hidden, true);
        let down = linear_parameters(self.d_hidden, self.d_model, true);
        let attention = self.attention().parameters();
        let norms = self.d_model.saturating_mul(4);
        attention
            .saturating_add(up)
            .saturating_add(down)
            .saturating_add(norms)
    }

    fn attention(&self) -> AttentionConfig {
        AttentionConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            bias: true,
            causal: false,
        }
    }

    fn init_layer(&self, device: &Device) -> BertLayer {
        let (d_model, hidden) = (self.d_model, self.d_hidden);
        BertLayer {
            attention: self.attention().init(&TRANSFORMER, &TRANSFORMER, device),
            attention_norm: LayerNorm::new(d_model, self.epsilon, device),
            feed_forward: BertFeedForward {
                up: linear(d_model, hidden, TRANSFORMER, device),
                down: linear(hidden, d_model, TRANSFORMER, device),
                activation: self.activation,
            },
            feed_forward_norm: LayerNorm::new(d_model, self.epsilon, device),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// Layers of attention and feed-forward networks, with post-normalization.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::BertConfig;
///
/// let device = Device::flex();
/// let config = BertConfig::new(1000).with_d_model(48).with_n_layers(2).with_d_hidden(64);
/// let model = config.init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, true]], &device);
/// assert_eq!(model.forward(ids, None, padding).dims(), [1, 3, 48]);
/// ```
#[derive(Module, Debug)]
pub struct Bert {
    tokens: Embedding,
    positions: Embedding,
    types: Option<Embedding>,
    norm: LayerNorm,
    dropout: Dropout,
    pub(crate) layers: Vec<BertLayer>,
}

impl Bert {
    /// Computes a vector per token.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, seq]`, token ids below the vocabulary size
    /// - types: `[batch, seq]`, token types, such as the text of a pair; 0 for all tokens if absent
    /// - padding: `[batch, seq]`, true at padding positions, which are ignored
    /// - output: `[batch, seq, d_model]`
    ///
    /// # Panics
    ///
    /// If the shapes differ or the text is longer than the maximum length.
    pub fn forward(
        &self,
        ids: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        padding: Tensor<2, Bool>,
    ) -> Tensor<3> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let max_len = self.max_len();
        assert!(
            seq <= max_len,
            "a text has {seq} tokens, expected at most {max_len}"
        );
        let x = self.tokens.forward(ids) + self.position_and_type(types, seq);
        let mut x = drop_out(&self.dropout, self.norm.forward(x));
        let padding = Some(padding);
        for layer in &self.layers {
            x = layer.forward(x, padding.clone());
        }
        x
    }

    /// Computes one vector of length 1 per text. The dot product of two is their cosine similarity.
    ///
    /// It is the mean of the token vectors (Reimers and Gurevych, *Sentence-BERT*, 2019,
    /// <https://arxiv.org/abs/1908.10084>), for which `MiniLM` was trained.
    ///
    /// # Shapes
    ///
    /// - ids, padding: `[batch, seq]`, as [`forward`](Self::forward)
    /// - output: `[batch, d_model]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn embed(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let x = mean(self.forward(ids, None, padding.clone()), padding);
        let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        x / length
    }

    /// Sum of position and token type embeddings, `[1 or batch, seq, d_model]`.
    fn position_and_type(&self, types: Option<Tensor<2, Int>>, seq: usize) -> Tensor<3> {
        let positions = self.positions.weight.val().narrow(0, 0, seq).unsqueeze();
        match (&self.types, types) {
            (None, _) => positions,
            (Some(embedding), None) => {
                positions + embedding.weight.val().narrow(0, 0, 1).unsqueeze()
            }
            (Some(embedding), Some(types)) => positions + embedding.forward(types),
        }
    }

    /// Freezes the first `layers` layers, and the embeddings if `embeddings` is true: they are not
    /// trained, and no gradient is computed below the first trained layer. Dropout stays active.
    ///
    /// # Errors
    ///
    /// If the network has fewer layers.
    pub fn freeze_first(mut self, embeddings: bool, layers: usize) -> Result<Self, ConfigError> {
        check_range("frozen_layers", layers, 0..=self.num_layers())?;
        if embeddings {
            self.tokens = self.tokens.no_grad();
            self.positions = self.positions.no_grad();
            self.types = self.types.no_grad();
            self.norm = self.norm.no_grad();
        }
        let freeze = |(index, layer): (usize, BertLayer)| {
            if index < layers {
                layer.no_grad()
            } else {
                layer
            }
        };
        self.layers = self.layers.into_iter().enumerate().map(freeze).collect();
        Ok(self)
    }

    /// Attaches low-rank adapters, which are trained instead of the network;
    /// [`merge_lora`](crate::layers::merge_lora) merges them into it.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use tinderbox_models::trainable_parameters;
    /// use tinderbox_models::layers::LoraConfig;
    /// use tinderbox_models::text::BertConfig;
    ///
    /// let config = BertConfig::new(1000).with_d_model(48).with_n_layers(2).with_d_hidden(64);
    /// let bert = config.init(&Device::flex());
    /// let before = trainable_parameters(&bert);
    /// let bert = bert.with_lora(&LoraConfig::new().with_rank(4))?;
    /// // The query and value projections of two layers.
    /// assert_eq!(trainable_parameters(&bert) - before, 2 * 2 * 4 * (48 + 48));
    /// # Ok::<(), tinderbox_models::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the configuration does not fit the network.
    pub fn with_lora(self, config: &LoraConfig) -> Result<Self, ConfigError> {
        config.validate(self.d_model())?;
        Ok(config.attach(self))
    }

    /// Maximum number of tokens in a text.
    pub fn max_len(&self) -> usize {
        let [positions, _] = self.positions.weight.dims();
        positions
    }

    /// Number of layers. For parameter groups: their paths contain `layers.0`, `layers.1` and so on.
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }

    fn d_model(&self) -> usize {
        let [_, d_model] = self.tokens.weight.dims();
        d_model
    }
}

#[derive(Module, Debug)]
pub(crate) struct BertLayer {
    pub(crate) attention: SelfAttention,
    attention_norm: LayerNorm,
    feed_forward: BertFeedForward,
    feed_forward_norm: LayerNorm,
    dropout: Dropout,
}

impl BertLayer {
    /// - x and output: `[batch, seq, d_model]`
    fn forward(&self, x: Tensor<3>, padding: Option<Tensor<2, Bool>>) -> Tensor<3> {
        let branch = self.attention.forward(x.clone(), padding, None);
        let x = self
            .attention_norm
            .forward(add_branch(&self.dropout, x, branch));
        let branch = self.feed_forward.forward(x.clone());
        self.feed_forward_norm
            .forward(add_branch(&self.dropout, x, branch))
    }
}

#[derive(Module, Debug)]
struct BertFeedForward {
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl BertFeedForward {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = match self.activation {
            Activation::Gelu => project_gelu(&self.up, x),
            activation => activation.forward(project(&self.up, x)),
        };
        project(&self.down, hidden)
    }
}

/// A [`Bert`] with a head that classifies texts or pairs of texts from their first token.
#[derive(Module, Debug)]
pub struct BertClassifier {
    bert: Bert,
    pooler: Linear,
    #[module(skip)]
    activation: Activation,
    dropout: Dropout,
    head: Linear,
}

impl BertClassifier {
    /// Adds a new head for `num_classes` classes. `activation` follows its first layer:
    /// [`Activation::Tanh`] for BERT, [`Activation::Relu`] for `DistilBERT`.
    ///
    /// # Errors
    ///
    /// If `num_classes` or `dropout` is out of range.
    pub fn new(
        bert: Bert,
        num_classes: usize,
        activation: Activation,
        dropout: f64,
    ) -> Result<Self, ConfigError> {
        check_size("num_classes", num_classes)?;
        check_probability("dropout", dropout)?;
        let (device, d_model) = (bert.tokens.weight.device(), bert.d_model());
        Ok(Self {
            bert,
            pooler: linear(d_model, d_model, TRANSFORMER, &device),
            activation,
            dropout: DropoutConfig::new(dropout).init(),
            head: linear(d_model, num_classes, TRANSFORMER, &device),
        })
    }

    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - ids, types, padding: `[batch, seq]`, as [`Bert::forward`]
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// As [`Bert::forward`].
    pub fn forward(
        &self,
        ids: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        padding: Tensor<2, Bool>,
    ) -> Tensor<2> {
        let x = self.bert.forward(ids, types, padding);
        let first = x.narrow(1, 0, 1).squeeze_dim::<2>(1);
        let x = self.activation.forward(project(&self.pooler, first));
        project(&self.head, drop_out(&self.dropout, x))
    }

    /// The network without the head.
    pub fn bert(&self) -> &Bert {
        &self.bert
    }

    /// Changes the network below the head, for example with [`Bert::freeze_first`] or
    /// [`Bert::with_lora`].
    ///
    /// # Errors
    ///
    /// Those of `change`.
    pub fn map_bert<E>(mut self, change: impl FnOnce(Bert) -> Result<Bert, E>) -> Result<Self, E> {
        self.bert = change(self.bert)?;
        Ok(self)
    }

    /// Number of layers, as [`Bert::num_layers`].
    pub fn num_layers(&self) -> usize {
        self.bert.num_layers()
    }
}

/// A [`Bert`] with a head that classifies each token.
#[derive(Module, Debug)]
pub struct BertTagger {
    bert: Bert,
    dropout: Dropout,
    head: Linear,
}

impl BertTagger {
    /// Adds a new head for `num_classes` classes.
    ///
    /// # Errors
    ///
    /// If `num_classes` or `dropout` is out of range.
    pub fn new(bert: Bert, num_classes: usize, dropout: f64) -> Result<Self, ConfigError> {
        check_size("num_classes", num_classes)?;
        check_probability("dropout", dropout)?;
        let (device, d_model) = (bert.tokens.weight.device(), bert.d_model());
        Ok(Self {
            bert,
            dropout: DropoutConfig::new(dropout).init(),
            head: linear(d_model, num_classes, TRANSFORMER, &device),
        })
    }

    /// Computes the logits of each token.
    ///
    /// # Shapes
    ///
    /// - ids, types, padding: `[batch, seq]`, as [`Bert::forward`]
    /// - output: `[batch, seq, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// As [`Bert::forward`].
    pub fn forward(
        &self,
        ids: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        padding: Tensor<2, Bool>,
    ) -> Tensor<3> {
        let x = self.bert.forward(ids, types, padding);
        project(&self.head, drop_out(&self.dropout, x))
    }

    /// The network without the head.
    pub fn bert(&self) -> &Bert {
        &self.bert
    }

    /// Changes the network below the head, for example with [`Bert::freeze_first`] or
    /// [`Bert::with_lora`].
    ///
    /// # Errors
    ///
    /// Those of `change`.
    pub fn map_bert<E>(mut self, change: impl FnOnce(Bert) -> Result<Bert, E>) -> Result<Self, E> {
        self.bert = change(self.bert)?;
        Ok(self)
    }

    /// Number of layers, as [`Bert::num_layers`].
    pub fn num_layers(&self) -> usize {
        self.bert.num_layers()
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdamWConfig, GradientsParams};

    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_every_parameter_gets_a_gradient, assert_padding_changes_nothing, assert_round_trips,
        ids, padding, parameters, scale_weights, small_bert, values,
    };

    fn small(types: usize) -> BertConfig {
        small_bert().with_type_vocab_size(types)
    }

    fn classifier(types: usize, device: &Device) -> BertClassifier {
        let bert = small(types).init(device);
        scale_weights(
            BertClassifier::new(bert, 3, Activation::Tanh, 0.1).unwrap(),
            20.0,
        )
    }

    #[test]
    fn outputs_have_the_shapes_of_their_heads() {
        let device = Device::flex();
        for types in [0, 2] {
            let (ids, padding) = (ids([4, 9], 20, &device), padding(&[9; 4], 9, &device));
            let bert = small(types).init(&device);
            assert_eq!((bert.max_len(), bert.num_layers()), (16, 2));
            let encoded = bert.forward(ids.clone(), None, padding.clone());
            assert_eq!(encoded.dims(), [4, 9, 8]);
            assert_eq!(bert.embed(ids.clone(), padding.clone()).dims(), [4, 8]);
            let tagger = BertTagger::new(bert, 5, 0.1).unwrap();
            let tags = tagger.forward(ids.clone(), None, padding.clone());
            assert_eq!(tags.dims(), [4, 9, 5]);
            let logits = classifier(types, &device).forward(ids, None, padding);
            assert_eq!(logits.dims(), [4, 3]);
        }
    }

    #[test]
    #[should_panic(expected = "a text has 17 tokens, expected at most 16")]
    fn a_text_that_is_too_long_is_refused() {
        let device = Device::flex();
        let model = small(2).init(&device);
        model.forward(ids([1, 17], 20, &device), None, padding(&[17], 17, &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch_with_any_padding() {
        let model = classifier(2, &Device::flex());
        assert_padding_changes_nothing(20, |ids, padding| model.forward(ids, None, padding));
        assert_padding_changes_nothing(20, |ids, padding| model.bert.embed(ids, padding));
    }

    #[test]
    fn token_types_matter_and_default_to_the_first() {
        let device = Device::flex();
        let model = classifier(2, &device);
        let score = |types: Option<[[i32; 4]; 1]>| {
            let types = types.map(|types| Tensor::from_ints(types, &device));
            values(model.forward(ids([1, 4], 20, &device), types, padding(&[4], 4, &device)))
        };
        assert_eq!(score(None), score(Some([[0; 4]])));
        assert_ne!(score(None), score(Some([[0, 0, 1, 1]])));
    }

    #[test]
    fn embeddings_have_length_one() {
        let device = Device::flex();
        let model = scale_weights(small(2).init(&device), 20.0);
        let embedded = model.embed(ids([3, 8], 20, &device), padding(&[8, 2, 5], 8, &device));
        for length in values(embedded.square().sum_dim(1)) {
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        let model = classifier(2, &device);
        let types = ids([4, 16], 2, &device);
        let logits = model.forward(
            ids([4, 16], 20, &device),
            Some(types),
            padding(&[16, 3, 9, 7], 16, &device),
        );
        assert_every_parameter_gets_a_gradient(&model, &logits);
    }

    /// Which parameters a step with decay of the weights moves.
    fn moved(model: BertClassifier, device: &Device) -> Vec<String> {
        let before = parameters(&model);
        let (ids, types) = (ids([4, 16], 20, device), ids([4, 16], 2, device));
        let logits = model.forward(ids, Some(types), padding(&[16, 3, 9, 7], 16, device));
        let gradients = logits.powi_scalar(2).mean().backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        let mut optimizer = AdamWConfig::new().with_weight_decay(0.1).init();
        let after = parameters(&optimizer.step(0.01, model, gradients));
        let moved = before.into_iter().filter(|(name, old)| after[name] != *old);
        moved.map(|(name, _)| name).collect()
    }

    #[test]
    fn frozen_parameters_are_bit_identical_and_the_rest_changes() {
        let device = Device::flex().autodiff();
        let embeddings = [
            "bert.tokens.",
            "bert.positions.",
            "bert.types.",
            "bert.norm.",
        ];
        for (freezes_embeddings, layers) in [(true, 0), (true, 1), (false, 2), (true, 2)] {
            let model = classifier(2, &device);
            let all: Vec<String> = parameters(&model).into_keys().collect();
            let freeze = |bert: Bert| bert.freeze_first(freezes_embeddings, layers);
            let is_frozen = |name: &String| {
                let of_embeddings = embeddings.iter().any(|start| name.starts_with(start));
                let of_layers = (0..layers).any(|i| name.starts_with(&format!("bert.layers.{i}.")));
                freezes_embeddings && of_embeddings || of_layers
            };
            let expected: Vec<String> = all.into_iter().filter(|name| !is_frozen(name)).collect();
            assert_eq!(moved(model.map_bert(freeze).unwrap(), &device), expected);
        }
    }

    #[test]
    fn freezing_survives_validation_and_a_change_of_device() {
        let device = Device::flex();
        let model = classifier(2, &device).map_bert(|bert| bert.freeze_first(true, 2));
        let model = model.unwrap().train().valid().train();
        let moved = moved(model, &device.autodiff());
        assert!(moved.iter().all(|name| !name.starts_with("bert.")));
        assert_eq!(moved.len(), 4, "{moved:?}");
    }

    #[test]
    fn freezing_too_many_layers_is_an_error() {
        let bert = small(2).init(&Device::flex());
        assert_eq!(
            bert.freeze_first(false, 3).unwrap_err().to_string(),
            "`frozen_layers` must be between 0 and 2 (got 3)"
        );
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for types in [0, 2] {
            let config = small(types);
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&config.init(&Device::flex()))
            );
        }
        // As published for BERT-base without its pooler.
        let base = BertConfig::new(30_522);
        assert_eq!(total_parameters(&base.layers()), 109_482_240 - 768 * 769);
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small(0).with_activation(Activation::Relu));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = BertConfig::new(100);
        for invalid in [
            BertConfig::new(0),
            BertConfig::new(usize::MAX),
            base.clone().with_max_len(0),
            base.clone().with_type_vocab_size(usize::MAX),
            base.clone().with_d_model(1_000_000_000_000),
            base.clone().with_n_heads(5),
            base.clone().with_n_layers(0),
            base.clone().with_d_hidden(0),
            base.clone().with_epsilon(f64::NAN),
            base.clone().with_dropout(1.0),
            base.clone().with_d_model(49_152).with_d_hidden(MAX_SIZE),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
