//! The largest number of fused multiply-adds that the processor computes.

#![expect(
    clippy::inline_always,
    reason = "code uses the widest registers only when inlined into a function that enables them"
)]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

/// Independent sums: more than the latency of the instruction times the number of units, and few
/// enough for the registers of AVX2.
const SUMS: usize = 12;

/// Steps of a portion, which takes some milliseconds: much longer than waking a thread.
const STEPS: usize = 1 << 20;

/// Portions, of which the fastest counts: others may use the processor at the same time.
const PORTIONS: usize = 50;

/// The peak of fused multiply-adds in single precision, each of which is two operations.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// The widest instructions that the processor has.
    pub instructions: &'static str,
    /// GFLOP/s of one thread.
    pub one: f64,
    /// GFLOP/s of all threads together.
    pub all: f64,
}

impl Peak {
    /// Measures for some tenths of a second, with `threads` threads.
    pub fn measure(threads: usize) -> Self {
        Self::of_portions(threads, PORTIONS)
    }

    fn of_portions(threads: usize, portions: usize) -> Self {
        Self {
            instructions: Arch::new().dispatch(Name),
            one: together(1, portions),
            all: together(threads.max(1), portions),
        }
    }

    /// The larger of two measurements.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            one: self.one.max(other.one),
            all: self.all.max(other.all),
            ..self
        }
    }
}

/// GFLOP/s of as many threads at once: the best portion, from the first start to the last end.
fn together(threads: usize, portions: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let run = || {
        let portion = |_| {
            barrier.wait();
            let started = Instant::now();
            let operations = Arch::new().dispatch(Sums);
            (started, Instant::now(), operations)
        };
        (0..portions).map(portion).collect::<Vec<_>>()
    };
    let runs: Vec<Vec<_>> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let results = handles.into_iter().filter_map(|handle| handle.join().ok());
        results.collect()
    });
    let best = (0..portions).filter_map(|portion| {
        let same = runs.iter().map(|run| run[portion]);
        let start = same.clone().map(|(start, ..)| start).min()?;
        let end = same.clone().map(|(_, end, _)| end).max()?;
        let operations: usize = same.map(|(.., operations)| operations).sum();
        Some(operations as f64 / (end - start).as_secs_f64())
    });
    best.fold(0.0, f64::max) / 1e9
}

/// Computes one portion and returns its number of operations.
struct Sums;

impl WithSimd for Sums {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        // Values that stay normal numbers: each sum goes to 1.
        let factor = simd.splat_f32s(black_box(0.999));
        let term = simd.splat_f32s(black_box(0.001));
        let mut sums = [simd.splat_f32s(0.0); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, term);
            }
        }
        let total = sums
            .into_iter()
            .fold(term, |total, sum| simd.add_f32s(total, sum));
        black_box(simd.reduce_sum_f32s(total));
        2 * STEPS * SUMS * S::F32_LANES
    }
}

/// Names the instructions by the width of their registers.
struct Name;

impl WithSimd for Name {
    type Output = &'static str;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> &'static str {
        match S::F32_LANES {
            16 => "AVX-512",
            8 => "AVX2",
            4 => "128 bits",
            _ => "no SIMD",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_one_and_of_several_threads_is_measured() {
        let peak = Peak::of_portions(2, 1);
        assert!(peak.one > 0.1 && peak.all > 0.1, "{peak:?}");
        let higher = Peak { one: 1e9, ..peak };
        assert!(peak.max(higher).one >= 1e9);
    }
}
