//! Plain convolutional network for small images.
//!
//! Reference: `LeCun`, Bottou, Bengio and Haffner, *Gradient-based learning applied to document
//! recognition*, 1998, <https://doi.org/10.1109/5.726791>; Simonyan and Zisserman, *Very deep
//! convolutional networks for large-scale image recognition*, 2015,
//! <https://arxiv.org/abs/1409.1556>.
//! Differs from them: the 3×3 kernels and max pooling of the latter at the size of the former; batch
//! normalization (Ioffe and Szegedy, 2015, <https://arxiv.org/abs/1502.03167>) after every
//! convolution; global average pooling (Lin, Chen and Yan, 2014, <https://arxiv.org/abs/1312.4400>)
//! if there is no hidden layer; initial weights of He et al., 2015,
//! <https://arxiv.org/abs/1502.01852>.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor, assert_shape};
use tinderbox_kernels::{Activation, FeatureMap, global_avg_pool, max_pool2x2};

use crate::config::{
    ConfigError, MAX_SIZE, check_list, check_parameters, check_probability, check_range, check_size,
};
use crate::layers::conv_norm::{ConvNorm, ConvNormConfig};
use crate::layers::dense::{drop_out, project, project_relu};
use crate::layers::init::{HE_FAN_IN, XAVIER, linear};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of blocks.
const MAX_BLOCKS: usize = 64;

/// Maximum number of convolutions in a block.
const MAX_CONVS: usize = 16;

/// Minimum side of a feature map that is still pooled, to at least 2×2.
const MIN_POOLED_SIDE: usize = 4;

/// Configuration to create a [`Cnn`] with [`init`](CnnConfig::init).
///
/// A block is `convs_per_block` times convolution, batch normalization and `ReLU`, then 2×2 max
/// pooling; with `early_pooling` the pooling follows the first of these convolutions, as in Jordan,
/// *94% on CIFAR-10 in 3.29 seconds on a single GPU*, 2024, <https://arxiv.org/abs/2404.00498>.
///
/// Pooling halves the feature map, rounded down, and is omitted once a side is below 4: two
/// blocks reduce 28×28 to 7×7 and 8×8 to 2×2, and further blocks keep 2×2 or 3×3.
#[derive(Config, Debug, PartialEq)]
pub struct CnnConfig {
    /// Number of channels of an image: 1 for grayscale, 3 for color.
    pub in_channels: usize,
    /// Height of an image, in pixels.
    pub height: usize,
    /// Width of an image, in pixels.
    pub width: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Number of output channels of each block, first to last.
    #[config(default = "vec![32, 64]")]
    pub block_channels: Vec<usize>,
    /// Number of convolutions in a block; a training step with 2 takes about three times as long as
    /// with 1.
    #[config(default = 1)]
    pub convs_per_block: usize,
    /// Pool after the first convolution of a block instead of the last, so that the others see a
    /// quarter of the pixels.
    #[config(default = false)]
    pub early_pooling: bool,
    /// Size of the hidden layer after the blocks; 0 for global average pooling instead.
    #[config(default = 128)]
    pub d_hidden: usize,
    /// Dropout probability before the last layer, in `[0, 1)`.
    #[config(default = 0.25)]
    pub dropout: f64,
}

data_sized!(CnnConfig::new(in_channels, height, width, num_classes));

impl CnnConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_size("in_channels", self.in_channels)?;
        check_size("height", self.height)?;
        check_size("width", self.width)?;
        check_size("num_classes", self.num_classes)?;
        check_list(
            "block_channels",
            &self.block_channels,
            1..=MAX_BLOCKS,
            &(1..=MAX_SIZE),
        )?;
        check_range("convs_per_block", self.convs_per_block, 1..=MAX_CONVS)?;
        if self.early_pooling && self.convs_per_block == 1 {
            let expected = "false, or `convs_per_block` of at least 2";
            return Err(ConfigError::new("early_pooling", true, expected));
        }
        check_range("d_hidden", self.d_hidden, 0..=MAX_SIZE)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> Cnn {
        assert_eq!(self.validate(), Ok(()), "invalid CnnConfig");
        let plan = self.plan();
        let hidden = (self.d_hidden > 0)
            .then(|| linear(self.d_features(&plan), self.d_hidden, HE_FAN_IN, device));
        Cnn {
            image: [self.in_channels, self.height, self.width],
            blocks: plan
                .iter()
                .map(|block| self.init_block(block, device))
                .collect(),
            hidden,
            dropout: DropoutConfig::new(self.dropout).init(),
            output: linear(self.d_last(), self.num_classes, XAVIER, device),
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let plan = self.plan();
        let mut layers: Vec<_> = plan
            .iter()
            .enumerate()
            .map(|(i, block)| self.describe(i, block))
            .collect();
        if self.d_hidden > 0 {
            let d_features = self.d_features(&plan);
            layers.push(LayerSummary {
                name: "hidden".into(),
                kind: "flatten + linear + relu".into(),
                output_shape: vec![self.d_hidden],
                parameters: linear_parameters(d_features, self.d_hidden, true),
            });
        }
        let kind = if self.d_hidden > 0 {
            "linear"
        } else {
            "global average + linear"
        };
        layers.push(LayerSummary {
            name: "output".into(),
            kind: kind.into(),
            output_shape: vec![self.num_classes],
            parameters: linear_parameters(self.d_last(), self.num_classes, true),
        });
        layers
    }

    /// Computes the size of the feature map after each block.
    fn plan(&self) -> Vec<BlockPlan> {
        let (mut d_input, mut plane) = (self.in_channels, [self.height, self.width]);
        let mut plan = Vec::with_capacity(self.block_channels.len());
        for &d_output in &self.block_channels {
            let pooled = plane.iter().all(|&side| side >= MIN_POOLED_SIDE);
            plane = if pooled {
                plane.map(|side| side / 2)
            } else {
                plane
            };
            plan.push(BlockPlan {
                d_input,
                d_output,
                pooled,
                plane,
            });
            d_input = d_output;
        }
        plan
    }

    fn convs(&self, block: &BlockPlan) -> impl Iterator<Item = ConvNormConfig> {
        let [d_first, d_output] = [block.d_input, block.d_output];
        (0..self.convs_per_block).map(move |index| {
            let d_input = if index == 0 { d_first } else { d_output };
            ConvNormConfig {
                d_input,
                d_output,
                kernel: 3,
                stride: 1,
            }
        })
    }

    fn init_block(&self, block: &BlockPlan, device: &Device) -> Block {
        Block {
            convs: self
                .convs(block)
                .map(|conv| conv.init(HE_FAN_IN, device))
                .collect(),
            pooled_after: block.pooled.then(|| self.pooled_after()),
        }
    }

    /// Number of convolutions of a block that are before its pooling.
    fn pooled_after(&self) -> usize {
        if self.early_pooling {
            1
        } else {
            self.convs_per_block
        }
    }

    fn describe(&self, index: usize, block: &BlockPlan) -> LayerSummary {
        let [height, width] = block.plane;
        let convs = |count: usize| format!("{count} x (conv 3x3 + batch norm + relu)");
        let kind = if block.pooled {
            let before = self.pooled_after();
            let after = match self.convs_per_block - before {
                0 => String::new(),
                after => format!(" + {}", convs(after)),
            };
            format!("{} + max pool 2x2{after}", convs(before))
        } else {
            convs(self.convs_per_block)
        };
        LayerSummary {
            name: format!("blocks.{index}"),
            kind,
            output_shape: vec![block.d_output, height, width],
            parameters: self
                .convs(block)
                .fold(0, |total, conv| total.saturating_add(conv.parameters())),
        }
    }

    /// Input size of the hidden layer.
    fn d_features(&self, plan: &[BlockPlan]) -> usize {
        let sides = plan
            .last()
            .map_or([self.height, self.width], |block| block.plane);
        sides
            .into_iter()
            .fold(self.d_channels(), usize::saturating_mul)
    }

    /// Input size of the output layer.
    fn d_last(&self) -> usize {
        if self.d_hidden > 0 {
            self.d_hidden
        } else {
            self.d_channels()
        }
    }

    /// Number of output channels of the last block.
    fn d_channels(&self) -> usize {
        self.block_channels
            .last()
            .copied()
            .unwrap_or(self.in_channels)
    }
}

/// One block and the size of its output.
struct BlockPlan {
    d_input: usize,
    d_output: usize,
    pooled: bool,
    /// Height and width.
    plane: [usize; 2],
}

/// Convolutions, pooling and a classifier.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tinderbox_models::vision::CnnConfig;
///
/// let device = Device::flex();
/// let model = CnnConfig::new(1, 8, 8, 10).with_block_channels(vec![16, 32]).init(&device);
/// let logits = model.forward(Tensor::zeros([4, 1, 8, 8], &device));
/// assert_eq!(logits.dims(), [4, 10]);
/// ```
#[derive(Module, Debug)]
pub struct Cnn {
    image: [usize; 3],
    blocks: Vec<Block>,
    hidden: Option<Linear>,
    dropout: Dropout,
    output: Linear,
}

#[derive(Module, Debug)]
struct Block {
    convs: Vec<ConvNorm>,
    /// Number of convolutions before the pooling, if there is one.
    pooled_after: Option<usize>,
}

impl Cnn {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If an axis of `input` differs from the configuration.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        self.classify_map(self.forward_map(input))
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
        let [channels, height, width] = self.image;
        assert_shape!(input, [_, channels, height, width]);
        self.run_stages(input, |_| ()).into_nchw()
    }

    /// Computes the logits from [`forward_map`](Self::forward_map).
    pub fn classify_map(&self, map: Tensor<4>) -> Tensor<2> {
        let x = match &self.hidden {
            Some(hidden) => project_relu(hidden, &self.dropout, map.flatten(1, 3)),
            None => drop_out(&self.dropout, global_avg_pool(FeatureMap::from_nchw(map))),
        };
        project(&self.output, x)
    }

    /// Computes the feature maps of every block, for detectors and other networks on top.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`, any height and width from the last stride
    /// - output `i`: `[batch, stage_channels[i], height / stage_strides[i], width / stage_strides[i]]`,
    ///   rounded down
    ///
    /// # Panics
    ///
    /// If the second axis of `input` is not `channels`.
    pub fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>> {
        let [channels, _, _] = self.image;
        assert_shape!(input, [_, channels, _, _]);
        let mut stages = Vec::with_capacity(self.blocks.len());
        self.run_stages(input, |x| stages.push(x.clone().into_nchw()));
        stages
    }

    /// Number of output channels of every block.
    pub fn stage_channels(&self) -> Vec<usize> {
        let channels = |block: &Block| {
            let last = block.convs.last();
            last.map(|conv| conv.conv.weight.dims()[0])
        };
        self.blocks.iter().filter_map(channels).collect()
    }

    /// Stride of the output of every block, in pixels of the image.
    pub fn stage_strides(&self) -> Vec<usize> {
        let strides = self.blocks.iter().scan(1, |stride, block| {
            *stride *= if block.pooled_after.is_some() { 2 } else { 1 };
            Some(*stride)
        });
        strides.collect()
    }

    /// Runs all blocks and calls `visit` with each output, so that a classifier keeps none of them.
    fn run_stages(&self, input: Tensor<4>, mut visit: impl FnMut(&FeatureMap)) -> FeatureMap {
        let input = FeatureMap::from_nchw(input);
        self.blocks.iter().fold(input, |x, block| {
            let x = block.forward(x);
            visit(&x);
            x
        })
    }
}

impl Block {
    fn forward(&self, x: FeatureMap) -> FeatureMap {
        self.convs.iter().zip(1..).fold(x, |x, (conv, count)| {
            let x = conv.forward(x, Activation::Relu);
            if self.pooled_after == Some(count) {
                max_pool2x2(x)
            } else {
                x
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, naive_conv3x3,
        normal, values,
    };

    fn small() -> CnnConfig {
        CnnConfig::new(2, 8, 9, 3)
            .with_block_channels(vec![4, 6])
            .with_d_hidden(5)
    }

    fn shapes(config: &CnnConfig) -> Vec<Vec<usize>> {
        config
            .layers()
            .into_iter()
            .map(|layer| layer.output_shape)
            .collect()
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for [height, width] in [[1, 1], [2, 2], [3, 9], [8, 8], [13, 6]] {
            for hidden in [0, 5] {
                let config = CnnConfig::new(2, height, width, 3).with_block_channels(vec![4, 6, 5]);
                let model = config
                    .with_convs_per_block(2)
                    .with_d_hidden(hidden)
                    .init(&device);
                let logits = model.forward(normal([2, 2, height, width], &device));
                assert_eq!(logits.dims(), [2, 3]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "axis 3 expected 9, got 8")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        small().init(&device).forward(normal([1, 2, 8, 8], &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        for hidden in [0, 5] {
            let model = small().with_d_hidden(hidden).init(&device);
            let batch = normal([4, 2, 8, 9], &device);
            let alone = model.forward(batch.clone().slice(2..3));
            assert_close(model.forward(batch).slice(2..3), &values(alone));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for hidden in [0, 16] {
            let model = small()
                .with_convs_per_block(2)
                .with_d_hidden(hidden)
                .init(&device);
            let logits = model.forward(normal([8, 2, 8, 9], &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn outputs_agree_with_loops_by_hand() {
        let device = Device::flex();
        let (channels, height, width, planes) = (2, 5, 4, 3);
        let config = CnnConfig::new(channels, height, width, 2).with_block_channels(vec![planes]);
        let model = config.with_d_hidden(0).init(&device);
        let image = normal([1, channels, height, width], &device);

        let weight = values(model.blocks[0].convs[0].conv.weight.val());
        let convolved = naive_conv3x3(
            &values(image.clone()),
            [channels, height, width],
            &weight,
            planes,
        );
        // Fresh running statistics are mean 0 and variance 1; pooling leaves 2×2 of 5×4.
        let features = convolved.chunks(height * width).map(|plane| {
            let pooled = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[y, x]| {
                let at = |i: usize, j: usize| plane[(2 * y + i) * width + 2 * x + j];
                at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1)).max(0.0)
            });
            pooled.iter().sum::<f32>() / 4.0 / (1.0 + 1e-5_f32).sqrt()
        });
        let features: Vec<f32> = features.collect();
        let output = values(model.output.weight.val());
        let logits = [0, 1].map(|k| (0..planes).map(|c| features[c] * output[c * 2 + k]).sum());
        assert_close(model.forward(image), &logits);
    }

    #[test]
    fn early_pooling_comes_after_the_first_convolution() {
        let device = Device::flex();
        let config = CnnConfig::new(2, 9, 3, 2)
            .with_block_channels(vec![4])
            .with_convs_per_block(2)
            .with_d_hidden(0);
        // Too small to be pooled.
        let early = config.clone().with_early_pooling(true);
        assert_eq!(shapes(&early), shapes(&config));
        assert_eq!(early.init(&device).stage_strides(), [1]);

        let config = CnnConfig { width: 8, ..early };
        let model = config.init(&device);
        assert_eq!(shapes(&config)[0], [4, 4, 4]);
        assert_eq!(model.stage_strides(), [2]);
        let kind = &config.layers()[0].kind;
        let conv = "1 x (conv 3x3 + batch norm + relu)";
        assert_eq!(*kind, format!("{conv} + max pool 2x2 + {conv}"));
        let image = normal([2, 2, 9, 8], &device);
        let [first, second] = [0, 1].map(|conv| &model.blocks[0].convs[conv]);
        let x = first.forward(FeatureMap::from_nchw(image.clone()), Activation::Relu);
        let x = second.forward(max_pool2x2(x), Activation::Relu);
        let expected = model.output.forward(global_avg_pool(x));
        assert_eq!(values(model.forward(image)), values(expected));
    }

    #[test]
    fn stages_have_their_channels_and_strides() {
        let device = Device::flex();
        let config = CnnConfig::new(2, 8, 9, 3).with_block_channels(vec![4, 6, 5]);
        let model = config.init(&device);
        assert_eq!(model.stage_channels(), [4, 6, 5]);
        assert_eq!(model.stage_strides(), [2, 4, 4]);
        // Also for another image size.
        for [height, width] in [[8, 9], [16, 33]] {
            let stages = model.forward_stages(normal([2, 2, height, width], &device));
            let shapes: Vec<_> = stages.iter().map(Tensor::dims).collect();
            let expected = [(4, 2), (6, 4), (5, 4)]
                .map(|(channels, stride)| [2, channels, height / stride, width / stride]);
            assert_eq!(shapes, expected);
        }
    }

    #[test]
    fn the_classifier_reads_the_last_stage() {
        let device = Device::flex();
        let model = small().with_d_hidden(0).init(&device);
        let images = normal([2, 2, 8, 9], &device);
        let last = model.forward_stages(images.clone()).pop().unwrap();
        let logits = model
            .output
            .forward(global_avg_pool(FeatureMap::from_nchw(last)));
        assert_eq!(values(model.forward(images)), values(logits));
    }

    #[test]
    fn pooling_stops_before_the_feature_map_vanishes() {
        let config = |side| CnnConfig::new(1, side, side, 10).with_block_channels(vec![8, 16, 32]);
        assert_eq!(
            shapes(&config(28))[..3],
            [vec![8, 14, 14], vec![16, 7, 7], vec![32, 3, 3]]
        );
        assert_eq!(
            shapes(&config(8))[..3],
            [vec![8, 4, 4], vec![16, 2, 2], vec![32, 2, 2]]
        );
        assert_eq!(
            shapes(&config(3))[..3],
            [vec![8, 3, 3], vec![16, 3, 3], vec![32, 3, 3]]
        );
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for config in [
            small(),
            small().with_d_hidden(0),
            small().with_convs_per_block(3),
            small().with_convs_per_block(3).with_early_pooling(true),
        ] {
            let model = config.init(&Device::flex());
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
        }
    }

    #[test]
    fn config_round_trips() {
        assert_round_trips(&small());
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            CnnConfig::new(0, 8, 8, 3),
            CnnConfig::new(1, 8, 1_000_000_000_000, 3),
            CnnConfig::new(1, MAX_SIZE, MAX_SIZE, 3).with_d_hidden(MAX_SIZE),
            small().with_block_channels(vec![]),
            small().with_block_channels(vec![4, 0]),
            small().with_block_channels(vec![MAX_SIZE, MAX_SIZE]),
            small().with_convs_per_block(0),
            small().with_early_pooling(true),
            small().with_convs_per_block(usize::MAX),
            small().with_d_hidden(usize::MAX),
            small().with_dropout(-0.1),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
