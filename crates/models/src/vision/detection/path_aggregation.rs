//! The neck of YOLOX: maps of three resolutions learn from each other.
//!
//! Reference: Liu et al., *Path aggregation network for instance segmentation*, 2018,
//! <https://arxiv.org/abs/1803.01534>, with the blocks of YOLOX (Ge et al., 2021,
//! <https://arxiv.org/abs/2107.08430>).
//!
//! First from coarse to fine (`lateral`, `up`), then from fine to coarse (`down`, `out`); every output has the shape
//! of its input.

use burn::module::Module;
use burn::tensor::Device;
use tinderbox_kernels::{Activation, FeatureMap, upsample_nearest};

use super::blocks::{Conv3x3, CspLayer, Style, pointwise};
use crate::layers::conv_norm::ConvNorm;

/// Feature pyramid with a path in either direction.
#[derive(Module, Debug)]
pub struct PathAggregation {
    /// Of the coarse map, then of the middle one.
    pub(super) lateral: Vec<ConvNorm>,
    /// To the middle map, then to the fine one.
    pub(super) up: Vec<CspLayer>,
    /// From the fine map, then from the middle one.
    pub(super) down: Vec<Conv3x3>,
    /// To the middle map, then to the coarse one.
    pub(super) out: Vec<CspLayer>,
}

impl PathAggregation {
    /// For maps of some channels, from fine to coarse.
    pub(super) fn new(style: Style, channels: [usize; 3], depth: usize, device: &Device) -> Self {
        let [fine, middle, coarse] = channels;
        let csp = |channels| CspLayer::new(style, channels, depth, false, device);
        Self {
            lateral: vec![
                pointwise([coarse, middle], device),
                pointwise([middle, fine], device),
            ],
            up: vec![csp([2 * middle, middle]), csp([2 * fine, fine])],
            down: vec![
                Conv3x3::new(style, [fine; 2], 2, device),
                Conv3x3::new(style, [middle; 2], 2, device),
            ],
            out: vec![csp([2 * fine, middle]), csp([2 * middle, coarse])],
        }
    }

    /// Maps with strides of 8, 16 and 32 pixels, in and out.
    pub(super) fn forward(&self, [fine, middle, coarse]: [FeatureMap; 3]) -> [FeatureMap; 3] {
        let lateral_coarse = self.lateral[0].forward(coarse, Activation::Silu);
        let middle = self.up[0].forward(above(&lateral_coarse, middle));
        let lateral_middle = self.lateral[1].forward(middle, Activation::Silu);
        let fine = self.up[1].forward(above(&lateral_middle, fine));
        let down = self.down[0].forward(fine.clone());
        let middle = self.out[0].forward(FeatureMap::cat(vec![down, lateral_middle]));
        let down = self.down[1].forward(middle.clone());
        let coarse = self.out[1].forward(FeatureMap::cat(vec![down, lateral_coarse]));
        [fine, middle, coarse]
    }
}

/// A map of double resolution, next to the map of that resolution.
fn above(coarse: &FeatureMap, fine: FeatureMap) -> FeatureMap {
    FeatureMap::cat(vec![upsample_nearest(coarse.clone(), 2), fine])
}
