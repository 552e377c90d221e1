//! The backbone of YOLOX.
//!
//! Reference: Ge et al., *YOLOX: exceeding YOLO series in 2021*, 2021, <https://arxiv.org/abs/2107.08430>, which takes
//! it from YOLOv4 (Bochkovskiy, Wang and Liao, 2020, <https://arxiv.org/abs/2004.10934>).
//!
//! | here | shape |
//! |---|---|
//! | `stem` | `[batch, width, height / 2, width / 2]`: the four pixels of each 2×2 square as channels |
//! | `stages.i` | `[batch, width * 2^(i + 1), height / 2^(i + 2), width / 2^(i + 2)]` |

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tinderbox_kernels::{Activation, FeatureMap, squares_to_channels};

use super::blocks::{Conv3x3, CspLayer, SpatialPyramid, Style, conv_norm};
use crate::layers::conv_norm::ConvNorm;

/// Convolutional backbone whose last three stages have strides of 8, 16 and 32 pixels.
#[derive(Module, Debug)]
pub struct CspDarknet {
    pub(super) stem: ConvNorm,
    pub(super) stages: Vec<Stage>,
}

/// Halves the resolution.
#[derive(Module, Debug)]
pub(super) struct Stage {
    pub(super) down: Conv3x3,
    pub(super) pyramid: Option<SpatialPyramid>,
    pub(super) csp: CspLayer,
}

impl CspDarknet {
    /// For images of `in_channels`; the stem has `width` channels, and `depth` is that of the smallest stage.
    pub(super) fn new(
        style: Style,
        in_channels: usize,
        width: usize,
        depth: usize,
        device: &Device,
    ) -> Self {
        let stages = [depth, 3 * depth, 3 * depth, depth].into_iter().enumerate();
        let stages = stages.map(|(at, blocks)| {
            let (d_input, is_last) = (width << at, at == 3);
            let d_output = 2 * d_input;
            Stage {
                down: Conv3x3::new(style, [d_input, d_output], 2, device),
                pyramid: is_last.then(|| SpatialPyramid::new(d_output, device)),
                csp: CspLayer::new(style, [d_output; 2], blocks, !is_last, device),
            }
        });
        Self {
            stem: conv_norm([4 * in_channels, width], 3, 1, device),
            stages: stages.collect(),
        }
    }

    /// The maps with strides of 8, 16 and 32 pixels, of images `[batch, in_channels, height, width]` with sides
    /// that are multiples of 32.
    pub(super) fn forward(&self, images: Tensor<4>) -> [FeatureMap; 3] {
        let x = squares_to_channels(images);
        let x = self.stem.forward(x, Activation::Silu);
        let fine = self.stages[1].forward(self.stages[0].forward(x));
        let middle = self.stages[2].forward(fine.clone());
        let coarse = self.stages[3].forward(middle.clone());
        [fine, middle, coarse]
    }
}

impl Stage {
    fn forward(&self, x: FeatureMap) -> FeatureMap {
        let x = self.down.forward(x);
        let x = match &self.pyramid {
            Some(pyramid) => pyramid.forward(x),
            None => x,
        };
        self.csp.forward(x)
    }
}
