//! U-Net, a network that scores every pixel.
//!
//! Reference: Ronneberger, Fischer and Brox, *U-Net: convolutional networks for biomedical image
//! segmentation*, 2015, <https://arxiv.org/abs/1505.04597>.
//! Differs from it: zero padding, so that the output has the size of the image, where the paper
//! crops; batch normalization (Ioffe and Szegedy, 2015, <https://arxiv.org/abs/1502.03167>) after
//! every 3×3 convolution; 32 channels by default, where the paper has 64; no dropout. Convolutions are
//! initialized as in He et al., 2015, <https://arxiv.org/abs/1502.01852>, as in the paper.
//!
//! | here | shape | in the paper |
//! |---|---|---|
//! | `encoder.i` | `[batch, base_channels * 2^i, height / 2^i, width / 2^i]` | contracting path |
//! | `bottleneck` | `[batch, base_channels * 2^depth, ..]` | lowest resolution |
//! | `decoder.i` | as `encoder.(depth - 1 - i)` | expansive path |
//! | `decoder.i.upsample` | as `decoder.i` | up-convolution |
//! | `output` | `[batch, num_classes, height, width]` | 1×1 convolution |

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use tinderbox_kernels::{
    Activation, Conv2dGeometry, FeatureMap, conv_transpose2d, conv2d, max_pool2x2,
};

use crate::config::{ConfigError, MAX_SIZE, check_parameters, check_range, check_size};
use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::init::{HE_FAN_IN, XAVIER};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum depth: each level halves the feature map.
const MAX_DEPTH: usize = 8;

/// Configuration to create a [`UNet`] with [`init`](UNetConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct UNetConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Number of classes of a pixel.
    pub num_classes: usize,
    /// Number of times the feature map is halved.
    #[config(default = 4)]
    pub depth: usize,
    /// Channels at the resolution of the image; they double with every further level.
    #[config(default = 32)]
    pub base_channels: usize,
}

data_sized!(UNetConfig::new(in_channels, num_classes));

impl UNetConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("num_classes", self.num_classes)?;
        check_range("depth", self.depth, 1..=MAX_DEPTH)?;
        let widest = MAX_SIZE >> self.depth;
        check_range("base_channels", self.base_channels, 1..=widest)?;
        check_parameters(&self.layers([1, 1]))
    }

    /// The number of pixels that the height and width of an image must be multiples of: 2^`depth`.
    ///
    /// ```
    /// use tinderbox_models::vision::UNetConfig;
    ///
    /// assert_eq!(UNetConfig::new(1, 2).min_multiple(), 16);
    /// ```
    pub fn min_multiple(&self) -> usize {
        1 << self.depth
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> UNet {
        assert_eq!(self.validate(), Ok(()), "invalid UNetConfig");
        let output = Conv2dConfig::new([self.base_channels, self.num_classes], [1, 1])
            .with_initializer(XAVIER)
            .init(device);
        let decoder = (0..self.depth).rev();
        UNet {
            encoder: (0..self.depth)
                .map(|level| self.encoder_convs(level).init(device))
                .collect(),
            bottleneck: self.encoder_convs(self.depth).init(device),
            decoder: decoder.map(|level| self.init_up(level, device)).collect(),
            output: Conv2d {
                bias: Some(Initializer::Zeros.init([self.num_classes], device)),
                ..output
            },
        }
    }

    /// Describes the layers of a valid configuration for images of `[height, width]` pixels,
    /// without building them.
    pub fn layers(&self, image: [usize; 2]) -> Vec<LayerSummary> {
        let plane = |level: usize| image.map(|side| side >> level);
        let mut layers = Vec::with_capacity(2 * self.depth + 2);
        for level in 0..=self.depth {
            let (name, kind) = if level == self.depth {
                ("bottleneck".to_owned(), CONVS.to_owned())
            } else {
                (format!("encoder.{level}"), CONVS.to_owned())
            };
            let convs = self.encoder_convs(level);
            layers.push(describe(name, kind, convs, 0, plane(level)));
        }
        for (index, level) in (0..self.depth).rev().enumerate() {
            let (name, kind) = (
                format!("decoder.{index}"),
                format!("transposed conv 2x2 + concat + {CONVS}"),
            );
            let upsample =
                linear_parameters(4 * self.channels(level + 1), self.channels(level), false)
                    .saturating_add(self.channels(level));
            let convs = self.decoder_convs(level);
            layers.push(describe(name, kind, convs, upsample, plane(level)));
        }
        layers.push(LayerSummary {
            name: "output".into(),
            kind: "conv 1x1".into(),
            output_shape: vec![self.num_classes, image[0], image[1]],
            parameters: linear_parameters(self.base_channels, self.num_classes, true),
        });
        layers
    }

    /// Channels of a level, 0 at the resolution of the image.
    fn channels(&self, level: usize) -> usize {
        self.base_channels << level
    }

    fn encoder_convs(&self, level: usize) -> DoubleConvConfig {
        let d_input = match level.checked_sub(1) {
            Some(above) => self.channels(above),
            None => self.in_channels,
        };
        DoubleConvConfig {
            d_input,
            d_output: self.channels(level),
        }
    }

    fn decoder_convs(&self, level: usize) -> DoubleConvConfig {
        DoubleConvConfig {
            d_input: 2 * self.channels(level),
            d_output: self.channels(level),
        }
    }

    fn init_up(&self, level: usize, device: &Device) -> Up {
        let [d_input, d_output] = [self.channels(level + 1), self.channels(level)];
        // Each output pixel is a sum over the input channels of one pixel, without a `ReLU` after it.
        let weights = Initializer::Normal {
            mean: 0.0,
            std: (d_input as f64).sqrt().recip(),
        };
        let upsample = ConvTranspose2dConfig::new([d_input, d_output], [2, 2])
            .with_stride([2, 2])
            .with_initializer(weights)
            .init(device);
        Up {
            upsample: ConvTranspose2d {
                bias: Some(Initializer::Zeros.init([d_output], device)),
                ..upsample
            },
            convs: self.decoder_convs(level).init(device),
        }
    }
}

/// The operations of a [`DoubleConv`].
pub(super) const CONVS: &str = "2 x (conv 3x3 + batch norm + relu)";

pub(super) fn describe(
    name: String,
    kind: String,
    convs: DoubleConvConfig,
    others: usize,
    [height, width]: [usize; 2],
) -> LayerSummary {
    let parameters = convs.convs().map(ConvNormConfig::parameters);
    LayerSummary {
        name,
        kind,
        output_shape: vec![convs.d_output, height, width],
        parameters: parameters.into_iter().fold(others, usize::saturating_add),
    }
}

/// Two 3×3 convolutions.
#[derive(Clone, Copy)]
pub(super) struct DoubleConvConfig {
    pub(super) d_input: usize,
    pub(super) d_output: usize,
}

impl DoubleConvConfig {
    fn convs(self) -> [ConvNormConfig; 2] {
        [self.d_input, self.d_output].map(|d_input| ConvNormConfig {
            d_input,
            d_output: self.d_output,
            kernel: 3,
            stride: 1,
        })
    }

    pub(super) fn init(self, device: &Device) -> DoubleConv {
        let [first, second] = self.convs().map(|conv| conv.init(HE_FAN_IN, device));
        DoubleConv { first, second }
    }
}

/// An encoder, a decoder that reads the feature maps of the encoder, and a score for every class of
/// every pixel.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::UNetConfig;
///
/// let device = Device::flex();
/// let model = UNetConfig::new(3, 5).with_depth(2).with_base_channels(4).init(&device);
/// let logits = model.forward(Tensor::zeros([2, 3, 16, 24], &device));
/// assert_eq!(logits.dims(), [2, 5, 16, 24]);
/// ```
#[derive(Module, Debug)]
pub struct UNet {
    encoder: Vec<DoubleConv>,
    bottleneck: DoubleConv,
    decoder: Vec<Up>,
    output: Conv2d,
}

#[derive(Module, Debug)]
pub(super) struct DoubleConv {
    pub(super) first: ConvNorm,
    second: ConvNorm,
}

#[derive(Module, Debug)]
struct Up {
    upsample: ConvTranspose2d,
    convs: DoubleConv,
}

impl UNet {
    /// Computes the logits of every pixel.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, height and width multiples of
    ///   [`min_multiple`](Self::min_multiple)
    /// - output: `[batch, num_classes, height, width]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the second axis of `input` is not `channels`, or its height or width is not such a multiple.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.check(&input);
        let mut x = FeatureMap::from_nchw(input);
        let mut skips = Vec::with_capacity(self.encoder.len());
        for convs in &self.encoder {
            x = convs.forward(x);
            skips.push(x.clone());
            x = max_pool2x2(x);
        }
        x = self.bottleneck.forward(x);
        for (up, skip) in self.decoder.iter().zip(skips.into_iter().rev()) {
            x = up.forward(x, skip);
        }
        let geometry = Conv2dGeometry {
            stride: 1,
            padding: 0,
        };
        let x = conv2d(x, self.output.weight.val(), geometry);
        add_bias(x, self.output.bias.as_ref()).into_nchw()
    }

    /// The number of pixels that the height and width of an image must be multiples of.
    pub fn min_multiple(&self) -> usize {
        1 << self.encoder.len()
    }

    fn check(&self, input: &Tensor<4>) {
        let first = self.encoder.first().unwrap_or(&self.bottleneck);
        let [_d_output, channels, _, _] = first.first.conv.weight.dims();
        assert_shape!(input, [_, channels, _, _]);
        check_sides(input, self.min_multiple());
    }
}

/// Checks that height and width are multiples of a number.
pub(super) fn check_sides(input: &Tensor<4>, multiple: usize) {
    let [_, _, height, width] = input.dims();
    assert!(
        [height, width]
            .iter()
            .all(|side| *side > 0 && side.is_multiple_of(multiple)),
        "the height and width of an image must be multiples of {multiple} (got {height} and {width})"
    );
}

impl DoubleConv {
    /// - input: `[batch, d_input, height, width]`
    /// - output: `[batch, d_output, height, width]`
    pub(super) fn forward(&self, x: FeatureMap) -> FeatureMap {
        let x = self.first.forward(x, Activation::Relu);
        self.second.forward(x, Activation::Relu)
    }
}

impl Up {
    /// - x: `[batch, 2 * d_output, height / 2, width / 2]`
    /// - skip: `[batch, d_output, height, width]`
    /// - output: `[batch, d_output, height, width]`
    fn forward(&self, x: FeatureMap, skip: FeatureMap) -> FeatureMap {
        let geometry = Conv2dGeometry {
            stride: 2,
            padding: 0,
        };
        let x = conv_transpose2d(x, self.upsample.weight.val(), geometry);
        let x = add_bias(x, self.upsample.bias.as_ref());
        self.convs.forward(FeatureMap::cat(vec![skip, x]))
    }
}

/// Adds a number per channel, as a feature map of one pixel, which has the same layout.
pub(super) fn add_bias(x: FeatureMap, bias: Option<&Param<Tensor<1>>>) -> FeatureMap {
    let Some(bias) = bias else {
        return x;
    };
    let bias = bias.val();
    let [channels] = bias.dims();
    x + FeatureMap::from_nchw(bias.reshape([1, channels, 1, 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    fn small() -> UNetConfig {
        UNetConfig::new(2, 3).with_depth(2).with_base_channels(4)
    }

    #[test]
    fn every_pixel_has_a_score_per_class() {
        let device = Device::flex();
        for depth in 1..4 {
            let config = small().with_depth(depth);
            let model = config.init(&device);
            let multiple = config.min_multiple();
            assert_eq!(model.min_multiple(), multiple);
            for [height, width] in [[multiple, multiple], [multiple, 3 * multiple]] {
                let logits = model.forward(normal([2, 2, height, width], &device));
                assert_eq!(logits.dims(), [2, 3, height, width]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 3")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        small().init(&device).forward(normal([1, 3, 8, 8], &device));
    }

    #[test]
    #[should_panic(expected = "must be multiples of 4 (got 8 and 6)")]
    fn a_size_that_cannot_be_halved_is_refused() {
        let device = Device::flex();
        small().init(&device).forward(normal([1, 2, 8, 6], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        let model = small().init(&device);
        let batch = normal([4, 2, 8, 12], &device);
        let alone = model.forward(batch.clone().slice(2..3));
        assert_close(model.forward(batch).slice(2..3), &values(alone));
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        let model = small().init(&device);
        let logits = model.forward(normal([2, 2, 16, 8], &device));
        assert_every_parameter_gets_a_gradient(&model, &logits.flatten(1, 3));
    }

    #[test]
    fn the_decoder_agrees_with_loops_by_hand() {
        let device = Device::flex();
        let model = small().with_depth(1).init(&device);
        let up = &model.decoder[0];
        let x = normal([1, 8, 2, 3], &device);
        let weight = values(up.upsample.weight.val());
        let bias = Tensor::<1>::from_floats([0.5, -1.0, 2.0, 0.25], &device);
        let own = Some(Param::from_tensor(bias.clone()));
        let geometry = Conv2dGeometry {
            stride: 2,
            padding: 0,
        };
        let input = FeatureMap::from_nchw(x.clone());
        let output = conv_transpose2d(input, up.upsample.weight.val(), geometry);
        let output = add_bias(output, own.as_ref()).into_nchw();
        let (x, bias) = (values(x), values(bias));
        let mut expected = Vec::new();
        for channel in 0..4 {
            for (row, column) in (0..4).flat_map(|y| (0..6).map(move |x| (y, x))) {
                let tap = row % 2 * 2 + column % 2;
                let at = row / 2 * 3 + column / 2;
                let terms = (0..8).map(|c| x[c * 6 + at] * weight[(c * 4 + channel) * 4 + tap]);
                expected.push(terms.sum::<f32>() + bias[channel]);
            }
        }
        assert_eq!(output.dims(), [1, 4, 4, 6]);
        assert_close(output, &expected);
    }

    #[test]
    fn the_output_reads_the_first_level_through_a_skip_connection() {
        let device = Device::flex();
        let mut model = small().init(&device);
        // Nothing else is left: four 3x3 convolutions, which reach four pixels.
        let weight = &mut model.decoder[1].upsample.weight;
        *weight = Initializer::Zeros.init(weight.dims(), &device);
        let image = normal([1, 2, 16, 16], &device);
        let mut changed = values(image.clone());
        changed[0] += 10.0;
        let changed = Tensor::<1>::from_floats(changed.as_slice(), &device);
        let changed = changed.reshape([1, 2, 16, 16]);
        let change = model.forward(image) - model.forward(changed);
        let change = values(change.abs().max_dim(1));
        for (at, change) in change.into_iter().enumerate() {
            let is_near = at / 16 <= 4 && at % 16 <= 4;
            assert!(is_near || change == 0.0, "pixel {at} changed by {change}");
            assert!(at != 0 || change > 1e-3, "{change}");
        }
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for config in [small(), small().with_depth(1), UNetConfig::new(1, 2)] {
            let model = config.init(&Device::flex());
            let layers = config.layers([16, 16]);
            assert_eq!(total_parameters(&layers), trainable_parameters(&model));
        }
        let layers = UNetConfig::new(1, 2).layers([256, 128]);
        let shape = |name: &str| {
            let layer = layers.iter().find(|layer| layer.name == name).unwrap();
            layer.output_shape.clone()
        };
        assert_eq!(shape("encoder.1"), [64, 128, 64]);
        assert_eq!(shape("bottleneck"), [512, 16, 8]);
        assert_eq!(shape("decoder.0"), [256, 32, 16]);
        assert_eq!(shape("output"), [2, 256, 128]);
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small());
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            UNetConfig::new(0, 2),
            UNetConfig::new(1, usize::MAX),
            small().with_depth(0),
            small().with_depth(9),
            small().with_depth(usize::MAX),
            small().with_base_channels(0),
            small().with_base_channels(MAX_SIZE),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
