//! Models of tables, from a recipe to a model folder and back.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_recipes::tabular::{Options, Prepared, Recipe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::builtin("cancer").expect("it is built in");
//! let report = Prepared::new(recipe)?.train(&Device::flex(), Options::new("runs/mine"))?;
//! println!("{:.4}", report.test["auroc"]);
//! # Ok(())
//! # }
//! ```

mod answers;
#[cfg(feature = "baseline")]
mod baseline;
mod builtin;
mod contents;
mod data;
mod dates;
mod docs;
mod encoder;
mod error;
mod explain;
mod format;
mod learner;
mod net;
mod notes;
#[cfg(feature = "baseline")]
mod plain;
mod predict;
mod prospect;
mod recipe;
mod scale;
mod target;
mod unlabelled;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_datasets::table::{ColumnSchema, Kind, Schema};
use tinderbox_models::tabular::quantile_bins;
use tinderbox_models::{LayerSummary, trainable_parameters};

use answers::Committee;
pub use answers::{Answers, headline};
#[cfg(feature = "baseline")]
pub use baseline::{BaselineKind, Classical};
pub use builtin::BUILTIN;
pub use data::{Opened, Parts, folds, open, read_options, split};
pub use encoder::{Encoded, Encoder, Place, UnseenCategories};
pub use error::{DataError, TabularError};
pub use explain::{Effort, Importance, Share};
pub use format::{Format, Header};
pub use learner::{BatchTruth, Sample, TableBatch, TabularModel};
pub use net::{Architecture, Sizes, TabularNet};
pub use notes::describe_note;
pub use predict::{Evaluation, Prediction, Predictor};
pub use prospect::{Area, Capture, Prospects};
pub use recipe::{
    Data, Features, Loss, Model, NumericScale, Recipe, Source, Split, SplitBy, TargetScale, Task,
};
pub use target::{Target, Truth};

pub use tinderbox_train::run_options::{Options, Renderers, Stage};

use learner::Objective;
use tinderbox_predict::calibration::Temperature;
use tinderbox_predict::model_dir::{self, ModelError};
use tinderbox_train::classify::check_by_class;
use tinderbox_train::run_dir::{BEST_DIR, RunDir};
use tinderbox_train::run_options::Job;
use tinderbox_train::splits::SplitList;
use tinderbox_train::{BestListener, FitError, Metrics, Trained, init_seeded};

/// Rows in a batch where no gradient is needed while training.
const EVAL_BATCH: usize = 1_024;

/// Most rows that are predicted alone to see how long it takes.
const TIMED_ROWS: usize = 200;

const KIND: &str = "table-model";

/// What `model/` says beside the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    kind: String,
    recipe: String,
    /// Networks that predict together.
    members: usize,
    model: Model,
    sizes: Sizes,
    /// The columns that are learned from, the target, and how a file of them is read.
    schema: Schema,
    encoder: Encoder,
    target: Target,
    /// By which the networks' log-probabilities are divided.
    temperature: Temperature,
    /// The decision threshold of two classes, tuned on the validation rows.
    threshold: Option<f64>,
    /// Where the parts came from, for a later evaluation.
    data: Data,
    split: Split,
    /// Hash of the rows that the splits were made of, to recognize them; none in older models.
    #[serde(default)]
    data_digest: Option<String>,
}

/// A recipe with its rows opened and checked against each other. Nothing is written yet.
pub struct Prepared {
    recipe: Recipe,
    opened: Opened,
    parts: Parts,
    folds: Vec<Parts>,
    layers: Vec<LayerSummary>,
    splits: SplitList,
}

/// A finished run.
pub struct Report {
    /// The run directory.
    pub run: RunDir,
    /// What the training loop says of the first network.
    pub trained: Trained<TabularModel>,
    /// Metrics on the validation rows, of all networks together.
    pub valid: Metrics,
    /// Metrics on the test rows, of all networks together.
    pub test: Metrics,
    /// What was said of every test row.
    pub answers: Answers,
    /// Results of the cross-validation.
    pub folds: Vec<FoldReport>,
    /// Classical methods on the same rows.
    #[cfg(feature = "baseline")]
    pub baselines: Vec<Classical>,
    /// How unlike the others an autoencoder finds each test row, which knows no label.
    pub unlabelled: Option<Vec<f64>>,
    /// Time to predict one row alone, in s.
    pub row_s: f64,
    /// What leaving out every deposit once has shown.
    pub prospects: Option<Prospects>,
    /// Numbers that were learned, by all networks together.
    pub parameters: usize,
}

/// What one fold of a cross-validation gave.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldReport {
    /// Metrics on the fold's rows.
    pub test: Metrics,
    /// What was said of each of them.
    pub answers: Answers,
    /// The metrics of the classical methods, by their names, and what they said.
    pub baselines: Vec<(String, Metrics, Answers)>,
}

/// Metrics of all folds' rows together, of which each was in the test part once.
///
/// Calibration and rankings are steadier so than as a mean over small parts; probabilities of
/// different models are mixed, though. Each fold's rows are decided at the threshold of its model.
pub fn pooled<'a>(folds: impl Iterator<Item = &'a Answers> + Clone) -> Metrics {
    let all = folds.clone().cloned().reduce(Answers::with);
    let mut metrics = all.map(|all| all.metrics()).unwrap_or_default();
    metrics.extend(decisions(folds));
    metrics
}

/// Accuracy and F1 of two classes over all folds.
fn decisions<'a>(folds: impl Iterator<Item = &'a Answers>) -> Metrics {
    let mut sums = [[0_usize; 2]; 2];
    for fold in folds {
        let Answers::Classes(predictions) = fold else {
            return Metrics::new();
        };
        if predictions.classes != 2 {
            return Metrics::new();
        }
        for (sums, counts) in sums.iter_mut().zip(predictions.confusion()) {
            sums.iter_mut()
                .zip(counts)
                .for_each(|(sum, count)| *sum += count);
        }
    }
    let [[right_no, wrong_yes], [wrong_no, right_yes]] =
        sums.map(|row| row.map(|count| count as f64));
    let (right, wrong) = (right_no + right_yes, wrong_no + wrong_yes);
    let mut metrics = Metrics::from([("accuracy".to_owned(), right / (right + wrong).max(1.0))]);
    if right_yes + wrong > 0.0 {
        let f1 = 2.0 * right_yes / (2.0 * right_yes + wrong);
        metrics.insert("f1".to_owned(), f1);
    }
    metrics
}

/// A trained committee with what it was measured with.
struct Fitted {
    committee: Committee,
    encoder: Encoder,
    encoded: Encoded,
    first: Trained<TabularModel>,
}

impl Prepared {
    /// Opens the rows of a recipe and checks everything that can be checked before training.
    ///
    /// What the recipe leaves to be found out is written into it: the same recipe on another file
    /// means the same.
    ///
    /// # Errors
    ///
    /// If the recipe makes no sense, the rows cannot be used, or they do not fit each other.
    pub fn new(mut recipe: Recipe) -> Result<Self, TabularError> {
        recipe.validate()?;
        let opened = open(&recipe.data, &recipe.split)?;
        settle(&mut recipe.data, &opened);
        let classes = matches!(opened.target, Target::Classes { .. });
        check_by_class(
            recipe.loss.class_weights,
            recipe.train.balanced_sampling,
            classes,
        )?;
        let parts = split(&opened, &recipe.split)?;
        let folds = if recipe.split.folds > 0 {
            folds(&opened, &recipe.split)?
        } else {
            Vec::new()
        };
        for parts in folds.iter().chain([&parts]) {
            recipe.check_batch(recipe.train.batch_size.min(parts.train.len()))?;
            let (mut target, name) = (opened.target.clone(), &recipe.data.target);
            target.measure(&opened.truth, &parts.train, recipe.features.target, name)?;
        }
        let encoder = encoder(&recipe, &opened, &parts)?;
        let layers = recipe.model.layers(&sizes(&encoder, &opened.target))?;
        let splits = [&parts.train[..], &parts.valid, &parts.test];
        Ok(Self {
            splits: SplitList::new(opened.items(), splits),
            recipe,
            opened,
            parts,
            folds,
            layers,
        })
    }

    /// The recipe, with what was found out.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The rows.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Which rows are for what.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The layers of the network.
    pub fn layers(&self) -> &[LayerSummary] {
        &self.layers
    }

    /// Trains, measures on the test rows and writes `model/`.
    ///
    /// `summary.json` is left to the caller, who knows the rest of it: it makes the run a finished
    /// one.
    ///
    /// # Errors
    ///
    /// If training fails or is interrupted, or a file cannot be written.
    pub fn train(&self, device: &Device, options: Options) -> Result<Report, TabularError> {
        let text = toml::to_string(&self.recipe)?;
        if options.resume {
            RunDir::check_recipe(&options.dir, &text)?;
            self.splits.check(&options.dir)?;
        }
        let run = RunDir::open(&options.dir, options.resume, &text)?;
        self.splits.save(run.path())?;
        let result = self.train_in(&run, device, options);
        if result.as_ref().is_err_and(TabularError::is_input) {
            run.discard_untrained();
        }
        result
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        mut options: Options,
    ) -> Result<Report, TabularError> {
        let mut folds = Vec::new();
        for (index, parts) in self.folds.iter().enumerate() {
            let name = format!("fold {} of {}", index + 1, self.folds.len());
            let dir = run.path().join("folds").join((index + 1).to_string());
            folds.push(self.fold(&name, parts, &dir, device, &mut options)?);
        }
        let fitted = self.fit("", &self.parts, run.path(), device, &mut options)?;
        let Parts { valid, test, .. } = &self.parts;
        let valid = self.answers(&fitted, valid, device)?;
        let threshold = valid.tuned_threshold();
        let valid = valid.decided_at(threshold);
        self.save(run, &fitted, threshold, &[])?;
        let answers = self.answers(&fitted, test, device)?.decided_at(threshold);
        let test = answers.metrics();
        fitted.first.log_test(&test).map_err(FitError::from)?;
        let parameters = fitted.committee.nets.iter().map(trainable_parameters).sum();
        let unlabelled = self.unlabelled(&fitted, device)?;
        let row_s = self.time_of_a_row(&fitted, device)?;
        let prospects = match &self.opened.area {
            Some(area) => Some(self.prospects(area, &fitted, run, device, &mut options)?),
            None => None,
        };
        #[cfg(feature = "baseline")]
        let baselines = if options.baselines {
            self.rows(&fitted, &self.parts).baselines()?
        } else {
            Vec::new()
        };
        #[cfg(feature = "baseline")]
        if options.keep_baselines && !baselines.is_empty() {
            let json = baseline::to_json(&baselines);
            let json = json.map_err(|error| ModelError::spec(&run.model_dir(), error))?;
            let files = [(baseline::BASELINES_FILE, &json[..])];
            self.save(run, &fitted, threshold, &files)?;
        }
        Ok(Report {
            #[cfg(feature = "baseline")]
            baselines,
            run: run.clone(),
            trained: fitted.first,
            valid: valid.metrics(),
            test,
            answers,
            folds,
            unlabelled,
            row_s,
            prospects,
            parameters,
        })
    }

    fn fold(
        &self,
        name: &str,
        parts: &Parts,
        dir: &Path,
        device: &Device,
        options: &mut Options,
    ) -> Result<FoldReport, TabularError> {
        let fitted = self.fit(name, parts, dir, device, options)?;
        let threshold = self
            .answers(&fitted, &parts.valid, device)?
            .tuned_threshold();
        let answers = self.answers(&fitted, &parts.test, device)?;
        let answers = answers.decided_at(threshold);
        #[cfg(feature = "baseline")]
        let baselines = if options.baselines {
            let classical = self.rows(&fitted, parts).baselines()?.into_iter();
            classical
                .map(|method| (method.baseline.method, method.baseline.test, method.answers))
                .collect()
        } else {
            Vec::new()
        };
        #[cfg(not(feature = "baseline"))]
        let baselines = Vec::new();
        Ok(FoldReport {
            test: answers.metrics(),
            answers,
            baselines,
        })
    }

    /// The errors of an autoencoder on the test rows, if the recipe asks for them.
    fn unlabelled(
        &self,
        fitted: &Fitted,
        device: &Device,
    ) -> Result<Option<Vec<f64>>, TabularError> {
        if !self.recipe.unlabelled {
            return Ok(None);
        }
        let Parts { train, valid, test } = &self.parts;
        let [train, valid, test] = [train, valid, test].map(|rows| fitted.encoded.take(rows));
        let config = self.recipe.train_config();
        let rows = [&train, &valid, &test];
        unlabelled::rank(&fitted.encoder, rows, config, device).map(Some)
    }

    /// How long one row alone takes, of up to some hundred, in s.
    fn time_of_a_row(&self, fitted: &Fitted, device: &Device) -> Result<f64, TabularError> {
        let device = device.clone().inner();
        let rows: Vec<usize> = self.parts.test.iter().copied().take(TIMED_ROWS).collect();
        let rows: Vec<Encoded> = rows
            .iter()
            .map(|&row| fitted.encoded.take(&[row]))
            .collect();
        let started = std::time::Instant::now();
        for row in &rows {
            fitted.committee.predict(row, &device)?;
        }
        Ok(started.elapsed().as_secs_f64() / rows.len().max(1) as f64)
    }

    /// Leaves out every cell with a deposit once and ranks the whole area without it.
    fn prospects(
        &self,
        area: &Area,
        fitted: &Fitted,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Prospects, TabularError> {
        let Truth::Classes(labels) = &self.opened.truth else {
            return Err(DataError::NoColumns(Vec::new()).into());
        };
        let cells: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == 1).collect();
        let inner = device.clone().inner();
        let mut captures: Vec<Capture> = Vec::new();
        for (number, &cell) in cells.iter().enumerate() {
            let rest: Vec<usize> = (0..labels.len()).filter(|&row| row != cell).collect();
            let (train, valid) = data::hold_out(
                &self.opened,
                &rest,
                &self.recipe.split,
                self.recipe.split.valid_fraction,
                3 + number,
            )?;
            let parts = Parts {
                train,
                valid,
                test: vec![cell],
            };
            let name = format!("without deposit {} of {}", number + 1, cells.len());
            let dir = run.path().join("deposits").join((number + 1).to_string());
            let without = self.fit(&name, &parts, &dir, device, options)?;
            let whole = without.encoder.encode(&area.prospect.table)?;
            let said = without.committee.predict(&whole, &inner)?;
            #[cfg(feature = "baseline")]
            let classical = if options.baselines {
                let rows = baseline::Rows {
                    test: &[],
                    ..self.rows(&without, &parts)
                };
                rows.elsewhere(&area.prospect.table, &whole)?
            } else {
                Vec::new()
            };
            #[cfg(not(feature = "baseline"))]
            let classical = Vec::new();
            let own = ("this model".to_owned(), probabilities(&said));
            let methods = std::iter::once(own).chain(classical);
            for (index, (method, scores)) in methods.enumerate() {
                if captures.len() == index {
                    captures.push(Capture {
                        method,
                        ranks: Vec::new(),
                    });
                }
                captures[index]
                    .ranks
                    .push(prospect::rank(&scores, &[area.rows[cell]]));
            }
        }
        let whole = fitted.encoder.encode(&area.prospect.table)?;
        let scores = probabilities(&fitted.committee.predict(&whole, &inner)?);
        Ok(Prospects { captures, scores })
    }

    #[cfg(feature = "baseline")]
    fn rows<'a>(&'a self, fitted: &'a Fitted, parts: &'a Parts) -> baseline::Rows<'a> {
        baseline::Rows {
            table: &self.opened.table,
            encoder: &fitted.encoder,
            encoded: &fitted.encoded,
            truth: &self.opened.truth,
            target: &fitted.committee.target,
            train: &parts.train,
            valid: &parts.valid,
            test: &parts.test,
        }
    }

    fn answers(
        &self,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
    ) -> Result<Answers, TabularError> {
        let truth = self.opened.truth.take(rows);
        let device = &device.clone().inner();
        fitted
            .committee
            .answer(&fitted.encoded.take(rows), &truth, device)
    }

    /// Trains the networks of one part of the run, each in a folder of its own.
    fn fit(
        &self,
        name: &str,
        parts: &Parts,
        dir: &Path,
        device: &Device,
        options: &mut Options,
    ) -> Result<Fitted, TabularError> {
        let encoder = encoder(&self.recipe, &self.opened, parts)?;
        let mut target = self.opened.target.clone();
        let truth = &self.opened.truth;
        let scale = self.recipe.features.target;
        target.measure(truth, &parts.train, scale, &self.recipe.data.target)?;
        let encoded = encoder.encode(&self.opened.table)?;
        let sample = |rows: &[usize]| Sample::new(encoded.take(rows), &truth.take(rows), &target);
        let samples = [sample(&parts.train), sample(&parts.valid)];
        let objective = Objective::new(&self.recipe.loss, &truth.take(&parts.train), &target);
        let (mut nets, mut first) = (Vec::new(), None);
        for member in 0..self.recipe.ensemble {
            let mut job = Job::new(dir, name, member, self.recipe.ensemble)?;
            // Folds and the like are no part of the model.
            if name.is_empty() {
                let spec = self.spec(&encoder, &target, Temperature::default(), None);
                job.on_best = Some(keep_best(options.dir.join(BEST_DIR), member, spec));
            }
            let net = self.untrained(&encoder, &samples[0], &target, member, device)?;
            let model = TabularModel::new(net, objective.clone());
            let trained = self.fit_one(model, &samples, job, device, options)?;
            nets.push(trained.model.net.clone());
            first.get_or_insert(trained);
        }
        let mut committee = Committee {
            nets,
            target,
            temperature: Temperature::default(),
        };
        if self.recipe.calibrate {
            let truth = truth.take(&parts.valid);
            let device = &device.clone().inner();
            committee.calibrate(&encoded.take(&parts.valid), &truth, device)?;
        }
        let first = first.ok_or(FitError::NotRun)?;
        Ok(Fitted {
            committee,
            encoder,
            encoded,
            first,
        })
    }

    fn untrained(
        &self,
        encoder: &Encoder,
        train: &Sample,
        target: &Target,
        member: usize,
        device: &Device,
    ) -> Result<TabularNet, TabularError> {
        let device = device.clone().autodiff();
        let (model, sizes) = (&self.recipe.model, sizes(encoder, target));
        let seed = self.recipe.train.seed + member as u64;
        let net = init_seeded(seed, &device, || model.init(&sizes, &device))?;
        let net = net.with_unseen(&train.unseen(&sizes.cardinalities));
        match model.numeric.n_bins() {
            Some(n_bins) if sizes.n_numeric > 0 => {
                let edges: Vec<Vec<f32>> = (0..sizes.n_numeric)
                    .map(|column| quantile_bins(&train.numbers(column), n_bins))
                    .collect();
                Ok(net.with_bins(&edges)?)
            }
            _ => Ok(net),
        }
    }

    fn fit_one(
        &self,
        model: TabularModel,
        [train, valid]: &[Sample; 2],
        job: Job<TabularModel>,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<TabularModel>, TabularError> {
        let mut config = self.recipe.train_config();
        config.train.seed += job.stage.number[0] as u64 - 1;
        let batch_size = config.train.batch_size.min(train.len());
        let loader =
            LoaderConfig::train(batch_size, config.train.seed).with_workers(config.train.workers);
        let mut loader = Loader::new(train.shared(), train.clone(), loader, device)?;
        if config.train.balanced_sampling {
            loader = loader.balanced(train.classes());
        }
        let eval = LoaderConfig::eval(EVAL_BATCH).with_workers(config.train.workers);
        let eval = Loader::new(valid.shared(), valid.clone(), eval, device)?;
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config, identity, options);
        Ok(trainer.fit(model, loader, eval, |training| training)?)
    }

    fn save(
        &self,
        run: &RunDir,
        fitted: &Fitted,
        threshold: Option<f64>,
        files: &[(&str, &[u8])],
    ) -> Result<(), TabularError> {
        let Fitted {
            committee, encoder, ..
        } = fitted;
        let spec = self.spec(encoder, &committee.target, committee.temperature, threshold);
        let weights = committee.nets.iter().map(TabularNet::to_bytes);
        let weights: Vec<Vec<u8>> = weights
            .collect::<Result<_, _>>()
            .map_err(ModelError::from)?;
        model_dir::save_with(&run.model_dir(), &weights, &spec, files)?;
        Ok(())
    }

    /// What to build around the weights.
    fn spec(
        &self,
        encoder: &Encoder,
        target: &Target,
        temperature: Temperature,
        threshold: Option<f64>,
    ) -> Spec {
        let mut schema = self.opened.table.schema();
        let is_used = |column: &ColumnSchema| {
            column.name == self.recipe.data.target
                || encoder.names().any(|name| name == column.name)
        };
        if schema.header {
            schema.columns.retain(is_used);
        } else {
            // Columns without names are found by their places, so each is kept, and anything may
            // stand in those that are not used.
            let unused = schema.columns.iter_mut().filter(|column| !is_used(column));
            unused.for_each(|column| *column = ColumnSchema::new(&column.name, Kind::Text));
        }
        Spec {
            kind: KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            members: self.recipe.ensemble,
            model: self.recipe.model.clone(),
            sizes: sizes(encoder, target),
            schema,
            encoder: encoder.clone(),
            target: target.clone(),
            temperature,
            threshold,
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
            data_digest: Some(self.splits.digest()),
        }
    }

    /// What a checkpoint must share with this run: all but where the data is, how long it trains and
    /// how many threads make batches.
    fn identity(&self, stage: &str) -> Result<String, toml::ser::Error> {
        let mut recipe = self.recipe.clone();
        if let Some(path) = recipe.data.source.path_mut() {
            path.clear();
        }
        recipe.train = recipe.train.identity();
        let (rows, data) = (self.opened.table.rows(), self.splits.digest());
        Ok(format!(
            "{}\ndata {data}\n{rows} rows\n{stage}",
            toml::to_string(&recipe)?
        ))
    }
}

/// Keeps the best weights so far of a network of the run.
fn keep_best(dir: PathBuf, member: usize, spec: Spec) -> Box<BestListener<TabularModel>> {
    Box::new(move |model| {
        let weights = model.net.to_bytes()?;
        model_dir::save_best(&dir, member, &weights, &spec, &[])
    })
}

/// Of two classes, the probability of the second.
fn probabilities(said: &[f32]) -> Vec<f32> {
    said.chunks_exact(2).map(|row| row[1]).collect()
}

/// Writes what was found out into the recipe.
fn settle(data: &mut Data, opened: &Opened) {
    data.task = match &opened.target {
        Target::Classes { labels } => {
            if let [_, positive] = labels.as_slice() {
                positive.clone_into(&mut data.positive);
            }
            Task::Classification
        }
        Target::Number { .. } => Task::Regression,
    };
    let of_kind = |kind: Kind| {
        let columns = opened
            .table
            .columns()
            .iter()
            .filter(move |column| column.kind() == kind);
        columns.map(|column| column.name().to_owned())
    };
    if matches!(data.source, Source::File { .. }) {
        data.numeric = of_kind(Kind::Numeric).collect();
        data.categorical = of_kind(Kind::Categorical).collect();
        data.boolean = of_kind(Kind::Boolean).collect();
        data.dates = of_kind(Kind::Date).collect();
    }
}

fn encoder(recipe: &Recipe, opened: &Opened, parts: &Parts) -> Result<Encoder, DataError> {
    Ok(Encoder::fit(
        &opened.table,
        &opened.columns,
        &parts.train,
        &recipe.features,
    )?)
}

fn sizes(encoder: &Encoder, target: &Target) -> Sizes {
    Sizes {
        n_numeric: encoder.n_numeric(),
        cardinalities: encoder.cardinalities(),
        d_output: target.d_output(),
    }
}
