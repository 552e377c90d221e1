//! U-Net with the stages of a classifier as its encoder.
//!
//! Reference: Ronneberger, Fischer and Brox, *U-Net: convolutional networks for biomedical image
//! segmentation*, 2015, <https://arxiv.org/abs/1505.04597>; Iglovikov and Shvets, *`TernausNet`: U-Net
//! with VGG11 encoder pre-trained on `ImageNet` for image segmentation*, 2018,
//! <https://arxiv.org/abs/1801.05746>.
//! Differs from them: the decoder repeats pixels and convolves (Odena, Dumoulin and Olah,
//! *Deconvolution and checkerboard artifacts*, 2016, <https://doi.org/10.23915/distill.00003>) instead
//! of a transposed convolution; it may end before the resolution of the image, and then the logits are
//! interpolated.
//!
//! | here | shape |
//! |---|---|
//! | `backbone` | one feature map per stage; the last one of each stride is used |
//! | `decoder.i` | `[batch, decoder_channels[i], ..]` at half the stride of the one before |
//! | `output` | `[batch, num_classes, ..]`, then interpolated to the image |

use burn::config::Config;
use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_kernels::{Conv2dGeometry, FeatureMap, conv2d, upsample_bilinear, upsample_nearest};

use super::efficientnet_lite::Padding;
use super::unet::{CONVS, DoubleConv, DoubleConvConfig, add_bias, check_sides, describe};
use super::{EfficientNetLite, EfficientNetLiteConfig, ResNet, ResNetConfig};
use crate::config::{ConfigError, check_list, check_parameters, check_size};
use crate::layers::init::XAVIER;
use crate::summary::{LayerSummary, linear_parameters, trainable_parameters};
use crate::template::data_sized;

/// The number of pixels that the height and width of an image must be multiples of: every backbone
/// halves it five times.
const MIN_MULTIPLE: usize = 32;

/// Most channels of a step of the decoder.
const MAX_CHANNELS: usize = 4096;

/// A classifier whose stages are the encoder of a [`BackboneUNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneKind {
    /// EfficientNet-Lite0.
    EfficientnetLite0,
    /// EfficientNet-Lite1.
    EfficientnetLite1,
    /// EfficientNet-Lite2.
    EfficientnetLite2,
    /// EfficientNet-Lite0 with the padding and the normalization of TensorFlow.
    TfEfficientnetLite0,
    /// EfficientNet-Lite1 with those of TensorFlow.
    TfEfficientnetLite1,
    /// EfficientNet-Lite2 with those of TensorFlow.
    TfEfficientnetLite2,
    /// ResNet-18.
    Resnet18,
    /// ResNet-34.
    Resnet34,
    /// ResNet-50.
    Resnet50,
}

impl BackboneKind {
    /// The kind that timm or torchvision call by a name, as in `tf_efficientnet_lite0`.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = name.replace('_', "-");
        serde_json::from_value(serde_json::Value::String(name)).ok()
    }
}

/// The configuration of a backbone.
pub(super) enum BackboneConfig {
    EfficientNetLite(EfficientNetLiteConfig),
    ResNet(ResNetConfig),
}

impl BackboneKind {
    /// The classifier for images of `in_channels`; its head is not used.
    pub(super) fn config(self, in_channels: usize) -> BackboneConfig {
        let lite = BackboneConfig::EfficientNetLite;
        let tensorflow = |config: EfficientNetLiteConfig| {
            lite(config.with_padding(Padding::Same).with_norm_epsilon(1e-3))
        };
        let resnet = BackboneConfig::ResNet;
        match self {
            Self::EfficientnetLite0 => lite(EfficientNetLiteConfig::lite0(in_channels, 1)),
            Self::EfficientnetLite1 => lite(EfficientNetLiteConfig::lite1(in_channels, 1)),
            Self::EfficientnetLite2 => lite(EfficientNetLiteConfig::lite2(in_channels, 1)),
            Self::TfEfficientnetLite0 => tensorflow(EfficientNetLiteConfig::lite0(in_channels, 1)),
            Self::TfEfficientnetLite1 => tensorflow(EfficientNetLiteConfig::lite1(in_channels, 1)),
            Self::TfEfficientnetLite2 => tensorflow(EfficientNetLiteConfig::lite2(in_channels, 1)),
            Self::Resnet18 => resnet(ResNetConfig::resnet18(in_channels, 1)),
            Self::Resnet34 => resnet(ResNetConfig::resnet34(in_channels, 1)),
            Self::Resnet50 => resnet(ResNetConfig::resnet50(in_channels, 1)),
        }
    }
}

impl BackboneConfig {
    fn layers(&self, image: [usize; 2]) -> Vec<LayerSummary> {
        let layers = match self {
            Self::EfficientNetLite(config) => config.layers(image),
            Self::ResNet(config) => config.layers(image),
        };
        let of_encoder = |layer: &LayerSummary| {
            layer.name.starts_with("stem") || layer.name.starts_with("stages.")
        };
        layers.into_iter().filter(of_encoder).collect()
    }

    /// The last stage of each stride.
    fn levels(&self) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::new();
        for layer in self.layers([MIN_MULTIPLE; 2]) {
            let stage = layer.name.split('.').nth(1).and_then(|at| at.parse().ok());
            let (Some(stage), &[channels, height, _]) = (stage, &layer.output_shape[..]) else {
                continue;
            };
            let stride = MIN_MULTIPLE / height.max(1);
            levels.retain(|level| level.stride != stride);
            levels.push(Level {
                stage,
                channels,
                stride,
            });
        }
        levels
    }
}

/// The output of a stage of the encoder.
#[derive(Clone, Copy, Debug)]
struct Level {
    stage: usize,
    channels: usize,
    stride: usize,
}

/// Configuration to create a [`BackboneUNet`] with [`init`](BackboneUNetConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct BackboneUNetConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Number of classes of a pixel.
    pub num_classes: usize,
    /// The encoder.
    #[config(default = "BackboneKind::EfficientnetLite0")]
    pub backbone: BackboneKind,
    /// Channels of each step of the decoder, of which each doubles the resolution; 5 steps reach that
    /// of the image, and after fewer the logits are interpolated.
    #[config(default = "vec![96, 64, 32, 16]")]
    pub decoder_channels: Vec<usize>,
}

data_sized!(BackboneUNetConfig::new(in_channels, num_classes));

impl BackboneUNetConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("num_classes", self.num_classes)?;
        let steps = 1..=MIN_MULTIPLE.ilog2() as usize;
        check_list(
            "decoder_channels",
            &self.decoder_channels,
            steps,
            &(1..=MAX_CHANNELS),
        )?;
        check_parameters(&self.layers([MIN_MULTIPLE; 2]))
    }

    /// The number of pixels that the height and width of an image must be multiples of.
    pub fn min_multiple(&self) -> usize {
        MIN_MULTIPLE
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> BackboneUNet {
        assert_eq!(self.validate(), Ok(()), "invalid BackboneUNetConfig");
        let backbone = match self.backbone.config(self.in_channels) {
            BackboneConfig::EfficientNetLite(config) => {
                Backbone::EfficientNetLite(config.init(device))
            }
            BackboneConfig::ResNet(config) => Backbone::ResNet(config.init(device)),
        };
        let steps = self.steps();
        let d_last = steps.last().map_or(1, |step| step.convs.d_output);
        let output = Conv2dConfig::new([d_last, self.num_classes], [1, 1])
            .with_initializer(XAVIER)
            .init(device);
        BackboneUNet {
            backbone,
            skips: steps.iter().map(|step| step.skip).collect(),
            decoder: steps.iter().map(|step| step.convs.init(device)).collect(),
            output: Conv2d {
                bias: Some(Initializer::Zeros.init([self.num_classes], device)),
                ..output
            },
        }
    }

    /// Describes the layers of a valid configuration for images of `[height, width]` pixels,
    /// without building them.
    pub fn layers(&self, image: [usize; 2]) -> Vec<LayerSummary> {
        let mut layers = self.backbone.config(self.in_channels).layers(image);
        for layer in &mut layers {
            layer.name.insert_str(0, "backbone.");
        }
        let (mut stride, mut d_last) = (MIN_MULTIPLE, 1);
        for (index, step) in self.steps().into_iter().enumerate() {
            (stride, d_last) = (stride / 2, step.convs.d_output);
            let skip = if step.skip.is_some() { " + concat" } else { "" };
            let (name, kind) = (
                format!("decoder.{index}"),
                format!("upsample 2x{skip} + {CONVS}"),
            );
            let plane = image.map(|side| side.div_ceil(stride));
            layers.push(describe(name, kind, step.convs, 0, plane));
        }
        layers.push(LayerSummary {
            name: "output".into(),
            kind: "conv 1x1 + interpolation".into(),
            output_shape: vec![self.num_classes, image[0], image[1]],
            parameters: linear_parameters(d_last, self.num_classes, true),
        });
        layers
    }

    fn steps(&self) -> Vec<Step> {
        let levels = self.backbone.config(self.in_channels).levels();
        let mut d_input = levels.last().map_or(1, |level| level.channels);
        let mut stride = MIN_MULTIPLE;
        let step = |&d_output: &usize| {
            stride /= 2;
            let skip = levels.iter().find(|level| level.stride == stride);
            let convs = DoubleConvConfig {
                d_input: d_input + skip.map_or(0, |level| level.channels),
                d_output,
            };
            d_input = d_output;
            Step {
                skip: skip.map(|level| level.stage),
                convs,
            }
        };
        self.decoder_channels.iter().map(step).collect()
    }
}

/// A step of the decoder, with the stage that it reads besides its input.
struct Step {
    skip: Option<usize>,
    convs: DoubleConvConfig,
}

/// The stages of a classifier, a decoder that reads them, and a score for every class of every pixel.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::BackboneUNetConfig;
///
/// let device = Device::flex();
/// let model = BackboneUNetConfig::new(3, 2).init(&device);
/// let logits = model.forward(Tensor::zeros([1, 3, 64, 96], &device));
/// assert_eq!(logits.dims(), [1, 2, 64, 96]);
/// ```
#[derive(Module, Debug)]
pub struct BackboneUNet {
    backbone: Backbone,
    /// The stage that each step of the decoder reads.
    #[module(skip)]
    skips: Vec<Option<usize>>,
    decoder: Vec<DoubleConv>,
    output: Conv2d,
}

/// The encoder of a [`BackboneUNet`].
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum Backbone {
    /// EfficientNet-Lite.
    EfficientNetLite(EfficientNetLite),
    /// A residual network.
    ResNet(ResNet),
}

impl Backbone {
    fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>> {
        match self {
            Self::EfficientNetLite(net) => net.forward_stages(input),
            Self::ResNet(net) => net.forward_stages(input),
        }
    }
}

impl BackboneUNet {
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
        check_sides(&input, self.min_multiple());
        let stages = self.backbone.forward_stages(input);
        let map = |stage: usize| FeatureMap::from_nchw(stages[stage].clone());
        let mut x = map(stages.len() - 1);
        for (convs, skip) in self.decoder.iter().zip(&self.skips) {
            x = upsample_nearest(x, 2);
            if let Some(stage) = *skip {
                x = FeatureMap::cat(vec![map(stage), x]);
            }
            x = convs.forward(x);
        }
        let geometry = Conv2dGeometry {
            stride: 1,
            padding: 0,
        };
        let x = conv2d(x, self.output.weight.val(), geometry);
        let x = add_bias(x, self.output.bias.as_ref());
        let factor = MIN_MULTIPLE >> self.decoder.len();
        if factor > 1 {
            return upsample_bilinear(x, factor).into_nchw();
        }
        x.into_nchw()
    }

    /// The number of pixels that the height and width of an image must be multiples of.
    pub fn min_multiple(&self) -> usize {
        MIN_MULTIPLE
    }

    /// Number of trainable parameters that the logits depend on: without the head of the classifier, which is in the
    /// weights and takes no part.
    pub fn used_parameters(&self) -> usize {
        let head = match &self.backbone {
            Backbone::EfficientNetLite(net) => net.head_parameters(),
            Backbone::ResNet(net) => net.head_parameters(),
        };
        trainable_parameters(self) - head
    }

    /// The same with another encoder, as one with pretrained weights.
    #[must_use]
    pub fn map_backbone(mut self, map: impl FnOnce(Backbone) -> Backbone) -> Self {
        self.backbone = map(self.backbone);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::total_parameters;
    use crate::testing::{assert_close, assert_round_trips, normal, values};

    fn small() -> BackboneUNetConfig {
        BackboneUNetConfig::new(3, 2).with_decoder_channels(vec![8, 8, 4, 4])
    }

    #[test]
    fn every_pixel_has_a_score_per_class_on_every_backbone() {
        let device = Device::flex();
        for (backbone, steps) in [
            (BackboneKind::EfficientnetLite0, 4),
            (BackboneKind::EfficientnetLite0, 1),
            (BackboneKind::TfEfficientnetLite2, 5),
            (BackboneKind::Resnet18, 3),
            (BackboneKind::Resnet18, 5),
        ] {
            let config = small()
                .with_backbone(backbone)
                .with_decoder_channels(vec![8; steps]);
            let model = config.init(&device);
            let logits = model.forward(normal([2, 3, 32, 64], &device));
            assert_eq!(logits.dims(), [2, 2, 32, 64], "{config}");
        }
    }

    #[test]
    #[should_panic(expected = "must be multiples of 32 (got 64 and 48)")]
    fn a_size_that_cannot_be_halved_is_refused() {
        let device = Device::flex();
        small()
            .init(&device)
            .forward(normal([1, 3, 64, 48], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        let model = small().init(&device);
        let batch = normal([3, 3, 32, 32], &device);
        let alone = model.forward(batch.clone().slice(1..2));
        assert_close(model.forward(batch).slice(1..2), &values(alone));
    }

    #[test]
    fn the_decoder_reads_the_last_stage_of_each_stride() {
        let strides = |backbone: BackboneKind| -> Vec<(usize, usize)> {
            let levels = backbone.config(3).levels().into_iter();
            levels.map(|level| (level.stride, level.stage)).collect()
        };
        let lite = strides(BackboneKind::EfficientnetLite0);
        assert_eq!(lite, [(2, 0), (4, 1), (8, 2), (16, 4), (32, 6)]);
        let resnet = strides(BackboneKind::Resnet34);
        assert_eq!(resnet, [(4, 0), (8, 1), (16, 2), (32, 3)]);
    }

    #[test]
    fn the_decoder_and_the_encoder_get_gradients() {
        let device = Device::flex().autodiff();
        let model = small().init(&device);
        let images = normal([2, 3, 64, 32], &device).require_grad();
        let logits = model.forward(images.clone());
        let gradients = logits.powi_scalar(2).mean().backward();
        let is_nonzero =
            |gradient: Option<Tensor<4>>| gradient.unwrap().abs().sum().into_scalar::<f32>() > 0.0;
        for convs in &model.decoder {
            assert!(is_nonzero(convs.first.conv.weight.val().grad(&gradients)));
        }
        assert!(is_nonzero(images.grad(&gradients)));
    }

    #[test]
    fn backbones_have_the_names_of_timm() {
        let found = ["tf_efficientnet_lite0", "resnet50", "vgg16"].map(BackboneKind::by_name);
        let [lite, resnet] = [BackboneKind::TfEfficientnetLite0, BackboneKind::Resnet50];
        assert_eq!(found, [Some(lite), Some(resnet), None]);
    }

    #[test]
    fn layers_count_the_decoder() {
        let layers = small().layers([64, 64]);
        let own: Vec<_> = layers
            .iter()
            .filter(|layer| !layer.name.starts_with("backbone."))
            .cloned()
            .collect();
        let conv = |d_input: usize, d_output: usize| (9 * d_input + 2) * d_output;
        let expected = conv(320 + 112, 8)
            + conv(8, 8)
            + conv(8 + 40, 8)
            + conv(8, 8)
            + conv(8 + 24, 4)
            + conv(4, 4)
            + conv(4 + 16, 4)
            + conv(4, 4)
            + 4 * 2
            + 2;
        assert_eq!(total_parameters(&own), expected);
        assert_eq!(layers.last().unwrap().output_shape, [2, 64, 64]);
    }

    #[test]
    fn only_parameters_that_the_logits_depend_on_are_counted() {
        let device = Device::flex();
        for backbone in [BackboneKind::EfficientnetLite0, BackboneKind::Resnet18] {
            let config = small().with_backbone(backbone);
            let model = config.init(&device);
            let used = model.used_parameters();
            assert_eq!(used, total_parameters(&config.layers([32, 32])));
            assert!(used < trainable_parameters(&model));
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small().with_backbone(BackboneKind::Resnet50));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            small().with_decoder_channels(Vec::new()),
            small().with_decoder_channels(vec![8; 6]),
            small().with_decoder_channels(vec![0]),
            BackboneUNetConfig::new(0, 2),
            BackboneUNetConfig::new(3, 0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
