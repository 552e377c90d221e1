//! EfficientNet-Lite, a network of inverted residual blocks for phones and processors.
//!
//! Reference: Tan and Le, *`EfficientNet`: rethinking model scaling for convolutional neural
//! networks*, 2019, <https://arxiv.org/abs/1905.11946>; Liu, *Higher accuracy on vision models with
//! EfficientNet-Lite*, 2020,
//! <https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html>.
//! The Lite networks have no squeeze-and-excitation, `ReLU6` (Sandler et al., 2018,
//! <https://arxiv.org/abs/1801.04381>) instead of `SiLU`, a stem and a head of the same width at all
//! sizes, and first and last stages of the same depth.
//! Differs from them: no stochastic depth; by default padding is the same on all sides, also at
//! stride 2, where TensorFlow pads one side only ([`Padding`] chooses); the classifier is initialized
//! as in Goyal et al., 2017, <https://arxiv.org/abs/1706.02677>.
//!
//! | here | shape | in the paper | in timm |
//! |---|---|---|---|
//! | `stem` | `[batch, 32, height / 2, width / 2]` | stage 1 | `conv_stem`, `bn1` |
//! | `stages.i` | as in [`EfficientNetLite::stage_channels`] | stages 2 to 8, `MBConv` | `blocks.i` |
//! | `stages.i.j.expansion` | `6 * d_input` channels | 1×1 convolution | `conv_pw`, `bn1` |
//! | `stages.i.j.depthwise` | as `expansion`, strided | depthwise convolution | `conv_dw`, `bn2` |
//! | `stages.i.j.projection` | as its stage | 1×1 convolution | `conv_pwl`, `bn3` |
//! | `head` | `[batch, 1280, height / 32, width / 32]` | stage 9 | `conv_head`, `bn2` |
//! | `output` | `[batch, num_classes]` | stage 9 | `classifier` |
//!
//! The blocks of stage 0 have no expansion: theirs are `conv_dw`, `bn1`, `conv_pw` and `bn2` in timm.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear};
use burn::tensor::{Device, Tensor, assert_shape};
use tinderbox_kernels::{Activation, FeatureMap, global_avg_pool};

use crate::config::{ConfigError, check_parameters, check_probability, check_range, check_size};
use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::dense::{drop_out, project};
use crate::layers::init::linear;
pub use crate::layers::inverted_residual::Padding;
use crate::layers::inverted_residual::{
    InvertedResidual, InvertedResidualConfig, describe_conv, describe_stages, init_conv,
    init_stages, pointwise, round_channels, run_stages, shrink, stage_channels, stage_strides,
};
use crate::summary::{LayerSummary, linear_parameters, trainable_parameters};
use crate::template::data_sized;

/// Channels of the stem.
const D_STEM: usize = 32;

/// Channels of the head.
const D_HEAD: usize = 1280;

/// Largest width and depth multiplier.
const MAX_MULTIPLIER: f64 = 16.0;

/// Initializer of the classifier (Goyal et al., section 5.1).
const CLASSIFIER: Initializer = Initializer::Normal {
    mean: 0.0,
    std: 0.01,
};

/// The stages of table 1 of the paper, before scaling.
const STAGES: [Stage; 7] = [
    Stage::new(16, 1, 1, 3, 1),
    Stage::new(24, 2, 6, 3, 2),
    Stage::new(40, 2, 6, 5, 2),
    Stage::new(80, 3, 6, 3, 2),
    Stage::new(112, 3, 6, 5, 1),
    Stage::new(192, 4, 6, 5, 2),
    Stage::new(320, 1, 6, 3, 1),
];

/// Blocks of the same shape, of which the first has the stride.
#[derive(Clone, Copy)]
struct Stage {
    channels: usize,
    blocks: usize,
    expansion: usize,
    kernel: usize,
    stride: usize,
}

impl Stage {
    const fn new(
        channels: usize,
        blocks: usize,
        expansion: usize,
        kernel: usize,
        stride: usize,
    ) -> Self {
        Self {
            channels,
            blocks,
            expansion,
            kernel,
            stride,
        }
    }
}

/// Configuration to create an [`EfficientNetLite`] with [`init`](EfficientNetLiteConfig::init). The
/// defaults are those of Lite0.
#[derive(Config, Debug, PartialEq)]
pub struct EfficientNetLiteConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Factor of the channels of every stage, which are then rounded to a multiple of 8.
    #[config(default = 1.0)]
    pub width_multiplier: f64,
    /// Factor of the blocks of every stage but the first and last, which is then rounded up.
    #[config(default = 1.0)]
    pub depth_multiplier: f64,
    /// Dropout probability before the classifier, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
    /// Where convolutions of stride 2 add zeros.
    #[config(default = "Padding::Symmetric")]
    pub padding: Padding,
    /// Constant that batch normalization adds to the variance.
    #[config(default = 1e-5)]
    pub norm_epsilon: f64,
}

data_sized!(EfficientNetLiteConfig::new(in_channels, num_classes));

impl EfficientNetLiteConfig {
    /// EfficientNet-Lite0, published for images of 224×224 pixels.
    pub fn lite0(in_channels: usize, num_classes: usize) -> Self {
        Self::new(in_channels, num_classes)
    }

    /// EfficientNet-Lite1, published for images of 240×240 pixels.
    pub fn lite1(in_channels: usize, num_classes: usize) -> Self {
        Self::new(in_channels, num_classes).with_depth_multiplier(1.1)
    }

    /// EfficientNet-Lite2, published for images of 260×260 pixels.
    pub fn lite2(in_channels: usize, num_classes: usize) -> Self {
        Self::new(in_channels, num_classes)
            .with_width_multiplier(1.1)
            .with_depth_multiplier(1.2)
            .with_dropout(0.3)
    }

    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("num_classes", self.num_classes)?;
        let multipliers = 0.0625..=MAX_MULTIPLIER;
        check_range(
            "width_multiplier",
            self.width_multiplier,
            multipliers.clone(),
        )?;
        check_range("depth_multiplier", self.depth_multiplier, multipliers)?;
        check_probability("dropout", self.dropout)?;
        check_range("norm_epsilon", self.norm_epsilon, 1e-12..=0.1)?;
        check_parameters(&self.layers([1, 1]))
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> EfficientNetLite {
        assert_eq!(self.validate(), Ok(()), "invalid EfficientNetLiteConfig");
        let epsilon = self.norm_epsilon;
        EfficientNetLite {
            stem: init_conv(self.stem(), epsilon, device),
            stages: init_stages(self.stages(), epsilon, device),
            head: init_conv(self.head(), epsilon, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear(D_HEAD, self.num_classes, CLASSIFIER, device),
            padding: self.padding,
        }
    }

    /// Describes the layers of a valid configuration for images of `[height, width]` pixels,
    /// without building them.
    pub fn layers(&self, image: [usize; 2]) -> Vec<LayerSummary> {
        let (stem, head) = (self.stem(), self.head());
        let plane = shrink(image, stem.stride);
        let mut layers = vec![describe("stem", "conv 3x3 stride 2", stem, plane)];
        let plane = describe_stages(self.stages(), plane, &mut layers);
        layers.push(describe("head", "conv 1x1", head, plane));
        layers.push(LayerSummary {
            name: "output".into(),
            kind: "global average + linear".into(),
            output_shape: vec![self.num_classes],
            parameters: linear_parameters(D_HEAD, self.num_classes, true),
        });
        layers
    }

    fn stem(&self) -> ConvNormConfig {
        ConvNormConfig {
            d_input: self.in_channels,
            d_output: D_STEM,
            kernel: 3,
            stride: 2,
        }
    }

    fn head(&self) -> ConvNormConfig {
        let last = STAGES[STAGES.len() - 1];
        pointwise(self.scale_channels(last.channels), D_HEAD)
    }

    /// Lists the blocks of every stage.
    pub(super) fn stages(&self) -> Vec<Vec<InvertedResidualConfig>> {
        let mut d_input = D_STEM;
        let stages = STAGES.iter().enumerate().map(|(index, stage)| {
            let d_output = self.scale_channels(stage.channels);
            let block = |position| {
                let d_input = if position == 0 { d_input } else { d_output };
                InvertedResidualConfig {
                    d_input,
                    d_inner: d_input * stage.expansion,
                    d_output,
                    d_squeezed: None,
                    kernel: stage.kernel,
                    stride: if position == 0 { stage.stride } else { 1 },
                    activation: Activation::Relu6,
                }
            };
            let blocks = (0..self.scale_blocks(index)).map(block).collect();
            d_input = d_output;
            blocks
        });
        stages.collect()
    }

    /// Channels of a stage.
    fn scale_channels(&self, channels: usize) -> usize {
        round_channels(channels as f64 * self.width_multiplier)
    }

    /// Blocks of a stage.
    fn scale_blocks(&self, stage: usize) -> usize {
        let blocks = STAGES[stage].blocks;
        if stage == 0 || stage + 1 == STAGES.len() {
            return blocks;
        }
        (blocks as f64 * self.depth_multiplier).ceil() as usize
    }
}

fn describe(name: &str, kind: &str, conv: ConvNormConfig, plane: [usize; 2]) -> LayerSummary {
    describe_conv(name, format!("{kind} + batch norm + relu6"), conv, plane)
}

/// Stages of inverted residual blocks, global average pooling and a classifier.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::EfficientNetLiteConfig;
///
/// let device = Device::flex();
/// let model = EfficientNetLiteConfig::lite0(3, 10).init(&device);
/// let logits = model.forward(Tensor::zeros([2, 3, 32, 32], &device));
/// assert_eq!(logits.dims(), [2, 10]);
/// ```
#[derive(Module, Debug)]
pub struct EfficientNetLite {
    stem: ConvNorm,
    stages: Vec<Vec<InvertedResidual>>,
    head: ConvNorm,
    dropout: Dropout,
    pub(super) output: Linear,
    #[module(skip)]
    padding: Padding,
}

impl EfficientNetLite {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, any height and width from 1
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the second axis of `input` is not `channels`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let features = self.forward_features(input);
        project(&self.output, drop_out(&self.dropout, features))
    }

    /// Computes the features that the classifier reads.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, any height and width from 1
    /// - output: `[batch, 1280]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_features(&self, input: Tensor<4>) -> Tensor<2> {
        let x = self.run_stages(input, |_| ());
        global_avg_pool(self.head.forward(x, Activation::Relu6))
    }

    /// Computes the last feature map, from which [`classify_map`](Self::classify_map) computes the logits.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, d_map, map_height, map_width]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_map(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.run_stages(input, |_| ());
        let map = self.head.forward(x, Activation::Relu6);
        self.padding.turn(map.into_nchw())
    }

    /// Computes the logits from [`forward_map`](Self::forward_map).
    pub fn classify_map(&self, map: Tensor<4>) -> Tensor<2> {
        let x = global_avg_pool(FeatureMap::from_nchw(map));
        project(&self.output, drop_out(&self.dropout, x))
    }

    /// Computes the feature maps of every stage, for detectors and other networks on top.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, any height and width from 1
    /// - output `i`: `[batch, stage_channels[i], height / stage_strides[i], width / stage_strides[i]]`,
    ///   rounded up
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use tinderbox_models::vision::EfficientNetLiteConfig;
    ///
    /// let device = Device::flex();
    /// let model = EfficientNetLiteConfig::lite0(3, 10).init(&device);
    /// let stages = model.forward_stages(Tensor::zeros([1, 3, 64, 64], &device));
    /// assert_eq!(stages[6].dims(), [1, 320, 2, 2]);
    /// assert_eq!(model.stage_channels(), [16, 24, 40, 80, 112, 192, 320]);
    /// assert_eq!(model.stage_strides(), [2, 4, 8, 16, 16, 32, 32]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>> {
        let mut stages = Vec::with_capacity(self.stages.len());
        self.run_stages(input, |x| {
            stages.push(self.padding.turn(x.clone().into_nchw()));
        });
        stages
    }

    /// Number of parameters behind the stages.
    pub(super) fn head_parameters(&self) -> usize {
        trainable_parameters(&self.head) + trainable_parameters(&self.output)
    }

    /// The stem and the first stages alone.
    pub fn into_encoder(mut self, stages: usize) -> EfficientNetLiteEncoder {
        self.stages.truncate(stages);
        EfficientNetLiteEncoder {
            stem: self.stem,
            stages: self.stages,
            padding: self.padding,
        }
    }

    /// Number of output channels of every stage.
    pub fn stage_channels(&self) -> Vec<usize> {
        stage_channels(&self.stages)
    }

    /// Stride of the output of every stage, in pixels of the image.
    pub fn stage_strides(&self) -> Vec<usize> {
        stage_strides(&self.stem, &self.stages)
    }

    /// Runs the stem and all stages and calls `visit` with the output of each stage, so that a
    /// classifier keeps none of them.
    fn run_stages(&self, input: Tensor<4>, visit: impl FnMut(&FeatureMap)) -> FeatureMap {
        let [_d_stem, channels, _, _] = self.stem.conv.weight.dims();
        assert_shape!(input, [_, channels, _, _]);
        let input = FeatureMap::from_nchw(self.padding.turn(input));
        let x = self.stem.forward(input, Activation::Relu6);
        run_stages(&self.stages, x, visit)
    }
}

/// The stem and the first stages of an [`EfficientNetLite`], for networks that need no more of it.
#[derive(Module, Debug)]
pub struct EfficientNetLiteEncoder {
    stem: ConvNorm,
    stages: Vec<Vec<InvertedResidual>>,
    #[module(skip)]
    padding: Padding,
}

impl EfficientNetLiteEncoder {
    /// Computes the feature maps of every stage, as [`EfficientNetLite::forward_stages`].
    pub fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>> {
        let input = FeatureMap::from_nchw(self.padding.turn(input));
        let x = self.stem.forward(input, Activation::Relu6);
        let mut stages = Vec::with_capacity(self.stages.len());
        run_stages(&self.stages, x, |x| {
            stages.push(self.padding.turn(x.clone().into_nchw()));
        });
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MAX_SIZE;
    use crate::summary::total_parameters;
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    /// The narrowest network, with two blocks in a stage.
    fn small() -> EfficientNetLiteConfig {
        EfficientNetLiteConfig::new(2, 3)
            .with_width_multiplier(0.1)
            .with_depth_multiplier(0.5)
            .with_dropout(0.0)
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        let model = small().init(&device);
        for [height, width] in [[1, 1], [32, 32], [45, 33]] {
            let logits = model.forward(normal([2, 2, height, width], &device));
            assert_eq!(logits.dims(), [2, 3]);
        }
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 3")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        let model = small().init(&device);
        model.forward(normal([1, 3, 8, 8], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        let model = small().init(&device);
        let batch = normal([4, 2, 32, 32], &device);
        let alone = model.forward(batch.clone().slice(2..3));
        assert_close(model.forward(batch).slice(2..3), &values(alone));
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        let model = small().init(&device);
        let logits = model.forward(normal([4, 2, 64, 64], &device));
        assert_every_parameter_gets_a_gradient(&model, &logits);
    }

    #[test]
    fn stages_have_their_channels_and_strides() {
        let device = Device::flex();
        let model = small().init(&device);
        assert_eq!(model.stage_channels(), [8, 8, 8, 8, 16, 24, 32]);
        let strides = [2, 4, 8, 16, 16, 32, 32];
        assert_eq!(model.stage_strides(), strides);
        let stages = model.forward_stages(normal([1, 2, 45, 64], &device));
        let shapes: Vec<_> = stages.iter().map(Tensor::dims).collect();
        let expected: Vec<_> = model
            .stage_channels()
            .into_iter()
            .zip(strides)
            .map(|(d, stride): (usize, usize)| {
                [1, d, 45_usize.div_ceil(stride), 64_usize.div_ceil(stride)]
            })
            .collect();
        assert_eq!(shapes, expected);
    }

    #[test]
    fn the_head_reads_the_last_stage() {
        let device = Device::flex();
        for padding in [Padding::Symmetric, Padding::Same] {
            let model = small().with_padding(padding).init(&device);
            let images = normal([2, 2, 64, 33], &device);
            let last = model.forward_stages(images.clone()).pop().unwrap();
            let head = model
                .head
                .forward(FeatureMap::from_nchw(last), Activation::Relu6);
            assert_close(
                model.forward_map(images.clone()),
                &values(head.clone().into_nchw()),
            );
            let logits = project(&model.output, global_avg_pool(head));
            assert_close(model.forward(images), &values(logits));
        }
    }

    #[test]
    fn what_is_at_the_top_left_of_an_image_is_there_in_a_feature_map() {
        let device = Device::flex();
        for padding in [Padding::Symmetric, Padding::Same] {
            let model = small().with_padding(padding).init(&device);
            let images = normal([1, 2, 64, 64], &device);
            let changed = images.clone().slice_fill([0..1, 0..2, 0..8, 0..8], 5.0);
            let stage = |images| model.forward_stages(images).swap_remove(1);
            let change = (stage(images) - stage(changed)).abs();
            assert_eq!(change.dims(), [1, 8, 16, 16]);
            let rest = [
                change.clone().narrow(2, 8, 8),
                change.clone().narrow(3, 8, 8),
            ];
            assert!(
                rest.iter()
                    .all(|rest| values(rest.clone()).iter().all(|x| *x == 0.0))
            );
            assert!(values(change).iter().any(|x| *x > 0.0), "{padding:?}");
        }
    }

    #[test]
    fn known_sizes_have_the_published_number_of_parameters() {
        // timm's `efficientnet_lite0` to `efficientnet_lite2`.
        let count = |config: &EfficientNetLiteConfig| {
            let parameters = trainable_parameters(&config.init(&Device::flex()));
            assert_eq!(total_parameters(&config.layers([224, 224])), parameters);
            parameters
        };
        assert_eq!(count(&EfficientNetLiteConfig::lite0(3, 1000)), 4_652_008);
        assert_eq!(count(&EfficientNetLiteConfig::lite1(3, 1000)), 5_416_680);
        assert_eq!(count(&EfficientNetLiteConfig::lite2(3, 1000)), 6_092_072);
    }

    #[test]
    fn layers_have_the_shapes_of_the_paper() {
        let layers = EfficientNetLiteConfig::lite0(3, 1000).layers([224, 224]);
        let shape = |name: &str| {
            let layer = layers.iter().find(|layer| layer.name == name).unwrap();
            layer.output_shape.clone()
        };
        assert_eq!(shape("stem"), [32, 112, 112]);
        assert_eq!(shape("stages.0.0"), [16, 112, 112]);
        assert_eq!(shape("stages.4.2"), [112, 14, 14]);
        assert_eq!(shape("stages.6.0"), [320, 7, 7]);
        assert_eq!(shape("head"), [1280, 7, 7]);
        assert_eq!(shape("output"), [1000]);
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&EfficientNetLiteConfig::lite2(3, 10));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            EfficientNetLiteConfig::lite0(0, 10),
            EfficientNetLiteConfig::lite0(3, MAX_SIZE + 1),
            EfficientNetLiteConfig::lite0(MAX_SIZE, usize::MAX),
            small().with_width_multiplier(0.0),
            small().with_width_multiplier(f64::NAN),
            small().with_width_multiplier(1e12),
            small().with_depth_multiplier(-1.0),
            small().with_depth_multiplier(f64::INFINITY),
            small().with_dropout(1.0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
