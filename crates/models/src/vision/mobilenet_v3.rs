//! MobileNetV3-Small, a network of inverted residual blocks for phones.
//!
//! Reference: Howard et al., *Searching for `MobileNetV3`*, 2019, <https://arxiv.org/abs/1905.02244>,
//! table 2. Squeeze-and-excitation is that of Hu, Shen and Sun, 2018,
//! <https://arxiv.org/abs/1709.01507>.
//! Differs from it: by default padding is the same on all sides, also at stride 2, where TensorFlow pads
//! one side only ([`Padding`] chooses); no stochastic depth.
//!
//! | here | shape | in torchvision | in timm |
//! |---|---|---|---|
//! | `stem` | `[batch, 16, height / 2, width / 2]` | `features.0` | `conv_stem`, `bn1` |
//! | `stages.i` | as in [`MobileNetV3::stage_channels`] | `features.1` to `features.11` | `blocks.i` |
//! | `stages.i.j.expansion` | channels of the table's column "exp size" | `block.0` | `conv_pw`, `bn1` |
//! | `stages.i.j.depthwise` | as `expansion`, strided | `block.1` | `conv_dw`, `bn2` |
//! | `stages.i.j.squeeze` | as `depthwise` | `block.2` | `se` |
//! | `stages.i.j.projection` | as its stage | `block.3` | `conv_pwl`, `bn3` |
//! | `head` | `[batch, 576, height / 32, width / 32]` | `features.12` | `blocks.5.0` |
//! | `hidden` | `[batch, 1024]` | `classifier.0` | `conv_head` |
//! | `output` | `[batch, num_classes]` | `classifier.3` | `classifier` |

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear};
use burn::tensor::{Device, Tensor, assert_shape};
use tinderbox_kernels::{Activation, FeatureMap, global_avg_pool};

use crate::config::{ConfigError, check_parameters, check_probability, check_range, check_size};
use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::dense::{drop_out, project};
use crate::layers::init::linear;
use crate::layers::inverted_residual::{
    InvertedResidual, InvertedResidualConfig, Padding, describe_conv, describe_stages, init_conv,
    init_stages, pointwise, round_channels, run_stages, shrink, stage_channels, stage_strides,
};
use crate::layers::squeeze_excitation::hard_sigmoid;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Channels of the stem, before scaling.
const D_STEM: usize = 16;

/// Features that the classifier reads, before scaling.
const D_HIDDEN: usize = 1024;

/// Ratio of the channels of the head to those of the last stage.
const HEAD_EXPANSION: usize = 6;

/// Largest width multiplier.
const MAX_MULTIPLIER: f64 = 16.0;

/// Initializer of both linear layers, as in torchvision.
const CLASSIFIER: Initializer = Initializer::Normal {
    mean: 0.0,
    std: 0.01,
};

/// The blocks of table 2 of the paper, before scaling, by stage.
const STAGES: [&[Row]; 5] = [
    &[Row::new(16, 16, 3, 2).squeezed()],
    &[Row::new(72, 24, 3, 2), Row::new(88, 24, 3, 1)],
    &[
        Row::new(96, 40, 5, 2).squeezed().swish(),
        Row::new(240, 40, 5, 1).squeezed().swish(),
        Row::new(240, 40, 5, 1).squeezed().swish(),
    ],
    &[
        Row::new(120, 48, 5, 1).squeezed().swish(),
        Row::new(144, 48, 5, 1).squeezed().swish(),
    ],
    &[
        Row::new(288, 96, 5, 2).squeezed().swish(),
        Row::new(576, 96, 5, 1).squeezed().swish(),
        Row::new(576, 96, 5, 1).squeezed().swish(),
    ],
];

/// One block of the table.
#[derive(Clone, Copy)]
struct Row {
    d_inner: usize,
    d_output: usize,
    kernel: usize,
    stride: usize,
    is_squeezed: bool,
    is_swish: bool,
}

impl Row {
    const fn new(d_inner: usize, d_output: usize, kernel: usize, stride: usize) -> Self {
        Self {
            d_inner,
            d_output,
            kernel,
            stride,
            is_squeezed: false,
            is_swish: false,
        }
    }

    const fn squeezed(mut self) -> Self {
        self.is_squeezed = true;
        self
    }

    const fn swish(mut self) -> Self {
        self.is_swish = true;
        self
    }
}

/// Configuration to create a [`MobileNetV3`] with [`init`](MobileNetV3Config::init). The defaults are
/// those of torchvision's `mobilenet_v3_small`, published for images of 224×224 pixels.
#[derive(Config, Debug, PartialEq)]
pub struct MobileNetV3Config {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Factor of the channels of every layer, which are then rounded to a multiple of 8.
    #[config(default = 1.0)]
    pub width_multiplier: f64,
    /// Dropout probability before the classifier, in `[0, 1)`.
    #[config(default = 0.2)]
    pub dropout: f64,
    /// Constant that batch normalization adds to the variance; 1e-5 in timm's `mobilenetv3_small_100`.
    #[config(default = 1e-3)]
    pub norm_epsilon: f64,
    /// Where convolutions of stride 2 add zeros; `same` in timm's `tf_mobilenetv3_small_100`.
    #[config(default = "Padding::Symmetric")]
    pub padding: Padding,
}

data_sized!(MobileNetV3Config::new(in_channels, num_classes));

impl MobileNetV3Config {
    /// MobileNetV3-Small of the paper's table 2.
    pub fn small(in_channels: usize, num_classes: usize) -> Self {
        Self::new(in_channels, num_classes)
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
        check_range("width_multiplier", self.width_multiplier, multipliers)?;
        check_probability("dropout", self.dropout)?;
        check_range("norm_epsilon", self.norm_epsilon, 1e-12..=0.1)?;
        check_parameters(&self.layers([1, 1]))
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> MobileNetV3 {
        assert_eq!(self.validate(), Ok(()), "invalid MobileNetV3Config");
        let epsilon = self.norm_epsilon;
        MobileNetV3 {
            stem: init_conv(self.stem(), epsilon, device),
            stages: init_stages(self.stages(), epsilon, device),
            head: init_conv(self.head(), epsilon, device),
            hidden: linear(self.head().d_output, self.d_hidden(), CLASSIFIER, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear(self.d_hidden(), self.num_classes, CLASSIFIER, device),
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
        let linears = [
            (
                "hidden",
                "global average + linear + hard-swish",
                head.d_output,
                self.d_hidden(),
            ),
            ("output", "linear", self.d_hidden(), self.num_classes),
        ];
        layers.extend(linears.map(|(name, kind, d_input, d_output)| LayerSummary {
            name: name.into(),
            kind: kind.into(),
            output_shape: vec![d_output],
            parameters: linear_parameters(d_input, d_output, true),
        }));
        layers
    }

    fn stem(&self) -> ConvNormConfig {
        ConvNormConfig {
            d_input: self.in_channels,
            d_output: self.scale_channels(D_STEM),
            kernel: 3,
            stride: 2,
        }
    }

    fn head(&self) -> ConvNormConfig {
        let last = STAGES[STAGES.len() - 1];
        let d_input = self.scale_channels(last[last.len() - 1].d_output);
        pointwise(d_input, d_input * HEAD_EXPANSION)
    }

    fn d_hidden(&self) -> usize {
        self.scale_channels(D_HIDDEN)
    }

    /// Lists the blocks of every stage.
    pub(super) fn stages(&self) -> Vec<Vec<InvertedResidualConfig>> {
        let mut d_input = self.scale_channels(D_STEM);
        let mut block = |row: &Row| {
            let d_inner = self.scale_channels(row.d_inner);
            let block = InvertedResidualConfig {
                d_input,
                d_inner,
                d_output: self.scale_channels(row.d_output),
                d_squeezed: row
                    .is_squeezed
                    .then(|| round_channels(d_inner as f64 / 4.0)),
                kernel: row.kernel,
                stride: row.stride,
                activation: if row.is_swish {
                    Activation::HardSwish
                } else {
                    Activation::Relu
                },
            };
            d_input = block.d_output;
            block
        };
        let stages = STAGES
            .iter()
            .map(|rows| rows.iter().map(&mut block).collect());
        stages.collect()
    }

    fn scale_channels(&self, channels: usize) -> usize {
        round_channels(channels as f64 * self.width_multiplier)
    }
}

fn describe(name: &str, kind: &str, conv: ConvNormConfig, plane: [usize; 2]) -> LayerSummary {
    describe_conv(
        name,
        format!("{kind} + batch norm + hard-swish"),
        conv,
        plane,
    )
}

/// Stages of inverted residual blocks, global average pooling and a classifier of two layers.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::MobileNetV3Config;
///
/// let device = Device::flex();
/// let model = MobileNetV3Config::small(3, 10).init(&device);
/// let logits = model.forward(Tensor::zeros([2, 3, 32, 32], &device));
/// assert_eq!(logits.dims(), [2, 10]);
/// ```
#[derive(Module, Debug)]
pub struct MobileNetV3 {
    stem: ConvNorm,
    stages: Vec<Vec<InvertedResidual>>,
    head: ConvNorm,
    hidden: Linear,
    dropout: Dropout,
    pub(super) output: Linear,
    #[module(skip)]
    padding: Padding,
}

impl MobileNetV3 {
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
        self.classify(self.forward_features(input))
    }

    /// Computes the features that the classifier reads.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, any height and width from 1
    /// - output: `[batch, 1024 * width_multiplier]`, rounded to a multiple of 8
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_features(&self, input: Tensor<4>) -> Tensor<2> {
        let x = self.run_stages(input, |_| ());
        let x = global_avg_pool(self.head.forward(x, Activation::HardSwish));
        let x = project(&self.hidden, x);
        x.clone() * hard_sigmoid(x)
    }

    /// Computes the logits from [`forward_features`](Self::forward_features).
    pub fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        project(&self.output, drop_out(&self.dropout, features))
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
        let map = self.head.forward(x, Activation::HardSwish);
        self.padding.turn(map.into_nchw())
    }

    /// Computes the logits from [`forward_map`](Self::forward_map).
    pub fn classify_map(&self, map: Tensor<4>) -> Tensor<2> {
        let x = project(&self.hidden, global_avg_pool(FeatureMap::from_nchw(map)));
        self.classify(x.clone() * hard_sigmoid(x))
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
    /// use tinderbox_models::vision::MobileNetV3Config;
    ///
    /// let device = Device::flex();
    /// let model = MobileNetV3Config::small(3, 10).init(&device);
    /// let stages = model.forward_stages(Tensor::zeros([1, 3, 64, 64], &device));
    /// assert_eq!(stages[4].dims(), [1, 96, 2, 2]);
    /// assert_eq!(model.stage_channels(), [16, 24, 40, 48, 96]);
    /// assert_eq!(model.stage_strides(), [4, 8, 16, 16, 32]);
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
        let x = self.stem.forward(input, Activation::HardSwish);
        run_stages(&self.stages, x, visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MAX_SIZE;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    fn small() -> MobileNetV3Config {
        MobileNetV3Config::new(2, 3)
            .with_width_multiplier(0.25)
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
        let model = MobileNetV3Config::small(3, 2).init(&device);
        let stages = model.forward_stages(normal([1, 3, 45, 64], &device));
        let shapes: Vec<_> = stages.iter().map(Tensor::dims).collect();
        let expected: Vec<_> = model
            .stage_channels()
            .into_iter()
            .zip(model.stage_strides())
            .map(|(d, stride)| [1, d, 45_usize.div_ceil(stride), 64_usize.div_ceil(stride)])
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
                .forward(FeatureMap::from_nchw(last), Activation::HardSwish);
            let map = model.forward_map(images.clone());
            assert_close(map.clone(), &values(head.into_nchw()));
            let logits = model.classify_map(map);
            assert_close(model.forward(images), &values(logits));
        }
    }

    #[test]
    fn the_published_network_has_its_number_of_parameters() {
        // torchvision's `mobilenet_v3_small` and timm's `mobilenetv3_small_100`.
        let config = MobileNetV3Config::small(3, 1000);
        let parameters = trainable_parameters(&config.init(&Device::flex()));
        assert_eq!(total_parameters(&config.layers([224, 224])), parameters);
        assert_eq!(parameters, 2_542_856);
    }

    #[test]
    fn layers_have_the_shapes_of_the_paper() {
        let layers = MobileNetV3Config::small(3, 1000).layers([224, 224]);
        let shape = |name: &str| {
            let layer = layers.iter().find(|layer| layer.name == name).unwrap();
            layer.output_shape.clone()
        };
        assert_eq!(shape("stem"), [16, 112, 112]);
        assert_eq!(shape("stages.0.0"), [16, 56, 56]);
        assert_eq!(shape("stages.2.1"), [40, 14, 14]);
        assert_eq!(shape("stages.4.2"), [96, 7, 7]);
        assert_eq!(shape("head"), [576, 7, 7]);
        assert_eq!(shape("hidden"), [1024]);
        assert_eq!(shape("output"), [1000]);
    }

    #[test]
    fn both_name_tables_fill_every_parameter() {
        let config = small();
        let model = config.init(&Device::flex());
        for names in [config.torchvision_names(), config.timm_names()] {
            let shapes = names.shapes(&model);
            let count: usize = shapes
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>())
                .sum();
            let statistics: usize = shapes
                .iter()
                .filter(|(name, _)| name.contains(".running_"))
                .map(|(_, shape)| shape[0])
                .sum();
            assert_eq!(count - statistics, trainable_parameters(&model));
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&MobileNetV3Config::small(3, 10).with_padding(Padding::Same));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            MobileNetV3Config::small(0, 10),
            MobileNetV3Config::small(3, MAX_SIZE + 1),
            small().with_width_multiplier(0.0),
            small().with_width_multiplier(f64::NAN),
            small().with_dropout(1.0),
            small().with_norm_epsilon(0.0),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
