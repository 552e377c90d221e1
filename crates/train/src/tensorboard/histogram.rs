//! Histograms as `TensorBoard` draws them.

use super::message::Histogram;

/// Number of buckets of equal width.
const BUCKETS: usize = 30;

/// The histogram of the finite values.
pub(super) fn histogram(values: &[f32]) -> Histogram {
    let finite = || {
        let values = values.iter().copied().map(f64::from);
        values.filter(|value| value.is_finite())
    };
    let min = finite().fold(f64::INFINITY, f64::min);
    let max = finite().fold(f64::NEG_INFINITY, f64::max);
    if min > max {
        return Histogram::default();
    }
    let width = ((max - min) / BUCKETS as f64).max(f64::MIN_POSITIVE);
    let mut counts = vec![0.0; BUCKETS];
    for value in finite() {
        let bucket = ((value - min) / width) as usize;
        counts[bucket.min(BUCKETS - 1)] += 1.0;
    }
    let edge = |bucket: usize| {
        if bucket + 1 == BUCKETS {
            max
        } else {
            min + (bucket + 1) as f64 * width
        }
    };
    Histogram {
        min,
        max,
        count: counts.iter().sum(),
        sum: finite().sum(),
        sum_squares: finite().map(|value| value * value).sum(),
        edges: (0..BUCKETS).map(edge).collect(),
        counts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_in_a_bucket() {
        let found = histogram(&[-1.0, 2.0, 0.5, f32::NAN, 2.0]);
        let whole = [found.min, found.max, found.count, found.sum].map(|value| value as i64);
        assert_eq!(whole, [-1, 2, 4, 3]);
        assert!((found.sum_squares - 9.25).abs() < 1e-9);
        let counts: Vec<usize> = found.counts.iter().map(|count| *count as usize).collect();
        assert_eq!(
            (counts[0], counts[BUCKETS - 1], counts.len()),
            (1, 2, BUCKETS)
        );
        let equal: f64 = histogram(&[3.0; 5]).counts.iter().sum();
        assert!((equal - 5.0).abs() < 1e-9);
        assert_eq!(histogram(&[]), Histogram::default());
    }
}
