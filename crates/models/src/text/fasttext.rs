//! Bag-of-embeddings text classifier (fastText): a fast baseline on words and n-grams.
//!
//! Reference: Joulin et al., *Bag of tricks for efficient text classification* (fastText), 2016,
//! <https://arxiv.org/abs/1607.01759>.
//! Differs from it: a simpler n-gram hash that fits 32 bits, and a plain softmax instead of a
//! hierarchical one.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear};
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};

use crate::config::{ConfigError, check_parameters, check_probability, check_range, check_size};
use crate::layers::dense::{drop_out, project};
use crate::layers::init::{XAVIER, linear};
use crate::layers::pooling::mean;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;
use crate::text::encoder::MAX_VOCABULARY;

/// Maximum length of an n-gram.
const MAX_PHRASE: usize = 5;

/// Maximum number of hash buckets.
const MAX_BUCKETS: usize = 1 << 20;

/// Multiplier of the n-gram hash: with the largest number of buckets and the largest token id, the
/// hash still fits 31 bits.
const MULTIPLIER: i64 = 1009;

/// Configuration to create a [`FastText`] with [`init`](FastTextConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct FastTextConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Size of an embedding.
    #[config(default = 64)]
    pub d_embedding: usize,
    /// Maximum length of the n-grams that are embedded; 1 for single tokens only.
    #[config(default = 2)]
    pub max_ngram: usize,
    /// Number of hash buckets for n-grams.
    #[config(default = 100_000)]
    pub n_buckets: usize,
    /// Dropout probability before the last layer, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
}

data_sized!(FastTextConfig::new(vocab_size, num_classes));

impl FastTextConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("vocab_size", self.vocab_size, 1..=MAX_VOCABULARY)?;
        check_size("num_classes", self.num_classes)?;
        check_size("d_embedding", self.d_embedding)?;
        check_range("max_ngram", self.max_ngram, 1..=MAX_PHRASE)?;
        check_range("n_buckets", self.n_buckets, 1..=MAX_BUCKETS)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> FastText {
        assert_eq!(self.validate(), Ok(()), "invalid FastTextConfig");
        let bound = 1.0 / self.d_embedding as f64;
        let embedding = |count| {
            EmbeddingConfig::new(count, self.d_embedding)
                .with_initializer(Initializer::Uniform {
                    min: -bound,
                    max: bound,
                })
                .init(device)
        };
        FastText {
            tokens: embedding(self.vocab_size),
            buckets: (self.max_ngram > 1).then(|| embedding(self.n_buckets)),
            dropout: DropoutConfig::new(self.dropout).init(),
            head: linear(self.d_embedding, self.num_classes, XAVIER, device),
            max_ngram: self.max_ngram,
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let describe = |name: &str, kind: String, width, parameters| LayerSummary {
            name: name.into(),
            kind,
            output_shape: vec![width],
            parameters,
        };
        let embedding = |count: usize| count.saturating_mul(self.d_embedding);
        let mut layers = vec![describe(
            "tokens",
            "embedding".into(),
            self.d_embedding,
            embedding(self.vocab_size),
        )];
        if self.max_ngram > 1 {
            let kind = format!("embedding of up to {} tokens", self.max_ngram);
            let parameters = embedding(self.n_buckets);
            layers.push(describe("n_buckets", kind, self.d_embedding, parameters));
        }
        let head = linear_parameters(self.d_embedding, self.num_classes, true);
        layers.push(describe(
            "head",
            "mean + linear".into(),
            self.num_classes,
            head,
        ));
        layers
    }
}

/// The mean of the embeddings of all tokens and n-grams, and a linear layer.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::FastTextConfig;
///
/// let device = Device::flex();
/// let model = FastTextConfig::new(1000, 4).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, true]], &device);
/// assert_eq!(model.forward(ids, padding).dims(), [1, 4]);
/// ```
#[derive(Module, Debug)]
pub struct FastText {
    tokens: Embedding,
    buckets: Option<Embedding>,
    dropout: Dropout,
    head: Linear,
    max_ngram: usize,
}

impl FastText {
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
    /// If the shapes differ.
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let x = self.embed(ids, padding);
        project(&self.head, drop_out(&self.dropout, x))
    }

    /// Computes one vector per text: the mean over its tokens and n-grams.
    ///
    /// # Shapes
    ///
    /// - ids, padding: as for [`forward`](Self::forward)
    /// - output: `[batch, d_embedding]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the signature of the other text networks"
    )]
    pub fn embed(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let mut vectors = vec![self.tokens.forward(ids.clone())];
        let mut marks = vec![padding.clone()];
        if let Some(buckets) = &self.buckets {
            let [count, _] = buckets.weight.dims();
            for (ngrams, beyond) in ngram_buckets(&ids, &padding, self.max_ngram, count) {
                vectors.push(buckets.forward(ngrams));
                marks.push(beyond);
            }
        }
        mean(Tensor::cat(vectors, 1), Tensor::cat(marks, 1))
    }
}

/// Buckets of all n-grams of two tokens, of three and so on, each with a mask of those that reach
/// into the padding.
fn ngram_buckets(
    ids: &Tensor<2, Int>,
    padding: &Tensor<2, Bool>,
    longest: usize,
    buckets: usize,
) -> Vec<(Tensor<2, Int>, Tensor<2, Bool>)> {
    let [_, seq] = ids.dims();
    let mut all = Vec::new();
    let mut hashes = ids.clone();
    let mut beyond = padding.clone();
    for len in 2..=longest.min(seq) {
        let count = seq + 1 - len;
        let next = ids.clone().narrow(1, len - 1, count);
        hashes = hashes.narrow(1, 0, count) * MULTIPLIER + next;
        hashes = hashes.remainder_scalar(i64::try_from(buckets).unwrap_or(i64::MAX));
        let next = padding.clone().narrow(1, len - 1, count);
        beyond = beyond.narrow(1, 0, count).bool_or(next);
        all.push((hashes.clone(), beyond.clone()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_padding_changes_nothing,
        assert_round_trips, ids, padding, values,
    };

    fn small(phrases: usize) -> FastTextConfig {
        FastTextConfig::new(20, 3)
            .with_d_embedding(4)
            .with_max_ngram(phrases)
            .with_n_buckets(13)
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for phrases in [1, 2, 4] {
            let model = small(phrases).init(&device);
            for seq in [1, 3, 9] {
                let logits =
                    model.forward(ids([2, seq], 20, &device), padding(&[seq; 2], seq, &device));
                assert_eq!(logits.dims(), [2, 3]);
            }
        }
    }

    #[test]
    fn an_embedding_is_the_mean_of_its_tokens() {
        let device = Device::flex();
        let model = small(1).init(&device);
        let embed = |ids: [i32; 2], len: usize| {
            let ids = Tensor::<2, Int>::from_ints([ids], &device);
            model.embed(ids, padding(&[len], 2, &device))
        };
        let [one, two] = [embed([3, 0], 1), embed([7, 0], 1)].map(values);
        let mean: Vec<f32> = one.iter().zip(&two).map(|(a, b)| (a + b) / 2.0).collect();
        assert_close(embed([3, 7], 2), &mean);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 5")]
    fn padding_of_another_shape_is_refused() {
        let device = Device::flex();
        let model = small(2).init(&device);
        model.forward(ids([1, 4], 20, &device), padding(&[5], 5, &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch_with_any_padding() {
        for phrases in [1, 2, 3] {
            let model = small(phrases).init(&Device::flex());
            assert_padding_changes_nothing(20, |ids, padding| model.forward(ids, padding));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for phrases in [1, 3] {
            let model = small(phrases).init(&device);
            let logits =
                model.forward(ids([4, 9], 20, &device), padding(&[9, 3, 7, 1], 9, &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn outputs_agree_with_a_mean_by_hand() {
        let device = Device::flex();
        let model = small(3).init(&device);
        let tokens = values(model.tokens.weight.val());
        let buckets = values(model.buckets.as_ref().unwrap().weight.val());
        let pair = |a: usize, b: usize| (a * 1009 + b) % 13;
        let rows = [
            &tokens[7 * 4..8 * 4],
            &tokens[3 * 4..4 * 4],
            &tokens[19 * 4..20 * 4],
            &buckets[pair(7, 3) * 4..][..4],
            &buckets[pair(3, 19) * 4..][..4],
            &buckets[pair(pair(7, 3), 19) * 4..][..4],
        ];
        let head = values(model.head.weight.val());
        let expected = [0, 1, 2].map(|class| {
            let scores = (0..4).map(|k| {
                let mean = rows.iter().map(|row| row[k]).sum::<f32>() / 6.0;
                mean * head[k * 3 + class]
            });
            scores.sum::<f32>()
        });
        let ids = Tensor::from_ints([[7, 3, 19]], &device);
        assert_close(model.forward(ids, padding(&[3], 3, &device)), &expected);
    }

    #[test]
    fn ngram_hashes_are_in_range_for_all_sizes() {
        let device = Device::flex();
        let last = i32::try_from(MAX_VOCABULARY - 1).unwrap();
        let ids = Tensor::<2, Int>::from_ints([[last, last, last, last]], &device);
        for (numbers, _) in ngram_buckets(&ids, &padding(&[4], 4, &device), 4, MAX_BUCKETS) {
            let numbers = numbers.into_data();
            let largest = numbers.iter::<i64>().max().unwrap();
            let smallest = numbers.iter::<i64>().min().unwrap();
            assert!(smallest >= 0 && largest < i64::try_from(MAX_BUCKETS).unwrap());
        }
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for phrases in [1, 2] {
            let config = small(phrases);
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&config.init(&Device::flex()))
            );
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small(3));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = FastTextConfig::new(100, 3);
        for invalid in [
            FastTextConfig::new(0, 3),
            FastTextConfig::new(100, 0),
            base.clone().with_d_embedding(0),
            base.clone().with_max_ngram(0),
            base.clone().with_max_ngram(100),
            base.clone().with_n_buckets(0),
            base.clone().with_n_buckets(usize::MAX),
            base.clone().with_dropout(1.0),
            base.clone()
                .with_n_buckets(MAX_BUCKETS)
                .with_d_embedding(65_536),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
