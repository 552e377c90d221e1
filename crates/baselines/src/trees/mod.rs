//! Gradient-boosted trees on histograms.
//!
//! References: Friedman, *Greedy function approximation: a gradient boosting machine*, 2001,
//! <https://doi.org/10.1214/aos/1013203451>; Ke et al., *`LightGBM`: a highly efficient gradient
//! boosting decision tree*, 2017,
//! <https://papers.nips.cc/paper/6907-lightgbm-a-highly-efficient-gradient-boosting-decision-tree>.
//! From the second: histograms, growth at the leaf of the largest gain, and the larger child's
//! histogram as a difference. The settings, and so the scores, are those of scikit-learn's
//! `HistGradientBoostingClassifier` and `..Regressor` without early stopping.
//!
//! Numbers do not depend on how many threads there are: a column is added up by one of them.

mod bins;
mod grow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{check_counts, check_setting, check_targets, present_classes};
use crate::logistic::{sigmoid, softmax};
use crate::{BaselineError, Table};
use bins::Binned;
use grow::{Grower, Tree};

/// How [`BoostedTrees`] are fitted.
///
/// ```
/// use tinderbox_baselines::{BoostingConfig, Table};
///
/// let values: Vec<f64> = (0..100).map(f64::from).collect();
/// let labels: Vec<usize> = (0..100).map(|at| usize::from((30..60).contains(&at))).collect();
/// let table = Table::new(values, 1)?;
/// let model = BoostingConfig::default().fit_classes(&table, &labels, 2)?;
/// let probabilities = model.predict(&Table::new(vec![45.0, 80.0], 1)?)?;
/// assert!(probabilities[1] > 0.9 && probabilities[3] < 0.1);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoostingConfig {
    /// Number of rounds; each adds one tree, or one for each of three classes or more.
    pub rounds: usize,
    /// Factor on what a tree says, in `(0, 1]`.
    pub learning_rate: f64,
    /// Most leaves of a tree.
    pub leaves: usize,
    /// Fewest rows of a leaf.
    pub leaf_rows: usize,
    /// Strength of the penalty on the squared values of the leaves, 0 or more.
    pub l2: f64,
    /// Most bins that a column is cut into.
    pub bins: usize,
}

impl Default for BoostingConfig {
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            leaves: 31,
            leaf_rows: 20,
            l2: 0.0,
            bins: 255,
        }
    }
}

/// Boosted trees that were fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoostedTrees {
    loss: Loss,
    /// Where each output starts before the first tree.
    starts: Vec<f64>,
    /// Round after round, one tree for each output.
    trees: Vec<Tree>,
    /// Classes that occurred in training.
    present: Vec<usize>,
    answers: usize,
    /// Sum of the gains of each column's splits.
    gains: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Loss {
    /// Half the squared error.
    Square,
    /// Cross-entropy of two classes.
    Binary,
    /// Cross-entropy of more.
    Softmax,
}

impl BoostingConfig {
    /// Fits the rows of `table` to their class among `classes`; missing values are allowed.
    ///
    /// A class without a training row gets probability 0.
    ///
    /// # Errors
    ///
    /// If there are no rows, fewer than two classes occur, a label is not a class, or a setting is
    /// out of range.
    pub fn fit_classes(
        &self,
        table: &Table,
        labels: &[usize],
        classes: usize,
    ) -> Result<BoostedTrees, BaselineError> {
        self.validate()?;
        check_counts(table.rows(), labels.len())?;
        let present = present_classes(labels, classes)?;
        let share = |class: &usize| {
            let rows = labels.iter().filter(|&label| label == class).count();
            rows as f64 / labels.len() as f64
        };
        let shares: Vec<f64> = present.iter().map(share).collect();
        let (loss, starts) = match shares[..] {
            [no, yes] => (Loss::Binary, vec![(yes / no).ln()]),
            _ => (Loss::Softmax, shares.iter().map(|s| s.ln()).collect()),
        };
        let mut slot = vec![0; classes];
        for (at, &class) in present.iter().enumerate() {
            slot[class] = at;
        }
        let truth: Vec<f64> = labels.iter().map(|&label| slot[label] as f64).collect();
        let mut model = BoostedTrees::new(loss, starts, table.columns(), classes);
        model.present = present;
        self.boost(&mut model, table, &truth);
        Ok(model)
    }

    /// Fits the rows of `table` to their targets; missing values are allowed.
    ///
    /// # Errors
    ///
    /// If there are no rows, a target is not a finite number, or a setting is out of range.
    pub fn fit_values(
        &self,
        table: &Table,
        targets: &[f64],
    ) -> Result<BoostedTrees, BaselineError> {
        self.validate()?;
        check_counts(table.rows(), targets.len())?;
        check_targets(targets)?;
        let mean = targets.iter().sum::<f64>() / targets.len() as f64;
        let mut model = BoostedTrees::new(Loss::Square, vec![mean], table.columns(), 1);
        self.boost(&mut model, table, targets);
        Ok(model)
    }

    fn validate(&self) -> Result<(), BaselineError> {
        let count = |value: usize| value as f64;
        check_setting("rounds", count(self.rounds), 1.0..=1e5, "[1, 100000]")?;
        let rate = self.learning_rate;
        check_setting("learning_rate", rate, f64::MIN_POSITIVE..=1.0, "(0, 1]")?;
        check_setting("leaves", count(self.leaves), 2.0..=65_536.0, "[2, 65536]")?;
        check_setting("leaf_rows", count(self.leaf_rows), 1.0..=1e9, "[1, 1e9]")?;
        check_setting("l2", self.l2, 0.0..=1e12, "[0, 1e12]")?;
        check_setting("bins", count(self.bins), 2.0..=255.0, "[2, 255]")
    }

    fn boost(&self, model: &mut BoostedTrees, table: &Table, truth: &[f64]) {
        let binned = Binned::new(table, self.bins);
        let outputs = model.starts.len();
        // Row after row.
        let mut scores = model.starts.repeat(truth.len());
        for _ in 0..self.rounds {
            let slopes = model.loss.slopes(&scores, truth, outputs);
            for (output, slopes) in slopes.iter().enumerate() {
                let grower = Grower {
                    binned: &binned,
                    config: self,
                    slopes,
                };
                let grown = grower.grow();
                let scores = scores.iter_mut().skip(output).step_by(outputs);
                for (score, value) in scores.zip(grown.values) {
                    *score += value;
                }
                for (column, gain) in grown.gains {
                    model.gains[column] += gain;
                }
                model.trees.push(grown.tree);
            }
        }
    }
}

impl Loss {
    /// Gradient and Hessian of each row, for each output.
    fn slopes(self, scores: &[f64], truth: &[f64], outputs: usize) -> Vec<Vec<[f32; 2]>> {
        let mut slopes = vec![vec![[0.0; 2]; truth.len()]; outputs];
        let mut answers = vec![0.0; outputs];
        for (row, (scores, &truth)) in scores.chunks_exact(outputs).zip(truth).enumerate() {
            answers.copy_from_slice(scores);
            self.answers(&mut answers);
            for (output, &answer) in answers.iter().enumerate() {
                let (truth, hessian) = match self {
                    Self::Square => (truth, 1.0),
                    Self::Binary => (truth, answer * (1.0 - answer)),
                    Self::Softmax => {
                        let own = f64::from(u8::from(truth as usize == output));
                        (own, answer * (1.0 - answer))
                    }
                };
                slopes[output][row] = [(answer - truth) as f32, hessian as f32];
            }
        }
        slopes
    }

    /// Makes the values or probabilities of a row of its scores.
    fn answers(self, scores: &mut [f64]) {
        match self {
            Self::Square => {}
            Self::Binary => scores[0] = sigmoid(scores[0]),
            Self::Softmax => softmax(scores),
        }
    }
}

impl BoostedTrees {
    fn new(loss: Loss, starts: Vec<f64>, columns: usize, answers: usize) -> Self {
        Self {
            loss,
            starts,
            trees: Vec::new(),
            present: Vec::new(),
            answers,
            gains: vec![0.0; columns],
        }
    }

    /// Whether the parts fit each other and take `columns` columns, which a stored model may not.
    pub fn is_sound(&self, columns: usize) -> bool {
        let outputs = self.starts.len();
        let present = match self.loss {
            Loss::Square => self.present.is_empty() && outputs == 1 && self.answers == 1,
            Loss::Binary => self.present.len() == 2 && outputs == 1,
            Loss::Softmax => self.present.len() == outputs,
        };
        present
            && outputs > 0
            && self.trees.len().is_multiple_of(outputs)
            && self.gains.len() == columns
            && self.present.iter().all(|&class| class < self.answers)
            && self.trees.iter().all(|tree| tree.is_sound(columns))
    }

    /// Number of values or probabilities for each row.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// The value of each row, or the probability of each class, row after row.
    ///
    /// # Errors
    ///
    /// If the rows are not as wide as those of the fit.
    pub fn predict(&self, table: &Table) -> Result<Vec<f64>, BaselineError> {
        if table.columns() != self.gains.len() {
            return Err(BaselineError::Width {
                found: table.columns(),
                expected: self.gains.len(),
            });
        }
        let mut all = vec![0.0; table.rows() * self.answers];
        all.par_chunks_exact_mut(self.answers.max(1))
            .enumerate()
            .with_min_len(256)
            .for_each(|(row, answers)| self.answer(table.row(row), answers));
        Ok(all)
    }

    fn answer(&self, row: &[f64], answers: &mut [f64]) {
        let mut scores = self.starts.clone();
        for round in self.trees.chunks_exact(scores.len()) {
            for (score, tree) in scores.iter_mut().zip(round) {
                *score += tree.predict(row);
            }
        }
        self.loss.answers(&mut scores);
        match self.present[..] {
            [] => answers.copy_from_slice(&scores),
            [no, yes] => {
                answers[no] = 1.0 - scores[0];
                answers[yes] = scores[0];
            }
            _ => {
                for (&class, score) in self.present.iter().zip(scores) {
                    answers[class] = score;
                }
            }
        }
    }

    /// Each column's share of what the splits gained, which add up to 1 if there is a split.
    pub fn importance(&self) -> Vec<f64> {
        let total: f64 = self.gains.iter().sum();
        let total = if total > 0.0 { total } else { 1.0 };
        self.gains.iter().map(|gain| gain / total).collect()
    }
}

#[cfg(test)]
mod tests;
