//! Byte-level Transformer encoder for text classification: no tokenizer, any language or spelling.
//!
//! Reference: Clark et al., *CANINE: pre-training an efficient tokenization-free encoder for language
//! representation*, 2021, <https://arxiv.org/abs/2103.06874>: a local layer, then downsampling, then a
//! deep encoder on the shorter sequence.
//! Differs from it: bytes instead of hashed characters; a convolution instead of local attention, and
//! patches of a few bytes as in Yu et al., *MEGABYTE*, 2023, <https://arxiv.org/abs/2305.07185>;
//! rotary position embeddings (Su et al., 2021, <https://arxiv.org/abs/2104.09864>).

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear};
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape};
use tinderbox_kernels::RotaryTable;

use crate::config::{
    ConfigError, MAX_SIZE, check_heads, check_parameters, check_probability, check_range,
    check_size,
};
use crate::layers::conv1d::{unfold, zero_padding};
use crate::layers::dense::{drop_out, project, project_gelu};
use crate::layers::init::{TRANSFORMER, XAVIER, linear};
use crate::layers::norm::LayerNorm;
use crate::layers::pooling::mean;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;
use crate::text::encoder::{EPSILON, EncoderLayer, EncoderLayerConfig, MAX_LAYERS, ROTARY_BASE};

/// Number of byte values.
const BYTES: usize = 256;

/// Maximum size of a patch or a kernel.
const MAX_PATCH: usize = 64;

/// Maximum of `max_len`.
const MAX_LEN: usize = 1 << 20;

/// Configuration to create a [`ByteEncoder`] with [`init`](ByteEncoderConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct ByteEncoderConfig {
    /// Number of classes.
    pub num_classes: usize,
    /// Maximum number of bytes in a text.
    #[config(default = 1024)]
    pub max_len: usize,
    /// Size of a byte's embedding.
    #[config(default = 32)]
    pub d_byte: usize,
    /// Kernel size of the convolution over bytes.
    #[config(default = 5)]
    pub kernel_size: usize,
    /// Number of bytes in a patch.
    #[config(default = 4)]
    pub patch_size: usize,
    /// Size of a patch's embedding.
    #[config(default = 128)]
    pub d_model: usize,
    /// Number of attention heads; `d_model` must be a multiple of twice this number.
    #[config(default = 4)]
    pub n_heads: usize,
    /// Number of layers.
    #[config(default = 2)]
    pub n_layers: usize,
    /// Hidden size of the feed-forward layers.
    #[config(default = 256)]
    pub d_hidden: usize,
    /// Dropout probability after the embedding and on each residual branch, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
}

data_sized!(ByteEncoderConfig::new(num_classes), max_len);

impl ByteEncoderConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("num_classes", self.num_classes)?;
        check_range("max_len", self.max_len, 1..=MAX_LEN)?;
        check_size("d_byte", self.d_byte)?;
        check_range("kernel_size", self.kernel_size, 1..=MAX_PATCH)?;
        check_range("patch_size", self.patch_size, 1..=MAX_PATCH)?;
        check_range("max_len / patch_size", self.patches(), 1..=MAX_SIZE)?;
        check_size("d_model", self.d_model)?;
        check_heads(self.d_model, self.n_heads, true)?;
        check_range("n_layers", self.n_layers, 1..=MAX_LAYERS)?;
        check_size("d_hidden", self.d_hidden)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> ByteEncoder {
        assert_eq!(self.validate(), Ok(()), "invalid ByteEncoderConfig");
        let (d_byte, d_model) = (self.d_byte, self.d_model);
        ByteEncoder {
            bytes: EmbeddingConfig::new(BYTES, d_byte)
                .with_initializer(TRANSFORMER)
                .init(device),
            neighbours: linear(self.kernel_size * d_byte, d_byte, XAVIER, device),
            join: linear(self.patch_size * d_byte, d_model, XAVIER, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            rotary: RotaryTable::new(d_model / self.n_heads, self.patches(), ROTARY_BASE),
            layers: self.layer().init_stack(self.n_layers, device),
            norm: LayerNorm::new(d_model, EPSILON, device),
            head: linear(d_model, self.num_classes, TRANSFORMER, device),
            patch: self.patch_size,
            max_len: self.max_len,
        }
    }

    /// Maximum number of patches in a text.
    fn patches(&self) -> usize {
        self.max_len.div_ceil(self.patch_size.max(1))
    }

    fn layer(&self) -> EncoderLayerConfig {
        EncoderLayerConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            d_hidden: self.d_hidden,
            dropout: self.dropout,
        }
    }

    /// Describes the layers of a valid configuration without building them; shapes are those of a
    /// text of maximum length.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let bytes = vec![self.max_len, self.d_byte];
        let rows = vec![self.patches(), self.d_model];
        let describe = |name: String, kind: &str, output_shape, parameters| LayerSummary {
            name,
            kind: kind.into(),
            output_shape,
            parameters,
        };
        let embedding = BYTES.saturating_mul(self.d_byte);
        let window = self.kernel_size.saturating_mul(self.d_byte);
        let patch = self.patch_size.saturating_mul(self.d_byte);
        let neighbours = linear_parameters(window, self.d_byte, true);
        let join = linear_parameters(patch, self.d_model, true);
        let mut layers = vec![
            describe("bytes".into(), "embedding", bytes.clone(), embedding),
            describe("neighbours".into(), "windows + gelu", bytes, neighbours),
            describe("join".into(), "patches", rows.clone(), join),
        ];
        layers.extend((0..self.n_layers.min(MAX_LAYERS)).map(|index| {
            let kind = "attention + feed-forward";
            let parameters = self.layer().parameters();
            describe(format!("layers.{index}"), kind, rows.clone(), parameters)
        }));
        let norm = self.d_model.saturating_mul(2);
        layers.push(describe("norm".into(), "layer norm", rows, norm));
        let head = linear_parameters(self.d_model, self.num_classes, true);
        layers.push(describe(
            "head".into(),
            "linear",
            vec![self.num_classes],
            head,
        ));
        layers
    }
}

/// A convolution over bytes, patches, attention layers, mean pooling and a linear layer.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::ByteEncoderConfig;
///
/// let device = Device::flex();
/// let model = ByteEncoderConfig::new(4).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[104, 105, 0]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, true]], &device);
/// assert_eq!(model.forward(ids, padding).dims(), [1, 4]);
/// ```
#[derive(Module, Debug)]
pub struct ByteEncoder {
    bytes: Embedding,
    neighbours: Linear,
    join: Linear,
    dropout: Dropout,
    #[module(skip)]
    rotary: RotaryTable,
    layers: Vec<EncoderLayer>,
    norm: LayerNorm,
    head: Linear,
    patch: usize,
    max_len: usize,
}

impl ByteEncoder {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, seq]`, bytes
    /// - padding: `[batch, seq]`, true at padding positions, which are ignored
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the shapes differ or the text is longer than the maximum length.
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let max_len = self.max_len;
        assert!(
            seq <= max_len,
            "a text has {seq} bytes, expected at most {max_len}"
        );
        let [d_window, d_byte] = self.neighbours.weight.dims();
        let x = zero_padding(self.bytes.forward(ids), padding.clone());
        let x = project_gelu(&self.neighbours, unfold(x, d_window / d_byte));
        let x = zero_padding(x, padding.clone());
        let (x, padding) = patches(x, padding, self.patch);
        let mut x = drop_out(&self.dropout, project(&self.join, x));
        for layer in &self.layers {
            x = layer.forward(x, Some(padding.clone()), Some(&self.rotary));
        }
        let x = mean(self.norm.forward(x), padding);
        project(&self.head, x)
    }

    /// Number of layers. For parameter groups: their paths begin with `layers.0`, `layers.1` and so on.
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }
}

/// Concatenates every `patch` vectors; a patch of padding only is padding.
///
/// - x: `[batch, seq, d]`
/// - output: `[batch, patches, patch * d]` and `[batch, patches]`
fn patches(x: Tensor<3>, padding: Tensor<2, Bool>, patch: usize) -> (Tensor<3>, Tensor<2, Bool>) {
    let [batch, seq, d] = x.dims();
    let count = seq.div_ceil(patch);
    let beyond = count * patch - seq;
    let (mut x, mut padding) = (x, padding);
    if beyond > 0 {
        let zeros = Tensor::zeros([batch, beyond, d], (&x.device(), x.dtype()));
        let marks = Tensor::full([batch, beyond], true, &x.device());
        x = Tensor::cat(vec![x, zeros], 1);
        padding = Tensor::cat(vec![padding, marks], 1);
    }
    let padding = padding.reshape([batch, count, patch]).all_dim(2);
    (x.reshape([batch, count, patch * d]), padding.squeeze_dim(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_every_parameter_gets_a_gradient, assert_padding_changes_nothing, assert_round_trips,
        ids, padding, scale_weights, values,
    };

    fn small(window: usize, patch: usize) -> ByteEncoderConfig {
        ByteEncoderConfig::new(3)
            .with_max_len(30)
            .with_d_byte(6)
            .with_kernel_size(window)
            .with_patch_size(patch)
            .with_d_model(8)
            .with_n_heads(2)
            .with_n_layers(2)
            .with_d_hidden(12)
    }

    const KINDS: [[usize; 2]; 3] = [[1, 1], [5, 4], [4, 3]];

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for [window, patch] in KINDS {
            let model = small(window, patch).init(&device);
            for seq in [1, 7, 30] {
                let logits = model.forward(
                    ids([2, seq], 256, &device),
                    padding(&[seq; 2], seq, &device),
                );
                assert_eq!(logits.dims(), [2, 3]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a text has 31 bytes, expected at most 30")]
    fn a_text_that_is_too_long_is_refused() {
        let device = Device::flex();
        let model = small(5, 4).init(&device);
        model.forward(ids([1, 31], 256, &device), padding(&[31], 31, &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch_with_any_padding() {
        for [window, patch] in KINDS {
            let model = scale_weights(small(window, patch).init(&Device::flex()), 10.0);
            assert_padding_changes_nothing(256, |ids, padding| model.forward(ids, padding));
        }
    }

    #[test]
    fn the_order_of_the_bytes_matters() {
        let device = Device::flex();
        for [window, patch] in KINDS {
            let model = scale_weights(small(window, patch).init(&device), 10.0);
            let score = |ids: [[i32; 3]; 1]| {
                values(model.forward(Tensor::from_ints(ids, &device), padding(&[3], 3, &device)))
            };
            assert_ne!(score([[4, 5, 6]]), score([[5, 4, 6]]));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for [window, patch] in KINDS {
            let model = scale_weights(small(window, patch).init(&device), 10.0);
            let logits = model.forward(
                ids([4, 30], 256, &device),
                padding(&[30, 3, 20, 1], 30, &device),
            );
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for [window, patch] in KINDS {
            let config = small(window, patch);
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
        assert_round_trips(&small(4, 3));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = ByteEncoderConfig::new(3);
        for invalid in [
            ByteEncoderConfig::new(0),
            base.clone().with_max_len(0),
            base.clone().with_max_len(usize::MAX),
            base.clone().with_max_len(MAX_LEN).with_patch_size(1),
            base.clone().with_d_byte(0),
            base.clone().with_kernel_size(0),
            base.clone().with_patch_size(0),
            base.clone().with_patch_size(1_000_000_000_000),
            base.clone().with_n_heads(3),
            base.clone().with_n_layers(0),
            base.clone().with_dropout(1.0),
            base.clone().with_d_model(65_536).with_d_hidden(65_536),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
