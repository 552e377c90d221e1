//! TF-IDF with a linear model on the same texts, so that the net's gain is seen and not claimed.

use std::time::Instant;

use tinderbox_baselines::{LogisticConfig, TfidfConfig};

use super::answers::Answers;
use super::data::{Corpus, Parts, Rows, Truth};
use super::error::TextRecipeError;
use super::{Prepared, contracts};
use tinderbox_train::metrics::{Labels, Predictions};
use tinderbox_train::run_dir::Baseline;

/// How much small weights are preferred: most texts are short, and TF-IDF has unit length.
const L2: f64 = 0.1;

/// A method's result with what it said of each test text.
#[derive(Clone, Debug, PartialEq)]
pub struct Classical {
    /// Its result.
    pub baseline: Baseline,
    /// What it said of the test texts.
    pub answers: Answers,
}

impl Prepared {
    /// TF-IDF with logistic regression on the same texts; a running text and tags have none.
    pub(super) fn baselines(&self, parts: &Parts) -> Result<Vec<Classical>, TextRecipeError> {
        let Corpus::Rows(rows) = &self.corpus else {
            return Ok(Vec::new());
        };
        if matches!(rows.truth, Truth::Tags(_)) {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        // A method without early stopping needs no validation texts.
        let fitted = [&parts.train[..], &parts.valid].concat();
        let [answers, valid] = Self::linear(rows, &fitted, [&parts.test, &parts.valid])?;
        let mut test = answers.metrics();
        if let Some(reading) = contracts::read(rows, &answers, &valid) {
            test.extend(reading.metrics());
        }
        Ok(vec![Classical {
            baseline: Baseline {
                method: "TF-IDF + logistic regression".to_owned(),
                samples: fitted.len(),
                wall_s: started.elapsed().as_secs_f64(),
                threshold: None,
                test,
            },
            answers,
        }])
    }

    fn linear(
        rows: &Rows,
        fitted: &[usize],
        asked: [&[usize]; 2],
    ) -> Result<[Answers; 2], TextRecipeError> {
        let texts = |of: &[usize]| -> Vec<String> {
            of.iter().map(|&row| rows.inputs[row].joined()).collect()
        };
        let train = texts(fitted);
        let terms = TfidfConfig::default().fit(&train)?;
        let features = terms.transform(&train);
        let config = LogisticConfig {
            l2: L2,
            ..LogisticConfig::default()
        };
        let classes = rows.names.len();
        let model = match &rows.truth {
            Truth::Classes(labels) => {
                let labels: Vec<usize> = fitted.iter().map(|&row| labels[row]).collect();
                config.fit(&features, &labels, classes)?
            }
            Truth::Labels(flags) => {
                let flags: Vec<bool> = fitted.iter().flat_map(|&row| flags[row].clone()).collect();
                config.fit_labels(&features, &flags, classes)?
            }
            Truth::Tags(_) => return Err(tinderbox_train::FitError::NotRun.into()),
        };
        let answer = |of: &[usize]| -> Result<Answers, TextRecipeError> {
            let said = model.predict(&terms.transform(&texts(of)))?;
            Ok(paired(&said, &rows.truth, of, classes))
        };
        Ok([answer(asked[0])?, answer(asked[1])?])
    }
}

fn paired(said: &[f32], truth: &Truth, rows: &[usize], classes: usize) -> Answers {
    match truth {
        Truth::Labels(flags) => Answers::Labels(Labels {
            labels: classes,
            probabilities: said.iter().map(|&p| f64::from(p)).collect(),
            truth: rows.iter().flat_map(|&row| flags[row].clone()).collect(),
        }),
        Truth::Classes(labels) => {
            let mut predictions = Predictions::default();
            predictions.extend(classes, said, rows.iter().map(|&row| labels[row]));
            Answers::Classes(predictions)
        }
        Truth::Tags(_) => Answers::Classes(Predictions::default()),
    }
}
