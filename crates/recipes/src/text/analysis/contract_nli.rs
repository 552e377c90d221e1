//! From what the lines of an agreement say to what it says as a whole, and what need not be read.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::sets::Answer;

use super::answers::Answers;
use super::data::{Agreement, Rows};
use tinderbox_train::Metrics;
use tinderbox_train::metrics::{Labels, Predictions, Ranking};

/// Share of the evidence that a reader wants to see.
const RECALL: f64 = 0.95;

/// Verdicts in the order of their numbers.
pub const VERDICTS: [&str; 3] = ["entailed", "contradicted", "not mentioned"];

/// How much evidence a verdict takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Smallest probability of a line that speaks for a claim.
    pub entailed: f64,
    /// Smallest probability of a line that speaks against it.
    pub contradicted: f64,
}

/// What agreements are read as: whether each entails a claim, contradicts it or says nothing, and
/// which lines show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// How much evidence a verdict takes, as found on validation agreements.
    pub verdicts: Verdicts,
    /// How often each true verdict (row) was given each verdict (column), in the order of
    /// [`VERDICTS`].
    pub confusion: Vec<Vec<usize>>,
    /// Mean F1 of the three verdicts.
    pub f1: f64,
    /// Share of the verdicts that are right.
    pub accuracy: f64,
    /// Share of the lines that need not be read by one who wants 95 % of the lines that are
    /// evidence for or against any claim.
    pub skipped: f64,
    /// The same for one who looks for a single claim that the agreement says something about.
    pub skipped_per_claim: f64,
}

impl Reading {
    /// The metrics by their names.
    pub fn metrics(&self) -> Metrics {
        Metrics::from_iter([
            ("verdict_f1".to_owned(), self.f1),
            ("verdict_accuracy".to_owned(), self.accuracy),
            ("skipped_at_95_recall".to_owned(), self.skipped),
            (
                "skipped_per_claim_at_95_recall".to_owned(),
                self.skipped_per_claim,
            ),
        ])
    }
}

/// Reads the agreements of the test part, by what validation agreements teach.
pub(super) fn read(rows: &Rows, test: &Answers, valid: &Answers) -> Option<Reading> {
    let (Answers::Labels(test), Answers::Labels(valid)) = (test, valid) else {
        return None;
    };
    if rows.agreements.is_empty() {
        return None;
    }
    let claims = rows.names.len() / 2;
    let learned = Evidence::gather(rows, &rows.parts.valid, valid, claims);
    let verdicts = learned.best();
    let evidence = Evidence::gather(rows, &rows.parts.test, test, claims);
    let predictions = evidence.judge(verdicts);
    let metrics = predictions.metrics();
    Some(Reading {
        verdicts,
        confusion: predictions.confusion(),
        f1: metrics.get("f1").copied().unwrap_or(0.0),
        accuracy: metrics.get("accuracy").copied().unwrap_or(0.0),
        skipped: skipped(&evidence.of_any)?,
        skipped_per_claim: skipped(&evidence.of_one)?,
    })
}

/// Scores with whether they belong to evidence.
#[derive(Default)]
struct Lines {
    scores: Vec<f64>,
    evidence: Vec<bool>,
}

fn skipped(lines: &Lines) -> Option<f64> {
    let ranking = Ranking::new(&lines.scores, &lines.evidence);
    Some(1.0 - ranking.workload(RECALL)?.share)
}

struct Evidence {
    /// Strongest line for and against, and the true verdict, of each agreement and claim.
    claims: Vec<([f64; 2], usize)>,
    /// Lines by what they say to any claim.
    of_any: Lines,
    /// Lines by what they say to one claim, for claims that the agreement says something about.
    of_one: Lines,
}

impl Evidence {
    fn gather(rows: &Rows, part: &[usize], said: &Labels, claims: usize) -> Self {
        let mut evidence = Self {
            claims: Vec::new(),
            of_any: Lines::default(),
            of_one: Lines::default(),
        };
        let wide = 2 * claims;
        let mut at = 0;
        while at < part.len() {
            let own = |agreement: &&Agreement| agreement.rows.contains(&part[at]);
            let Some(agreement) = rows.agreements.iter().find(own) else {
                break;
            };
            let lines = agreement.rows.len();
            let range = at * wide..(at + lines) * wide;
            let scores = &said.probabilities[range.clone()];
            evidence.add(agreement, scores, &said.truth[range], claims);
            at += lines;
        }
        evidence
    }

    fn add(&mut self, agreement: &Agreement, scores: &[f64], truth: &[bool], claims: usize) {
        let wide = 2 * claims;
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        for (scores, truth) in scores.chunks_exact(wide).zip(truth.chunks_exact(wide)) {
            self.of_any.scores.push(most(&mut scores.iter().copied()));
            self.of_any.evidence.push(truth.contains(&true));
        }
        for (claim, answer) in agreement.answers.iter().enumerate() {
            let column = |label: usize| scores.iter().skip(label).step_by(wide).copied();
            let strongest = [claim, claims + claim].map(|label| most(&mut column(label)));
            let verdict = match answer {
                Answer::Entailment => 0,
                Answer::Contradiction => 1,
                Answer::NotMentioned => 2,
            };
            self.claims.push((strongest, verdict));
            if verdict == 2 {
                continue;
            }
            for (scores, truth) in scores.chunks_exact(wide).zip(truth.chunks_exact(wide)) {
                let [a, b] = [claim, claims + claim];
                self.of_one.scores.push(scores[a].max(scores[b]));
                self.of_one.evidence.push(truth[a] || truth[b]);
            }
        }
    }

    fn judge(&self, verdicts: Verdicts) -> Predictions {
        let mut predictions = Predictions::default();
        for &([entailed, contradicted], truth) in &self.claims {
            let over = [
                entailed / verdicts.entailed,
                contradicted / verdicts.contradicted,
            ];
            let said = if over[0].max(over[1]) < 1.0 {
                2
            } else {
                usize::from(over[1] > over[0])
            };
            let row: Vec<f32> = (0..3).map(|at| f32::from(u8::from(at == said))).collect();
            predictions.extend(3, &row, [truth]);
        }
        predictions
    }

    /// The bounds with the best mean F1.
    fn best(&self) -> Verdicts {
        let bounds: Vec<f64> = (1..40).map(|step| f64::from(step) * 0.025).collect();
        let mut best = (
            f64::NEG_INFINITY,
            Verdicts {
                entailed: 0.5,
                contradicted: 0.5,
            },
        );
        for &entailed in &bounds {
            for &contradicted in &bounds {
                let verdicts = Verdicts {
                    entailed,
                    contradicted,
                };
                let f1 = self.judge(verdicts).metrics().get("f1").copied();
                let f1 = f1.unwrap_or(0.0);
                if f1 > best.0 {
                    best = (f1, verdicts);
                }
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::{Parts, Truth};
    use super::super::tokenizer::Input;
    use super::*;

    /// Two agreements of two lines, one claim: the first entails it in its second line, the other
    /// says nothing.
    #[test]
    fn verdicts_and_lines_to_skip_are_those_of_the_strongest_lines() {
        let agreement = |rows, answer| Agreement {
            name: String::new(),
            rows,
            answers: vec![answer],
        };
        let rows = Rows {
            inputs: vec![Input::One(String::new()); 4],
            truth: Truth::Labels(Vec::new()),
            names: ["for: a", "against: a"].map(str::to_owned).to_vec(),
            parts: Parts {
                train: Vec::new(),
                valid: vec![0, 1, 2, 3],
                test: vec![0, 1, 2, 3],
            },
            folds: Vec::new(),
            agreements: vec![
                agreement(0..2, Answer::Entailment),
                agreement(2..4, Answer::NotMentioned),
            ],
            located: None,
            report: tinderbox_datasets::text::TextReport::default(),
        };
        let said = Answers::Labels(Labels {
            labels: 2,
            probabilities: vec![0.1, 0.0, 0.9, 0.1, 0.2, 0.1, 0.05, 0.0],
            truth: vec![false, false, true, false, false, false, false, false],
        });
        let reading = read(&rows, &said, &said).unwrap();
        assert_eq!(reading.confusion[0], [1, 0, 0]);
        assert_eq!(reading.confusion[2], [0, 0, 1]);
        assert!((reading.accuracy - 1.0).abs() < 1e-12);
        assert!((reading.skipped - 0.75).abs() < 1e-12);
        assert!((reading.skipped_per_claim - 0.5).abs() < 1e-12);
    }
}
