//! Registers of neighboring channels, the last one of a pixel perhaps incomplete.

use pulp::Simd;

/// Loads a register from the start of a slice; only the first `channels` elements unless `WHOLE`.
#[inline(always)]
pub(super) fn load<S: Simd, const WHOLE: bool>(simd: S, from: &[f32], channels: usize) -> S::f32s {
    if WHOLE {
        S::as_simd_f32s(&from[..S::F32_LANES]).0[0]
    } else {
        simd.partial_load_f32s(&from[..channels])
    }
}

/// Stores a register to the start of a slice.
#[inline(always)]
pub(super) fn store<S: Simd, const WHOLE: bool>(
    simd: S,
    to: &mut [f32],
    channels: usize,
    value: S::f32s,
) {
    if WHOLE {
        S::as_mut_simd_f32s(&mut to[..S::F32_LANES]).0[0] = value;
    } else {
        simd.partial_store_f32s(&mut to[..channels], value);
    }
}
