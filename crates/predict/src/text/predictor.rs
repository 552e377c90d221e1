//! A trained model of texts, read from its folder.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::text::{Located, TextReport};

use super::answers::{Answers, Committee, Task};
use super::contents::{items, split_list};
use super::data::{Corpus, open_all, open_known};
use super::error::{DataError, TextRecipeError};
use super::recipe::Data;
use super::tokenizer::{Input, TOKENIZER_FILE, TextTokenizer, TokenKind, Tokens};
use super::truncation::{Truncation, TruncationCounter};
use super::{KIND, Spec};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::decision::{argmax, check_threshold, decide};
use tinderbox_predict::model_dir::ModelError;
use tinderbox_train::ConfigError;
use tinderbox_train::splits::{Scope, SplitList};

/// Most networks of a folder.
const MAX_MEMBERS: usize = 100;

/// Probability from which on a text is said to have a label.
const HAS_LABEL: f32 = 0.5;

/// What a model says of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// A class.
    Class {
        /// Name of the most probable one.
        label: String,
        /// Probability of each class, in the order of the labels.
        probabilities: Vec<(String, f32)>,
    },
    /// Any number of labels.
    Labels {
        /// Names of those that it has, more likely than not.
        labels: Vec<String>,
        /// Probability of each, in their order.
        probabilities: Vec<(String, f32)>,
    },
    /// A tag for each word.
    Tags(Vec<(String, String)>),
}

/// What an evaluation gave.
pub struct Evaluation {
    /// What was predicted of every text, and what is true of it.
    pub answers: Answers,
    /// What was evaluated; `None` where nothing tells whether the data is that of the training.
    pub scope: Option<Scope>,
    /// What was found out while reading.
    pub report: TextReport,
}

/// A trained model of texts.
pub struct Predictor {
    pub(super) committee: Committee,
    pub(super) tokenizer: TextTokenizer,
    pub(super) spec: Spec,
    pub(super) device: Device,
    truncation: TruncationCounter,
    /// Of two classes, the decision threshold if it is not a half.
    threshold: Option<f64>,
}

impl Predictor {
    /// Reads a `model/` folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of a newer version or not of texts.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, TextRecipeError> {
        let files = ModelFiles::open(dir);
        let spec: Spec = files.spec(KIND)?;
        let refuse = |reason: &str| Err(ModelError::spec(dir, reason).into());
        if !(1..=MAX_MEMBERS).contains(&spec.members) {
            return refuse("its number of `members` makes no sense");
        }
        if spec.task != Task::Next && spec.labels.len() != spec.sizes.outputs {
            return refuse("its `labels` do not fit its `sizes`");
        }
        let tokenizer = if spec.tokenizer.kind == TokenKind::Bytes {
            TextTokenizer::bytes()
        } else {
            TextTokenizer::load(&dir.join(TOKENIZER_FILE))?
        };
        let tokenizer = tokenizer.with_distinct(spec.tokenizer.distinct);
        if tokenizer.vocabulary() != spec.sizes.vocabulary {
            return refuse("its tokenizer is of another size than its `sizes` say");
        }
        let device = device.clone().inner();
        let mut nets = Vec::new();
        for member in 0..spec.members {
            let scored = spec.task.scored();
            let form = spec.form.as_ref();
            let net = spec.architecture.empty(form, spec.sizes, scored, &device)?;
            let fill = |bytes| net.with_bytes(bytes);
            nets.push(files.weights(member, fill)?);
        }
        let committee = Committee {
            nets,
            task: spec.task,
            padding: tokenizer.padding(),
            outputs: spec.sizes.outputs,
            temperature: spec.temperature,
        };
        Ok(Self {
            committee,
            tokenizer,
            spec,
            device,
            truncation: TruncationCounter::default(),
            threshold: None,
        })
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If the model does not tell two classes of a text.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, ConfigError> {
        let classes = match self.spec.task {
            Task::Classes => self.spec.labels.len(),
            _ => 0,
        };
        self.threshold = Some(check_threshold(threshold, classes)?);
        Ok(self)
    }

    /// What is said of a text.
    pub fn task(&self) -> Task {
        self.spec.task
    }

    /// Names of the classes, labels or tags.
    pub fn labels(&self) -> &[String] {
        &self.spec.labels
    }

    /// The data that the model was trained on.
    pub fn data(&self) -> &Data {
        &self.spec.data
    }

    /// Most tokens of a text.
    pub fn max_len(&self) -> usize {
        self.spec.sizes.max_len
    }

    /// How many of the texts that [`predict`](Self::predict) and [`evaluate`](Self::evaluate) were
    /// given so far are longer than the network reads.
    pub fn truncation(&self) -> Truncation {
        self.truncation.get()
    }

    /// A line as this model reads it: a tab stands between the texts of a pair, white space between
    /// words that get tags.
    ///
    /// # Errors
    ///
    /// If there is nothing on it, or a pair is wanted and it has no tab.
    pub fn input(&self, line: &str) -> Result<Input, TextRecipeError> {
        let line = line.trim();
        let refuse = |message: &str| Err(TextRecipeError::Asked(message.to_owned()));
        if line.is_empty() {
            return refuse("the text is empty");
        }
        match (self.spec.task, &self.spec.data) {
            (Task::Next, _) => {
                refuse("this model goes on with a text and does not classify it; use `generate`")
            }
            (Task::Tags, _) => {
                let words = line.split_whitespace().map(str::to_owned);
                Ok(Input::Words(words.collect()))
            }
            (_, Data::Pairs { .. }) => match line.split_once('\t') {
                Some((first, second)) => Ok(Input::Two(first.to_owned(), second.to_owned())),
                None => refuse("this model reads two texts: put a tab between them"),
            },
            _ => Ok(Input::One(line.to_owned())),
        }
    }

    /// Predicts texts.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn predict(&self, inputs: &[Input]) -> Result<Vec<Prediction>, TextRecipeError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len())?;
        self.truncation.add(Truncation::of(&tokens));
        let tokens: Vec<&Tokens> = tokens.iter().collect();
        let said = self.committee.predict(&tokens, &self.device)?;
        let all = inputs.iter().zip(said);
        Ok(all
            .map(|(input, said)| self.prediction(input, &said))
            .collect())
    }

    /// Probabilities of each class or label of each text, or of each tag of each of its words.
    pub(super) fn probabilities(&self, inputs: &[Input]) -> Result<Vec<Vec<f32>>, TextRecipeError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len())?;
        let tokens: Vec<&Tokens> = tokens.iter().collect();
        self.committee.predict(&tokens, &self.device)
    }

    /// Counts those of `inputs` that are longer than the network reads.
    pub(super) fn count_truncated(&self, inputs: &[Input]) -> Result<(), TextRecipeError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len())?;
        self.truncation.add(Truncation::of(&tokens));
        Ok(())
    }

    fn prediction(&self, input: &Input, said: &[f32]) -> Prediction {
        let labels = &self.spec.labels;
        let named = || labels.iter().cloned().zip(said.iter().copied()).collect();
        match self.spec.task {
            Task::Tags => {
                let words = input.texts().into_iter().map(str::to_owned);
                let tags = said.chunks_exact(labels.len());
                let tags = tags.map(|row| labels[argmax(row)].clone());
                Prediction::Tags(words.zip(tags).collect())
            }
            Task::Labels => {
                let own = labels.iter().zip(said);
                let own = own.filter(|(_, p)| **p >= HAS_LABEL);
                Prediction::Labels {
                    labels: own.map(|(label, _)| label.clone()).collect(),
                    probabilities: named(),
                }
            }
            Task::Classes | Task::Next => Prediction::Class {
                label: labels
                    .get(decide(said, self.threshold))
                    .cloned()
                    .unwrap_or_default(),
                probabilities: named(),
            },
        }
    }

    /// Evaluates the model on a split of the data that it was trained on, or on all texts of other data.
    ///
    /// `data` is [`data`](Self::data), with another path where the user named one, which `other` says.
    /// `list` is that of the run, if it has one: see [`SplitList::choose`] for what is evaluated. Other
    /// data with splits of its own is evaluated on its `split`.
    ///
    /// # Errors
    ///
    /// If the file cannot be used, it has a class that was not learned, or there is no such split.
    pub fn evaluate(
        &self,
        data: &Data,
        list: Option<&SplitList>,
        split: &str,
        other: bool,
    ) -> Result<Evaluation, TextRecipeError> {
        if let Data::Running { .. } = data {
            return self.evaluate_running(data, list, split, other);
        }
        let labels = &self.spec.labels;
        let rows = if data.is_own() && (list.is_some() || other) {
            let mut data = data.clone();
            if let (Data::Texts { test, .. }, true) = (&mut data, other) {
                test.clear();
            }
            open_all(&data, labels)?
        } else {
            match open_known(data, &self.spec.split, Some(labels))? {
                Corpus::Rows(rows) => rows,
                Corpus::Running(_) => return Err(DataError::NoSplit(split.to_owned()).into()),
            }
        };
        if rows.names != *labels {
            let class = rows.names.iter().find(|name| !labels.contains(name));
            return Err(DataError::UnknownClass {
                class: class.unwrap_or(&rows.names[0]).clone(),
                known: labels.clone(),
            }
            .into());
        }
        let scope = match list {
            Some(list) => Some(list.choose(&items(&rows), split, other)),
            None => other.then_some(Scope::Whole { trained_on: 0 }),
        };
        let has_splits = rows.located.as_ref().is_none_or(Located::has_splits);
        let part: Vec<usize> = match &scope {
            Some(Scope::Stored { rows, .. }) => rows.clone(),
            Some(Scope::Whole { .. }) if !has_splits => (0..rows.inputs.len()).collect(),
            _ => rows.parts.get(split)?.to_vec(),
        };
        if part.is_empty() {
            return Err(DataError::EmptySplit(split.to_owned()).into());
        }
        let tokens = self.tokenizer.encode(&rows.inputs, self.max_len())?;
        let read = part.iter().map(|&row| &tokens[row]);
        self.truncation.add(Truncation::of(read));
        let answers = self
            .committee
            .answer(&tokens, &rows.truth, labels, &part, &self.device)?;
        Ok(Evaluation {
            answers: answers.decided_at(self.threshold),
            scope,
            report: rows.report,
        })
    }

    fn evaluate_running(
        &self,
        data: &Data,
        list: Option<&SplitList>,
        split: &str,
        other: bool,
    ) -> Result<Evaluation, TextRecipeError> {
        let corpus = open_known(data, &self.spec.split, None)?;
        let current = split_list(&corpus);
        let Corpus::Running(text) = corpus else {
            return Err(DataError::NoSplit(split.to_owned()).into());
        };
        let is_known = list.is_some_and(|list| *list == current);
        let all = [&text.train[..], &text.valid, &text.test].concat();
        let whole = other && !is_known;
        let part = match split {
            _ if whole => &all,
            "train" => &text.train,
            "valid" => &text.valid,
            "test" => &text.test,
            _ => return Err(DataError::NoSplit(split.to_owned()).into()),
        };
        let scope = match list {
            _ if whole => Some(Scope::Whole { trained_on: 0 }),
            Some(list) => Some(Scope::Stored {
                rows: vec![0],
                changes: list.changes(current.items()),
            }),
            None => None,
        };
        let tokens = self.tokenizer.encode_running(part)?;
        let characters = part.chars().count();
        let width = self.max_len();
        let answers = self
            .committee
            .foresee(&tokens, characters, width, &self.device)?;
        Ok(Evaluation {
            answers,
            scope,
            report: text.report,
        })
    }
}
