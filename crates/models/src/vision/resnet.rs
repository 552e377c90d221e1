//! Residual network of any depth.
//!
//! Reference: He, Zhang, Ren and Sun, *Deep residual learning for image recognition*, 2016,
//! <https://arxiv.org/abs/1512.03385>.
//! Differs from it: a bottleneck strides in its 3×3 convolution rather than its first 1×1, and the
//! scale of the last batch normalization of a block is initialized to zero, so that a new block is
//! the identity, both as in Goyal et al., *Accurate, large minibatch SGD*, 2017,
//! <https://arxiv.org/abs/1706.02677>; a shortcut that changes the shape is always a 1×1
//! convolution (the paper's option B), also for CIFAR, where the paper pads with zeros. Convolutions
//! are initialized as in He et al., 2015, <https://arxiv.org/abs/1502.01852> (fan-out), the
//! classifier with a standard deviation of 0.01, as in Goyal et al.
//!
//! | here | shape | in the paper |
//! |---|---|---|
//! | `stem` | `[batch, base_channels, ..]` | `conv1` and its max pooling |
//! | `stages.i` | `[batch, base_channels * 2^i * expansion, ..]` | `conv2_x` to `conv5_x` |
//! | `stages.i.j.convs` | as its stage | the residual function F |
//! | `stages.i.j.shortcut` | as its stage | the projection W_s |

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear};
use burn::tensor::{Device, Tensor, assert_shape};
use serde::{Deserialize, Serialize};
use tinderbox_kernels::{Activation, FeatureMap, global_avg_pool, max_pool3x3};

use crate::config::{
    ConfigError, MAX_SIZE, check_list, check_parameters, check_probability, check_range, check_size,
};
use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::dense::drop_out;
use crate::layers::init::{HE_FAN_OUT, linear};
use crate::summary::{LayerSummary, linear_parameters, trainable_parameters};
use crate::template::data_sized;

/// Maximum number of stages: each halves the feature map.
const MAX_STAGES: usize = 8;

/// Maximum number of blocks in a stage.
const MAX_BLOCKS: usize = 256;

/// Initializer of the classifier (Goyal et al., section 5.1).
const CLASSIFIER: Initializer = Initializer::Normal {
    mean: 0.0,
    std: 0.01,
};

/// First layers, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// 3×3 convolution, for images up to about 64 pixels.
    Small,
    /// 7×7 convolution with stride 2, then 3×3 max pooling with stride 2.
    Large,
}

/// Residual block, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3 and 1×1 convolutions, the last with four times as many channels.
    Bottleneck,
}

/// Configuration to create a [`ResNet`] with [`init`](ResNetConfig::init). The defaults make a small
/// network for small images.
#[derive(Config, Debug, PartialEq)]
pub struct ResNetConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// First layers.
    #[config(default = "Stem::Small")]
    pub stem: Stem,
    /// Kind of the residual blocks.
    #[config(default = "BlockKind::Basic")]
    pub block: BlockKind,
    /// Number of blocks in each stage, first to last.
    #[config(default = "vec![1, 1, 1]")]
    pub blocks_per_stage: Vec<usize>,
    /// Channels of the first stage; they double with every further stage.
    #[config(default = 16)]
    pub base_channels: usize,
    /// Dropout probability before the classifier, in `[0, 1)`.
    #[config(default = 0.0)]
    pub dropout: f64,
}

data_sized!(ResNetConfig::new(in_channels, num_classes));

impl ResNetConfig {
    /// ResNet-18 of the paper's table 1; give it a [`Stem::Small`] for small images.
    pub fn resnet18(in_channels: usize, num_classes: usize) -> Self {
        Self::for_large_images(in_channels, num_classes).with_blocks_per_stage(vec![2, 2, 2, 2])
    }

    /// ResNet-34 of the paper's table 1.
    pub fn resnet34(in_channels: usize, num_classes: usize) -> Self {
        Self::for_large_images(in_channels, num_classes).with_blocks_per_stage(vec![3, 4, 6, 3])
    }

    /// ResNet-50 of the paper's table 1.
    pub fn resnet50(in_channels: usize, num_classes: usize) -> Self {
        Self::for_large_images(in_channels, num_classes)
            .with_block(BlockKind::Bottleneck)
            .with_blocks_per_stage(vec![3, 4, 6, 3])
    }

    fn for_large_images(in_channels: usize, num_classes: usize) -> Self {
        Self::new(in_channels, num_classes)
            .with_stem(Stem::Large)
            .with_base_channels(64)
    }

    /// The paper's networks for CIFAR (section 4.2), `depth` one of 20, 32, 44, 56, … 6 n + 2.
    ///
    /// # Errors
    ///
    /// If `depth` is not 6 n + 2.
    pub fn resnet_cifar(
        depth: usize,
        in_channels: usize,
        num_classes: usize,
    ) -> Result<Self, ConfigError> {
        let n = depth / 6;
        if depth % 6 != 2 || !(1..=MAX_BLOCKS).contains(&n) {
            let expected = format!("6 n + 2 with n from 1 to {MAX_BLOCKS}, as in 20, 32, 44 or 56");
            return Err(ConfigError::new("depth", depth, expected));
        }
        let config = Self::new(in_channels, num_classes)
            .with_stem(Stem::Small)
            .with_block(BlockKind::Basic)
            .with_blocks_per_stage(vec![n; 3]);
        Ok(config.with_base_channels(16))
    }

    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("num_classes", self.num_classes)?;
        check_list(
            "blocks_per_stage",
            &self.blocks_per_stage,
            1..=MAX_STAGES,
            &(1..=MAX_BLOCKS),
        )?;
        check_range("base_channels", self.base_channels, 1..=self.max_width())?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers([1, 1]))
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> ResNet {
        assert_eq!(self.validate(), Ok(()), "invalid ResNetConfig");
        let init_stage = |stage| {
            let blocks = self.stage(stage);
            blocks.map(|block| block.init(device)).collect()
        };
        ResNet {
            stem: self.stem_conv().init(HE_FAN_OUT, device),
            stem_pool: self.stem == Stem::Large,
            stages: (0..self.blocks_per_stage.len()).map(init_stage).collect(),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear(self.d_features(), self.num_classes, CLASSIFIER, device),
        }
    }

    /// Describes the layers of a valid configuration for images of `[height, width]` pixels,
    /// without building them.
    pub fn layers(&self, image: [usize; 2]) -> Vec<LayerSummary> {
        let (stem, mut plane) = self.describe_stem(image);
        let mut layers = vec![stem];
        for stage in 0..self.blocks_per_stage.len() {
            for (index, block) in self.stage(stage).enumerate() {
                plane = halve(plane, block.stride);
                layers.push(block.describe(format!("stages.{stage}.{index}"), plane));
            }
        }
        layers.push(LayerSummary {
            name: "output".into(),
            kind: "global average + linear".into(),
            output_shape: vec![self.num_classes],
            parameters: linear_parameters(self.d_features(), self.num_classes, true),
        });
        layers
    }

    fn stem_conv(&self) -> ConvNormConfig {
        let (kernel, stride) = match self.stem {
            Stem::Small => (3, 1),
            Stem::Large => (7, 2),
        };
        ConvNormConfig {
            d_input: self.in_channels,
            d_output: self.base_channels,
            kernel,
            stride,
        }
    }

    fn describe_stem(&self, image: [usize; 2]) -> (LayerSummary, [usize; 2]) {
        let (kind, plane) = match self.stem {
            Stem::Small => ("conv 3x3 + batch norm + relu", image),
            Stem::Large => (
                "conv 7x7 stride 2 + batch norm + relu + max pool 3x3 stride 2",
                halve(halve(image, 2), 2),
            ),
        };
        let [height, width] = plane;
        let summary = LayerSummary {
            name: "stem".into(),
            kind: kind.into(),
            output_shape: vec![self.base_channels, height, width],
            parameters: self.stem_conv().parameters(),
        };
        (summary, plane)
    }

    /// Lists the blocks of a stage; the first changes the channels and halves the feature map.
    pub(super) fn stage(&self, stage: usize) -> impl Iterator<Item = ResidualConfig> {
        let (kind, expansion) = (self.block, self.block.expansion());
        let d_inner = self.base_channels << stage;
        let d_before = if stage == 0 {
            self.base_channels
        } else {
            d_inner / 2 * expansion
        };
        (0..self.blocks_per_stage[stage]).map(move |index| ResidualConfig {
            kind,
            d_input: if index == 0 {
                d_before
            } else {
                d_inner * expansion
            },
            d_inner,
            stride: if index == 0 && stage > 0 { 2 } else { 1 },
        })
    }

    /// Input size of the classifier.
    fn d_features(&self) -> usize {
        (self.base_channels << (self.blocks_per_stage.len() - 1)) * self.block.expansion()
    }

    /// Maximum of `base_channels` with at most [`MAX_SIZE`] channels in the last stage.
    fn max_width(&self) -> usize {
        (MAX_SIZE / self.block.expansion()) >> (self.blocks_per_stage.len() - 1)
    }
}

impl BlockKind {
    /// Ratio of the output channels of a block to those of its inner convolution.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// Divides height and width by a stride, rounded up.
fn halve(plane: [usize; 2], stride: usize) -> [usize; 2] {
    plane.map(|side| side.div_ceil(stride))
}

/// One block.
#[derive(Clone, Copy)]
pub(super) struct ResidualConfig {
    kind: BlockKind,
    d_input: usize,
    d_inner: usize,
    stride: usize,
}

impl ResidualConfig {
    fn d_output(self) -> usize {
        self.d_inner * self.kind.expansion()
    }

    /// Lists the convolutions of the residual branch.
    pub(super) fn convs(self) -> Vec<ConvNormConfig> {
        let Self {
            kind,
            d_input,
            d_inner,
            stride,
        } = self;
        let conv = |d_input, d_output, kernel, stride| ConvNormConfig {
            d_input,
            d_output,
            kernel,
            stride,
        };
        match kind {
            BlockKind::Basic => {
                vec![
                    conv(d_input, d_inner, 3, stride),
                    conv(d_inner, d_inner, 3, 1),
                ]
            }
            BlockKind::Bottleneck => vec![
                conv(d_input, d_inner, 1, 1),
                conv(d_inner, d_inner, 3, stride),
                conv(d_inner, self.d_output(), 1, 1),
            ],
        }
    }

    /// The projection, if the block changes the shape of its input.
    pub(super) fn shortcut(self) -> Option<ConvNormConfig> {
        let Self {
            d_input, stride, ..
        } = self;
        let d_output = self.d_output();
        (stride != 1 || d_input != d_output).then_some(ConvNormConfig {
            d_input,
            d_output,
            kernel: 1,
            stride,
        })
    }

    fn init(self, device: &Device) -> Residual {
        let init = |conv: ConvNormConfig| conv.init(HE_FAN_OUT, device);
        let mut convs: Vec<ConvNorm> = self.convs().into_iter().map(init).collect();
        if let Some(last) = convs.last_mut() {
            last.norm.gamma = Initializer::Zeros.init([self.d_output()], device);
        }
        Residual {
            convs,
            shortcut: self.shortcut().map(init),
        }
    }

    fn describe(self, name: String, [height, width]: [usize; 2]) -> LayerSummary {
        let kind = match self.kind {
            BlockKind::Basic => "basic block",
            BlockKind::Bottleneck => "bottleneck block",
        };
        let stride = if self.stride == 1 { "" } else { " stride 2" };
        let convs = self.convs().into_iter().chain(self.shortcut());
        LayerSummary {
            name,
            kind: format!("{kind}{stride}"),
            output_shape: vec![self.d_output(), height, width],
            parameters: convs.fold(0, |total, conv| total.saturating_add(conv.parameters())),
        }
    }
}

/// Stages of residual blocks, global average pooling and a classifier.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::ResNetConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let model = ResNetConfig::resnet_cifar(8, 3, 10)?.init(&device);
/// let logits = model.forward(Tensor::zeros([2, 3, 16, 16], &device));
/// assert_eq!(logits.dims(), [2, 10]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct ResNet {
    stem: ConvNorm,
    stem_pool: bool,
    stages: Vec<Vec<Residual>>,
    dropout: Dropout,
    pub(super) output: Linear,
}

#[derive(Module, Debug)]
struct Residual {
    convs: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

impl ResNet {
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
        let x = drop_out(&self.dropout, self.forward_features(input));
        self.output.forward(x)
    }

    /// Computes the features that the classifier reads.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, any height and width from 1
    /// - output: `[batch, d_features]`, the channels of the last stage
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_features(&self, input: Tensor<4>) -> Tensor<2> {
        global_avg_pool(self.run_stages(input, |_| ()))
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
        self.run_stages(input, |_| ()).into_nchw()
    }

    /// Computes the logits from [`forward_map`](Self::forward_map).
    pub fn classify_map(&self, map: Tensor<4>) -> Tensor<2> {
        let x = global_avg_pool(FeatureMap::from_nchw(map));
        self.output.forward(drop_out(&self.dropout, x))
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
    /// use tinderbox_models::vision::ResNetConfig;
    ///
    /// let device = Device::flex();
    /// let model = ResNetConfig::resnet18(3, 10).with_base_channels(8).init(&device);
    /// let stages = model.forward_stages(Tensor::zeros([1, 3, 64, 64], &device));
    /// assert_eq!(stages[3].dims(), [1, 64, 2, 2]);
    /// assert_eq!(model.stage_channels(), [8, 16, 32, 64]);
    /// assert_eq!(model.stage_strides(), [4, 8, 16, 32]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>> {
        let mut stages = Vec::with_capacity(self.stages.len());
        self.run_stages(input, |x| stages.push(x.clone().into_nchw()));
        stages
    }

    /// Number of parameters behind the stages.
    pub(super) fn head_parameters(&self) -> usize {
        trainable_parameters(&self.output)
    }

    /// Number of output channels of every stage.
    pub fn stage_channels(&self) -> Vec<usize> {
        let channels = |stage: &Vec<Residual>| {
            let last = stage.last()?.convs.last()?;
            Some(last.conv.weight.dims()[0])
        };
        self.stages.iter().filter_map(channels).collect()
    }

    /// Stride of the output of every stage, in pixels of the image: 4, 8, 16 and so on with a
    /// [`Stem::Large`], else 1, 2, 4 and so on.
    pub fn stage_strides(&self) -> Vec<usize> {
        let stem = if self.stem_pool { 4 } else { 1 };
        (0..self.stages.len()).map(|stage| stem << stage).collect()
    }

    /// Runs the stem and all stages and calls `visit` with the output of each stage, so that a
    /// classifier keeps none of them.
    fn run_stages(&self, input: Tensor<4>, mut visit: impl FnMut(&FeatureMap)) -> FeatureMap {
        let [_d_stem, channels, _, _] = self.stem.conv.weight.dims();
        assert_shape!(input, [_, channels, _, _]);
        let input = FeatureMap::from_nchw(input);
        let x = self.stem.forward(input, Activation::Relu);
        let x = if self.stem_pool { max_pool3x3(x) } else { x };
        self.stages.iter().fold(x, |x, stage| {
            let x = stage.iter().fold(x, |x, block| block.forward(x));
            visit(&x);
            x
        })
    }
}

impl Residual {
    /// - input: `[batch, d_input, height, width]`
    /// - output: `[batch, d_output, height / stride, width / stride]`, rounded up
    fn forward(&self, input: FeatureMap) -> FeatureMap {
        let mut x = input.clone();
        let mut shortcut = Some(match &self.shortcut {
            Some(projection) => projection.forward(input, Activation::Identity),
            None => input,
        });
        for (index, conv) in self.convs.iter().enumerate() {
            let is_last = index + 1 == self.convs.len();
            let residual = if is_last { shortcut.take() } else { None };
            x = conv.forward_residual(x, residual, Activation::Relu);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::total_parameters;
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, naive_conv3x3,
        normal, values,
    };
    use burn::tensor::activation::relu;

    const KINDS: [BlockKind; 2] = [BlockKind::Basic, BlockKind::Bottleneck];

    fn small(stem: Stem, block: BlockKind) -> ResNetConfig {
        ResNetConfig::new(2, 3)
            .with_stem(stem)
            .with_block(block)
            .with_blocks_per_stage(vec![1, 2])
            .with_base_channels(4)
    }

    /// Enables the residual branches, which are zero at initialization.
    fn enable_branches(model: &mut ResNet, device: &Device) {
        for block in model.stages.iter_mut().flatten() {
            let gamma = &mut block.convs.last_mut().unwrap().norm.gamma;
            *gamma = Initializer::Ones.init(gamma.dims(), device);
        }
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for (stem, kind) in [Stem::Small, Stem::Large].into_iter().zip(KINDS) {
            let model = small(stem, kind).init(&device);
            for [height, width] in [[1, 1], [8, 8], [13, 9]] {
                let logits = model.forward(normal([2, 2, height, width], &device));
                assert_eq!(logits.dims(), [2, 3]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 3")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        let model = small(Stem::Small, BlockKind::Basic).init(&device);
        model.forward(normal([1, 3, 8, 8], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        for kind in KINDS {
            let mut model = small(Stem::Small, kind).init(&device);
            enable_branches(&mut model, &device);
            let batch = normal([4, 2, 8, 8], &device);
            let alone = model.forward(batch.clone().slice(2..3));
            assert_close(model.forward(batch).slice(2..3), &values(alone));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for kind in KINDS {
            let mut model = small(Stem::Large, kind).init(&device);
            enable_branches(&mut model, &device);
            let logits = model.forward(normal([4, 2, 20, 20], &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn stages_have_their_channels_and_strides() {
        let device = Device::flex();
        for (stem, first_stride) in [(Stem::Small, 1), (Stem::Large, 4)] {
            for (kind, channels) in KINDS.into_iter().zip([[4, 8], [16, 32]]) {
                let model = small(stem, kind).init(&device);
                assert_eq!(model.stage_channels(), channels);
                assert_eq!(model.stage_strides(), [first_stride, 2 * first_stride]);
                let stages = model.forward_stages(normal([1, 2, 17, 24], &device));
                let shapes: Vec<_> = stages.iter().map(Tensor::dims).collect();
                let strides = [first_stride, 2 * first_stride];
                let expected: Vec<_> = channels
                    .into_iter()
                    .zip(strides)
                    .map(|(d, stride): (usize, usize)| {
                        [1, d, 17_usize.div_ceil(stride), 24_usize.div_ceil(stride)]
                    })
                    .collect();
                assert_eq!(shapes, expected);
            }
        }
    }

    #[test]
    fn the_classifier_reads_the_last_stage() {
        let device = Device::flex();
        let mut model = small(Stem::Large, BlockKind::Bottleneck).init(&device);
        enable_branches(&mut model, &device);
        let images = normal([2, 2, 20, 20], &device);
        let last = model.forward_stages(images.clone()).pop().unwrap();
        let logits = model
            .output
            .forward(global_avg_pool(FeatureMap::from_nchw(last)));
        assert_eq!(values(model.forward(images)), values(logits));
    }

    #[test]
    fn a_new_block_is_the_identity() {
        let device = Device::flex();
        for (kind, d_inner) in KINDS.into_iter().zip([4, 1]) {
            let block = ResidualConfig {
                kind,
                d_input: 4,
                d_inner,
                stride: 1,
            }
            .init(&device);
            let x = normal([2, 4, 5, 5], &device);
            let output = block.forward(FeatureMap::from_nchw(x.clone()));
            assert_close(output.into_nchw(), &values(relu(x)));
        }
    }

    #[test]
    fn a_basic_block_agrees_with_loops_by_hand() {
        let device = Device::flex();
        let shape = [3, 4, 5];
        let config = ResidualConfig {
            kind: BlockKind::Basic,
            d_input: 3,
            d_inner: 3,
            stride: 1,
        };
        let mut block = config.init(&device);
        block.convs[1].norm.gamma = Initializer::Constant { value: 0.5 }.init([3], &device);
        let input = normal([1, 3, 4, 5], &device);

        let x = values(input.clone());
        let weights = |index: usize| values(block.convs[index].conv.weight.val());
        // Fresh running statistics are mean 0 and variance 1.
        let scale = 1.0 / (1.0 + 1e-5_f32).sqrt();
        let inner = naive_conv3x3(&x, shape, &weights(0), 3);
        let inner: Vec<f32> = inner.iter().map(|v| (v * scale).max(0.0)).collect();
        let residual = naive_conv3x3(&inner, shape, &weights(1), 3);
        let sums = residual
            .iter()
            .zip(&x)
            .map(|(r, x)| (0.5 * scale * r + x).max(0.0));
        let output = block.forward(FeatureMap::from_nchw(input));
        assert_close(output.into_nchw(), &sums.collect::<Vec<_>>());
    }

    #[test]
    fn a_strided_shortcut_projects_every_second_pixel() {
        let device = Device::flex();
        let config = ResidualConfig {
            kind: BlockKind::Basic,
            d_input: 1,
            d_inner: 2,
            stride: 2,
        };
        let block = config.init(&device);
        let input = Tensor::from_floats([[[[1.0, 9.0, 2.0], [9.0; 3], [3.0, 9.0, 4.0]]]], &device);
        let projection = values(block.shortcut.as_ref().unwrap().conv.weight.val());
        let scale = 1.0 / (1.0 + 1e-5_f32).sqrt();
        let expected = projection
            .iter()
            .flat_map(|w| [1.0, 2.0, 3.0, 4.0].map(|x| w * x * scale));
        let expected: Vec<f32> = expected.map(|x| x.max(0.0)).collect();
        let output = block.forward(FeatureMap::from_nchw(input));
        assert_close(output.into_nchw(), &expected);
    }

    #[test]
    fn known_sizes_have_the_published_number_of_parameters() {
        // torchvision's, and for CIFAR with projections the 0.27 million of the paper's table 6.
        let count = |config: &ResNetConfig| {
            let parameters = trainable_parameters(&config.init(&Device::flex()));
            assert_eq!(total_parameters(&config.layers([224, 224])), parameters);
            parameters
        };
        assert_eq!(count(&ResNetConfig::resnet18(3, 1000)), 11_689_512);
        assert_eq!(count(&ResNetConfig::resnet34(3, 1000)), 21_797_672);
        assert_eq!(count(&ResNetConfig::resnet50(3, 1000)), 25_557_032);
        assert_eq!(
            count(&ResNetConfig::resnet_cifar(20, 3, 10).unwrap()),
            272_474
        );
    }

    #[test]
    fn layers_have_the_shapes_of_the_paper() {
        let layers = ResNetConfig::resnet50(3, 1000).layers([224, 224]);
        let shape = |name: &str| {
            let layer = layers.iter().find(|layer| layer.name == name).unwrap();
            layer.output_shape.clone()
        };
        assert_eq!(shape("stem"), [64, 56, 56]);
        assert_eq!(shape("stages.0.2"), [256, 56, 56]);
        assert_eq!(shape("stages.3.0"), [2048, 7, 7]);
        assert_eq!(shape("output"), [1000]);
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small(Stem::Large, BlockKind::Bottleneck));
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = small(Stem::Small, BlockKind::Bottleneck);
        for invalid in [
            ResNetConfig::resnet18(0, 10),
            ResNetConfig::resnet18(3, usize::MAX),
            base.clone().with_base_channels(0),
            base.clone().with_base_channels(MAX_SIZE),
            base.clone().with_base_channels(8192),
            base.clone().with_dropout(f64::INFINITY),
            ResNetConfig {
                blocks_per_stage: vec![],
                ..base.clone()
            },
            ResNetConfig {
                blocks_per_stage: vec![1, 0],
                ..base.clone()
            },
            ResNetConfig {
                blocks_per_stage: vec![usize::MAX],
                ..base.clone()
            },
            ResNetConfig {
                blocks_per_stage: vec![1; 9],
                ..base.clone()
            },
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
        for depth in [0, 2, 18, 21, usize::MAX] {
            assert!(ResNetConfig::resnet_cifar(depth, 3, 10).is_err(), "{depth}");
        }
    }
}
