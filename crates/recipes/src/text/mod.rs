//! Models for texts, from a recipe to a model folder and back: classes, labels, pairs, tags of words,
//! and language models.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::text::{Recipe, TextModeling};
//! use tinderbox_train::{Options, Task};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::builtin("requests").expect("it is built in");
//! let task = TextModeling::prepare(recipe)?;
//! let report = task.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["accuracy"]);
//! # Ok(())
//! # }
//! ```

pub mod analysis;
#[cfg(feature = "baseline")]
mod baseline;
mod batch;
mod builtin;
mod contents;
mod data;
mod docs;
mod error;
mod evaluate;
mod fit;
mod inputs;
mod own;
mod pre_tokenize;
mod recipe;
mod source;
mod train_step;
mod train_tokenizer;
mod truncation;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_models::LayerSummary;
use tinderbox_predict::text::{
    TOKENIZER_FILE, TextModelConfig, TextPredictor, TextSizes, TextSpec, TextTask, TextTokenizer,
    TokenKind,
};
use tinderbox_predict::{ModelFiles, PredictError};
use tinderbox_train::classify::{ClassWeights, check_by_class};
use tinderbox_train::format::thousands;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
    SplitOverview,
};
use tinderbox_train::{Options, Report, Split, Task, TaskError, class_warnings};

pub use batch::{BatchTargets, EncodedDataset, TextBatch, Windows};
pub use builtin::BUILTIN;
pub use data::{Agreement, Corpus, LabeledTexts, PlainText, Targets, open};
pub use error::DataError;
pub use inputs::TextInputOptions;
pub use recipe::{Augment, Recipe};
pub use source::Data;
pub use train_step::{TrainableTextModel, label_loss};
pub use train_tokenizer::train_tokenizer;
pub use truncation::truncation_warning;

use contents::split_list;

/// Text classification, tagging or language modeling: a recipe with its texts.
pub struct TextModeling {
    recipe: Recipe,
    corpus: Corpus,
    task: TextTask,
    /// Of the final training.
    tokenizer: TextTokenizer,
    layers: Vec<LayerSummary>,
    /// The splits as they are stored.
    list: SplitList,
    /// Whether the test split is within reach.
    has_test: bool,
}

/// The training data and its split, stored in `model.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TrainingData {
    data: Data,
    split: Split,
}

impl Task for TextModeling {
    type Recipe = Recipe;
    type Model = TextPredictor;
    type InputOptions = TextInputOptions;

    const KIND: &'static str = TextPredictor::KIND;
    const ITEM: Noun = Noun("text", "texts");

    fn check_recipe(recipe: &Recipe) -> Result<(), TaskError> {
        Ok(recipe.validate()?)
    }

    fn prepare(recipe: Recipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let corpus = open(&recipe.data, &recipe.split)?;
        let task = corpus.task();
        recipe
            .model
            .check_head(task.head())
            .map_err(PredictError::from)?;
        let monitors: &[&str] = match task {
            TextTask::Classification => &["loss", "accuracy"],
            _ => &["loss"],
        };
        recipe.train.check_monitor(monitors)?;
        let tokenizer = match &corpus {
            Corpus::Plain(text) => tokenizer(&recipe, &[text.train.as_str()])?,
            Corpus::Labeled(texts) => tokenizer_of_rows(&recipe, texts, &texts.splits.train)?,
        };
        check_by_class(
            recipe.loss.class_weights,
            recipe.train.balanced_sampling,
            task == TextTask::Classification,
        )?;
        let mut prepared = Self {
            recipe,
            list: split_list(&corpus),
            corpus,
            task,
            tokenizer,
            layers: Vec::new(),
            has_test: true,
        };
        let sizes = prepared.sizes(&prepared.tokenizer);
        prepared.layers = prepared
            .recipe
            .model
            .layers(sizes)
            .map_err(|error| match error {
                PredictError::Setting(error) => TaskError::from(error.within("model")),
                error => error.into(),
            })?;
        Ok(prepared)
    }

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        let tokenizer = format!(
            "vocabulary {} ({}), maximum length {}",
            thousands(self.tokenizer.vocab_size()),
            kind_name(self.recipe.tokenizer.kind),
            thousands(self.recipe.tokenizer.max_len)
        );
        let overview = match &self.corpus {
            Corpus::Labeled(texts) => self.labeled_overview(texts, &tokenizer),
            Corpus::Plain(text) => plain_overview(text, &tokenizer),
        };
        let mut warnings = self.corpus.report().messages();
        warnings.extend(overview.warnings);
        Overview {
            warnings,
            layers: self.layers.clone(),
            ..overview
        }
    }

    fn split_list(&self) -> Option<&SplitList> {
        Some(&self.list)
    }

    fn without_test(mut self) -> Self {
        match &mut self.corpus {
            Corpus::Labeled(texts) => texts.splits.hide_test(&mut texts.folds),
            Corpus::Plain(text) => text.test.clone_from(&text.valid),
        }
        self.has_test = false;
        self
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        self.train_parts(run, device, options)
    }

    fn load(dir: &Path, device: &Device) -> Result<TextPredictor, TaskError> {
        Ok(TextPredictor::load(&ModelFiles::open(dir), device)?)
    }

    fn with_threshold(model: TextPredictor, threshold: f64) -> Result<TextPredictor, TaskError> {
        Ok(model.with_threshold(threshold)?)
    }

    fn evaluate(
        model: &TextPredictor,
        request: &EvalRequest<'_, Recipe>,
    ) -> Result<EvalReport, TaskError> {
        evaluate::evaluate(model, request)
    }

    fn predict(
        model: &TextPredictor,
        path: &Path,
        options: &InputOptions<TextInputOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        inputs::predict(model, path, options, each)
    }

    fn range(
        model: &TextPredictor,
        path: &Path,
        options: &TextInputOptions,
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        inputs::range(model, path, options, shard)
    }

    fn columns(model: &TextPredictor) -> Vec<String> {
        let label = std::iter::once("label".to_owned());
        match model.task() {
            TextTask::TokenClassification => label.collect(),
            _ => label.chain(model.labels().iter().cloned()).collect(),
        }
    }
}

impl TextModeling {
    /// The texts.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn labeled_overview(&self, texts: &LabeledTexts, tokenizer: &str) -> Overview {
        let noun = match self.task {
            TextTask::TokenClassification => "tags",
            TextTask::MultiLabel => "labels",
            TextTask::Classification | TextTask::LanguageModeling => "classes",
        };
        let has_classes = self.task == TextTask::Classification;
        let sources = analysis::sources(texts.located.as_ref());
        let splits = texts.splits.named().into_iter().zip(sources);
        let splits: Vec<SplitOverview> = splits
            .map(|((name, rows), source)| SplitOverview {
                name: name.to_owned(),
                count: rows.len(),
                source,
                classes: if has_classes {
                    analysis::counts(texts, rows)
                } else {
                    Vec::new()
                },
            })
            .collect();
        let weighted = self.recipe.loss.class_weights != ClassWeights::None;
        let mut warnings = class_warnings(&splits, Self::ITEM, weighted);
        warnings.extend(analysis::alike_classes(
            texts.labels.iter().map(String::as_str),
        ));
        Overview {
            summary: format!("{} {noun}; {tokenizer}", texts.labels.len()),
            duplicates: texts.duplicates(),
            shared: texts.shared(),
            warnings,
            splits,
            ..Overview::default()
        }
    }

    /// The sizes of a network for the texts and a tokenizer.
    fn sizes(&self, tokenizer: &TextTokenizer) -> TextSizes {
        let vocab_size = tokenizer.vocab_size();
        TextSizes {
            vocab_size,
            num_classes: match self.task {
                TextTask::LanguageModeling => vocab_size,
                _ => self.corpus.labels().len(),
            },
            max_len: self.recipe.tokenizer.max_len,
        }
    }

    /// The tokenizer for some of the texts.
    fn train_tokenizer(&self, rows: &[usize]) -> Result<TextTokenizer, TaskError> {
        match &self.corpus {
            Corpus::Labeled(texts) => tokenizer_of_rows(&self.recipe, texts, rows),
            Corpus::Plain(_) => Ok(self.tokenizer.clone()),
        }
    }

    /// The content of `model.json`.
    fn spec(&self) -> Result<TextSpec, TaskError> {
        let training = TrainingData {
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
        };
        let sizes = self.sizes(&self.tokenizer);
        let report = self.corpus.report();
        let input = (self.recipe.data).input_spec(&report.text_columns, report.documents);
        Ok(TextSpec {
            kind: Self::KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            task: self.task,
            members: self.recipe.ensemble,
            model: self.recipe.model.stored(sizes)?,
            sizes,
            labels: self.corpus.labels().to_vec(),
            tokenizer: self.recipe.tokenizer.clone(),
            input,
            temperature: tinderbox_predict::calibration::Temperature::default(),
            training: serde_json::to_value(training).map_err(TaskError::internal)?,
        })
    }
}

/// Plain text with the characters of its splits.
fn plain_overview(text: &PlainText, tokenizer: &str) -> Overview {
    let splits = [
        ("train", &text.train),
        ("valid", &text.valid),
        ("test", &text.test),
    ];
    let splits = splits.map(|(name, part)| SplitOverview {
        name: name.to_owned(),
        count: part.chars().count(),
        ..SplitOverview::default()
    });
    Overview {
        summary: format!("plain text; {tokenizer}"),
        splits: splits.to_vec(),
        item: Some(Noun("character", "characters")),
        ..Overview::default()
    }
}

fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::WordPiece => "WordPiece",
        TokenKind::Bpe => "BPE",
        TokenKind::Unigram => "Unigram",
        TokenKind::Words => "words",
        TokenKind::Bytes => "bytes",
        TokenKind::Pretrained => "pretrained",
    }
}

fn tokenizer_of_rows(
    recipe: &Recipe,
    texts: &LabeledTexts,
    rows: &[usize],
) -> Result<TextTokenizer, TaskError> {
    let texts: Vec<&str> = rows
        .iter()
        .flat_map(|&row| texts.inputs[row].texts())
        .collect();
    tokenizer(recipe, &texts)
}

/// The tokenizer of a recipe: pretrained, or trained on texts.
fn tokenizer(recipe: &Recipe, texts: &[&str]) -> Result<TextTokenizer, TaskError> {
    if let TextModelConfig::Bert(config) = &recipe.model {
        if config.weights.is_empty() {
            return Err(DataError::NoWeights.into());
        }
        let dir = Path::new(&config.weights);
        check_weights(dir)?;
        let tokenizer = TextTokenizer::load(&dir.join(TOKENIZER_FILE));
        return Ok(tokenizer.map_err(PredictError::from)?);
    }
    // A single long line could not be shared between cores.
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.split('\n')).collect();
    let tokenizer = train_tokenizer(&recipe.tokenizer, &lines);
    Ok(tokenizer.map_err(PredictError::from)?)
}

fn check_weights(dir: &Path) -> Result<(), DataError> {
    if dir.is_dir() {
        return Ok(());
    }
    Err(DataError::WeightsFolder {
        name: dir.display().to_string(),
        reason: if dir.exists() {
            "is not a folder"
        } else {
            "does not exist"
        },
    })
}
