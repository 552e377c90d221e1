//! The mask of a dropout, which is computed where it is needed instead of stored.

use burn::tensor::{Device, Distribution, Tensor};

/// Factors of the elements of a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask {
    seed: [u32; 2],
    /// Elements whose hash is below this are dropped.
    threshold: u32,
    /// Factor of the others.
    pub(crate) scale: f32,
}

impl Mask {
    /// Draws a mask from Burn's generator, so that seeding the device makes it reproducible.
    pub(crate) fn draw(device: &Device, probability: f64) -> Self {
        let bits = Distribution::Uniform(0.0, 16_777_216.0);
        let seed = Tensor::<1>::random([2], bits, &device.clone().inner());
        let seed: Vec<u32> = seed.into_data().iter::<f32>().map(|x| x as u32).collect();
        Self {
            seed: [seed[0], seed[1]],
            threshold: (probability * 2_f64.powi(32)) as u32,
            scale: (1.0 / (1.0 - probability)) as f32,
        }
    }

    /// Factor of an element: a hash of its index, so that any thread and the backward pass compute
    /// the same. The mixing function is that of `MurmurHash3` (Appleby, 2011, public domain).
    #[inline(always)]
    pub(crate) fn factor(self, index: u32) -> f32 {
        let [first, second] = self.seed;
        let mut bits = index.wrapping_mul(0x9E37_79B1) ^ first;
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x85EB_CA6B) ^ second;
        bits = (bits ^ (bits >> 13)).wrapping_mul(0xC2B2_AE35);
        bits ^= bits >> 16;
        if bits < self.threshold {
            0.0
        } else {
            self.scale
        }
    }
}
