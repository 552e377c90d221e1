//! Bag of embeddings that classifies texts: a baseline that knows words and short phrases.
//!
//! Reference: Joulin et al., *Bag of tricks for efficient text classification* (fastText), 2016,
//! <https://arxiv.org/abs/1607.01759>.
//! Differs from it: phrases are numbered by a plainer hash, which fits 32 bits; scores are not those
//! of a hierarchy of classes.

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

/// Most tokens in a phrase.
const MAX_PHRASE: usize = 5;

/// Most numbers of phrases.
const MAX_BUCKETS: usize = 1 << 20;

/// What the number of a phrase is multiplied with for the next token: a product with the largest
/// vocabulary, and a token added to it, fit 31 bits.
const MULTIPLIER: i64 = 1009;

/// Configuration to create a [`Bag`] with [`init`](BagConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct BagConfig {
    /// Number of tokens that there are.
    pub vocab_size: usize,
    /// Number of scores.
    pub num_classes: usize,
    /// Width of a vector.
    #[config(default = 64)]
    pub d_embedding: usize,
    /// Most tokens in a phrase that has a vector of its own; 1 for none.
    #[config(default = 2)]
    pub max_ngram: usize,
    /// Number of vectors that all phrases share.
    #[config(default = 100_000)]
    pub n_buckets: usize,
    /// Probability of zeroing what the last layer reads, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
}

data_sized!(BagConfig::new(vocab_size, num_classes));

impl BagConfig {
    /// Checks every field, and that all together fit.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range.
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
    pub fn init(&self, device: &Device) -> Bag {
        assert_eq!(self.validate(), Ok(()), "invalid BagConfig");
        let bound = 1.0 / self.d_embedding as f64;
        let embedding = |count| {
            EmbeddingConfig::new(count, self.d_embedding)
                .with_initializer(Initializer::Uniform {
                    min: -bound,
                    max: bound,
                })
                .init(device)
        };
        Bag {
            tokens: embedding(self.vocab_size),
            buckets: (self.max_ngram > 1).then(|| embedding(self.n_buckets)),
            dropout: DropoutConfig::new(self.dropout).init(),
            head: linear(self.d_embedding, self.num_classes, XAVIER, device),
            phrases: self.max_ngram,
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

/// The mean of the vectors of all tokens and phrases, and a linear layer.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::BagConfig;
///
/// let device = Device::flex();
/// let model = BagConfig::new(1000, 4).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, true]], &device);
/// assert_eq!(model.forward(ids, padding).dims(), [1, 4]);
/// ```
#[derive(Module, Debug)]
pub struct Bag {
    tokens: Embedding,
    buckets: Option<Embedding>,
    dropout: Dropout,
    head: Linear,
    phrases: usize,
}

impl Bag {
    /// Scores every class.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, seq]`, tokens from 0 to below the vocabulary's size
    /// - padding: `[batch, seq]`, true where there is no token; the token there is not looked at
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let x = self.embed(ids, padding);
        project(&self.head, drop_out(&self.dropout, x))
    }

    /// One vector for each text: the mean over its tokens and phrases.
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
        reason = "called as every network for texts is"
    )]
    pub fn embed(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let mut vectors = vec![self.tokens.forward(ids.clone())];
        let mut marks = vec![padding.clone()];
        if let Some(buckets) = &self.buckets {
            let [count, _] = buckets.weight.dims();
            for (numbers, beyond) in phrases(&ids, &padding, self.phrases, count) {
                vectors.push(buckets.forward(numbers));
                marks.push(beyond);
            }
        }
        mean(Tensor::cat(vectors, 1), Tensor::cat(marks, 1))
    }
}

/// Numbers of all phrases of two tokens, of three and so on, below `buckets`; each with marks where
/// a phrase would go beyond the text.
fn phrases(
    ids: &Tensor<2, Int>,
    padding: &Tensor<2, Bool>,
    longest: usize,
    buckets: usize,
) -> Vec<(Tensor<2, Int>, Tensor<2, Bool>)> {
    let [_, seq] = ids.dims();
    let mut all = Vec::new();
    let mut numbers = ids.clone();
    let mut beyond = padding.clone();
    for len in 2..=longest.min(seq) {
        let count = seq + 1 - len;
        let next = ids.clone().narrow(1, len - 1, count);
        numbers = numbers.narrow(1, 0, count) * MULTIPLIER + next;
        numbers = numbers.remainder_scalar(i64::try_from(buckets).unwrap_or(i64::MAX));
        let next = padding.clone().narrow(1, len - 1, count);
        beyond = beyond.narrow(1, 0, count).bool_or(next);
        all.push((numbers.clone(), beyond.clone()));
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

    fn small(phrases: usize) -> BagConfig {
        BagConfig::new(20, 3)
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
    fn a_vector_is_the_mean_of_those_of_the_tokens() {
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
    fn a_row_alone_equals_the_row_in_a_batch_whatever_the_padding() {
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
    fn numbers_agree_with_a_mean_by_hand() {
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
    fn numbers_of_phrases_fit_whatever_the_sizes() {
        let device = Device::flex();
        let last = i32::try_from(MAX_VOCABULARY - 1).unwrap();
        let ids = Tensor::<2, Int>::from_ints([[last, last, last, last]], &device);
        for (numbers, _) in phrases(&ids, &padding(&[4], 4, &device), 4, MAX_BUCKETS) {
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
        let base = BagConfig::new(100, 3);
        for invalid in [
            BagConfig::new(0, 3),
            BagConfig::new(100, 0),
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
