//! Scalar functions that the compiler can vectorize.
//!
//! Inside [`vectorized`] they use the widest registers of the processor.

use pulp::{Simd, WithSimd};

use super::arch::arch;

/// Partial sums that are accumulated independently.
pub(crate) const LANES: usize = 16;

/// Runs a loop compiled for the widest registers of the processor.
///
/// The closure must be `#[inline(always)]`: it uses those registers only when inlined into a function
/// that enables them. It is called by reference, because a call by value is not inlined.
pub(crate) fn vectorized(body: impl FnMut()) {
    arch().dispatch(Loop(body));
}

struct Loop<F>(F);

impl<F: FnMut()> WithSimd for Loop<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _simd: S) {
        (self.0)();
    }
}

/// Sums a function of corresponding elements, in an order that depends on the length alone.
#[inline(always)]
pub(crate) fn sum_pairs(left: &[f32], right: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += term(left[lane], right[lane]);
        }
    }
    for (sum, (left, right)) in sums.iter_mut().zip(left_rest.iter().zip(right_rest)) {
        *sum += term(*left, *right);
    }
    reduce(sums, |left, right| left + right)
}

/// The maximum; negative infinity for an empty slice. NaN is ignored.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut best = [f32::NEG_INFINITY; LANES];
    let larger = |left: f32, right: f32| if right > left { right } else { left };
    for chunk in chunks {
        for lane in 0..LANES {
            best[lane] = larger(best[lane], chunk[lane]);
        }
    }
    for (best, value) in best.iter_mut().zip(rest) {
        *best = larger(*best, *value);
    }
    reduce(best, larger)
}

/// Reduces the lanes pairwise.
#[inline(always)]
fn reduce(mut lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = combine(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Smallest argument of [`exp`] whose result is a normal number.
const EXP_MIN: f32 = -87.0;

/// Exponential function, within two units in the last place; 0 below -87, close to the subnormals.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let value = exp_clamped(x);
    if x < EXP_MIN { 0.0 } else { value }
}

/// As [`exp`], but of an argument below -87 that of -87: for sums in which neither counts.
#[inline(always)]
fn exp_clamped(x: f32) -> f32 {
    // 1.5 * 2^23: the sum has no fractional bits, so the addition rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two terms, the first with few digits, so that its multiples are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // From the highest power to the lowest: the largest relative error, for remainders of at most ln 2 / 2, is 3e-9.
    const TERMS: [f32; 6] = [
        0.008_368_719,
        0.041_668_39,
        0.166_665_2,
        0.499_999_94,
        1.0,
        1.0,
    ];
    // NaN stays NaN, because it is neither smaller nor larger.
    let clamped = x.clamp(EXP_MIN, 88.0);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let exponent = shifted - ROUND;
    let rest = exponent.mul_add(-LN_2_HIGH, clamped);
    let rest = exponent.mul_add(-LN_2_LOW, rest);
    let mut sum = 0.001_381_458_2;
    for term in TERMS {
        sum = rest.mul_add(sum, term);
    }
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000));
    sum * scale
}

/// Cumulative distribution function and density of the standard normal distribution.
///
/// Abramowitz and Stegun, *Handbook of mathematical functions*, 1964, formula 7.1.26: the error is
/// at most 1.5e-7 / 2.
#[inline(always)]
fn normal(x: f32) -> [f32; 2] {
    const SCALE: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
    const TERMS: [f32; 5] = [
        1.061_405_4,
        -1.453_152_1,
        1.421_413_8,
        -0.284_496_72,
        0.254_829_6,
    ];
    // 1 / sqrt(2 pi)
    const PEAK: f32 = 0.398_942_3;
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / x.abs().mul_add(SCALE, 1.0);
    let mut sum = 0.0;
    for term in TERMS {
        sum = t * (sum + term);
    }
    let tail = 0.5 * sum * bell;
    let cdf = if x < 0.0 { tail } else { 1.0 - tail };
    [cdf, PEAK * bell]
}

/// Gaussian error linear unit.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let [cdf, _] = normal(x);
    x * cdf
}

/// Derivative of [`gelu`].
#[inline(always)]
pub(crate) fn gelu_derivative(x: f32) -> f32 {
    let [cdf, density] = normal(x);
    x.mul_add(density, cdf)
}

/// Logistic function.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp_clamped(-x))
}

/// Sigmoid linear unit, `x * sigmoid(x)`.
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp_clamped(-x))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let decay = exp_clamped(-2.0 * x.abs());
    let far = ((1.0 - decay) / (1.0 + decay)).copysign(x);
    // Near zero the difference above cancels. Taylor series:
    let square = x * x;
    let near = square.mul_add(-17.0 / 315.0, 2.0 / 15.0);
    let near = square.mul_add(near, -1.0 / 3.0);
    let near = (square * x).mul_add(near, x);
    if square < 0.01 { near } else { far }
}
