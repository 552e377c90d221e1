//! Random shapes for comparisons with plain loops.

/// A linear congruential generator (Knuth's MMIX constants).
pub(crate) struct Shapes(u64);

impl Shapes {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number within both bounds.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + (self.0 >> 33) as usize % (high - low + 1)
    }
}

/// Index of an element of a row-major tensor.
pub(crate) fn index([_, b, c, d]: [usize; 4], [i, j, k, l]: [usize; 4]) -> usize {
    ((i * b + j) * c + k) * d + l
}

/// The numbers in double precision.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// The numbers in single precision.
pub(crate) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
