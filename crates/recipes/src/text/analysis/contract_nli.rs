//! Verdicts of whole agreements from the evidence in their lines (`ContractNLI`).

use serde_json::{Map, Value, json};
use tinderbox_datasets::sets::Answer;
use tinderbox_train::format::percent;
use tinderbox_train::metrics::{Comparison, Evaluation, Labels, Predictions, Ranking};
use tinderbox_train::section::Section;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Metrics, MonitorMode};

use crate::text::data::{Agreement, LabeledTexts};

/// Recall of the evidence at which the skipped lines are counted.
const RECALL: f64 = 0.95;

/// Verdicts in the order of their numbers.
pub const VERDICTS: [&str; 3] = ["entailed", "contradicted", "not mentioned"];

/// Decision thresholds of the verdicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Smallest probability of a line that is evidence for a hypothesis.
    pub entailed: f64,
    /// Smallest probability of a line that is evidence against it.
    pub contradicted: f64,
}

/// Verdicts of agreements on hypotheses: entailed, contradicted or not mentioned.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractNliReport {
    /// Decision thresholds, tuned on validation agreements.
    pub thresholds: Thresholds,
    /// Confusion matrix of the verdicts (rows: true, columns: predicted), in the order of [`VERDICTS`].
    pub confusion: Vec<Vec<usize>>,
    /// Mean F1 of the three verdicts.
    pub f1: f64,
    /// Accuracy of the verdicts.
    pub accuracy: f64,
    /// Share of the lines that can be skipped at 95% recall of the lines with evidence for or against
    /// any hypothesis.
    pub skipped: f64,
    /// The same for a single hypothesis that the agreement mentions.
    pub skipped_per_claim: f64,
}

impl ContractNliReport {
    /// The verdicts of the test agreements, with thresholds tuned on the validation agreements; `None`
    /// for texts that are not lines of agreements.
    pub fn new(texts: &LabeledTexts, test: &Evaluation, valid: &Evaluation) -> Option<Self> {
        let (Evaluation::Labels(test), Evaluation::Labels(valid)) = (test, valid) else {
            return None;
        };
        if texts.agreements.is_empty() {
            return None;
        }
        let claims = texts.labels.len() / 2;
        let thresholds = Evidence::gather(texts, &texts.splits.valid, valid, claims).best();
        let evidence = Evidence::gather(texts, &texts.splits.test, test, claims);
        let predictions = evidence.judge(thresholds);
        let metrics = predictions.metrics();
        Some(Self {
            thresholds,
            confusion: predictions.confusion(),
            f1: metrics.get("f1").copied().unwrap_or(0.0),
            accuracy: metrics.get("accuracy").copied().unwrap_or(0.0),
            skipped: skipped(&evidence.any_claim)?,
            skipped_per_claim: skipped(&evidence.one_claim)?,
        })
    }

    /// The analysis for people.
    pub fn sections(&self) -> Vec<Section> {
        let head = [vec![String::new()], VERDICTS.map(str::to_owned).to_vec()].concat();
        let rows = VERDICTS.iter().zip(&self.confusion).map(|(name, counts)| {
            let counts = counts.iter().map(usize::to_string);
            std::iter::once((*name).to_owned()).chain(counts).collect()
        });
        let rows = std::iter::once(head).chain(rows).collect();
        let title = "Verdicts on hypotheses (rows: true, columns: predicted)";
        let skipped = format!(
            "to find 95% of the evidence, {} of the lines can be skipped; for a single hypothesis, {}",
            percent(self.skipped),
            percent(self.skipped_per_claim)
        );
        vec![Section::table(title, rows), Section::text(skipped)]
    }

    /// The analysis by its keys in `summary.json`.
    pub fn details(&self) -> Map<String, Value> {
        Map::from_iter([("confusion_of_verdicts".to_owned(), json!(self.confusion))])
    }

    /// This model and the first baseline by the F1 of the verdicts.
    pub fn compare(&self, baselines: &[BaselineReport]) -> Option<Comparison> {
        let baseline = &baselines.first()?.result;
        let other = *baseline.test.get("verdict_f1")?;
        Some(Comparison::of_values(
            "verdict_f1",
            MonitorMode::Max,
            self.f1,
            &baseline.method,
            other,
        ))
    }

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

/// Scores of lines, with whether they are evidence.
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
    /// Largest score for and against, and the true verdict, of each agreement and hypothesis.
    claims: Vec<([f64; 2], usize)>,
    /// Lines by their largest score for any hypothesis.
    any_claim: Lines,
    /// Lines by their score for one hypothesis, of those that the agreement mentions.
    one_claim: Lines,
}

impl Evidence {
    fn gather(texts: &LabeledTexts, rows: &[usize], predicted: &Labels, claims: usize) -> Self {
        let mut evidence = Self {
            claims: Vec::new(),
            any_claim: Lines::default(),
            one_claim: Lines::default(),
        };
        let wide = 2 * claims;
        let mut at = 0;
        while at < rows.len() {
            let own = |agreement: &&Agreement| agreement.rows.contains(&rows[at]);
            let Some(agreement) = texts.agreements.iter().find(own) else {
                break;
            };
            let lines = agreement.rows.len();
            let range = at * wide..(at + lines) * wide;
            let scores = &predicted.probabilities[range.clone()];
            evidence.add(agreement, scores, &predicted.truth[range], claims);
            at += lines;
        }
        evidence
    }

    fn add(&mut self, agreement: &Agreement, scores: &[f64], flags: &[bool], claims: usize) {
        let wide = 2 * claims;
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        for (scores, flags) in scores.chunks_exact(wide).zip(flags.chunks_exact(wide)) {
            self.any_claim
                .scores
                .push(most(&mut scores.iter().copied()));
            self.any_claim.evidence.push(flags.contains(&true));
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
            for (scores, flags) in scores.chunks_exact(wide).zip(flags.chunks_exact(wide)) {
                let [a, b] = [claim, claims + claim];
                self.one_claim.scores.push(scores[a].max(scores[b]));
                self.one_claim.evidence.push(flags[a] || flags[b]);
            }
        }
    }

    fn judge(&self, thresholds: Thresholds) -> Predictions {
        let mut predictions = Predictions::default();
        for &([entailed, contradicted], verdict) in &self.claims {
            let over = [
                entailed / thresholds.entailed,
                contradicted / thresholds.contradicted,
            ];
            let predicted = if over[0].max(over[1]) < 1.0 {
                2
            } else {
                usize::from(over[1] > over[0])
            };
            let row: Vec<f32> = (0..3)
                .map(|at| f32::from(u8::from(at == predicted)))
                .collect();
            predictions.extend(3, &row, [verdict]);
        }
        predictions
    }

    /// The thresholds with the best mean F1.
    fn best(&self) -> Thresholds {
        let bounds: Vec<f64> = (1..40).map(|step| f64::from(step) * 0.025).collect();
        let mut best = (
            f64::NEG_INFINITY,
            Thresholds {
                entailed: 0.5,
                contradicted: 0.5,
            },
        );
        for &entailed in &bounds {
            for &contradicted in &bounds {
                let thresholds = Thresholds {
                    entailed,
                    contradicted,
                };
                let f1 = self.judge(thresholds).metrics().get("f1").copied();
                let f1 = f1.unwrap_or(0.0);
                if f1 > best.0 {
                    best = (f1, thresholds);
                }
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_predict::text::TextInput;
    use tinderbox_train::Splits;

    use super::*;
    use crate::text::data::Targets;

    /// Two agreements of two lines, one hypothesis: the first entails it in its second line, the other
    /// does not mention it.
    #[test]
    fn verdicts_and_skipped_lines_follow_the_largest_scores() {
        let agreement = |rows, answer| Agreement {
            name: String::new(),
            rows,
            answers: vec![answer],
        };
        let texts = LabeledTexts {
            inputs: vec![TextInput::Single(String::new()); 4],
            targets: Targets::Labels(Vec::new()),
            labels: ["for: a", "against: a"].map(str::to_owned).to_vec(),
            splits: Splits {
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
        let evaluation = Evaluation::Labels(Labels {
            labels: 2,
            probabilities: vec![0.1, 0.0, 0.9, 0.1, 0.2, 0.1, 0.05, 0.0],
            truth: vec![false, false, true, false, false, false, false, false],
        });
        let report = ContractNliReport::new(&texts, &evaluation, &evaluation).unwrap();
        assert_eq!(report.confusion[0], [1, 0, 0]);
        assert_eq!(report.confusion[2], [0, 0, 1]);
        assert!((report.accuracy - 1.0).abs() < 1e-12);
        assert!((report.skipped - 0.75).abs() < 1e-12);
        assert!((report.skipped_per_claim - 0.5).abs() < 1e-12);
    }
}
