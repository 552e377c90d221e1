//! Convolutional network for text classification.
//!
//! Reference: Kim, *Convolutional neural networks for sentence classification*, 2014,
//! <https://arxiv.org/abs/1408.5882>.
//! Differs from it: embeddings are learned from scratch, convolutions are padded with zeros, initial
//! weights are those of He et al., 2015, <https://arxiv.org/abs/1502.01852>, and their norm is not
//! constrained.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};

use crate::config::{
    ConfigError, check_list, check_parameters, check_probability, check_range, check_size,
};
use crate::layers::conv1d::{unfold, zero_padding};
use crate::layers::dense::{drop_out, project};
use crate::layers::init::{HE_FAN_IN, XAVIER, linear};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;
use crate::text::encoder::MAX_VOCABULARY;

/// Maximum kernel size.
const MAX_WINDOW: usize = 64;

/// Configuration to create a [`TextCnn`] with [`init`](TextCnnConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TextCnnConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Size of a token's embedding.
    #[config(default = 128)]
    pub d_embedding: usize,
    /// Kernel sizes, one for each group of filters.
    #[config(default = "vec![3, 4, 5]")]
    pub kernel_sizes: Vec<usize>,
    /// Number of filters in each group.
    #[config(default = 100)]
    pub n_filters: usize,
    /// Dropout probability before the last layer, in `[0, 1)`.
    #[config(default = 0.5)]
    pub dropout: f64,
}

data_sized!(TextCnnConfig::new(vocab_size, num_classes));

impl TextCnnConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("vocab_size", self.vocab_size, 1..=MAX_VOCABULARY)?;
        check_size("num_classes", self.num_classes)?;
        check_size("d_embedding", self.d_embedding)?;
        check_list(
            "kernel_sizes",
            &self.kernel_sizes,
            1..=64,
            &(1..=MAX_WINDOW),
        )?;
        check_size("n_filters", self.n_filters)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> TextCnn {
        assert_eq!(self.validate(), Ok(()), "invalid TextCnnConfig");
        let d_features = self.kernel_sizes.len() * self.n_filters;
        let filters = |width| linear(width * self.d_embedding, self.n_filters, HE_FAN_IN, device);
        TextCnn {
            tokens: EmbeddingConfig::new(self.vocab_size, self.d_embedding)
                .with_initializer(Initializer::Uniform {
                    min: -0.25,
                    max: 0.25,
                })
                .init(device),
            filters: self
                .kernel_sizes
                .iter()
                .map(|&width| filters(width))
                .collect(),
            dropout: DropoutConfig::new(self.dropout).init(),
            head: linear(d_features, self.num_classes, XAVIER, device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let describe = |name: String, kind: String, width, parameters| LayerSummary {
            name,
            kind,
            output_shape: vec![width],
            parameters,
        };
        let mut layers = vec![describe(
            "tokens".into(),
            "embedding".into(),
            self.d_embedding,
            self.vocab_size.saturating_mul(self.d_embedding),
        )];
        layers.extend(self.kernel_sizes.iter().enumerate().map(|(index, &width)| {
            let d_window = width.saturating_mul(self.d_embedding);
            describe(
                format!("filters.{index}"),
                format!("windows of {width} + relu + maximum"),
                self.n_filters,
                linear_parameters(d_window, self.n_filters, true),
            )
        }));
        let d_features = self.kernel_sizes.len().saturating_mul(self.n_filters);
        let head = linear_parameters(d_features, self.num_classes, true);
        layers.push(describe(
            "head".into(),
            "linear".into(),
            self.num_classes,
            head,
        ));
        layers
    }
}

/// Convolutions of several kernel sizes, maximum pooling over the text and a linear layer.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::TextCnnConfig;
///
/// let device = Device::flex();
/// let model = TextCnnConfig::new(1000, 4).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, true]], &device);
/// assert_eq!(model.forward(ids, padding).dims(), [1, 4]);
/// ```
#[derive(Module, Debug)]
pub struct TextCnn {
    tokens: Embedding,
    filters: Vec<Linear>,
    dropout: Dropout,
    head: Linear,
}

impl TextCnn {
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
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the signature of the other text networks"
    )]
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let [_, d_embedding] = self.tokens.weight.dims();
        let x = zero_padding(self.tokens.forward(ids), padding.clone());
        let features = self.filters.iter().map(|filters| {
            let [d_window, _] = filters.weight.dims();
            let x = project(filters, unfold(x.clone(), d_window / d_embedding));
            // The outputs of `ReLU` are at least 0, so that zeros never win the maximum.
            zero_padding(relu(x), padding.clone())
                .max_dim(1)
                .squeeze_dim(1)
        });
        let x = Tensor::cat(features.collect(), 1);
        project(&self.head, drop_out(&self.dropout, x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_padding_changes_nothing,
        assert_round_trips, ids, padding, values,
    };

    fn small() -> TextCnnConfig {
        TextCnnConfig::new(20, 3)
            .with_d_embedding(4)
            .with_kernel_sizes(vec![1, 2, 5])
            .with_n_filters(6)
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        let model = small().init(&device);
        for seq in [1, 9] {
            let logits =
                model.forward(ids([2, seq], 20, &device), padding(&[seq; 2], seq, &device));
            assert_eq!(logits.dims(), [2, 3]);
        }
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 5")]
    fn padding_of_another_shape_is_refused() {
        let device = Device::flex();
        let model = small().init(&device);
        model.forward(ids([1, 4], 20, &device), padding(&[5], 5, &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch_with_any_padding() {
        let model = small().init(&Device::flex());
        assert_padding_changes_nothing(20, |ids, padding| model.forward(ids, padding));
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        let model = small().with_dropout(0.0).init(&device);
        let logits = model.forward(
            ids([6, 9], 20, &device),
            padding(&[9, 3, 7, 1, 9, 8], 9, &device),
        );
        assert_every_parameter_gets_a_gradient(&model, &logits);
    }

    #[test]
    fn outputs_agree_with_windows_by_hand() {
        let device = Device::flex();
        let config = small().with_kernel_sizes(vec![2]).with_n_filters(1);
        let model = config.init(&device);
        let tokens = values(model.tokens.weight.val());
        let filter = values(model.filters[0].weight.val());
        let text = [7, 3, 9];
        let vector = |position: usize| {
            text.get(position)
                .map_or(&[0.0; 4][..], |&id| &tokens[id * 4..][..4])
        };
        let feature = (0..3).map(|position| {
            let window = [vector(position), vector(position + 1)].concat();
            window.iter().zip(&filter).map(|(x, w)| x * w).sum::<f32>()
        });
        let feature = feature.fold(0.0, f32::max);
        let head = values(model.head.weight.val());
        let ids = Tensor::from_ints([[7, 3, 9]], &device);
        let logits = model.forward(ids, padding(&[3], 3, &device));
        assert_close(
            logits,
            &[feature * head[0], feature * head[1], feature * head[2]],
        );
    }

    #[test]
    fn layers_add_up_to_the_model() {
        assert_eq!(
            total_parameters(&small().layers()),
            trainable_parameters(&small().init(&Device::flex()))
        );
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small());
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = TextCnnConfig::new(100, 3);
        for invalid in [
            TextCnnConfig::new(0, 3),
            TextCnnConfig::new(100, 0),
            base.clone().with_d_embedding(0),
            base.clone().with_kernel_sizes(vec![]),
            base.clone().with_kernel_sizes(vec![3, 0]),
            base.clone().with_kernel_sizes(vec![1_000_000_000_000]),
            base.clone().with_n_filters(0),
            base.clone().with_dropout(1.0),
            base.clone().with_d_embedding(65_536).with_n_filters(65_536),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
