//! Logistic regression on sparse rows: binary, multinomial, and one per label.

use serde::{Deserialize, Serialize};

use crate::error::{check_counts, check_setting, present_classes};
use crate::lbfgs::{Stop, minimize};
use crate::{BaselineError, SparseRows};

/// How a [`Logistic`] regression is fitted.
///
/// Minimises the sum of the rows' cross-entropies plus `l2 / 2` times the squared weights, without
/// the intercepts; in the words of scikit-learn, `C = 1 / l2`.
///
/// ```
/// use tinderbox_baselines::{LogisticConfig, SparseRows, Table};
///
/// let rows = Table::new(vec![-2.0, -1.0, 1.0, 2.0], 1)?;
/// let rows = SparseRows::from_table(&rows)?;
/// let model = LogisticConfig::default().fit(&rows, &[0, 0, 1, 1], 2)?;
/// let probabilities = model.predict(&rows)?;
/// assert!(probabilities[1] < 0.5 && probabilities[7] > 0.5);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticConfig {
    /// Strength of the penalty on the squared weights, 0 or more.
    pub l2: f64,
    /// Largest number of steps of L-BFGS.
    pub iterations: usize,
    /// The fit stops where no entry of the gradient of the mean loss is larger.
    pub tolerance: f64,
}

impl Default for LogisticConfig {
    fn default() -> Self {
        Self {
            l2: 1.0,
            iterations: 300,
            tolerance: 1e-5,
        }
    }
}

/// What makes probabilities of scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Link {
    /// The outputs exclude each other.
    Softmax,
    /// Each output is a question of its own.
    Sigmoid,
}

/// A logistic regression that was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    link: Link,
    /// Weight of each column for each output, column after column; the last row is the intercepts.
    weights: Vec<f64>,
    outputs: usize,
    width: usize,
    /// The classes that occurred in training, of a classification.
    present: Vec<usize>,
    /// Number of probabilities for each row.
    answers: usize,
}

impl LogisticConfig {
    /// Fits `rows` to their class among `classes`.
    ///
    /// A class without a training row gets probability 0.
    ///
    /// # Errors
    ///
    /// If there are no rows, fewer than two classes occur, a label is not a class, or a setting is
    /// out of range.
    pub fn fit(
        &self,
        rows: &SparseRows,
        labels: &[usize],
        classes: usize,
    ) -> Result<Logistic, BaselineError> {
        self.validate()?;
        check_counts(rows.len(), labels.len())?;
        let present = present_classes(labels, classes)?;
        let mut slot = vec![0; classes];
        for (at, &class) in present.iter().enumerate() {
            slot[class] = at;
        }
        // Two classes share one weight, or the penalty would be halved.
        let (link, outputs) = if present.len() == 2 {
            (Link::Sigmoid, 1)
        } else {
            (Link::Softmax, present.len())
        };
        let truth = |row: usize, output: usize| {
            let slot = slot[labels[row]];
            if outputs == 1 {
                slot == 1
            } else {
                slot == output
            }
        };
        Ok(Logistic {
            link,
            weights: self.solve(rows, link, outputs, truth),
            outputs,
            width: rows.width(),
            present,
            answers: classes,
        })
    }

    /// Fits one regression for each of `labels` labels, of which a row may have any number.
    ///
    /// `truth` says row after row which labels a row has.
    ///
    /// # Errors
    ///
    /// If there are no rows or labels, `truth` does not have `labels` values for each row, or a
    /// setting is out of range.
    pub fn fit_labels(
        &self,
        rows: &SparseRows,
        truth: &[bool],
        labels: usize,
    ) -> Result<Logistic, BaselineError> {
        self.validate()?;
        check_counts(rows.len() * labels, truth.len())?;
        let has = |row: usize, label: usize| truth[row * labels + label];
        Ok(Logistic {
            link: Link::Sigmoid,
            weights: self.solve(rows, Link::Sigmoid, labels, has),
            outputs: labels,
            width: rows.width(),
            present: Vec::new(),
            answers: labels,
        })
    }

    fn validate(&self) -> Result<(), BaselineError> {
        check_setting("l2", self.l2, 0.0..=1e12, "[0, 1e12]")?;
        let iterations = self.iterations as f64;
        check_setting("iterations", iterations, 1.0..=1e6, "[1, 1000000]")?;
        check_setting("tolerance", self.tolerance, 0.0..=1.0, "[0, 1]")
    }

    fn solve(
        &self,
        rows: &SparseRows,
        link: Link,
        outputs: usize,
        truth: impl Fn(usize, usize) -> bool,
    ) -> Vec<f64> {
        let stop = Stop {
            iterations: self.iterations,
            gradient: self.tolerance,
        };
        let count = rows.len() as f64;
        let penalty = self.l2 / count;
        let intercepts = rows.width() * outputs;
        let start = vec![0.0; intercepts + outputs];
        let mut scores = vec![0.0; outputs];
        minimize(start, stop, |weights, gradient| {
            let mut loss = 0.0;
            for row in 0..rows.len() {
                score(rows, row, weights, &mut scores);
                loss += link.loss(&mut scores, |output| truth(row, output));
                scatter(rows, row, &scores, gradient);
            }
            for g in gradient.iter_mut() {
                *g /= count;
            }
            let mut squares = 0.0;
            for (g, w) in gradient.iter_mut().zip(&weights[..intercepts]) {
                *g += penalty * w;
                squares += w * w;
            }
            loss / count + 0.5 * penalty * squares
        })
    }
}

/// Writes the score of each output for a row.
fn score(rows: &SparseRows, row: usize, weights: &[f64], scores: &mut [f64]) {
    let outputs = scores.len();
    scores.copy_from_slice(&weights[weights.len() - outputs..]);
    for (column, value) in rows.row(row) {
        let weights = &weights[column * outputs..][..outputs];
        for (score, weight) in scores.iter_mut().zip(weights) {
            *score += value * weight;
        }
    }
}

/// Adds a row's share to the gradient, given the gradient at its scores.
fn scatter(rows: &SparseRows, row: usize, errors: &[f64], gradient: &mut [f64]) {
    let outputs = errors.len();
    let intercepts = gradient.len() - outputs;
    for (column, value) in rows.row(row) {
        let gradient = &mut gradient[column * outputs..][..outputs];
        for (g, error) in gradient.iter_mut().zip(errors) {
            *g += value * error;
        }
    }
    for (g, error) in gradient[intercepts..].iter_mut().zip(errors) {
        *g += error;
    }
}

impl Link {
    /// The cross-entropy of a row, in nats; the scores become its gradient.
    fn loss(self, scores: &mut [f64], truth: impl Fn(usize) -> bool) -> f64 {
        // The logarithm of the sum of exponentials, where the outputs share one.
        let normalizer = (self == Self::Softmax).then(|| {
            let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            highest + scores.iter().map(|s| (s - highest).exp()).sum::<f64>().ln()
        });
        let mut loss = normalizer.unwrap_or(0.0);
        for (output, score) in scores.iter_mut().enumerate() {
            let truth = f64::from(u8::from(truth(output)));
            loss -= truth * *score;
            let probability = if let Some(normalizer) = normalizer {
                (*score - normalizer).exp()
            } else {
                // ln(1 + e^s), without overflow.
                loss += score.max(0.0) + (-score.abs()).exp().ln_1p();
                sigmoid(*score)
            };
            *score = probability - truth;
        }
        loss
    }

    /// Makes probabilities of scores.
    fn probabilities(self, scores: &mut [f64]) {
        match self {
            Self::Sigmoid => scores.iter_mut().for_each(|s| *s = sigmoid(*s)),
            Self::Softmax => softmax(scores),
        }
    }
}

pub(crate) fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

pub(crate) fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for s in scores.iter_mut() {
        *s = (*s - highest).exp();
    }
    let sum: f64 = scores.iter().sum();
    for s in scores.iter_mut() {
        *s /= sum;
    }
}

impl Logistic {
    /// Whether the parts fit each other and take rows of `width` columns, which a stored model may
    /// not.
    pub fn is_sound(&self, width: usize) -> bool {
        let outputs = match (self.link, self.present.len()) {
            (Link::Sigmoid, 0) => self.answers,
            (Link::Sigmoid, 2) => 1,
            (Link::Softmax, present) => present,
            _ => 0,
        };
        outputs > 0
            && self.outputs == outputs
            && self.width == width
            && width
                .checked_add(1)
                .and_then(|rows| rows.checked_mul(outputs))
                == Some(self.weights.len())
            && self.present.iter().all(|&class| class < self.answers)
    }

    /// Number of probabilities for each row: the classes or the labels.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// The probability of each class, or of each label, row after row.
    ///
    /// # Errors
    ///
    /// If the rows are not as wide as those of the fit.
    pub fn predict(&self, rows: &SparseRows) -> Result<Vec<f32>, BaselineError> {
        rows.check_width(self.width)?;
        let mut all = vec![0.0; rows.len() * self.answers];
        let mut scores = vec![0.0; self.outputs];
        for (row, answers) in all.chunks_exact_mut(self.answers.max(1)).enumerate() {
            score(rows, row, &self.weights, &mut scores);
            self.link.probabilities(&mut scores);
            match self.present[..] {
                // One regression for each label.
                [] => answers.iter_mut().zip(&scores).for_each(copy),
                [no, yes] => {
                    answers[no] = (1.0 - scores[0]) as f32;
                    answers[yes] = scores[0] as f32;
                }
                _ => {
                    for (&class, &score) in self.present.iter().zip(&scores) {
                        answers[class] = score as f32;
                    }
                }
            }
        }
        Ok(all)
    }
}

fn copy((to, from): (&mut f32, &f64)) {
    *to = *from as f32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    /// Ten rows of two columns, in no order.
    fn rows() -> SparseRows {
        let values = vec![
            0.5, 1.2, -0.3, 0.8, 1.5, -0.7, -1.1, 0.4, 0.9, 0.1, -0.6, -1.3, 0.2, 2.0, 1.8, 0.6,
            -0.9, -0.2, 0.0, -1.0,
        ];
        SparseRows::from_table(&Table::new(values, 2).unwrap()).unwrap()
    }

    fn config(l2: f64) -> LogisticConfig {
        LogisticConfig {
            l2,
            tolerance: 1e-10,
            ..LogisticConfig::default()
        }
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-5, "{found:?} is not {expected:?}");
        }
    }

    /// Expected: scikit-learn 1.9.1, `LogisticRegression(C=1, tol=1e-12)`.
    #[test]
    fn two_classes_agree_with_scikit_learn() {
        let labels = [0, 1, 0, 1, 0, 0, 1, 1, 0, 0];
        let model = config(1.0).fit(&rows(), &labels, 2).unwrap();
        assert_close(&model.weights, &[-0.140_510_4, 1.032_680_9, -0.654_912_7]);
        let found: Vec<f64> = model.predict(&rows()).unwrap()[..4]
            .iter()
            .map(|&p| f64::from(p))
            .collect();
        assert_close(
            &found,
            &[0.374_244_8, 0.625_755_2, 0.446_855_2, 0.553_144_8],
        );
    }

    /// Expected: scikit-learn 1.9.1, `LogisticRegression(C=0.25, tol=1e-12)`.
    #[test]
    fn three_classes_agree_with_scikit_learn() {
        let labels = [0, 2, 1, 0, 2, 1, 0, 2, 1, 0];
        let model = config(4.0).fit(&rows(), &labels, 3).unwrap();
        let first = [-0.184_698_0, -0.075_742_9, 0.260_440_9];
        let second = [0.261_748_0, -0.404_367_1, 0.142_619_0];
        let intercepts = [0.200_532_4, -0.037_640_4, -0.162_891_9];
        assert_close(&model.weights, &[first, second, intercepts].concat());
        let found: Vec<f64> = model.predict(&rows()).unwrap()[6..9]
            .iter()
            .map(|&p| f64::from(p))
            .collect();
        assert_close(&found, &[0.252_984_7, 0.374_229_6, 0.372_785_6]);
    }

    #[test]
    fn labels_are_fitted_apart_from_each_other() {
        let first = [0, 1, 0, 1, 0, 0, 1, 1, 0, 0];
        let second = [1, 1, 1, 0, 0, 0, 1, 0, 1, 0];
        let both = first.iter().zip(&second);
        let truth: Vec<bool> = both.flat_map(|(a, b)| [a, b]).map(|&x| x == 1).collect();
        let labels = config(1.0).fit_labels(&rows(), &truth, 2).unwrap();
        let labels = labels.predict(&rows()).unwrap();
        for (at, classes) in [first, second].into_iter().enumerate() {
            let alone = config(1.0).fit(&rows(), &classes, 2).unwrap();
            let alone = alone.predict(&rows()).unwrap();
            for row in 0..rows().len() {
                assert!((labels[row * 2 + at] - alone[row * 2 + 1]).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_class_without_rows_has_no_probability() {
        let classes = [0, 3, 1, 0, 3, 1, 0, 3, 1, 0];
        let model = config(1.0).fit(&rows(), &classes, 4).unwrap();
        for row in model.predict(&rows()).unwrap().chunks_exact(4) {
            assert!(row[2].abs() < f32::EPSILON);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let fit = |labels: &[usize]| LogisticConfig::default().fit(&rows(), labels, 2);
        assert_eq!(fit(&[1; 10]), Err(BaselineError::SingleClass { class: 1 }));
        let error = fit(&[0, 1, 2, 0, 0, 0, 0, 0, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("row 2 has class 2"), "{error}");
        assert!(matches!(fit(&[0, 1]), Err(BaselineError::Count { .. })));
        let none = LogisticConfig::default().fit(&SparseRows::new(2), &[], 2);
        assert_eq!(none, Err(BaselineError::NoRows));
        let setting = config(-1.0).fit(&rows(), &[0; 10], 2);
        assert!(matches!(
            setting,
            Err(BaselineError::Setting { name: "l2", .. })
        ));
        let fitted = fit(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]).unwrap();
        let wide = fitted.predict(&SparseRows::new(3));
        assert!(matches!(
            wide,
            Err(BaselineError::Width {
                found: 3,
                expected: 2
            })
        ));
    }
}
