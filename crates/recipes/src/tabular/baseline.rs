//! Classical methods on the same rows, so that the net's gain is seen and not claimed.
//!
//! They are not fed what the network is fed, but what suits them: linear methods take standardized
//! or rank-transformed numbers with the median where one is missing, and one-hot categories; trees
//! take numbers as they are. Which of the two scales, and whether a skewed target is learned by its
//! logarithm, is chosen on the validation rows; so is the decision threshold of two classes. The
//! method is then fitted on the training and validation rows together.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tinderbox_baselines::{
    BaselineError, BoostedTrees, BoostingConfig, Logistic, LogisticConfig, Ridge, RidgeConfig,
};
use tinderbox_datasets::table::Table;

use super::answers::Answers;
use super::encoder::{Encoded, Encoder};
use super::error::TabularError;
use super::plain::{LinearInputs, PlainRows, tree_columns};
use super::recipe::{NumericScale, TargetScale};
use super::target::{Target, Truth};
use tinderbox_train::metrics::Estimate;
use tinderbox_train::run_dir::Baseline;

/// Name of the file in `model/` that holds the fitted baselines, where they are kept.
pub(crate) const BASELINES_FILE: &str = "baselines.json";

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

/// What a method is fitted on and measured on.
pub(crate) struct Rows<'a> {
    pub(crate) table: &'a Table,
    pub(crate) encoder: &'a Encoder,
    /// All rows of the table.
    pub(crate) encoded: &'a Encoded,
    pub(crate) truth: &'a Truth,
    pub(crate) target: &'a Target,
    pub(crate) train: &'a [usize],
    pub(crate) valid: &'a [usize],
    pub(crate) test: &'a [usize],
}

/// A method's result with what it said of each test row.
#[derive(Clone, Debug, PartialEq)]
pub struct Classical {
    /// Its result.
    pub baseline: Baseline,
    /// What it said of the test rows.
    pub answers: Answers,
    /// The family of the method.
    pub kind: BaselineKind,
    pub(crate) fitted: FittedBaseline,
}

/// A fitted method with its inputs, as `model/` keeps it.
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

/// One way to prepare the inputs and the target.
#[derive(Clone)]
struct Candidate {
    kind: BaselineKind,
    scale: NumericScale,
    target: Target,
}

impl Rows<'_> {
    /// A linear method and boosted trees, measured on the test rows.
    pub(crate) fn baselines(&self) -> Result<Vec<Classical>, TabularError> {
        let plain = PlainRows::new(self.encoder, self.table, self.encoded)?;
        let mut all = Vec::new();
        for kind in BaselineKind::ALL {
            let started = Instant::now();
            let fitted = self.fit(kind, &plain)?;
            let truth = self.truth.take(self.test);
            let answers = fitted.answers(&plain, self.test, &truth)?;
            all.push(Classical {
                baseline: Baseline {
                    method: fitted.method.name().to_owned(),
                    samples: self.train.len() + self.valid.len(),
                    wall_s: started.elapsed().as_secs_f64(),
                    threshold: answers.threshold(),
                    test: answers.metrics(),
                },
                answers,
                kind,
                fitted,
            });
        }
        Ok(all)
    }

    /// What the same methods say of all rows of another table: the probability of the second class.
    pub(crate) fn elsewhere(
        &self,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Vec<(String, Vec<f32>)>, TabularError> {
        let plain = PlainRows::new(self.encoder, self.table, self.encoded)?;
        let other = PlainRows::new(self.encoder, table, encoded)?;
        let rows: Vec<usize> = (0..table.rows()).collect();
        let mut all = Vec::new();
        for kind in BaselineKind::ALL {
            let fitted = self.fit(kind, &plain)?;
            let said = fitted.method.predict(&other, &rows)?;
            all.push((fitted.method.name().to_owned(), super::probabilities(&said)));
        }
        Ok(all)
    }

    fn fit(&self, kind: BaselineKind, plain: &PlainRows) -> Result<FittedBaseline, TabularError> {
        let mut candidates = self.candidates(kind, plain)?;
        let two_classes = self.target.d_output() == 2;
        let mut best: Option<(usize, Validated)> = None;
        if candidates.len() > 1 || two_classes {
            for (index, candidate) in candidates.iter().enumerate() {
                let found = match self.validate(candidate, plain) {
                    Ok(found) => found,
                    // Without the validation rows a class may be missing.
                    Err(TabularError::Baseline(BaselineError::SingleClass { .. })) => continue,
                    Err(error) => return Err(error),
                };
                if best.as_ref().is_none_or(|(_, best)| found.beats(best)) {
                    best = Some((index, found));
                }
            }
        }
        let (index, threshold) = best.map_or((0, None), |(index, best)| (index, best.threshold));
        let candidate = candidates.swap_remove(index);
        let all = [self.train, self.valid].concat();
        Ok(FittedBaseline {
            method: self.fit_one(&candidate, plain, &all)?,
            target: candidate.target,
            threshold,
        })
    }

    fn candidates(
        &self,
        kind: BaselineKind,
        plain: &PlainRows,
    ) -> Result<Vec<Candidate>, TabularError> {
        let mut targets = vec![self.target.clone()];
        if matches!(self.target, Target::Number { log: true, .. }) {
            let mut own = self.target.clone();
            own.measure(self.truth, self.train, TargetScale::Standard, "")?;
            targets.push(own);
        }
        let scales: &[NumericScale] = match kind {
            BaselineKind::Linear if plain.has_numbers() => {
                &[NumericScale::Standard, NumericScale::Quantile]
            }
            _ => &[NumericScale::Standard],
        };
        let of = |target: &Target| {
            let target = target.clone();
            scales.iter().map(move |&scale| Candidate {
                kind,
                scale,
                target: target.clone(),
            })
        };
        Ok(targets.iter().flat_map(of).collect())
    }

    fn validate(
        &self,
        candidate: &Candidate,
        plain: &PlainRows,
    ) -> Result<Validated, TabularError> {
        let fitted = FittedBaseline {
            method: self.fit_one(candidate, plain, self.train)?,
            target: candidate.target.clone(),
            threshold: None,
        };
        let truth = self.truth.take(self.valid);
        let answers = fitted.answers(plain, self.valid, &truth)?;
        let metrics = answers.metrics();
        let loss = metrics.get("rmse").or(metrics.get("loss")).copied();
        Ok(Validated {
            loss: loss.filter(|loss| !loss.is_nan()).unwrap_or(f64::INFINITY),
            log: matches!(candidate.target, Target::Number { log: true, .. }),
            estimate: answers.estimate(),
            threshold: answers.tuned_threshold(),
        })
    }

    fn fit_one(
        &self,
        candidate: &Candidate,
        plain: &PlainRows,
        rows: &[usize],
    ) -> Result<Method, TabularError> {
        let truth = self.truth.take(rows);
        let classes = candidate.target.d_output();
        Ok(match (candidate.kind, &truth) {
            (BaselineKind::Linear, Truth::Classes(labels)) => {
                let inputs = LinearInputs::fit(plain, rows, candidate.scale);
                let train = inputs.apply(plain, rows)?;
                let model = LogisticConfig::default().fit(&train, labels, classes)?;
                Method::Logistic { inputs, model }
            }
            (BaselineKind::Linear, Truth::Numbers(values)) => {
                let inputs = LinearInputs::fit(plain, rows, candidate.scale);
                let train = inputs.apply(plain, rows)?;
                let model = RidgeConfig::default().fit(&train, &candidate.scaled(values))?;
                Method::Ridge { inputs, model }
            }
            (BaselineKind::Trees, Truth::Classes(labels)) => Method::Trees {
                model: BoostingConfig::default().fit_classes(
                    &plain.table(rows)?,
                    labels,
                    classes,
                )?,
            },
            (BaselineKind::Trees, Truth::Numbers(values)) => Method::Trees {
                model: BoostingConfig::default()
                    .fit_values(&plain.table(rows)?, &candidate.scaled(values))?,
            },
        })
    }
}

/// What the validation rows say of a candidate.
struct Validated {
    loss: f64,
    /// Whether the logarithm of the target is learned.
    log: bool,
    estimate: Option<Estimate>,
    /// The threshold that they suggest for two classes.
    threshold: Option<f64>,
}

impl Validated {
    /// Whether this candidate is better than one before it. The network's logarithm is given up only
    /// for what is better beyond noise: a few large targets decide a squared error.
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
    fn predict(&self, plain: &PlainRows, rows: &[usize]) -> Result<Vec<f32>, BaselineError> {
        let single = |said: Vec<f64>| said.into_iter().map(|value| value as f32).collect();
        match self {
            Self::Logistic { inputs, model } => model.predict(&inputs.apply(plain, rows)?),
            Self::Ridge { inputs, model } => {
                Ok(single(model.predict(&inputs.apply(plain, rows)?)?))
            }
            Self::Trees { model } => Ok(single(model.predict(&plain.table(rows)?)?)),
        }
    }
}

impl FittedBaseline {
    /// Probabilities of the classes of each row, or a number on the scale of [`target`](Self::target).
    pub(crate) fn predict(
        &self,
        encoder: &Encoder,
        table: &Table,
        encoded: &Encoded,
    ) -> Result<Vec<f32>, TabularError> {
        let plain = PlainRows::new(encoder, table, encoded)?;
        let rows: Vec<usize> = (0..encoded.rows).collect();
        Ok(self.method.predict(&plain, &rows)?)
    }

    /// Whether the method takes the rows of an encoder and answers for `target`, which a stored one
    /// may not.
    pub(crate) fn fits(&self, encoder: &Encoder, target: &Target) -> bool {
        let outputs = target.d_output();
        let sound = match &self.method {
            Method::Logistic { inputs, model } => {
                let width = inputs.width(encoder);
                width.is_some_and(|width| model.is_sound(width)) && model.answers() == outputs
            }
            Method::Ridge { inputs, model } => {
                let width = inputs.width(encoder);
                width.is_some_and(|width| model.is_sound(width)) && outputs == 1
            }
            Method::Trees { model } => {
                model.is_sound(tree_columns(encoder).len()) && model.answers() == outputs
            }
        };
        sound && self.target.d_output() == outputs
    }

    /// The target on this method's own scale.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The decision threshold of two classes.
    pub(crate) fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    fn answers(
        &self,
        plain: &PlainRows,
        rows: &[usize],
        truth: &Truth,
    ) -> Result<Answers, TabularError> {
        let said = self.method.predict(plain, rows)?;
        let answers = Answers::new(&said, |score| self.target.unscaled(score), truth);
        Ok(answers.decided_at(self.threshold))
    }
}

/// The fitted methods as the file that `model/` keeps.
pub(crate) fn to_json(methods: &[Classical]) -> Result<Vec<u8>, serde_json::Error> {
    let by_kind: BTreeMap<BaselineKind, &FittedBaseline> = methods
        .iter()
        .map(|method| (method.kind, &method.fitted))
        .collect();
    serde_json::to_vec(&by_kind)
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::table::Column;

    use super::*;
    use crate::tabular::Recipe;

    /// Everything that is fitted and measured of a table whose last column is the target.
    fn baselines(columns: Vec<Column>) -> Vec<Classical> {
        let table = Table::new("test", columns).unwrap();
        let recipe = Recipe::builtin("file").unwrap();
        let names: Vec<String> = table
            .columns()
            .iter()
            .map(|c| c.name().to_owned())
            .collect();
        let (target_name, inputs) = names.split_last().unwrap();
        let count = table.rows();
        let rows = |from: usize| -> Vec<usize> { (from..count).step_by(5).collect() };
        let (test, valid) = (rows(0), rows(1));
        let train = [rows(2), rows(3), rows(4)].concat();
        let (mut target, truth) =
            Target::read(table.column(target_name).unwrap(), &recipe.data).unwrap();
        target
            .measure(&truth, &train, recipe.features.target, target_name)
            .unwrap();
        let encoder = Encoder::fit(&table, inputs, &train, &recipe.features).unwrap();
        let encoded = encoder.encode(&table).unwrap();
        let rows = Rows {
            table: &table,
            encoder: &encoder,
            encoded: &encoded,
            truth: &truth,
            target: &target,
            train: &train,
            valid: &valid,
            test: &test,
        };
        let methods = rows.baselines().unwrap();
        for method in &methods {
            let json = serde_json::to_string(&method.fitted).unwrap();
            let stored: FittedBaseline = serde_json::from_str(&json).unwrap();
            assert_eq!(stored, method.fitted);
        }
        methods
    }

    /// A number in `[0, 1)`, in no order.
    fn spread(at: usize, step: usize) -> f64 {
        ((at * step + 7) % 1009) as f64 / 1009.0
    }

    #[test]
    fn a_linear_table_is_solved_by_the_linear_method() {
        let a: Vec<f64> = (0..600).map(|at| spread(at, 389).powi(4) * 100.0).collect();
        let b: Vec<f64> = (0..600).map(|at| spread(at, 613)).collect();
        let word = |at: usize| ["x", "y", "z"][at % 3];
        let words = Column::categorical("w", (0..600).map(|at| Some(word(at))));
        // The second target is skewed, so that the network learns its logarithm.
        for offset in [-3.0, 0.5] {
            let y = (0..600).map(|at| offset + 2.0 * a[at] + 5.0 * b[at] + (at % 3) as f64);
            let columns = vec![
                Column::numeric("a", a.clone()),
                Column::numeric("b", b.clone()),
                words.clone(),
                Column::numeric("y", y.collect()),
            ];
            let found = baselines(columns)[0].baseline.test["r2"];
            assert!(found > 0.9999, "{offset}: {found}");
        }
    }

    #[test]
    fn trees_find_what_hangs_on_the_time_of_day() {
        let times: Vec<f64> = (0..3_000)
            .map(|at| 19_000.0 + f64::from(at) * 7.0 / 24.0)
            .collect();
        let y = times.iter().map(|time| {
            let hour = ((time.fract() * 24.0).round() as usize) % 24;
            let weekend = (time.floor() as usize + 3) % 7 >= 5;
            f64::from(u8::from((7..19).contains(&hour))) * if weekend { 1.0 } else { 4.0 } + 0.01
        });
        let y: Vec<f64> = y.collect();
        let columns = vec![Column::date("at", times.clone()), Column::numeric("y", y)];
        let methods = baselines(columns);
        let found = methods[1].baseline.test["r2"];
        assert!(found > 0.95, "{found}");
    }

    #[test]
    fn two_classes_are_decided_at_a_tuned_threshold() {
        let a: Vec<f64> = (0..1_000).map(|at| spread(at, 389)).collect();
        let yes = |at: usize| spread(at, 613) < 0.45 * a[at].powi(3);
        let y = (0..1_000).map(|at| Some(if yes(at) { "yes" } else { "no" }));
        let columns = vec![Column::numeric("a", a.clone()), Column::categorical("y", y)];
        for method in baselines(columns) {
            let threshold = method.baseline.threshold.unwrap();
            assert!(threshold < 0.5, "{threshold}");
            let Answers::Classes(predictions) = &method.answers else {
                panic!("not classes");
            };
            let [[a, b], [c, d]] = [0, 1].map(|row| {
                let row = &predictions.confusion()[row];
                [row[0] as f64, row[1] as f64]
            });
            let test = &method.baseline.test;
            assert!((test["accuracy"] - (a + d) / (a + b + c + d)).abs() < 1e-12);
            assert!((test["f1"] - 2.0 * d / (2.0 * d + b + c)).abs() < 1e-12);
            assert!(test["f1"] > 0.0);
        }
    }
}
