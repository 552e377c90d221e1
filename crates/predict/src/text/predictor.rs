//! A trained model for texts.

use burn::tensor::Device;
use serde_json::Value;
use tinderbox_datasets::text::is_invisible;

use super::ensemble::TextEnsemble;
use super::error::unsupported;
use super::spec::TextSpec;
use super::task::TextTask;
use super::tokenizer::{TextInput, TextTokenizer, TokenKind, Tokens};
use super::truncation::{Truncation, TruncationCounter};
use crate::decision::{argmax, check_threshold, decide};
use crate::{ModelFiles, PredictError, Prediction};

/// Largest number of networks in a folder.
const MAX_MEMBERS: usize = 100;

/// Probability from which on a text has a label.
const LABEL_THRESHOLD: f32 = 0.5;

/// A trained model for texts.
#[derive(Debug)]
pub struct TextPredictor {
    spec: TextSpec,
    ensemble: TextEnsemble,
    tokenizer: TextTokenizer,
    device: Device,
    truncation: TruncationCounter,
    /// Of two classes, the decision threshold if it is not a half.
    threshold: Option<f64>,
}

impl TextPredictor {
    /// The `kind` of such a model in `model.json`.
    pub const KIND: &'static str = "text-model";

    /// Reads a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or of another kind.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, PredictError> {
        let spec: TextSpec = files.spec(Self::KIND)?;
        let refuse = |reason: &str| Err(files.refuse(reason).into());
        if !(1..=MAX_MEMBERS).contains(&spec.members) {
            return refuse("its number of `members` is out of range");
        }
        let is_language_model = spec.task == TextTask::LanguageModeling;
        if !is_language_model && spec.labels.len() != spec.sizes.num_classes {
            return refuse("its `labels` do not match the `num_classes` of its `sizes`");
        }
        let tokenizer = if spec.tokenizer.kind == TokenKind::Bytes {
            TextTokenizer::bytes()
        } else {
            TextTokenizer::from_files(files)?
        };
        let tokenizer = tokenizer.with_binary_counts(spec.tokenizer.binary_counts);
        if tokenizer.vocab_size() != spec.sizes.vocab_size {
            return refuse("its tokenizer does not match the `vocab_size` of its `sizes`");
        }
        let device = device.clone().inner();
        let mut models = Vec::new();
        for member in 0..spec.members {
            let model = spec.model.init(spec.sizes, spec.task.head(), &device)?;
            models.push(files.weights(member, |bytes| model.with_bytes(bytes))?);
        }
        let ensemble = TextEnsemble {
            models,
            task: spec.task,
            padding: tokenizer.padding(),
            num_outputs: spec.sizes.num_classes,
            temperature: spec.temperature,
        };
        Ok(Self {
            spec,
            ensemble,
            tokenizer,
            device,
            truncation: TruncationCounter::default(),
            threshold: None,
        })
    }

    /// The same model with another decision threshold.
    ///
    /// # Errors
    ///
    /// If it does not classify texts into two classes, or the threshold is not a probability.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, PredictError> {
        let classes = match self.spec.task {
            TextTask::Classification => self.spec.labels.len(),
            _ => 0,
        };
        self.threshold = Some(check_threshold(threshold, classes)?);
        Ok(self)
    }

    /// The decision threshold of two classes, if it is not a half.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// The content of `model.json`.
    pub fn spec(&self) -> &TextSpec {
        &self.spec
    }

    /// The task.
    pub fn task(&self) -> TextTask {
        self.spec.task
    }

    /// Names of the classes, labels or tags.
    pub fn labels(&self) -> &[String] {
        &self.spec.labels
    }

    /// The networks.
    pub fn ensemble(&self) -> &TextEnsemble {
        &self.ensemble
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// The device that the networks are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Largest number of tokens per text.
    pub fn max_len(&self) -> usize {
        self.spec.tokenizer.max_len
    }

    /// Number of truncated texts among those predicted so far.
    pub fn truncation(&self) -> Truncation {
        self.truncation.get()
    }

    /// Counts the truncated ones of some texts.
    pub fn count_truncated<'a>(&self, texts: impl IntoIterator<Item = &'a Tokens>) {
        self.truncation.add(Truncation::of(texts));
    }

    /// Parses a line: a tab separates the texts of a pair, white space the words that get tags.
    ///
    /// # Errors
    ///
    /// If it is empty, or the model reads pairs and there is no tab.
    pub fn parse(&self, line: &str) -> Result<TextInput, PredictError> {
        let line = line.trim();
        if line.is_empty() {
            return unsupported("the text is empty");
        }
        match self.spec.task {
            TextTask::LanguageModeling => unsupported(
                "this model is a language model and does not classify texts; use `generate`",
            ),
            TextTask::TokenClassification => {
                let words = line.split_whitespace().filter(|word| !is_invisible(word));
                let words: Vec<String> = words.map(str::to_owned).collect();
                if words.is_empty() {
                    return unsupported("the text is empty");
                }
                Ok(TextInput::Words(words))
            }
            _ if self.spec.input.pair => match line.split_once('\t') {
                Some((first, second)) => Ok(TextInput::Pair(first.to_owned(), second.to_owned())),
                None => unsupported("this model reads pairs of texts: put a tab between them"),
            },
            _ => Ok(TextInput::Single(line.to_owned())),
        }
    }

    /// The text of a JSON value: a string as [`parse`](Self::parse) takes it, or an object with `text`, with
    /// `text` and `text_pair` for a model of pairs, or with a list of `tokens` for one that tags words.
    ///
    /// # Errors
    ///
    /// As for `parse`, or if it is another value.
    pub fn input_of(&self, value: &Value) -> Result<TextInput, PredictError> {
        let object = match value {
            Value::String(text) => return self.parse(text),
            Value::Object(object) => object,
            other => {
                let kind = crate::inputs::kind_of(other);
                return unsupported(format!(
                    "a text is expected, as a string or an object with `text` (got {kind})"
                ));
            }
        };
        let pair = self.spec.input.pair;
        let is_tagger = self.spec.task == TextTask::TokenClassification;
        let known: &[&str] = match (pair, is_tagger) {
            (true, _) => &["text", "text_pair"],
            (_, true) => &["text", "tokens"],
            _ => &["text"],
        };
        if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
            let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            let key: String = key.chars().take(80).collect();
            return unsupported(format!(
                "unknown key `{key}`; this model takes {}",
                known.join(" and ")
            ));
        }
        let text = |key: &str| match object.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim()),
            Some(Value::String(_)) => unsupported(format!("`{key}` is empty")),
            Some(_) => unsupported(format!("`{key}` is not a string")),
            None => unsupported(format!("the key `{key}` is missing")),
        };
        if let Some(tokens) = object.get("tokens") {
            if object.contains_key("text") {
                return unsupported("`text` and `tokens` exclude each other");
            }
            let words = tokens.as_array().map(|words| {
                let word = |word: &Value| word.as_str().map(str::to_owned);
                words.iter().map(word).collect::<Option<Vec<String>>>()
            });
            let words = words.flatten();
            let hidden = words.iter().flatten().position(|word| is_invisible(word));
            if let Some(at) = hidden {
                let number = at + 1;
                return unsupported(format!(
                    "token {number} of `tokens` is empty or invisible; leave it out"
                ));
            }
            return match words {
                Some(words) if !words.is_empty() => Ok(TextInput::Words(words)),
                _ => unsupported("`tokens` must be a list of one or more strings"),
            };
        }
        if pair {
            let (first, second) = (text("text")?, text("text_pair")?);
            return Ok(TextInput::Pair(first.to_owned(), second.to_owned()));
        }
        self.parse(text("text")?)
    }

    /// Predicts texts, in batches.
    ///
    /// # Errors
    ///
    /// If the tokenizer or the device fails.
    pub fn predict(&self, inputs: &[TextInput]) -> Result<Vec<Prediction>, PredictError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len())?;
        self.count_truncated(&tokens);
        let inputs: Vec<(&TextInput, &Tokens)> = inputs.iter().zip(&tokens).collect();
        self.predict_encoded(&inputs)
    }

    /// Predicts texts with their tokens.
    pub(crate) fn predict_encoded(
        &self,
        inputs: &[(&TextInput, &Tokens)],
    ) -> Result<Vec<Prediction>, PredictError> {
        let tokens: Vec<&Tokens> = inputs.iter().map(|(_, tokens)| *tokens).collect();
        let probabilities = self.ensemble.probabilities(&tokens, &self.device)?;
        let rows = inputs.iter().zip(probabilities);
        Ok(rows
            .map(|((input, _), row)| self.prediction(input, &row))
            .collect())
    }

    /// Probabilities of each class or label of each text, or of each tag of each of its words.
    pub(super) fn probabilities(
        &self,
        inputs: &[TextInput],
    ) -> Result<Vec<Vec<f32>>, PredictError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len())?;
        let tokens: Vec<&Tokens> = tokens.iter().collect();
        self.ensemble.probabilities(&tokens, &self.device)
    }

    fn prediction(&self, input: &TextInput, probabilities: &[f32]) -> Prediction {
        let labels = &self.spec.labels;
        let named = || {
            let values = probabilities.iter().copied();
            labels.iter().cloned().zip(values).collect()
        };
        match self.spec.task {
            TextTask::TokenClassification => {
                let words = input.texts().into_iter().map(str::to_owned);
                let tags = probabilities.chunks_exact(labels.len());
                let tags = tags.map(|row| labels[argmax(row)].clone());
                Prediction::Tags {
                    tags: words.zip(tags).collect(),
                }
            }
            TextTask::MultiLabel => {
                let own = labels.iter().zip(probabilities);
                let own = own.filter(|(_, p)| **p >= LABEL_THRESHOLD);
                Prediction::Labels {
                    labels: own.map(|(label, _)| label.clone()).collect(),
                    probabilities: named(),
                }
            }
            TextTask::Classification | TextTask::LanguageModeling => Prediction::Class {
                label: labels
                    .get(decide(probabilities, self.threshold))
                    .cloned()
                    .unwrap_or_default(),
                probabilities: named(),
            },
        }
    }
}
