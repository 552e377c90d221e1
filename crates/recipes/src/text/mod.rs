//! Models of texts, from a recipe to a model folder and back: classes, labels, pairs, tags of
//! words, and language models that write.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::text::{Options, Prepared, Recipe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::builtin("requests").expect("it is built in");
//! let report = Prepared::new(recipe)?.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["accuracy"]);
//! # Ok(())
//! # }
//! ```

mod answers;
#[cfg(feature = "baseline")]
mod baseline;
mod batch;
mod builtin;
mod contents;
mod contracts;
mod data;
mod docs;
mod embed;
mod error;
mod explain;
mod format;
mod generate;
mod inspect;
mod learner;
mod net;
mod own;
mod pre_tokenize;
mod predict;
mod read;
mod recipe;
mod summarise;
mod tokenizer;
mod tokenizer_file;
mod truncation;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use burn::train::metric::AccuracyMetric;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::{LayerSummary, trainable_parameters};

use answers::Committee;
pub use answers::{Answers, Task};
pub use batch::{BatchTruth, Sample, TextBatch, Windows, pad};
pub use builtin::BUILTIN;
pub use contracts::{Reading, VERDICTS, Verdicts};
pub use data::{Agreement, Corpus, Parts, Rows, Running, Truth, open};
pub use embed::Embedder;
pub use error::{DataError, TextRecipeError, TokenizerError};
pub use explain::Weighted;
pub use format::{Choice, Format};
pub use generate::{Sampling, Writer};
pub use inspect::{Inspection, Quantiles, SplitInspection, inspect};
pub use learner::TextModel;
pub use learner::label_loss;
use net::BertForm;
pub use net::{Architecture, FineTune, Scored, Sizes, TextInputs, TextNet};
pub use predict::{Evaluation, Prediction, Predictor};
pub use read::{ReadOptions, ReadText, ReadTextSink};
pub use recipe::{Augment, Data, Recipe, Split};
pub use summarise::{Sentence, sentences};
pub use tokenizer::{Input, TOKENIZER_FILE, TextTokenizer, TokenKind, TokenizerRecipe, Tokens};
pub use truncation::Truncation;

use tinderbox_predict::calibration::Temperature;
use tinderbox_predict::model_dir::{self, ModelError};
use tinderbox_train::classify::check_by_class;
use tinderbox_train::run_dir::{BEST_DIR, RunDir};
use tinderbox_train::run_options::Job;
pub use tinderbox_train::run_options::{Options, Renderers, Stage};
use tinderbox_train::{BestListener, FitError, Metrics, Trained, init_seeded};

/// Texts in a batch where no gradient is needed while training.
const EVAL_BATCH: usize = 64;

/// Most texts that are predicted alone to see how long it takes.
const TIMED_TEXTS: usize = 50;

const KIND: &str = "text-model";

/// What `model/` says beside the weights and the tokenizer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    kind: String,
    recipe: String,
    task: Task,
    /// Networks that predict together.
    members: usize,
    architecture: Architecture,
    /// Of a network whose sizes are those of published weights.
    form: Option<BertForm>,
    sizes: Sizes,
    /// Names of the classes, labels or tags.
    labels: Vec<String>,
    tokenizer: TokenizerRecipe,
    /// Where the parts came from, for a later evaluation.
    data: Data,
    split: Split,
    /// The columns of the training texts, where they were in a table.
    #[serde(default)]
    text_columns: Vec<String>,
    /// Whether every training text was a file of its own.
    #[serde(default)]
    documents: bool,
    /// Of probabilities; folders of earlier versions have none.
    #[serde(default)]
    temperature: Temperature,
}

/// A recipe with its texts opened and checked against each other. Nothing is written yet.
pub struct Prepared {
    recipe: Recipe,
    corpus: Corpus,
    task: Task,
    /// Of the training proper.
    tokenizer: TextTokenizer,
    sizes: Sizes,
    layers: Vec<LayerSummary>,
}

/// A finished run.
pub struct Report {
    /// The run directory.
    pub run: RunDir,
    /// What the training loop says of the first network.
    pub trained: Trained<TextModel>,
    /// Metrics on the validation texts, of all networks together.
    pub valid: Metrics,
    /// Metrics on the test texts, of all networks together.
    pub test: Metrics,
    /// What was said of every test text.
    pub answers: Answers,
    /// Results of the cross-validation.
    pub folds: Vec<FoldReport>,
    /// What agreements as a whole are read as, where the texts are their lines.
    pub reading: Option<Reading>,
    /// Classical methods on the same texts.
    #[cfg(feature = "baseline")]
    pub baselines: Vec<baseline::Classical>,
    /// Training texts that are longer than the network reads.
    pub truncation: Truncation,
    /// Time to tokenize and predict one text alone, in s.
    pub text_s: f64,
    /// Tokens that were trained on in a second, padding not counted.
    pub tokens_per_s: f64,
    /// Numbers that were learned, by all networks together.
    pub parameters: usize,
}

/// What one fold of a cross-validation gave.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldReport {
    /// Metrics on the fold's texts.
    pub test: Metrics,
    /// The metrics of the classical methods, by their names.
    pub baselines: Vec<(String, Metrics)>,
}

/// A trained committee with what it was measured with.
struct Fitted {
    committee: Committee,
    tokenizer: TextTokenizer,
    tokens: Encoded,
    first: Trained<TextModel>,
}

/// All texts as tokens.
#[derive(Clone)]
enum Encoded {
    Rows(Arc<Vec<Tokens>>),
    Running { valid: Vec<u32>, test: Vec<u32> },
}

/// What a training sees, and by what it is judged.
enum Feed {
    Rows(Sample, Sample),
    Running(Windows, Windows),
}

impl Prepared {
    /// Opens the texts of a recipe, trains its tokenizer, and checks everything that can be checked
    /// before training.
    ///
    /// # Errors
    ///
    /// If the recipe makes no sense, the texts cannot be used, or they do not fit each other.
    pub fn new(recipe: Recipe) -> Result<Self, TextRecipeError> {
        recipe.validate()?;
        let corpus = open(&recipe.data, &recipe.split)?;
        recipe.model.check(corpus.scored())?;
        let (task, outputs) = match &corpus {
            Corpus::Running(_) => (Task::Next, 0),
            Corpus::Rows(rows) => {
                let task = match rows.truth {
                    Truth::Classes(_) => Task::Classes,
                    Truth::Labels(_) => Task::Labels,
                    Truth::Tags(_) => Task::Tags,
                };
                (task, rows.names.len())
            }
        };
        let monitors: &[&str] = match task {
            Task::Classes => &["loss", "accuracy"],
            Task::Labels | Task::Tags | Task::Next => &["loss"],
        };
        recipe.train.check_monitor(monitors)?;
        let tokenizer = match &corpus {
            Corpus::Running(text) => tokenizer_of(&recipe, &[text.train.as_str()])?,
            Corpus::Rows(rows) => tokenizer_of_rows(&recipe, rows, &rows.parts.train)?,
        };
        check_by_class(
            recipe.loss.class_weights,
            recipe.train.balanced_sampling,
            task == Task::Classes,
        )?;
        let vocabulary = tokenizer.vocabulary();
        let sizes = Sizes {
            vocabulary,
            outputs: if outputs == 0 { vocabulary } else { outputs },
            max_len: recipe.tokenizer.max_len,
        };
        let layers = recipe.model.layers(sizes)?;
        Ok(Self {
            recipe,
            corpus,
            task,
            tokenizer,
            sizes,
            layers,
        })
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The texts.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// What is said of a text.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Number of tokens that there are, of scores, and of the longest text.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The layers of the network.
    pub fn layers(&self) -> &[LayerSummary] {
        &self.layers
    }

    /// Trains, measures on the test texts and writes `model/`.
    ///
    /// `summary.json` is left to the caller, who knows the rest of it: it makes the run a finished
    /// one.
    ///
    /// # Errors
    ///
    /// If training fails or is interrupted, or a file cannot be written.
    pub fn train(&self, device: &Device, options: Options) -> Result<Report, TextRecipeError> {
        let text = toml::to_string(&self.recipe)?;
        let splits = contents::split_list(&self.corpus);
        if options.resume {
            RunDir::check_recipe(&options.dir, &text)?;
            splits.check(&options.dir)?;
        }
        let run = RunDir::open(&options.dir, options.resume, &text)?;
        splits.save(run.path())?;
        let result = self.train_in(&run, device, options);
        if result.as_ref().is_err_and(TextRecipeError::is_input) {
            run.discard_untrained();
        }
        result
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        mut options: Options,
    ) -> Result<Report, TextRecipeError> {
        let folds = self.folds(run, device, &mut options)?;
        let parts = self.parts();
        let fitted = self.fit(
            "",
            &self.tokenizer,
            &parts,
            run.path(),
            device,
            &mut options,
        )?;
        self.save(run, &fitted)?;
        let valid = self.answers(&fitted, &parts.valid, "valid", device)?;
        let answers = self.answers(&fitted, &parts.test, "test", device)?;
        let mut test = answers.metrics();
        let reading = self.reading(&answers, &valid);
        if let Some(reading) = &reading {
            test.extend(reading.metrics());
        }
        fitted.first.log_test(&test).map_err(FitError::from)?;
        let (truncation, tokens) = self.lengths(&fitted, &parts.train);
        let train_s = fitted.first.timings.compute_s + fitted.first.timings.data_s;
        Ok(Report {
            #[cfg(feature = "baseline")]
            baselines: if options.baselines {
                self.baselines(&parts)?
            } else {
                Vec::new()
            },
            valid: valid.metrics(),
            test,
            folds,
            reading,
            truncation,
            text_s: self.time_of_a_text(&fitted, &parts.test, device)?,
            tokens_per_s: tokens * fitted.first.samples as f64 / train_s.max(1e-9),
            parameters: fitted.committee.nets.iter().map(trainable_parameters).sum(),
            answers,
            run: run.clone(),
            trained: fitted.first,
        })
    }

    /// The parts of the training proper; a running text has its own.
    fn parts(&self) -> Parts {
        match &self.corpus {
            Corpus::Rows(rows) => rows.parts.clone(),
            Corpus::Running(_) => Parts::default(),
        }
    }

    fn folds(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Vec<FoldReport>, TextRecipeError> {
        let Corpus::Rows(rows) = &self.corpus else {
            return Ok(Vec::new());
        };
        let mut folds = Vec::new();
        for (index, parts) in rows.folds.iter().enumerate() {
            let name = format!("fold {} of {}", index + 1, rows.folds.len());
            let dir = run.path().join("folds").join((index + 1).to_string());
            let tokenizer = tokenizer_of_rows(&self.recipe, rows, &parts.train)?;
            let fitted = self.fit(&name, &tokenizer, parts, &dir, device, options)?;
            let test = self.answers(&fitted, &parts.test, "test", device)?;
            #[cfg(feature = "baseline")]
            let baselines = if options.baselines {
                let classical = self.baselines(parts)?.into_iter();
                let result =
                    |method: baseline::Classical| (method.baseline.method, method.baseline.test);
                classical.map(result).collect()
            } else {
                Vec::new()
            };
            #[cfg(not(feature = "baseline"))]
            let baselines = Vec::new();
            folds.push(FoldReport {
                test: test.metrics(),
                baselines,
            });
        }
        Ok(folds)
    }

    /// Trains the networks of one part of the run, each in a folder of its own.
    fn fit(
        &self,
        name: &str,
        tokenizer: &TextTokenizer,
        parts: &Parts,
        dir: &Path,
        device: &Device,
        options: &mut Options,
    ) -> Result<Fitted, TextRecipeError> {
        let sizes = Sizes {
            vocabulary: tokenizer.vocabulary(),
            outputs: match self.task {
                Task::Next => tokenizer.vocabulary(),
                _ => self.sizes.outputs,
            },
            ..self.sizes
        };
        let (tokens, feed) = self.encode(tokenizer, parts)?;
        let (mut nets, mut first) = (Vec::new(), None);
        for member in 0..self.recipe.ensemble {
            let mut job = Job::new(dir, name, member, self.recipe.ensemble)?;
            // Folds are no part of the model.
            if name.is_empty() {
                let dir = options.dir.join(BEST_DIR);
                job.on_best = Some(keep_best(dir, member, self.spec()?, tokenizer.to_json()?));
            }
            let trained = self.fit_one(sizes, &feed, job, device, options)?;
            nets.push(trained.model.net.clone());
            first.get_or_insert(trained);
        }
        let mut committee = Committee {
            nets,
            task: self.task,
            padding: tokenizer.padding(),
            outputs: sizes.outputs,
            temperature: Temperature::default(),
        };
        if self.recipe.calibrate
            && let (Corpus::Rows(rows), Encoded::Rows(tokens)) = (&self.corpus, &tokens)
        {
            let device = &device.clone().inner();
            committee.calibrate(tokens, &rows.truth, &parts.valid, device)?;
        }
        Ok(Fitted {
            committee,
            tokenizer: tokenizer.clone(),
            tokens,
            first: first.ok_or(FitError::NotRun)?,
        })
    }

    fn encode(
        &self,
        tokenizer: &TextTokenizer,
        parts: &Parts,
    ) -> Result<(Encoded, Feed), TextRecipeError> {
        let width = self.recipe.tokenizer.max_len;
        match &self.corpus {
            Corpus::Rows(rows) => {
                let tokens = Arc::new(tokenizer.encode(&rows.inputs, width)?);
                let truth = Arc::new(rows.truth.clone());
                let sample =
                    |part: &[usize]| Sample::new(&tokens, &truth, part, tokenizer.padding());
                let augment = &self.recipe.augment;
                let train = sample(&parts.train).augmented(augment, tokenizer.unknown());
                let feed = Feed::Rows(train, sample(&parts.valid));
                Ok((Encoded::Rows(tokens), feed))
            }
            Corpus::Running(text) => {
                let [train, valid, test] = [&text.train, &text.valid, &text.test]
                    .map(|part| tokenizer.encode_running(part));
                let (valid, test) = (valid?, test?);
                let train = Windows::new(train?, width, true)?;
                let feed = Feed::Running(train, Windows::new(valid.clone(), width, false)?);
                Ok((Encoded::Running { valid, test }, feed))
            }
        }
    }

    fn fit_one(
        &self,
        sizes: Sizes,
        feed: &Feed,
        job: Job<TextModel>,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<TextModel>, TextRecipeError> {
        let mut config = self.recipe.train_config();
        config.train.seed += job.stage.number[0] as u64 - 1;
        let on = device.clone().autodiff();
        let scored = self.task.scored();
        let net = init_seeded(config.train.seed, &on, || {
            self.recipe.model.init(sizes, scored, &on)
        })?;
        let rates = self.recipe.model.learning_rates(&net);
        let classes = match feed {
            Feed::Rows(train, _) => train.classes(),
            Feed::Running(..) => Vec::new(),
        };
        let weights = self.recipe.loss.class_weights;
        let weights = weights.of(classes.iter().copied(), sizes.outputs);
        let model = TextModel::new(net, self.recipe.loss.clone()).with_class_weights(weights);
        let [seed, workers] = [config.train.seed, config.train.workers as u64];
        let workers = workers as usize;
        let of_train = |items: usize| {
            LoaderConfig::train(config.train.batch_size.min(items), seed).with_workers(workers)
        };
        let of_valid =
            |most: usize| LoaderConfig::eval(EVAL_BATCH.min(most.max(1))).with_workers(workers);
        let (train, valid) = match feed {
            Feed::Rows(train, valid) => {
                let [a, b] = [train.lengths(), valid.lengths()];
                // Long texts in small batches, or one would not fit in memory.
                let most = 65_536 / b.iter().max().copied().unwrap_or(1).max(1);
                let one = Loader::new(
                    Arc::new(train.clone()),
                    train.clone(),
                    of_train(a.len()),
                    device,
                )?;
                let two = Loader::new(
                    Arc::new(valid.clone()),
                    valid.clone(),
                    of_valid(most),
                    device,
                )?;
                let one = if config.train.balanced_sampling {
                    one.balanced(classes)
                } else {
                    one
                };
                (one.by_length(a), two.by_length(b))
            }
            Feed::Running(train, valid) => {
                use burn::data::dataset::Dataset as _;
                let config = of_train(train.len());
                let one = Loader::new(Arc::new(train.clone()), train.clone(), config, device)?;
                let valid = valid.clone();
                let two = Loader::new(Arc::new(valid.clone()), valid, of_valid(64), device)?;
                (one, two)
            }
        };
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config.clone(), identity, options);
        let trainer = trainer.learning_rates(rates);
        let classes = self.task == Task::Classes;
        Ok(trainer.fit(model, train, valid, |training| {
            if classes {
                training.metrics((AccuracyMetric::new(),))
            } else {
                training
            }
        })?)
    }

    fn answers(
        &self,
        fitted: &Fitted,
        rows: &[usize],
        part: &str,
        device: &Device,
    ) -> Result<Answers, TextRecipeError> {
        let device = &device.clone().inner();
        match (&self.corpus, &fitted.tokens) {
            (Corpus::Rows(own), Encoded::Rows(tokens)) => {
                let Rows { truth, names, .. } = own;
                fitted.committee.answer(tokens, truth, names, rows, device)
            }
            (Corpus::Running(text), Encoded::Running { valid, test }) => {
                let (tokens, text) = match part {
                    "valid" => (valid, &text.valid),
                    _ => (test, &text.test),
                };
                let width = self.recipe.tokenizer.max_len;
                let characters = text.chars().count();
                fitted.committee.foresee(tokens, characters, width, device)
            }
            _ => Err(FitError::NotRun.into()),
        }
    }

    /// What agreements as a whole are read as, where the rows are their lines.
    fn reading(&self, test: &Answers, valid: &Answers) -> Option<Reading> {
        let Corpus::Rows(rows) = &self.corpus else {
            return None;
        };
        contracts::read(rows, test, valid)
    }

    /// Truncated texts, and tokens of a text on average.
    fn lengths(&self, fitted: &Fitted, rows: &[usize]) -> (Truncation, f64) {
        match &fitted.tokens {
            Encoded::Rows(tokens) => {
                let all: usize = rows.iter().map(|&row| tokens[row].ids.len()).sum();
                let truncation = Truncation::of(rows.iter().map(|&row| &tokens[row]));
                (truncation, all as f64 / rows.len().max(1) as f64)
            }
            Encoded::Running { .. } => {
                let width = self.recipe.tokenizer.max_len as f64;
                (Truncation::default(), width)
            }
        }
    }

    /// How long one text alone takes, its tokenization included, of up to some dozens, in s.
    fn time_of_a_text(
        &self,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
    ) -> Result<f64, TextRecipeError> {
        let Corpus::Rows(own) = &self.corpus else {
            return Ok(0.0);
        };
        let device = device.clone().inner();
        let rows: Vec<usize> = rows.iter().copied().take(TIMED_TEXTS).collect();
        let mut timed = std::time::Duration::ZERO;
        for &row in &rows {
            let input = std::slice::from_ref(&own.inputs[row]);
            let started = std::time::Instant::now();
            let tokens = fitted
                .tokenizer
                .encode(input, self.recipe.tokenizer.max_len)?;
            let tokens: Vec<&Tokens> = tokens.iter().collect();
            fitted.committee.predict(&tokens, &device)?;
            timed += started.elapsed();
        }
        Ok(timed.as_secs_f64() / rows.len().max(1) as f64)
    }

    fn save(&self, run: &RunDir, fitted: &Fitted) -> Result<(), TextRecipeError> {
        let committee = &fitted.committee;
        let spec = Spec {
            temperature: committee.temperature,
            ..self.spec()?
        };
        let weights = committee.nets.iter().map(TextNet::to_bytes);
        let weights: Vec<Vec<u8>> = weights
            .collect::<Result<_, _>>()
            .map_err(ModelError::from)?;
        let json = fitted.tokenizer.to_json()?;
        let files = json.as_ref().map(|json| (TOKENIZER_FILE, json.as_bytes()));
        let files: Vec<(&str, &[u8])> = files.into_iter().collect();
        model_dir::save_with(&run.model_dir(), &weights, &spec, &files)?;
        Ok(())
    }

    /// What to build around the weights and the tokenizer.
    fn spec(&self) -> Result<Spec, TextRecipeError> {
        Ok(Spec {
            kind: KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            task: self.task,
            members: self.recipe.ensemble,
            architecture: self.recipe.model.portable(),
            form: self.recipe.model.form()?,
            sizes: self.sizes,
            labels: match &self.corpus {
                Corpus::Rows(rows) => rows.names.clone(),
                Corpus::Running(_) => Vec::new(),
            },
            tokenizer: self.recipe.tokenizer.clone(),
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
            text_columns: self.corpus.report().text_columns.clone(),
            documents: self.corpus.report().documents
                || matches!(self.recipe.data, Data::Reviews { .. }),
            temperature: Temperature::default(),
        })
    }

    /// What a checkpoint must share with this run: all but where the data is, how long it trains and
    /// how many threads make batches.
    fn identity(&self, stage: &str) -> Result<String, toml::ser::Error> {
        let mut recipe = self.recipe.clone();
        if let Some(path) = recipe.data.path_mut() {
            path.clear();
        }
        recipe.train = recipe.train.identity();
        let size = match &self.corpus {
            Corpus::Rows(rows) => rows.inputs.len(),
            Corpus::Running(text) => text.train.len(),
        };
        let data = contents::split_list(&self.corpus).digest();
        Ok(format!(
            "{}\ndata {data}\n{size} texts\n{stage}",
            toml::to_string(&recipe)?
        ))
    }
}

/// Keeps the best weights so far of a network of the run.
fn keep_best(
    dir: PathBuf,
    member: usize,
    spec: Spec,
    tokenizer: Option<String>,
) -> Box<BestListener<TextModel>> {
    Box::new(move |model| {
        let weights = model.net.to_bytes()?;
        let files = tokenizer
            .as_ref()
            .map(|json| (TOKENIZER_FILE, json.as_bytes()));
        let files: Vec<(&str, &[u8])> = files.into_iter().collect();
        model_dir::save_best(&dir, member, &weights, &spec, &files)
    })
}

fn tokenizer_of_rows(
    recipe: &Recipe,
    rows: &Rows,
    train: &[usize],
) -> Result<TextTokenizer, TextRecipeError> {
    let texts: Vec<&str> = train
        .iter()
        .flat_map(|&row| rows.inputs[row].texts())
        .collect();
    tokenizer_of(recipe, &texts)
}

/// Refuses what is no folder of published weights, such as the name of a model on the hub.
fn check_weights(dir: &Path) -> Result<(), TextRecipeError> {
    if dir.is_dir() {
        return Ok(());
    }
    let name = dir.display();
    let is_file = if dir.exists() {
        "is not a folder"
    } else {
        "does not exist"
    };
    Err(TextRecipeError::Asked(format!(
        "the weights folder `{name}` {is_file}: nothing is downloaded; name a folder with config.json, \
         tokenizer.json and model.safetensors, e.g. from `hf download {name} --local-dir weights`"
    )))
}

fn tokenizer_of(recipe: &Recipe, texts: &[&str]) -> Result<TextTokenizer, TextRecipeError> {
    if let Architecture::Bert { weights, .. } = &recipe.model {
        if weights.is_empty() {
            let message = "the recipe needs published weights: name their folder with `--weights DIR` \
                           or `model.weights`";
            return Err(TextRecipeError::Asked(message.to_owned()));
        }
        check_weights(Path::new(weights))?;
        return Ok(TextTokenizer::load(
            &Path::new(weights).join(TOKENIZER_FILE),
        )?);
    }
    // One long line would be one piece of work.
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.split('\n')).collect();
    let tokenizer = recipe.tokenizer.train(&lines)?;
    Ok(tokenizer.with_distinct(recipe.tokenizer.distinct))
}
