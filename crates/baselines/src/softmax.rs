//! Multinomial logistic regression on many dense columns, such as the features of a network.
//!
//! Unlike [`LogisticConfig`](crate::LogisticConfig) its weights can be read, so that they become a layer of
//! a network; unlike `logistic_regression` it needs no library.

use rayon::prelude::*;

use crate::BaselineError;
use crate::error::{check_setting, present_classes};
use crate::lbfgs::{Stop, minimize};

/// Partial sums of a dot product, which the compiler keeps in vector registers.
const LANES: usize = 8;

/// Parts that the rows are divided into: a constant, so that sums do not depend on the number of threads.
const PARTS: usize = 16;

/// How a [`Softmax`] regression is fitted.
///
/// Minimizes the weighted sum of the rows' cross-entropies plus `l2 / 2` times the squared weights, without
/// the intercepts; in the words of scikit-learn, `C = 1 / l2`. Every class has its own weights, as in
/// scikit-learn for three classes and more.
///
/// ```
/// use tinderbox_baselines::{DenseRows, SoftmaxConfig};
///
/// let rows = DenseRows { features: &[-2.0, -1.0, 1.0, 2.0], labels: &[0, 0, 1, 1], weights: &[] };
/// let model = SoftmaxConfig::default().fit(&rows, 2, None)?;
/// assert!(model.scores(&[1.5])[1] > model.scores(&[1.5])[0]);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxConfig {
    /// Strength of the penalty on the squared weights, 0 or more.
    pub l2: f64,
    /// Probability spread evenly over all classes, in `[0, 1)`.
    pub label_smoothing: f64,
    /// Largest number of steps of L-BFGS.
    pub iterations: usize,
    /// The fit stops where no entry of the gradient of the mean loss is larger.
    pub tolerance: f64,
}

impl Default for SoftmaxConfig {
    fn default() -> Self {
        Self {
            l2: 1.0,
            label_smoothing: 0.0,
            iterations: 300,
            tolerance: 1e-5,
        }
    }
}

/// Dense rows with their classes.
#[derive(Clone, Copy, Debug)]
pub struct DenseRows<'a> {
    /// Features, row after row.
    pub features: &'a [f32],
    /// Class of each row.
    pub labels: &'a [usize],
    /// Weight of each class in the loss; empty for equal ones.
    pub weights: &'a [f32],
}

impl DenseRows<'_> {
    fn width(&self) -> usize {
        self.features.len() / self.labels.len().max(1)
    }
}

/// A fitted multinomial logistic regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// Weight of each column, class after class: `[classes, width]`.
    pub weights: Vec<f64>,
    /// Intercept of each class.
    pub intercepts: Vec<f64>,
}

impl SoftmaxConfig {
    /// Fits `rows` to their class among `classes`, from the weights of `start` if there are any.
    ///
    /// # Errors
    ///
    /// If there are no rows, fewer than two classes occur, a label is not a class, a feature is not finite,
    /// or a setting is out of range.
    ///
    /// # Panics
    ///
    /// If `start` is of another width or number of classes.
    pub fn fit(
        &self,
        rows: &DenseRows,
        classes: usize,
        start: Option<&Softmax>,
    ) -> Result<Softmax, BaselineError> {
        self.check(rows, classes)?;
        let columns = rows.width();
        let start = match start {
            Some(Softmax {
                weights,
                intercepts,
            }) => [weights.as_slice(), intercepts].concat(),
            None => vec![0.0; classes * (columns + 1)],
        };
        assert_eq!(start.len(), classes * (columns + 1), "shape of the start");
        let stop = Stop {
            iterations: self.iterations,
            gradient: self.tolerance,
        };
        let mut weights = minimize(start, stop, |at, gradient| {
            self.loss(rows, classes, at, gradient)
        });
        let intercepts = weights.split_off(classes * columns);
        Ok(Softmax {
            weights,
            intercepts,
        })
    }

    fn check(&self, rows: &DenseRows, classes: usize) -> Result<(), BaselineError> {
        check_setting("l2", self.l2, 0.0..=1e12, "[0, 1e12]")?;
        let smoothing = self.label_smoothing;
        check_setting("label_smoothing", smoothing, 0.0..=0.999, "[0, 0.999]")?;
        present_classes(rows.labels, classes)?;
        let columns = rows.width();
        if let Some(at) = rows.features.iter().position(|value| !value.is_finite()) {
            return Err(BaselineError::NotFinite {
                row: at / columns.max(1),
                column: at % columns.max(1),
                value: f64::from(rows.features[at]),
            });
        }
        Ok(())
    }

    /// The mean loss, whose gradient is written.
    fn loss(&self, rows: &DenseRows, classes: usize, at: &[f64], gradient: &mut [f64]) -> f64 {
        let columns = rows.width();
        let count = rows.labels.len();
        let size = count.div_ceil(PARTS).max(1);
        let parts: Vec<(f64, Vec<f64>)> = rows
            .features
            .par_chunks(size * columns)
            .zip(rows.labels.par_chunks(size))
            .map(|(features, labels)| self.part(features, labels, rows.weights, classes, at))
            .collect();
        let mut loss = 0.0;
        for (part, own) in parts {
            loss += part;
            gradient.iter_mut().zip(own).for_each(|(g, o)| *g += o);
        }
        let count = count as f64;
        for g in &mut *gradient {
            *g /= count;
        }
        let penalty = self.l2 / count;
        let mut squares = 0.0;
        for (g, w) in gradient.iter_mut().zip(&at[..classes * columns]) {
            *g += penalty * w;
            squares += w * w;
        }
        loss / count + 0.5 * penalty * squares
    }

    /// The summed loss of some rows, with its gradient.
    fn part(
        &self,
        features: &[f32],
        labels: &[usize],
        class_weights: &[f32],
        classes: usize,
        at: &[f64],
    ) -> (f64, Vec<f64>) {
        let columns = features.len() / labels.len();
        let (weights, intercepts) = at.split_at(classes * columns);
        let mut gradient = vec![0.0; at.len()];
        let (own, own_intercepts) = gradient.split_at_mut(classes * columns);
        let mut loss = 0.0;
        let mut scores = vec![0.0; classes];
        for (row, &label) in features.chunks_exact(columns).zip(labels) {
            write_scores(row, weights, intercepts, &mut scores);
            let weight = class_weights.get(label).map_or(1.0, |&w| f64::from(w));
            loss += weight * self.errors(&mut scores, label);
            for (class, score) in scores.iter().enumerate() {
                let error = weight * score;
                own_intercepts[class] += error;
                let own = &mut own[class * columns..][..columns];
                own.iter_mut()
                    .zip(row)
                    .for_each(|(g, &x)| *g += error * f64::from(x));
            }
        }
        (loss, gradient)
    }

    /// The cross-entropy of a row, in nats; the scores become its gradient.
    fn errors(&self, scores: &mut [f64], label: usize) -> f64 {
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
        let normalizer = highest + sum.ln();
        let rest = self.label_smoothing / scores.len() as f64;
        let mut loss = 0.0;
        for (class, score) in scores.iter_mut().enumerate() {
            let hit = f64::from(u8::from(class == label));
            let target = rest + hit * (1.0 - self.label_smoothing);
            loss += target * (normalizer - *score);
            *score = (*score - normalizer).exp() - target;
        }
        loss
    }
}

impl Softmax {
    /// The score of each class for one row: log-probabilities without their common normalizer.
    pub fn scores(&self, row: &[f32]) -> Vec<f64> {
        let mut scores = vec![0.0; self.intercepts.len()];
        write_scores(row, &self.weights, &self.intercepts, &mut scores);
        scores
    }
}

fn write_scores(row: &[f32], weights: &[f64], intercepts: &[f64], scores: &mut [f64]) {
    for (class, score) in scores.iter_mut().enumerate() {
        *score = intercepts[class] + dot(row, &weights[class * row.len()..][..row.len()]);
    }
}

fn dot(row: &[f32], weights: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let (columns, weights_rest) = weights.as_chunks::<LANES>();
    for (xs, ws) in rows.iter().zip(columns) {
        for lane in 0..LANES {
            sums[lane] += f64::from(xs[lane]) * ws[lane];
        }
    }
    let rest = row_rest.iter().zip(weights_rest);
    sums.iter().sum::<f64>() + rest.map(|(&x, w)| f64::from(x) * w).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten rows of two columns, in no order.
    const FEATURES: [f32; 20] = [
        0.5, 1.2, -0.3, 0.8, 1.5, -0.7, -1.1, 0.4, 0.9, 0.1, -0.6, -1.3, 0.2, 2.0, 1.8, 0.6, -0.9,
        -0.2, 0.0, -1.0,
    ];
    const LABELS: [usize; 10] = [0, 2, 1, 0, 2, 1, 0, 2, 1, 0];

    fn rows(weights: &[f32]) -> DenseRows<'_> {
        DenseRows {
            features: &FEATURES,
            labels: &LABELS,
            weights,
        }
    }

    fn config(l2: f64) -> SoftmaxConfig {
        SoftmaxConfig {
            l2,
            tolerance: 1e-10,
            ..SoftmaxConfig::default()
        }
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-5, "{found:?} is not {expected:?}");
        }
    }

    /// Expected: scikit-learn 1.9.1, `LogisticRegression(C=0.25, tol=1e-12)`.
    #[test]
    fn three_classes_agree_with_scikit_learn() {
        let model = config(4.0).fit(&rows(&[]), 3, None).unwrap();
        let expected = [
            -0.184_698_0,
            0.261_748_0,
            -0.075_742_9,
            -0.404_367_1,
            0.260_440_9,
            0.142_619_0,
        ];
        assert_close(&model.weights, &expected);
        assert_close(
            &model.intercepts,
            &[0.200_532_4, -0.037_640_4, -0.162_891_9],
        );
    }

    #[test]
    fn a_start_saves_steps_and_does_not_change_the_result() {
        let cold = config(1.0).fit(&rows(&[]), 3, None).unwrap();
        let other = config(30.0).fit(&rows(&[]), 3, None).unwrap();
        let warm = config(1.0).fit(&rows(&[]), 3, Some(&other)).unwrap();
        assert_close(&warm.weights, &cold.weights);
    }

    #[test]
    fn a_class_of_weight_two_counts_as_if_its_rows_were_there_twice() {
        let weighted = config(2.0).fit(&rows(&[1.0, 1.0, 2.0]), 3, None).unwrap();
        let (mut features, mut labels) = (FEATURES.to_vec(), LABELS.to_vec());
        for (row, &label) in FEATURES.chunks_exact(2).zip(&LABELS) {
            if label == 2 {
                features.extend(row);
                labels.push(label);
            }
        }
        let twice = DenseRows {
            features: &features,
            labels: &labels,
            weights: &[],
        };
        let twice = config(2.0).fit(&twice, 3, None).unwrap();
        assert_close(&weighted.weights, &twice.weights);
    }

    #[test]
    fn smoothing_keeps_probabilities_from_the_ends() {
        let rows = DenseRows {
            features: &[-1.0, 1.0],
            labels: &[0, 1],
            weights: &[],
        };
        let mut config = config(0.0);
        config.label_smoothing = 0.2;
        let scores = config.fit(&rows, 2, None).unwrap().scores(&[1.0]);
        // At the optimum the probabilities are the targets.
        assert_close(&[(scores[1] - scores[0]).exp()], &[0.9 / 0.1]);
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = |features: &[f32], labels: &[usize]| {
            let rows = DenseRows {
                features,
                labels,
                weights: &[],
            };
            SoftmaxConfig::default().fit(&rows, 2, None)
        };
        assert!(matches!(fit(&[], &[]), Err(BaselineError::NoRows)));
        let single = fit(&[0.0, 1.0], &[1, 1]);
        assert_eq!(single, Err(BaselineError::SingleClass { class: 1 }));
        let error = fit(&[0.0, f32::NAN], &[0, 1]).unwrap_err();
        assert!(error.to_string().contains("row 1, column 0"), "{error}");
    }
}
