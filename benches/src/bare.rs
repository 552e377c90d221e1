use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tinderbox_recipes::classify::Classify;
use tinderbox_recipes::vision::Architecture;

use crate::Case;

/// The same network as a case's, of Burn's own layers and nothing else.
#[derive(Module, Debug)]
pub struct Bare {
    convolutions: Vec<(Conv2d, BatchNorm)>,
    pool: MaxPool2d,
    layers: Vec<Linear>,
}

impl Bare {
    /// Makes the network, if it is a perceptron or a plain convolutional network.
    pub fn init(case: &Case, device: &Device) -> Option<Self> {
        let [mut height, mut width, mut channels] = case.shape;
        let mut convolutions = Vec::new();
        let hidden = match &case.architecture {
            Architecture::Mlp { hidden, .. } => hidden.clone(),
            Architecture::Cnn { blocks, hidden, .. } => {
                for &block in blocks {
                    let convolution = Conv2dConfig::new([channels, block], [3, 3])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .with_bias(false);
                    let norm = BatchNormConfig::new(block);
                    convolutions.push((convolution.init(device), norm.init(device)));
                    (height, width, channels) = (height / 2, width / 2, block);
                }
                vec![*hidden]
            }
            Architecture::Resnet { .. } => return None,
        };
        let mut widths = vec![height * width * channels];
        widths.extend(hidden);
        widths.push(case.classes);
        let layers = widths
            .windows(2)
            .map(|pair| LinearConfig::new(pair[0], pair[1]).init(device))
            .collect();
        Some(Self {
            convolutions,
            pool: MaxPool2dConfig::new([2, 2]).init(),
            layers,
        })
    }
}

impl Classify for Bare {
    type Input = Tensor<4>;

    fn classify(&self, input: Tensor<4>) -> Tensor<2> {
        let planes = self
            .convolutions
            .iter()
            .fold(input, |x, (convolution, norm)| {
                self.pool
                    .forward(relu(norm.forward(convolution.forward(x))))
            });
        let mut x = planes.flatten(1, 3);
        for (index, layer) in self.layers.iter().enumerate() {
            x = if index == 0 { x } else { relu(x) };
            x = layer.forward(x);
        }
        x
    }
}
