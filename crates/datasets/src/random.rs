//! Random numbers that depend on a seed and on nothing else.
//!
//! Every random choice of this crate comes from a [`Stream`] made by [`stream`] from a seed and
//! the words that name the place of use, such as epoch and index. A worker can then augment any
//! item in any order and the pixels are the same.
//!
//! All integer draws here are our own and stable: a new version of `rand` cannot change a split or
//! an order. Draws that use a logarithm ([`normal`], [`beta`]) are stable up to the last bit of
//! the platform's `ln`.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The generator behind every random choice of this crate.
///
/// Reference: Blackman and Vigna, *Scrambled linear pseudorandom number generators*, 2021,
/// <https://doi.org/10.1145/3460772>.
pub type Stream = Xoshiro256PlusPlus;

/// Increment of `SplitMix64`, the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Opens the random stream that belongs to `seed` and `words`.
///
/// The words name the place of use, for example `[epoch, index]`. Streams of different words are
/// independent for all practical purposes, and `[1]` is not `[1, 0]`. The result is stable: it is
/// part of the interface and changes only with a breaking release.
///
/// ```
/// use tinderbox_datasets::random::{below, stream};
///
/// let draw = |epoch, index| below(&mut stream(7, &[epoch, index]), 1_000_000);
/// assert_eq!(draw(0, 1), draw(0, 1));
/// assert_ne!(draw(0, 1), draw(1, 0));
/// ```
pub fn stream(seed: u64, words: &[u64]) -> Stream {
    let mut state = mix(seed.wrapping_add(GOLDEN)) ^ words.len() as u64;
    for &word in words {
        state = mix(state.wrapping_add(GOLDEN)) ^ mix(word.wrapping_add(GOLDEN));
    }
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(GOLDEN);
        chunk.copy_from_slice(&mix(state).to_le_bytes());
    }
    Stream::from_seed(bytes)
}

/// Finalizer of `SplitMix64`: a bijection in which every input bit moves every output bit.
///
/// Reference: Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014,
/// <https://doi.org/10.1145/2660193.2660195>.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Draws an integer in `[0, end)` without bias.
///
/// Reference: Lemire, *Fast random integer generation in an interval*, 2019,
/// <https://doi.org/10.1145/3230636>.
///
/// # Panics
///
/// If `end` is 0.
pub fn below(rng: &mut Stream, end: usize) -> usize {
    assert!(end > 0, "no integer lies in [0, 0)");
    let end = end as u64;
    let rejected = end.wrapping_neg() % end;
    loop {
        let wide = u128::from(rng.next_u64()) * u128::from(end);
        if wide as u64 >= rejected {
            return (wide >> 64) as usize;
        }
    }
}

/// Draws uniformly from `[0, 1)` with 24 bits.
pub fn uniform(rng: &mut Stream) -> f32 {
    (rng.next_u64() >> 40) as f32 / (1_u32 << 24) as f32
}

/// Draws uniformly from `[-limit, limit)`.
pub fn symmetric(rng: &mut Stream, limit: f32) -> f32 {
    (2.0 * uniform(rng) - 1.0) * limit
}

/// Draws uniformly from `[0, 1)` with 53 bits.
pub fn uniform_f64(rng: &mut Stream) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Draws an order of `0..len`, all orders being equally likely (Fisher and Yates).
pub fn permutation(len: usize, rng: &mut Stream) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, below(rng, last + 1));
    }
    order
}

/// Draws from the normal distribution of mean 0 and variance 1 (Marsaglia's polar method).
pub fn normal(rng: &mut Stream) -> f64 {
    loop {
        let x = 2.0 * uniform_f64(rng) - 1.0;
        let y = 2.0 * uniform_f64(rng) - 1.0;
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

/// Draws from Beta(`alpha`, `alpha`), a weight in `[0, 1]` whose mean is 1/2.
///
/// Its variance is `1 / (4 (2 alpha + 1))`: small `alpha` gives weights near 0 and 1.
///
/// # Panics
///
/// If `alpha` is not a positive number.
pub fn beta(alpha: f64, rng: &mut Stream) -> f64 {
    assert!(
        alpha > 0.0 && alpha.is_finite(),
        "`alpha` must be positive, is {alpha}"
    );
    // In logarithms: for small `alpha` both gamma variates can underflow to 0.
    let first = ln_gamma_variate(alpha, rng);
    let second = ln_gamma_variate(alpha, rng);
    1.0 / (1.0 + (second - first).exp())
}

/// Draws the logarithm of a Gamma(`alpha`, 1) variate.
///
/// Reference: Marsaglia and Tsang, *A simple method for generating gamma variables*, 2000,
/// <https://doi.org/10.1145/358407.358414>. Below 1 their boost is used:
/// `Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha)`.
fn ln_gamma_variate(alpha: f64, rng: &mut Stream) -> f64 {
    if alpha < 1.0 {
        let boost = (1.0 - uniform_f64(rng)).ln() / alpha;
        return ln_gamma_variate(alpha + 1.0, rng) + boost;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v <= 0.0 {
            continue;
        }
        let u = 1.0 - uniform_f64(rng);
        if u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_variance(draws: &[f64]) -> (f64, f64) {
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        (mean, variance)
    }

    #[test]
    fn streams_are_stable_across_releases() {
        let mut rng = stream(42, &[3, 1000]);
        let first = [rng.next_u64(), rng.next_u64()];
        // Computed apart from this code, in Python.
        assert_eq!(
            first,
            [7_448_616_901_419_993_137, 12_503_422_927_002_174_001]
        );
    }

    #[test]
    fn every_word_and_their_number_change_the_stream() {
        let words: [&[u64]; 7] = [&[], &[0], &[0, 0], &[1], &[1, 0], &[0, 1], &[2]];
        let mut firsts: Vec<u64> = words.iter().map(|w| stream(0, w).next_u64()).collect();
        firsts.push(stream(1, &[]).next_u64());
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 8);
    }

    #[test]
    fn below_reaches_every_value_about_equally_often() {
        let mut rng = stream(1, &[]);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7)] += 1;
        }
        // Standard deviation 93.
        assert!(
            counts.iter().all(|&n| n.abs_diff(10_000) < 500),
            "{counts:?}"
        );
    }

    #[test]
    fn permutation_holds_every_index_once() {
        let mut order = permutation(1000, &mut stream(5, &[]));
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
        assert!(permutation(0, &mut stream(5, &[])).is_empty());
    }

    #[test]
    fn uniform_stays_below_one_and_is_flat() {
        let mut rng = stream(2, &[]);
        let draws: Vec<f64> = (0..50_000).map(|_| f64::from(uniform(&mut rng))).collect();
        assert!(draws.iter().all(|x| (0.0..1.0).contains(x)));
        let (mean, variance) = mean_and_variance(&draws);
        assert!((mean - 0.5).abs() < 0.006 && (variance - 1.0 / 12.0).abs() < 0.002);
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut rng = stream(3, &[]);
        let draws: Vec<f64> = (0..50_000).map(|_| normal(&mut rng)).collect();
        let (mean, variance) = mean_and_variance(&draws);
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
            "{mean} {variance}"
        );
    }

    #[test]
    fn beta_has_the_mean_and_variance_of_the_formula() {
        for alpha in [0.001, 0.2, 1.0, 4.0] {
            let mut rng = stream(4, &[]);
            let draws: Vec<f64> = (0..40_000).map(|_| beta(alpha, &mut rng)).collect();
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
            let (mean, variance) = mean_and_variance(&draws);
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.01, "alpha {alpha}: mean {mean}");
            assert!(
                (variance - expected).abs() < 0.003,
                "alpha {alpha}: variance {variance}"
            );
        }
    }
}
