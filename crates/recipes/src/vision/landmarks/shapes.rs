//! Mean and modes of shapes: their principal components.

/// Rounds of orthogonal iteration.
const ROUNDS: usize = 60;

/// The mean `[values]` of shapes, and `modes` modes `[modes, values]`, each as long as the standard deviation along it.
/// Modes beyond the number of shapes are 0.
pub(super) fn modes_of(shapes: &[Vec<f32>], modes: usize) -> (Vec<f32>, Vec<f32>) {
    let values = shapes.first().map_or(0, Vec::len);
    let count = shapes.len().max(1) as f64;
    let mut mean = vec![0.0; values];
    for shape in shapes {
        mean.iter_mut()
            .zip(shape)
            .for_each(|(mean, &value)| *mean += f64::from(value) / count);
    }
    let mut covariance = vec![0.0; values * values];
    for shape in shapes {
        let centered: Vec<f64> = shape
            .iter()
            .zip(&mean)
            .map(|(&value, mean)| f64::from(value) - mean)
            .collect();
        for (row, a) in covariance.chunks_exact_mut(values).zip(&centered) {
            row.iter_mut()
                .zip(&centered)
                .for_each(|(sum, b)| *sum += a * b / count);
        }
    }
    // Orthogonal iteration from fixed starts.
    let start = |mode: usize| {
        (0..values).map(move |at| ((mode * 7919 + at * 104_729 + 17) % 997) as f64 / 997.0 - 0.5)
    };
    let mut basis: Vec<Vec<f64>> = (0..modes.min(values))
        .map(|mode| start(mode).collect())
        .collect();
    let mut lengths = vec![0.0; basis.len()];
    for _ in 0..ROUNDS {
        for at in 0..basis.len() {
            let image = covariance
                .chunks_exact(values)
                .map(|row| dot(row, &basis[at]));
            let mut image: Vec<f64> = image.collect();
            for other in &basis[..at] {
                let along = dot(other, &image);
                image
                    .iter_mut()
                    .zip(other)
                    .for_each(|(value, other)| *value -= along * other);
            }
            let length = dot(&image, &image).sqrt();
            lengths[at] = length;
            if length > 1e-12 {
                for value in &mut *image {
                    *value /= length;
                }
            } else {
                image.fill(0.0);
                lengths[at] = 0.0;
            }
            basis[at] = image;
        }
    }
    let scaled = basis.iter().zip(&lengths);
    let scaled =
        scaled.flat_map(|(mode, length)| mode.iter().map(|value| (value * length.sqrt()) as f32));
    let mut all: Vec<f32> = scaled.collect();
    all.resize(modes * values, 0.0);
    (mean.into_iter().map(|value| value as f32).collect(), all)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_the_directions_in_which_shapes_differ() {
        // 3 along (1, 1), 1 along (1, -1), around (10, 20).
        let shapes: Vec<Vec<f32>> = [[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
            .iter()
            .map(|[a, b]: &[f32; 2]| vec![10.0 + a + b, 20.0 + a - b])
            .collect();
        let (mean, modes) = modes_of(&shapes, 3);
        assert_eq!(mean, [10.0, 20.0]);
        // Variance 9 / 2 * 2 along the first.
        assert!(
            (modes[0].abs() - 4.5_f32.sqrt()).abs() < 1e-3 && (modes[0] - modes[1]).abs() < 1e-3,
            "{modes:?}"
        );
        assert!(
            (modes[2] + modes[3]).abs() < 1e-3 && (modes[2].abs() - 0.5_f32.sqrt()).abs() < 1e-3,
            "{modes:?}"
        );
        assert_eq!(modes[4..], [0.0, 0.0]);
    }
}
