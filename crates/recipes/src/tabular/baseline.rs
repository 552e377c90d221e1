//! Classical baselines on the same splits.
//!
//! Their preprocessing is that of the methods, not of the network: linear methods take standardized
//! or rank-transformed numbers, the median for a missing one, and one-hot categories; trees take
//! unscaled numbers. The scaling, the logarithm of a skewed target and the decision threshold of two
//! classes are chosen on the validation rows. The method is then fitted on the training and
//! validation rows together.

mod inputs;
mod stored;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tinderbox_baselines::{
    BaselineError, BoostedTrees, BoostingConfig, Logistic, LogisticConfig, Ridge, RidgeConfig,
};
use tinderbox_datasets::table::Table;
use tinderbox_predict::tabular::{Encoded, Encoder, NumericScaling, Target, TargetScaling};
use tinderbox_train::TaskError;
use tinderbox_train::metrics::{Estimate, Evaluation};
use tinderbox_train::run_dir::Baseline;

use super::error::table_error;
use super::fit::positive;
use super::targets::{Targets, fit_scale};
use inputs::{LinearInputs, UnscaledRows};

pub(super) use stored::{BASELINES_FILE, load_baseline, to_json};

/// A family of classical methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineKind {
    /// Logistic or ridge regression.
    Linear,
    /// Gradient-boosted trees.
    Trees,
}

impl BaselineKind {
    const ALL: [Self; 2] = [Self::Linear, Self::Trees];
}

impl FromStr for BaselineKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "linear" => Ok(Self::Linear),
            "trees" => Ok(Self::Trees),
            _ => Err("expected `linear` or `trees`".to_owned()),
        }
    }
}

/// The rows that a method is fitted and evaluated on.
pub(crate) struct Rows<'a> {
    pub(crate) table: &'a Table,
    pub(crate) encoder: &'a Encoder,
    /// All rows of the table.
    pub(crate) encoded: &'a Encoded,
    pub(crate) targets: &'a Targets,
    pub(crate) target: &'a Target,
    pub(crate) train: &'a [usize],
    pub(crate) valid: &'a [usize],
    pub(crate) test: &'a [usize],
}

/// A fitted method with its result on the test rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Classical {
    /// Its result.
    pub(crate) result: Baseline,
    /// Its predictions for the test rows.
    pub(crate) evaluation: Evaluation,
    /// The family of the method.
    pub(crate) kind: BaselineKind,
    pub(crate) fitted: FittedBaseline,
}

/// A fitted method with its inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedBaseline {
    method: Method,
    target: Target,
    /// The decision threshold of two classes.
    threshold: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Method {
    Logistic {
        inputs: LinearInputs,
        model: Logistic,
    },
    Ridge {
        inputs: LinearInputs,
        model: Ridge,
    },
    Trees {
        model: BoostedTrees,
    },
}

/// A way to preprocess the inputs and the target.
#[derive(Clone)]
struct Candidate {
    kind: BaselineKind,
    scaling: NumericScaling,
    target: Target,
}

impl Rows<'_> {
    /// A linear method and boosted trees, evaluated on the test rows.
    pub(crate) fn fit_all(&self) -> Result<Vec<Classical>, TaskError> {
        let unscaled =
            UnscaledRows::new(self.encoder, self.table, self.encoded).map_err(table_error)?;
        let mut all = Vec::new();
        for kind in BaselineKind::ALL {
            let started = Instant::now();
            let fitted = self.fit(kind, &unscaled)?;
            let targets = self.targets.take(self.test);
            let evaluation = fitted.evaluate(&unscaled, self.test, targets)?;
            all.push(Classical {
                result: Baseline {
                    method: fitted.method.name().to_owned(),
                    samples: self.train.len() + self.valid.len(),
                    wall_s: started.elapsed().as_secs_f64(),
                    threshold: evaluation.threshold(),
                    test: evaluation.metrics(),
                },
                evaluation,
                kind,
                fitted,
            });
        }
        Ok(all)
    }

    /// The probability of the positive class that the same methods give to all rows of another table.
    pub(crate) fn scores_of(
        &self,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Vec<(String, Vec<f32>)>, TaskError> {
        let unscaled =
            UnscaledRows::new(self.encoder, self.table, self.encoded).map_err(table_error)?;
        let other = UnscaledRows::new(self.encoder, table, encoded).map_err(table_error)?;
        let rows: Vec<usize> = (0..table.rows()).collect();
        let mut all = Vec::new();
        for kind in BaselineKind::ALL {
            let fitted = self.fit(kind, &unscaled)?;
            let scores = fitted
                .method
                .predict(&other, &rows)
                .map_err(TaskError::internal)?;
            all.push((fitted.method.name().to_owned(), positive(&scores)));
        }
        Ok(all)
    }

    fn fit(
        &self,
        kind: BaselineKind,
        unscaled: &UnscaledRows,
    ) -> Result<FittedBaseline, TaskError> {
        let mut candidates = self.candidates(kind, unscaled)?;
        let two_classes = self.target.d_output() == 2;
        let mut best: Option<(usize, Validated)> = None;
        if candidates.len() > 1 || two_classes {
            for (index, candidate) in candidates.iter().enumerate() {
                let validated = match self.validate(candidate, unscaled) {
                    Ok(validated) => validated,
                    // Without the validation rows a class may be missing.
                    Err(error) if is_single_class(&error) => continue,
                    Err(error) => return Err(error),
                };
                if best.as_ref().is_none_or(|(_, best)| validated.beats(best)) {
                    best = Some((index, validated));
                }
            }
        }
        let (index, threshold) = best.map_or((0, None), |(index, best)| (index, best.threshold));
        let candidate = candidates.swap_remove(index);
        let all = [self.train, self.valid].concat();
        Ok(FittedBaseline {
            method: self
                .fit_one(&candidate, unscaled, &all)
                .map_err(TaskError::internal)?,
            target: candidate.target,
            threshold,
        })
    }

    fn candidates(
        &self,
        kind: BaselineKind,
        unscaled: &UnscaledRows,
    ) -> Result<Vec<Candidate>, TaskError> {
        let mut targets = vec![self.target.clone()];
        if matches!(self.target, Target::Number { log: true, .. }) {
            let mut own = self.target.clone();
            fit_scale(
                &mut own,
                self.targets,
                self.train,
                TargetScaling::Standard,
                "",
            )?;
            targets.push(own);
        }
        let scalings: &[NumericScaling] = match kind {
            BaselineKind::Linear if unscaled.has_numbers() => {
                &[NumericScaling::Standard, NumericScaling::Quantile]
            }
            _ => &[NumericScaling::Standard],
        };
        let of = |target: &Target| {
            let target = target.clone();
            scalings.iter().map(move |&scaling| Candidate {
                kind,
                scaling,
                target: target.clone(),
            })
        };
        Ok(targets.iter().flat_map(of).collect())
    }

    fn validate(
        &self,
        candidate: &Candidate,
        unscaled: &UnscaledRows,
    ) -> Result<Validated, TaskError> {
        let fitted = FittedBaseline {
            method: self
                .fit_one(candidate, unscaled, self.train)
                .map_err(TaskError::internal)?,
            target: candidate.target.clone(),
            threshold: None,
        };
        let targets = self.targets.take(self.valid);
        let evaluation = fitted.evaluate(unscaled, self.valid, targets)?;
        let metrics = evaluation.metrics();
        let loss = metrics.get("rmse").or(metrics.get("loss")).copied();
        Ok(Validated {
            loss: loss.filter(|loss| !loss.is_nan()).unwrap_or(f64::INFINITY),
            log: matches!(candidate.target, Target::Number { log: true, .. }),
            estimate: evaluation.estimate(),
            threshold: evaluation.tuned_threshold(),
        })
    }

    fn fit_one(
        &self,
        candidate: &Candidate,
        unscaled: &UnscaledRows,
        rows: &[usize],
    ) -> Result<Method, BaselineError> {
        let targets = self.targets.take(rows);
        let classes = candidate.target.d_output();
        Ok(match (candidate.kind, &targets) {
            (BaselineKind::Linear, Targets::Classes(labels)) => {
                let inputs = LinearInputs::fit(unscaled, rows, candidate.scaling);
                let train = inputs.apply(unscaled, rows)?;
                let model = LogisticConfig::default().fit(&train, labels, classes)?;
                Method::Logistic { inputs, model }
            }
            (BaselineKind::Linear, Targets::Numbers(values)) => {
                let inputs = LinearInputs::fit(unscaled, rows, candidate.scaling);
                let train = inputs.apply(unscaled, rows)?;
                let model = RidgeConfig::default().fit(&train, &candidate.scaled(values))?;
                Method::Ridge { inputs, model }
            }
            (BaselineKind::Trees, Targets::Classes(labels)) => Method::Trees {
                model: BoostingConfig::default().fit_classes(
                    &unscaled.table(rows)?,
                    labels,
                    classes,
                )?,
            },
            (BaselineKind::Trees, Targets::Numbers(values)) => Method::Trees {
                model: BoostingConfig::default()
                    .fit_values(&unscaled.table(rows)?, &candidate.scaled(values))?,
            },
        })
    }
}

/// The result of a candidate on the validation rows.
struct Validated {
    loss: f64,
    /// Whether the target is the logarithm.
    log: bool,
    estimate: Option<Estimate>,
    /// The decision threshold of two classes that they suggest.
    threshold: Option<f64>,
}

impl Validated {
    /// Whether this candidate is better than an earlier one. The logarithm of the network's target is
    /// given up only for a difference beyond noise: a few large targets determine a squared error.
    fn beats(&self, best: &Self) -> bool {
        let margin = match (&self.estimate, &best.estimate) {
            (Some(own), Some(best_estimate)) if self.log != best.log => {
                own.paired_half_width(best_estimate)
            }
            _ => 0.0,
        };
        self.loss + margin < best.loss
    }
}

impl Candidate {
    fn scaled(&self, values: &[f64]) -> Vec<f64> {
        let scale = |&value: &f64| f64::from(self.target.scaled(value));
        values.iter().map(scale).collect()
    }
}

impl Method {
    fn name(&self) -> &'static str {
        match self {
            Self::Logistic { .. } => "logistic regression",
            Self::Ridge { .. } => "ridge regression",
            Self::Trees { .. } => "boosted trees",
        }
    }

    /// Probabilities of the classes of each row, or a number on the target's scale.
    fn predict(&self, unscaled: &UnscaledRows, rows: &[usize]) -> Result<Vec<f32>, BaselineError> {
        let single = |scores: Vec<f64>| scores.into_iter().map(|value| value as f32).collect();
        match self {
            Self::Logistic { inputs, model } => model.predict(&inputs.apply(unscaled, rows)?),
            Self::Ridge { inputs, model } => {
                Ok(single(model.predict(&inputs.apply(unscaled, rows)?)?))
            }
            Self::Trees { model } => Ok(single(model.predict(&unscaled.table(rows)?)?)),
        }
    }
}

impl FittedBaseline {
    /// Probabilities of the classes of each row, or numbers in the target's unit.
    pub(crate) fn outputs(
        &self,
        encoder: &Encoder,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Vec<f64>, TaskError> {
        let unscaled = UnscaledRows::new(encoder, table, encoded).map_err(table_error)?;
        let rows: Vec<usize> = (0..encoded.rows).collect();
        self.unscaled_outputs(&unscaled, &rows)
    }

    fn unscaled_outputs(
        &self,
        unscaled: &UnscaledRows,
        rows: &[usize],
    ) -> Result<Vec<f64>, TaskError> {
        let scores = self
            .method
            .predict(unscaled, rows)
            .map_err(TaskError::internal)?;
        Ok(scores
            .into_iter()
            .map(|score| self.target.unscaled(score))
            .collect())
    }

    /// The decision threshold of two classes.
    pub(crate) fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    fn evaluate(
        &self,
        unscaled: &UnscaledRows,
        rows: &[usize],
        targets: Targets,
    ) -> Result<Evaluation, TaskError> {
        let outputs = self.unscaled_outputs(unscaled, rows)?;
        Ok(targets.evaluation(&outputs).decided_at(self.threshold))
    }
}

fn is_single_class(error: &TaskError) -> bool {
    matches!(
        error.downcast_ref(),
        Some(BaselineError::SingleClass { .. })
    )
}
