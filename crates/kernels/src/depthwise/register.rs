//! Registers of neighboring channels, the last one of a pixel perhaps incomplete.

use pulp::Simd;

/// Loads `N` registers from the start of a slice. Unless `WHOLE` there is one, of the first
/// `channels` elements.
#[inline(always)]
pub(super) fn load<S: Simd, const N: usize, const WHOLE: bool>(
    simd: S,
    from: &[f32],
    channels: usize,
) -> [S::f32s; N] {
    if !WHOLE {
        return [simd.partial_load_f32s(&from[..channels]); N];
    }
    let (registers, _) = S::as_simd_f32s(&from[..N * S::F32_LANES]);
    let mut values = [simd.splat_f32s(0.0); N];
    values.copy_from_slice(registers);
    values
}

/// Stores registers to the start of a slice, as [`load`] loads them.
#[inline(always)]
pub(super) fn store<S: Simd, const N: usize, const WHOLE: bool>(
    simd: S,
    to: &mut [f32],
    channels: usize,
    values: [S::f32s; N],
) {
    if WHOLE {
        let (registers, _) = S::as_mut_simd_f32s(&mut to[..N * S::F32_LANES]);
        registers.copy_from_slice(&values);
    } else {
        simd.partial_store_f32s(&mut to[..channels], values[0]);
    }
}

/// Adds products of corresponding registers.
#[inline(always)]
pub(super) fn add_products<S: Simd, const N: usize>(
    simd: S,
    left: [S::f32s; N],
    right: [S::f32s; N],
    sums: &mut [S::f32s; N],
) {
    for register in 0..N {
        sums[register] = simd.mul_add_e_f32s(left[register], right[register], sums[register]);
    }
}
