//! What networks say of texts, beside what is true of them.

use burn::tensor::activation::{log_softmax, sigmoid, softmax};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::batch::{Windows, pad};
use super::data::Truth;
use super::error::TextRecipeError;
use super::net::{Scored, TextInputs, TextNet};
use super::tokenizer::Tokens;
use tinderbox_datasets::loader::{BatchContext, Collate as _};
use tinderbox_predict::calibration::Temperature;
use tinderbox_train::Metrics;
use tinderbox_train::metrics::{Estimate, Labels, Predictions, perplexity};

/// Most tokens in a batch where no gradient is needed, padding included.
const EVAL_TOKENS: usize = 8_192;

/// What is said of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Which one of some classes it is of.
    Classes,
    /// Which labels it has.
    Labels,
    /// Which tag each word has.
    Tags,
    /// How it goes on.
    Next,
}

impl Task {
    /// What a network is to score for it.
    pub fn scored(self) -> Scored {
        match self {
            Self::Classes | Self::Labels => Scored::Texts,
            Self::Tags => Scored::Words,
            Self::Next => Scored::Next,
        }
    }

    /// Name of the metric that decides between two models.
    pub fn headline(self) -> &'static str {
        match self {
            Self::Classes => "accuracy",
            Self::Labels | Self::Tags => "f1",
            Self::Next => "loss",
        }
    }
}

/// Answers for some texts, with the truth.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// Probabilities of classes.
    Classes(Predictions),
    /// Probabilities of labels.
    Labels(Labels),
    /// Probabilities of tags of all words, and how many words each text has.
    Tags {
        /// Of each word.
        words: Predictions,
        /// Words of each text.
        lengths: Vec<usize>,
        /// Names of the tags.
        names: Vec<String>,
    },
    /// How well a running text was foreseen.
    Next {
        /// Sum over tokens of the negative logarithm of the probability, in nats.
        nats: f64,
        /// Tokens that were foreseen.
        tokens: usize,
        /// Characters of these.
        characters: usize,
    },
}

impl Answers {
    /// Number of texts, or of tokens of a running one.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(predictions) => predictions.len(),
            Self::Labels(labels) => labels.truth.len() / labels.labels.max(1),
            Self::Tags { lengths, .. } => lengths.len(),
            Self::Next { tokens, .. } => *tokens,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The metric that decides between two models, [`Task::headline`], with how sure it is; `None`
    /// for tasks without a baseline.
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Classes(predictions) => predictions.accuracy_estimate(),
            Self::Labels(labels) => labels.f1_estimate(),
            Self::Tags { .. } | Self::Next { .. } => None,
        }
    }

    /// The same answers, of two classes decided at another threshold than a half.
    #[must_use]
    pub(crate) fn decided_at(mut self, threshold: Option<f64>) -> Self {
        if let Self::Classes(predictions) = &mut self {
            predictions.threshold = threshold;
        }
        self
    }

    /// The field's metrics by their names.
    ///
    /// Two classes have `f1_positive`, the F1 of the second; tags of the form `B-…` and `I-…` have
    /// `f1_spans`, the F1 of whole spans.
    pub fn metrics(&self) -> Metrics {
        match self {
            Self::Classes(predictions) => {
                let mut metrics = predictions.metrics();
                if let Some(auroc) = predictions.auroc() {
                    metrics.insert("auroc".to_owned(), auroc);
                }
                if let [_, second] = predictions.per_class()[..] {
                    metrics.insert("f1_positive".to_owned(), second.f1);
                }
                metrics
            }
            Self::Labels(labels) => {
                let mut metrics = labels.metrics();
                metrics.insert("loss".to_owned(), label_loss(labels));
                metrics
            }
            Self::Tags {
                words,
                lengths,
                names,
            } => {
                let mut metrics = words.metrics();
                if let Some(f1) = span_f1(words, lengths, names) {
                    metrics.insert("f1_spans".to_owned(), f1);
                }
                metrics
            }
            Self::Next {
                nats,
                tokens,
                characters,
            } => {
                let loss = nats / (*tokens).max(1) as f64;
                Metrics::from_iter([
                    ("loss".to_owned(), loss),
                    ("perplexity".to_owned(), perplexity(loss)),
                    (
                        "nats_per_character".to_owned(),
                        nats / (*characters).max(1) as f64,
                    ),
                ])
            }
        }
    }
}

/// Mean over texts of the cross-entropy of all labels, in nats.
fn label_loss(labels: &Labels) -> f64 {
    let pairs = labels.probabilities.iter().zip(&labels.truth);
    let sum: f64 = pairs
        .map(|(&p, &truth)| {
            let right = if truth { p } else { 1.0 - p };
            -right.max(1e-12).ln()
        })
        .sum();
    sum * labels.labels as f64 / labels.truth.len().max(1) as f64
}

/// F1 over spans of one kind: as `CoNLL` measures names (Tjong Kim Sang and De Meulder 2003,
/// <https://aclanthology.org/W03-0419/>). `None` where tags are no parts of spans.
fn span_f1(words: &Predictions, lengths: &[usize], names: &[String]) -> Option<f64> {
    if !names.iter().any(|name| name.starts_with("B-")) {
        return None;
    }
    let chosen: Vec<usize> = words
        .probabilities
        .chunks_exact(words.classes.max(1))
        .map(tinderbox_predict::decision::argmax)
        .collect();
    let (mut hits, mut wanted, mut found, mut from) = (0, 0, 0, 0);
    for &length in lengths {
        let range = from..from + length;
        let truth = spans(&words.labels[range.clone()], names);
        let said = spans(&chosen[range], names);
        hits += said.iter().filter(|span| truth.contains(span)).count();
        wanted += truth.len();
        found += said.len();
        from += length;
    }
    Some(2.0 * hits as f64 / (wanted + found).max(1) as f64)
}

/// Kind, first word and the word behind the last of each span.
fn spans<'a>(tags: &[usize], names: &'a [String]) -> Vec<(&'a str, usize, usize)> {
    let mut spans: Vec<(&str, usize, usize)> = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    for (at, &tag) in tags.iter().enumerate() {
        let (mark, kind) = names[tag].split_once('-').unwrap_or(("O", ""));
        let goes_on = mark == "I" && open.is_some_and(|(own, _)| own == kind);
        if !goes_on {
            spans.extend(open.take().map(|(kind, from)| (kind, from, at)));
            if mark != "O" {
                open = Some((kind, at));
            }
        }
    }
    spans.extend(open.map(|(kind, from)| (kind, from, tags.len())));
    spans
}

/// Networks that predict together.
#[derive(Clone, Debug)]
pub(crate) struct Committee {
    pub(crate) nets: Vec<TextNet>,
    pub(crate) task: Task,
    /// Token that stands where there is none.
    pub(crate) padding: u32,
    /// Number of scores.
    pub(crate) outputs: usize,
    /// Divides the logarithms of the mean probabilities of classes, or the log-odds of labels.
    pub(crate) temperature: Temperature,
}

impl Committee {
    /// Probabilities: of each class or label of a text, or of each tag of each of its words.
    pub(crate) fn predict(
        &self,
        texts: &[&Tokens],
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, TextRecipeError> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&at| texts[at].ids.len());
        let mut said = vec![Vec::new(); texts.len()];
        let mut from = 0;
        while from < order.len() {
            let mut to = from + 1;
            let fits = |to: usize| {
                let longest = texts[order[to - 1]].ids.len().max(1);
                longest * (to - from) <= EVAL_TOKENS
            };
            while to < order.len() && fits(to + 1) {
                to += 1;
            }
            let batch: Vec<&Tokens> = order[from..to].iter().map(|&at| texts[at]).collect();
            let answers = self.predict_batch(&batch, device)?;
            for (&at, answer) in order[from..to].iter().zip(answers) {
                said[at] = answer;
            }
            from = to;
        }
        Ok(said)
    }

    fn predict_batch(
        &self,
        texts: &[&Tokens],
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, TextRecipeError> {
        let inputs = pad(texts, self.padding, device);
        let outputs = self.outputs;
        if self.task == Task::Tags {
            let [_, seq] = inputs.ids.dims();
            let all = self.mean(|net| {
                let scores = net.forward_tokens(inputs.clone());
                softmax(scores.reshape([texts.len() * seq, outputs]), 1)
            })?;
            let word = |row: usize, place: usize| {
                let at = (row * seq + place) * outputs;
                all[at..at + outputs].to_vec()
            };
            let words = texts.iter().enumerate();
            let words = words.map(|(row, text)| {
                let places = text.words.iter();
                places.flat_map(|&place| word(row, place)).collect()
            });
            return Ok(words.collect());
        }
        let mut all = self.mean(|net| {
            let scores = net.forward(inputs.clone());
            match self.task {
                Task::Labels => sigmoid(scores),
                _ => softmax(scores, 1),
            }
        })?;
        if self.temperature != Temperature::default() {
            all = match self.task {
                Task::Labels => self.temperature.sigmoid(&log_odds(&all)),
                _ => self.temperature.softmax(&logarithms(&all), outputs),
            };
        }
        Ok(all.chunks_exact(outputs).map(<[f32]>::to_vec).collect())
    }

    /// Fits the temperature on texts that were not learned from; tags and running texts have none.
    pub(crate) fn calibrate(
        &mut self,
        texts: &[Tokens],
        truth: &Truth,
        rows: &[usize],
        device: &Device,
    ) -> Result<(), TextRecipeError> {
        let own: Vec<&Tokens> = rows.iter().map(|&row| &texts[row]).collect();
        let fitted = match truth {
            Truth::Classes(classes) => {
                let classes: Vec<usize> = rows.iter().map(|&row| classes[row]).collect();
                let said = logarithms(&self.predict(&own, device)?.concat());
                Temperature::fit(&said, self.outputs, &classes)
            }
            Truth::Labels(flags) => {
                let flags: Vec<bool> = rows.iter().flat_map(|&row| flags[row].clone()).collect();
                let said = log_odds(&self.predict(&own, device)?.concat());
                Temperature::fit_binary(&said, &flags)
            }
            Truth::Tags(_) => return Ok(()),
        };
        // Without validation texts the probabilities stay as they are.
        self.temperature = fitted.unwrap_or_default();
        Ok(())
    }

    fn mean(&self, of: impl Fn(&TextNet) -> Tensor<2>) -> Result<Vec<f32>, TextRecipeError> {
        let sum = self.nets.iter().map(of).reduce(|a, b| a + b);
        let Some(sum) = sum else {
            return Ok(Vec::new());
        };
        let mean = sum.div_scalar(self.nets.len() as f64);
        mean.try_into_vec_as::<f32>()
            .map_err(TextRecipeError::device)
    }

    /// Predicts some rows and pairs the answers with the truth.
    pub(crate) fn answer(
        &self,
        texts: &[Tokens],
        truth: &Truth,
        names: &[String],
        rows: &[usize],
        device: &Device,
    ) -> Result<Answers, TextRecipeError> {
        let own: Vec<&Tokens> = rows.iter().map(|&row| &texts[row]).collect();
        let said = self.predict(&own, device)?;
        Ok(match truth {
            Truth::Classes(classes) => {
                let mut predictions = Predictions::default();
                let labels = rows.iter().map(|&row| classes[row]);
                predictions.extend(self.outputs, &said.concat(), labels);
                Answers::Classes(predictions)
            }
            Truth::Labels(flags) => Answers::Labels(Labels {
                labels: self.outputs,
                probabilities: said.iter().flatten().map(|&p| f64::from(p)).collect(),
                truth: rows.iter().flat_map(|&row| flags[row].clone()).collect(),
            }),
            Truth::Tags(tags) => {
                let mut words = Predictions::default();
                // Words that were cut off have no answer and are not measured.
                let told = rows.iter().zip(&own).flat_map(|(&row, text)| {
                    let kept = text.words.len();
                    tags[row][..kept.min(tags[row].len())].iter().copied()
                });
                words.extend(self.outputs, &said.concat(), told);
                Answers::Tags {
                    words,
                    lengths: own.iter().map(|text| text.words.len()).collect(),
                    names: names.to_vec(),
                }
            }
        })
    }

    /// Measures how well a running text is foreseen, in windows that lie side by side.
    pub(crate) fn foresee(
        &self,
        tokens: &[u32],
        characters: usize,
        width: usize,
        device: &Device,
    ) -> Result<Answers, TextRecipeError> {
        use burn::data::dataset::Dataset as _;
        let width = width.min(tokens.len().saturating_sub(1)).max(1);
        let windows = Windows::new(tokens.to_vec(), width, false)?;
        let batch = (EVAL_TOKENS / width).max(1);
        let (mut nats, mut count) = (0.0, 0);
        let all: Vec<usize> = (0..windows.len()).collect();
        for chunk in all.chunks(batch) {
            let context = BatchContext {
                seed: 0,
                epoch: 1,
                batch: 0,
                indices: chunk.to_vec(),
            };
            let made = windows.collate(chunk.to_vec(), &context, device);
            let made = made.map_err(TextRecipeError::device)?;
            let super::batch::BatchTruth::Tokens { wanted, .. } = made.truth else {
                continue;
            };
            nats += self.nats(&made.inputs, &wanted)?;
            count += chunk.len() * width;
        }
        let share = count as f64 / (tokens.len() - 1).max(1) as f64;
        Ok(Answers::Next {
            nats,
            tokens: count,
            characters: (characters as f64 * share).round() as usize,
        })
    }

    /// Of the mean probability of all networks, as they predict together.
    fn nats(
        &self,
        inputs: &TextInputs,
        wanted: &Tensor<1, burn::tensor::Int>,
    ) -> Result<f64, TextRecipeError> {
        let [batch, seq] = inputs.ids.dims();
        let rows = batch * seq;
        let log = |net: &TextNet| {
            let scores = net.forward_tokens(inputs.clone());
            let scores = log_softmax(scores.reshape([rows, self.outputs]), 1);
            scores.gather(1, wanted.clone().unsqueeze_dim(1))
        };
        let right = match &self.nets[..] {
            [net] => log(net),
            nets => {
                let sum = nets.iter().map(|net| log(net).exp()).reduce(|a, b| a + b);
                let mean = sum.map(|sum| sum.div_scalar(nets.len() as f64));
                mean.map_or_else(|| log(&self.nets[0]), |mean| mean.clamp_min(1e-30).log())
            }
        };
        let values = right
            .try_into_vec_as::<f64>()
            .map_err(TextRecipeError::device)?;
        Ok(-values.iter().sum::<f64>())
    }
}

/// Smallest probability with a finite logarithm that is told apart.
const SMALLEST: f32 = 1e-30;

fn logarithms(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.max(SMALLEST).ln()).collect()
}

fn log_odds(probabilities: &[f32]) -> Vec<f32> {
    let odds = |p: f32| p.max(SMALLEST).ln() - (1.0 - p).max(f32::EPSILON / 2.0).ln();
    probabilities.iter().map(|&p| odds(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committee(task: Task, device: &Device) -> Committee {
        let config = tinderbox_models::text::FastTextConfig::new(20, 3).with_d_embedding(2);
        let net = || Ok::<_, ()>(TextNet::Bag(config.init(device)));
        let net = tinderbox_train::init_seeded(7, device, net).unwrap();
        Committee {
            nets: vec![net],
            task,
            padding: 0,
            outputs: 3,
            temperature: Temperature::default(),
        }
    }

    /// An untrained network is unsure, and here most texts are of the class that it finds likeliest.
    #[test]
    fn a_temperature_lowers_the_loss_and_changes_no_answer() {
        let device = Device::flex();
        let texts: Vec<Tokens> = (1..19_u32)
            .map(|id| Tokens {
                ids: vec![id],
                second: 1,
                ..Tokens::default()
            })
            .collect();
        let rows: Vec<usize> = (0..texts.len()).collect();
        let all: Vec<&Tokens> = texts.iter().collect();
        for task in [Task::Classes, Task::Labels] {
            let mut committee = committee(task, &device);
            let before = committee.predict(&all, &device).unwrap();
            let likeliest = |row: &Vec<f32>| tinderbox_predict::decision::argmax(row);
            let truth = if task == Task::Labels {
                let flags = |row: &Vec<f32>| row.iter().map(|&p| p >= 0.5).collect();
                let mut flags: Vec<Vec<bool>> = before.iter().map(flags).collect();
                for row in &mut flags[..4] {
                    row[0] = !row[0];
                }
                Truth::Labels(flags)
            } else {
                let mut classes: Vec<usize> = before.iter().map(likeliest).collect();
                for class in &mut classes[..4] {
                    *class = (*class + 1) % 3;
                }
                Truth::Classes(classes)
            };
            let loss = |committee: &Committee| {
                let answers = committee.answer(&texts, &truth, &[], &rows, &device);
                answers.unwrap().metrics()["loss"]
            };
            let uncalibrated = loss(&committee);
            committee.calibrate(&texts, &truth, &rows, &device).unwrap();
            // Labels of weights drawn by chance can be calibrated as they are.
            let calibrated = loss(&committee);
            assert!(calibrated <= uncalibrated + 1e-9, "{task:?}");
            assert!(task == Task::Labels || calibrated < uncalibrated);
            let after = committee.predict(&all, &device).unwrap();
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(likeliest(before), likeliest(after));
                let yes = |row: &[f32]| row.iter().map(|&p| p >= 0.5).collect::<Vec<_>>();
                assert!(task == Task::Classes || yes(before) == yes(after));
            }
            assert!(committee.calibrate(&texts, &truth, &[], &device).is_ok());
            assert_eq!(committee.temperature, Temperature::default());
        }
    }

    #[test]
    fn spans_are_counted_whole() {
        let names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"].map(str::to_owned);
        let truth = [1, 2, 0, 3, 4, 4, 0];
        assert_eq!(spans(&truth, &names), [("PER", 0, 2), ("LOC", 3, 6)]);
        // The second is too short.
        let said = [1, 2, 0, 3, 4, 0, 0];
        let mut words = Predictions::default();
        for (&tag, &label) in said.iter().zip(&truth) {
            let row: Vec<f32> = (0..5).map(|at| f32::from(u8::from(at == tag))).collect();
            words.extend(5, &row, [label]);
        }
        assert_eq!(span_f1(&words, &[7], &names), Some(0.5));
        assert_eq!(span_f1(&words, &[7], &["O".to_owned()]), None);
    }

    #[test]
    fn a_running_text_is_measured_per_token_and_per_character() {
        let answers = Answers::Next {
            nats: 30.0,
            tokens: 10,
            characters: 20,
        };
        let metrics = answers.metrics();
        assert!((metrics["loss"] - 3.0).abs() < 1e-12);
        assert!((metrics["nats_per_character"] - 1.5).abs() < 1e-12);
        assert!((metrics["perplexity"] - 3.0_f64.exp()).abs() < 1e-9);
    }
}
