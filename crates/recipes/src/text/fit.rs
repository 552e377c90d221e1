//! Training of models for texts.

use std::path::PathBuf;
use std::sync::Arc;

use burn::data::dataset::Dataset as _;
use burn::tensor::Device;
use burn::train::metric::AccuracyMetric;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::trainable_parameters;
use tinderbox_predict::PredictError;
use tinderbox_predict::calibration::Temperature;
use tinderbox_predict::model_dir::{self, ModelError};
use tinderbox_predict::text::{
    TOKENIZER_FILE, TextEnsemble, TextModel, TextModelConfig, TextSizes, TextSpec, TextTask,
    TextTokenizer, Tokens, Truncation,
};
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run::{
    Members, Part, cross_validate, identity, seconds_per_item, train_members,
};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::run_options::Job;
use tinderbox_train::task::{BaselineReport, FoldReport, compare};
use tinderbox_train::{
    BestListener, FitError, MetricsOptions, Options, Report, Splits, TaskError, TrainConfig,
    Trained, init_seeded, layer_factors,
};

use super::TextModeling;
use super::analysis::{ContractNliReport, mistakes, samples};
use super::batch::{EncodedDataset, TextBatch, Windows};
use super::data::Corpus;
use super::evaluate::{calibrate, evaluate_language_model, evaluate_texts};
use super::train_step::TrainableTextModel;
use super::truncation::sentence;
#[cfg(feature = "baseline")]
use crate::baseline::baseline;

/// Most texts of a validation batch while training.
const EVAL_BATCH: usize = 64;

/// Most tokens of a validation batch while training, padding included.
const EVAL_TOKENS: usize = 65_536;

/// Most texts that are predicted alone to measure the time.
const TIMED_TEXTS: usize = 50;

/// The trained networks of a part of a run.
struct Fitted {
    ensemble: TextEnsemble,
    tokenizer: TextTokenizer,
    tokens: Encoded,
    members: Members<TrainableTextModel>,
}

/// All texts as tokens.
pub(super) enum Encoded {
    /// The tokens of each text.
    Labeled(Arc<Vec<Tokens>>),
    /// Those of the splits of plain text.
    Plain {
        #[cfg_attr(
            not(feature = "baseline"),
            expect(dead_code, reason = "only a baseline reads them")
        )]
        train: Arc<Vec<u32>>,
        valid: Arc<Vec<u32>>,
        test: Vec<u32>,
    },
}

/// The training and validation split of a training.
enum Feed {
    Labeled(EncodedDataset, EncodedDataset),
    Plain(Windows, Windows),
}

impl TextModeling {
    /// Trains the folds and the final networks, and reports them.
    pub(super) fn train_parts(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let folds = match &self.corpus {
            Corpus::Labeled(texts) => &texts.folds[..],
            Corpus::Plain(_) => &[],
        };
        let mut warnings = Vec::new();
        let folds = cross_validate(run, folds, |part, splits| {
            self.fold(part, splits, device, options, &mut warnings)
        })?;
        let splits = self.corpus.splits();
        let main = Part::main(run);
        let fitted = self.fit(&main, &self.tokenizer, &splits, device, options)?;
        self.save(run, &fitted)?;
        let valid = self.evaluate_split(&fitted, "valid", &splits.valid, device)?;
        let evaluation = self.evaluate_split(&fitted, "test", &splits.test, device)?;
        let mut test = evaluation.metrics();
        let nli = match &self.corpus {
            Corpus::Labeled(texts) => ContractNliReport::new(texts, &evaluation, &valid),
            Corpus::Plain(_) => None,
        };
        if let Some(nli) = &nli {
            test.extend(nli.metrics());
        }
        if self.has_test {
            fitted.members.log_test(&test)?;
        }
        let baselines = self.baselines(&fitted, &main.name, &splits, options, &mut warnings);
        let comparison = match &nli {
            Some(nli) => nli.compare(&baselines),
            None => compare(&evaluation, &folds, &baselines),
        };
        let (truncation, tokens) = self.lengths(&fitted, &splits.train);
        warnings.extend(self.truncation_warning(truncation));
        let timings = &fitted.members.training.timings;
        let train_s = (timings.compute_s + timings.data_s).max(1e-9);
        let tokens_per_s = tokens * fitted.members.training.samples as f64 / train_s;
        let mut details = nli
            .as_ref()
            .map(ContractNliReport::details)
            .unwrap_or_default();
        details.insert("tokens_per_s".to_owned(), tokens_per_s.into());
        details.insert("cut_texts".to_owned(), truncation.fraction().into());
        let mut sections = nli.map_or(Vec::new(), |nli| nli.sections());
        sections.extend(samples(self, &run.model_dir(), device)?);
        let models = fitted.ensemble.models.iter();
        let parameters = models.map(trainable_parameters).sum();
        Ok(Report {
            run: run.clone(),
            parameters,
            appendix: if self.has_test {
                mistakes(self, run, &evaluation, parameters, device)?
            } else {
                Vec::new()
            },
            seconds_per_item: self.seconds_per_text(&fitted, &splits.test, device)?,
            training: fitted.members.training,
            valid: valid.metrics(),
            test,
            sections,
            labels: self.corpus.labels().to_vec(),
            comparison,
            evaluation,
            folds,
            baselines,
            details,
            warnings,
        })
    }

    fn fold(
        &self,
        part: &Part,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
        warnings: &mut Vec<String>,
    ) -> Result<FoldReport, TaskError> {
        let tokenizer = self.train_tokenizer(&splits.train)?;
        let fitted = self.fit(part, &tokenizer, splits, device, options)?;
        let evaluation = self.evaluate_split(&fitted, "test", &splits.test, device)?;
        let baselines = self.baselines(&fitted, &part.name, splits, options, warnings);
        Ok(FoldReport {
            test: evaluation.metrics(),
            evaluation,
            baselines,
        })
    }

    /// Trains and calibrates the networks of a part of the run.
    fn fit(
        &self,
        part: &Part,
        tokenizer: &TextTokenizer,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<Fitted, TaskError> {
        let sizes = self.sizes(tokenizer);
        let (tokens, feed) = self.encode(tokenizer, splits)?;
        let best = match part.best_dir() {
            Some(dir) => Some((dir, self.spec()?, tokenizer_json(tokenizer)?)),
            None => None,
        };
        let members = train_members(part, self.recipe.ensemble, |mut job, member| {
            job.on_best = best
                .clone()
                .map(|(dir, spec, json)| keep_best(dir, member, spec, json));
            self.fit_member(job, member, sizes, &feed, device, options)
        })?;
        let mut ensemble = TextEnsemble {
            models: members.models.iter().map(|m| m.model.clone()).collect(),
            task: self.task,
            padding: tokenizer.padding(),
            num_outputs: sizes.num_classes,
            temperature: Temperature::default(),
        };
        if self.recipe.calibrate
            && let (Corpus::Labeled(texts), Encoded::Labeled(tokens)) = (&self.corpus, &tokens)
        {
            let device = device.clone().inner();
            calibrate(
                &mut ensemble,
                tokens,
                &texts.targets,
                &splits.valid,
                &device,
            )?;
        }
        Ok(Fitted {
            ensemble,
            tokenizer: tokenizer.clone(),
            tokens,
            members,
        })
    }

    fn encode(
        &self,
        tokenizer: &TextTokenizer,
        splits: &Splits,
    ) -> Result<(Encoded, Feed), TaskError> {
        let width = self.recipe.tokenizer.max_len;
        match &self.corpus {
            Corpus::Labeled(texts) => {
                let tokens = tokenizer.encode(&texts.inputs, width);
                let tokens = Arc::new(tokens.map_err(PredictError::from)?);
                let targets = Arc::new(texts.targets.clone());
                let split = |rows: &[usize]| {
                    EncodedDataset::new(&tokens, &targets, rows, tokenizer.padding())
                };
                let augment = &self.recipe.augment;
                let train = split(&splits.train).augmented(augment, tokenizer.unknown());
                let feed = Feed::Labeled(train, split(&splits.valid));
                Ok((Encoded::Labeled(tokens), feed))
            }
            Corpus::Plain(text) => {
                let encode = |text: &str| tokenizer.encode_plain(text).map_err(PredictError::from);
                let (train, valid) = (encode(&text.train)?, encode(&text.valid)?);
                let (train, valid) = (Arc::new(train), Arc::new(valid));
                let test = encode(&text.test)?;
                let windows = |tokens: &Arc<Vec<u32>>, random: bool| {
                    Windows::new(Arc::clone(tokens), width, random)
                };
                let feed = Feed::Plain(windows(&train, true)?, windows(&valid, false)?);
                Ok((Encoded::Plain { train, valid, test }, feed))
            }
        }
    }

    fn fit_member(
        &self,
        job: Job<TrainableTextModel>,
        member: usize,
        sizes: TextSizes,
        feed: &Feed,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<TrainableTextModel>, TaskError> {
        let mut config = self.recipe.train_config();
        config.train.seed += member as u64;
        let training = device.clone().autodiff();
        let net = init_seeded(config.train.seed, &training, || {
            self.recipe.model.init(sizes, self.task.head(), &training)
        })?;
        let rates = learning_rates(&self.recipe.model, &net);
        let classes = match feed {
            Feed::Labeled(train, _) => train.classes(),
            Feed::Plain(..) => Vec::new(),
        };
        let weights = self.recipe.loss.class_weights;
        let weights = weights.of(classes.iter().copied(), sizes.num_classes);
        let net = TrainableTextModel::new(net, self.recipe.loss.clone());
        let net = net.with_class_weights(weights);
        let (train, valid) = loaders(feed, &config, classes, device)?;
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config, identity, options);
        let trainer = trainer.learning_rates(rates);
        let has_accuracy = self.task == TextTask::Classification;
        Ok(trainer.fit(net, train, valid, |training| {
            if has_accuracy {
                training.metrics((AccuracyMetric::new(),))
            } else {
                training
            }
        })?)
    }

    fn evaluate_split(
        &self,
        fitted: &Fitted,
        name: &str,
        rows: &[usize],
        device: &Device,
    ) -> Result<Evaluation, TaskError> {
        let (ensemble, device) = (&fitted.ensemble, &device.clone().inner());
        match (&self.corpus, &fitted.tokens) {
            (Corpus::Labeled(texts), Encoded::Labeled(tokens)) => {
                evaluate_texts(ensemble, tokens, texts, rows, device)
            }
            (Corpus::Plain(text), Encoded::Plain { valid, test, .. }) => {
                let (tokens, text) = match name {
                    "valid" => (&valid[..], &text.valid),
                    _ => (&test[..], &text.test),
                };
                let width = self.recipe.tokenizer.max_len;
                let characters = text.chars().count();
                evaluate_language_model(ensemble, tokens, characters, width, device)
            }
            _ => Err(FitError::NotRun.into()),
        }
    }

    /// Number of truncated training texts, and mean number of tokens per text.
    fn lengths(&self, fitted: &Fitted, rows: &[usize]) -> (Truncation, f64) {
        match &fitted.tokens {
            Encoded::Labeled(tokens) => {
                let all: usize = rows.iter().map(|&row| tokens[row].ids.len()).sum();
                let truncation = Truncation::of(rows.iter().map(|&row| &tokens[row]));
                (truncation, all as f64 / rows.len().max(1) as f64)
            }
            Encoded::Plain { .. } => {
                let width = self.recipe.tokenizer.max_len as f64;
                (Truncation::default(), width)
            }
        }
    }

    fn truncation_warning(&self, truncation: Truncation) -> Vec<String> {
        let max_len = self.recipe.tokenizer.max_len;
        let sentence = sentence(truncation, "training text", max_len);
        let warning = |text| format!("{text}; raise `tokenizer.max_len` to read more");
        sentence.map(warning).into_iter().collect()
    }

    /// The time to tokenize and predict one text alone, in s; 0 for plain text.
    fn seconds_per_text(
        &self,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
    ) -> Result<f64, TaskError> {
        let Corpus::Labeled(texts) = &self.corpus else {
            return Ok(0.0);
        };
        let device = device.clone().inner();
        let rows = &rows[..rows.len().min(TIMED_TEXTS)];
        seconds_per_item(rows, |&row| {
            let input = std::slice::from_ref(&texts.inputs[row]);
            let tokens = fitted
                .tokenizer
                .encode(input, self.recipe.tokenizer.max_len)
                .map_err(PredictError::from)?;
            let tokens: Vec<&Tokens> = tokens.iter().collect();
            fitted.ensemble.probabilities(&tokens, &device)?;
            Ok(())
        })
    }

    /// Classical methods on the same splits, if requested.
    #[cfg(feature = "baseline")]
    fn baselines(
        &self,
        fitted: &Fitted,
        part: &str,
        splits: &Splits,
        options: &Options,
        warnings: &mut Vec<String>,
    ) -> Vec<BaselineReport> {
        let found = baseline(options.baselines, part, warnings, |warnings| {
            super::baseline::baselines(
                &self.corpus,
                &fitted.tokens,
                splits,
                self.sizes(&fitted.tokenizer),
                self.recipe.train.seed,
                warnings,
            )
        });
        found.unwrap_or_default()
    }

    #[cfg(not(feature = "baseline"))]
    fn baselines(
        &self,
        _: &Fitted,
        _: &str,
        _: &Splits,
        _: &Options,
        _: &mut Vec<String>,
    ) -> Vec<BaselineReport> {
        Vec::new()
    }

    fn save(&self, run: &RunDir, fitted: &Fitted) -> Result<(), TaskError> {
        let spec = TextSpec {
            temperature: fitted.ensemble.temperature,
            ..self.spec()?
        };
        let weights = fitted.ensemble.models.iter().map(TextModel::to_bytes);
        let weights: Vec<Vec<u8>> = weights
            .collect::<Result<_, _>>()
            .map_err(ModelError::from)?;
        let json = tokenizer_json(&fitted.tokenizer)?;
        let files = json.as_ref().map(|json| (TOKENIZER_FILE, json.as_bytes()));
        let files: Vec<(&str, &[u8])> = files.into_iter().collect();
        model_dir::save_with(&run.model_dir(), &weights, &spec, &files)?;
        Ok(())
    }

    fn identity(&self, stage: &str) -> Result<String, TaskError> {
        let mut recipe = self.recipe.clone();
        if let Some(path) = recipe.data.path_mut() {
            path.clear();
        }
        recipe.train = recipe.train.identity();
        recipe.metrics = MetricsOptions::default();
        identity(&recipe, &self.list, stage)
    }
}

fn tokenizer_json(tokenizer: &TextTokenizer) -> Result<Option<String>, PredictError> {
    Ok(tokenizer.to_json()?)
}

/// Factors of the learning rate of the layers of a pretrained network.
fn learning_rates(config: &TextModelConfig, model: &TextModel) -> Vec<(String, f64)> {
    match config {
        TextModelConfig::Bert(config) if config.fine_tune.layer_decay < 1.0 => {
            layer_factors(model.num_layers(), config.fine_tune.layer_decay)
        }
        _ => Vec::new(),
    }
}

type TextLoader = Loader<usize, TextBatch>;

/// Loaders of the training and the validation split; `classes` are those of the training texts.
fn loaders(
    feed: &Feed,
    config: &TrainConfig,
    classes: Vec<usize>,
    device: &Device,
) -> Result<(TextLoader, TextLoader), TaskError> {
    let (seed, workers) = (config.train.seed, config.train.workers);
    let train_config = |items: usize| {
        LoaderConfig::train(config.train.batch_size.min(items), seed).with_workers(workers)
    };
    let valid_config =
        |most: usize| LoaderConfig::eval(EVAL_BATCH.min(most.max(1))).with_workers(workers);
    Ok(match feed {
        Feed::Labeled(train, valid) => {
            let [train_lengths, valid_lengths] = [train.lengths(), valid.lengths()];
            // Long texts in small batches, which fit in memory.
            let longest = valid_lengths.iter().max().copied().unwrap_or(1).max(1);
            let (train, valid) = (train.clone(), valid.clone());
            let train_config = train_config(train_lengths.len());
            let train = Loader::new(Arc::new(train.clone()), train, train_config, device)?;
            let valid_config = valid_config(EVAL_TOKENS / longest);
            let valid = Loader::new(Arc::new(valid.clone()), valid, valid_config, device)?;
            let train = if config.train.balanced_sampling {
                train.balanced(classes)
            } else {
                train
            };
            (
                train.by_length(train_lengths),
                valid.by_length(valid_lengths),
            )
        }
        Feed::Plain(train, valid) => {
            let (train, valid) = (train.clone(), valid.clone());
            let train_config = train_config(train.len());
            let train = Loader::new(Arc::new(train.clone()), train, train_config, device)?;
            let valid_config = valid_config(EVAL_BATCH);
            let valid = Loader::new(Arc::new(valid.clone()), valid, valid_config, device)?;
            (train, valid)
        }
    })
}

/// Keeps the best weights so far of a network.
fn keep_best(
    dir: PathBuf,
    member: usize,
    spec: TextSpec,
    tokenizer: Option<String>,
) -> Box<BestListener<TrainableTextModel>> {
    Box::new(move |model| {
        let weights = model.model.to_bytes()?;
        let files = tokenizer
            .as_ref()
            .map(|json| (TOKENIZER_FILE, json.as_bytes()));
        let files: Vec<(&str, &[u8])> = files.into_iter().collect();
        model_dir::save_best(&dir, member, &weights, &spec, &files)
    })
}
