//! A task over a list of items, for which only the data, the network and the metric are to be written.
//!
//! [`ItemTask`] names these, and [`Items`] makes a complete [`Task`] of them: splits, checkpoints,
//! resuming, the model folder, evaluation and prediction. `examples/own-task` is one.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_datasets::{content_hash, split_indices};
use tinderbox_models::trainable_parameters;
use tinderbox_predict::{ModelFiles, Prediction, model_dir};
use toml::Table;

use crate::config::{
    ConfigError, MetricsOptions, TrainConfig, TrainingOptions, check_name, check_share,
};
use crate::docs::{METRICS_DOCS, OPTIMIZER_DOCS, PLATEAU_DOCS, TRAIN_DOCS};
use crate::metrics::Evaluation;
use crate::overlay::{KeyDoc, Patchable};
use crate::run::{Part, train_members};
use crate::run_dir::RunDir;
use crate::splits::{Item, Scope, SplitList};
use crate::task::{
    EvalReport, EvalRequest, InputItem, InputOptions, InputReport, Noun, Overview, Position,
    PredictionListener, Report, SplitOverview, Task, TaskRecipe,
};
use crate::{LossOutput, Optimizer, Options, Schedule, TaskError, init_seeded};

/// Items in a batch where no gradient is needed.
const EVAL_BATCH: usize = 256;

/// A task over items with targets, such as the lines of a file.
pub trait ItemTask: Clone + Debug + Send + Sync + 'static {
    /// The configuration of the network, which stands under `model` in a recipe.
    type Config: Clone + Serialize + DeserializeOwned;
    /// An input with its target, which JSON can hold: that tells it from other items.
    type Item: Clone + Serialize + Send + Sync + 'static;
    /// Items as tensors.
    type Batch: Send + 'static;
    /// The network.
    type Net: Module + ModuleDisplay + 'static;

    /// What `model.json` calls a model of this task.
    const KIND: &'static str;
    /// One item, singular and plural.
    const ITEM: Noun;

    /// Reads the items of a file for a network of this configuration; an empty path stands for the
    /// data of the task itself, if it has some.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or holds something else.
    fn read(path: &str, config: &Self::Config) -> Result<Vec<Self::Item>, TaskError>;

    /// Reads items to predict; their targets are ignored.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or holds something else.
    fn read_inputs(path: &str, config: &Self::Config) -> Result<Vec<Self::Item>, TaskError> {
        Self::read(path, config)
    }

    /// Makes an untrained network.
    ///
    /// # Errors
    ///
    /// Names the key of the configuration that is out of range.
    fn init(config: &Self::Config, device: &Device) -> Result<Self::Net, ConfigError>;

    /// Puts items into tensors.
    fn batch(items: &[Self::Item], device: &Device) -> Self::Batch;

    /// The loss of each item, `[batch]`, whose mean is minimized.
    fn loss(net: &Self::Net, batch: Self::Batch) -> Tensor<1>;

    /// Predicts some items.
    ///
    /// # Errors
    ///
    /// If the device fails.
    fn predict(net: &Self::Net, batch: Self::Batch) -> Result<Vec<Prediction>, TaskError>;

    /// Measures predictions.
    fn evaluate(items: &[Self::Item], predictions: &[Prediction]) -> Evaluation;
}

/// The recipe of an [`ItemTask`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemRecipe<C> {
    /// Name of the recipe.
    pub name: String,
    /// Where the items are.
    pub data: Data,
    /// How they are split.
    pub split: Split,
    /// The configuration of the network.
    pub model: C,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The schedule of the learning rate.
    pub schedule: Schedule,
    /// How long, and in what portions.
    pub train: TrainingOptions,
    /// What is recorded besides `metrics.jsonl`.
    #[serde(default, skip_serializing_if = "MetricsOptions::is_default")]
    pub metrics: MetricsOptions,
}

/// Where the items are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The file; empty for the data of the task itself.
    pub path: String,
}

/// How items are split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Whether items are drawn at random; otherwise the last ones are held out.
    pub shuffle: bool,
    /// Fraction of the items that is held out for the test, in `(0, 1)`.
    pub test_fraction: f64,
    /// Fraction of the rest that is held out for validation, in `(0, 1)`.
    pub valid_fraction: f64,
    /// Seed of the split.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            shuffle: true,
            test_fraction: 0.2,
            valid_fraction: 0.1,
            seed: 0,
        }
    }
}

const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "name",
        "Name of the recipe and of its folder under runs/",
        "letters, digits, -, _ and .",
    ),
    KeyDoc::new("data", "Data", ""),
    KeyDoc::new(
        "data.path",
        "File with the data",
        "a path, or empty for the built-in data",
    ),
    KeyDoc::new("split", "Split of the items", ""),
    KeyDoc::new(
        "split.shuffle",
        "Draw items at random; otherwise the last ones are held out",
        "true or false",
    ),
    KeyDoc::new(
        "split.test_fraction",
        "Fraction held out for the test",
        "above 0 and below 1",
    ),
    KeyDoc::new(
        "split.valid_fraction",
        "Fraction of the rest held out for validation",
        "above 0 and below 1",
    ),
    KeyDoc::new("split.seed", "Seed of the split", "0 or more"),
];

impl<C> ItemRecipe<C> {
    /// A recipe with the defaults of training.
    pub fn new(name: &str, model: C) -> Self {
        let TrainConfig {
            train,
            optimizer,
            schedule,
            ..
        } = TrainConfig::default();
        Self {
            name: name.to_owned(),
            data: Data::default(),
            split: Split::default(),
            model,
            optimizer,
            schedule,
            train,
            metrics: MetricsOptions::default(),
        }
    }

    fn train_config(&self) -> TrainConfig {
        TrainConfig::of(&self.train, &self.optimizer, &self.schedule, 1)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        check_share("split.test_fraction", self.split.test_fraction)?;
        check_share("split.valid_fraction", self.split.valid_fraction)?;
        self.train.check_monitor(&["loss"])?;
        self.train_config().validate()
    }
}

impl<C: Serialize + DeserializeOwned> Patchable for ItemRecipe<C> {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        TrainConfig::variant(path, kind)
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, OPTIMIZER_DOCS, PLATEAU_DOCS, TRAIN_DOCS, METRICS_DOCS]
    }
}

impl<C: Clone + Serialize + DeserializeOwned> TaskRecipe for ItemRecipe<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> u64 {
        self.train.seed
    }

    fn data_path(&mut self) -> Option<&mut String> {
        Some(&mut self.data.path)
    }

    fn metrics(&self) -> MetricsOptions {
        self.metrics
    }
}

/// An [`ItemTask`] with its items read and split.
pub struct Items<T: ItemTask> {
    recipe: ItemRecipe<T::Config>,
    samples: Vec<T::Item>,
    /// Positions of the items of each split.
    rows: [Vec<usize>; 3],
    splits: SplitList,
    /// Whether the test split is within reach.
    has_test: bool,
}

/// A network with its loss, as burn-train wants it.
#[derive(Module, Debug)]
struct WithLoss<N, T> {
    net: N,
    #[module(skip)]
    task: PhantomData<fn() -> T>,
}

impl<T: ItemTask> TrainStep for WithLoss<T::Net, T> {
    type Input = T::Batch;
    type Output = LossOutput;

    fn step(&self, batch: T::Batch) -> TrainOutput<LossOutput> {
        let loss = T::loss(&self.net, batch);
        let grads = loss.clone().mean().backward();
        TrainOutput::new(self, grads, LossOutput::new(loss))
    }
}

impl<T: ItemTask> InferenceStep for WithLoss<T::Net, T> {
    type Input = T::Batch;
    type Output = LossOutput;

    fn step(&self, batch: T::Batch) -> LossOutput {
        LossOutput::new(T::loss(&self.net, batch))
    }
}

/// A trained model of an [`ItemTask`].
pub struct ItemModel<T: ItemTask> {
    net: T::Net,
    config: T::Config,
    device: Device,
}

#[derive(Serialize, Deserialize)]
struct Spec<C> {
    kind: String,
    recipe: String,
    model: C,
}

/// Puts items into tensors, for the loader.
struct Batches<T>(PhantomData<fn() -> T>);

impl<T: ItemTask> Batcher<T::Item, T::Batch> for Batches<T> {
    fn batch(&self, items: Vec<T::Item>, device: &Device) -> T::Batch {
        T::batch(&items, device)
    }
}

/// What identifies each item: its JSON.
fn contents<I: Serialize>(items: &[I]) -> Result<Vec<Item>, TaskError> {
    let content = |(at, item): (usize, &I)| {
        let json = serde_json::to_vec(item).map_err(|error| {
            let number = at + 1;
            TaskError::internal(format!(
                "item {number} cannot be told from others, as JSON cannot hold it: {error}"
            ))
        })?;
        Ok(Item::new(content_hash(&json), b""))
    };
    items.iter().enumerate().map(content).collect()
}

/// Positions of the items of each split.
fn split(count: usize, split: &Split) -> Result<[Vec<usize>; 3], TaskError> {
    let too_few = || TaskError::user(format!("{count} items are too few to split"));
    let hold_out = |rows: Vec<usize>, fraction: f64, seed: u64| {
        if split.shuffle {
            let (rest, held) = split_indices(rows.len(), fraction, seed).map_err(|_| too_few())?;
            let take = |at: Vec<usize>| at.into_iter().map(|at| rows[at]).collect();
            return Ok::<(Vec<usize>, Vec<usize>), TaskError>((take(rest), take(held)));
        }
        let kept = rows.len() - (rows.len() as f64 * fraction).ceil() as usize;
        let (rest, held) = rows.split_at(kept);
        Ok((rest.to_vec(), held.to_vec()))
    };
    let (rest, test) = hold_out((0..count).collect(), split.test_fraction, split.seed)?;
    let (train, valid) = hold_out(rest, split.valid_fraction, split.seed)?;
    if [&train, &valid, &test].iter().any(|rows| rows.is_empty()) {
        return Err(too_few());
    }
    Ok([train, valid, test])
}

impl<T: ItemTask> Items<T> {
    fn take(&self, split: usize) -> Vec<T::Item> {
        let rows = self.rows[split].iter();
        rows.map(|&row| self.samples[row].clone()).collect()
    }

    fn dataset(&self, split: usize) -> Arc<InMemDataset<T::Item>> {
        Arc::new(InMemDataset::new(self.take(split)))
    }

    fn identity(&self) -> Result<String, TaskError> {
        let mut recipe = self.recipe.clone();
        recipe.data.path.clear();
        recipe.train = recipe.train.identity();
        recipe.metrics = MetricsOptions::default();
        crate::run::identity(&recipe, &self.splits, "")
    }
}

fn predict<T: ItemTask>(
    net: &T::Net,
    items: &[T::Item],
    device: &Device,
) -> Result<Vec<Prediction>, TaskError> {
    let mut all = Vec::with_capacity(items.len());
    for batch in items.chunks(EVAL_BATCH) {
        all.extend(T::predict(net, T::batch(batch, device))?);
    }
    Ok(all)
}

fn evaluate<T: ItemTask>(
    net: &T::Net,
    items: &[T::Item],
    device: &Device,
) -> Result<Evaluation, TaskError> {
    Ok(T::evaluate(items, &predict::<T>(net, items, device)?))
}

impl<T: ItemTask> Task for Items<T> {
    type Recipe = ItemRecipe<T::Config>;
    type Model = ItemModel<T>;
    type InputOptions = ();

    const KIND: &'static str = T::KIND;
    const ITEM: Noun = T::ITEM;

    fn check_recipe(recipe: &Self::Recipe) -> Result<(), TaskError> {
        Ok(recipe.validate()?)
    }

    fn prepare(recipe: Self::Recipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let items = T::read(&recipe.data.path, &recipe.model)?;
        let rows = split(items.len(), &recipe.split)?;
        let [train, valid, test] = &rows;
        Ok(Self {
            splits: SplitList::new(contents(&items)?, [train, valid, test]),
            rows,
            samples: items,
            has_test: true,
            recipe,
        })
    }

    fn recipe(&self) -> &Self::Recipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        let named = ["train", "valid", "test"].into_iter().zip(&self.rows);
        let splits = named.map(|(name, rows)| SplitOverview {
            name: name.to_owned(),
            count: rows.len(),
            ..SplitOverview::default()
        });
        let count = self.samples.len();
        Overview {
            summary: format!("{count} {}", T::ITEM.of(count)),
            splits: splits.collect(),
            ..Overview::default()
        }
    }

    fn split_list(&self) -> Option<&SplitList> {
        Some(&self.splits)
    }

    fn without_test(mut self) -> Self {
        let [_, valid, test] = &mut self.rows;
        test.clone_from(valid);
        self.has_test = false;
        self
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let config = self.recipe.train_config();
        let TrainingOptions {
            batch_size,
            seed,
            workers,
            ..
        } = config.train;
        let members = train_members(&Part::main(run), 1, |job, _| {
            let on = device.clone().autodiff();
            let init = || T::init(&self.recipe.model, &on).map_err(|error| error.within("model"));
            let model = WithLoss::<T::Net, T> {
                net: init_seeded(seed, &on, init)?,
                task: PhantomData,
            };
            let batches = || Batches::<T>(PhantomData);
            let of_train = LoaderConfig::train(batch_size, seed).with_workers(workers);
            let train = Loader::new(self.dataset(0), batches(), of_train, device)?;
            let of_valid = LoaderConfig::eval(EVAL_BATCH).with_workers(workers);
            let valid = Loader::new(self.dataset(1), batches(), of_valid, device)?;
            let trainer = job.trainer(config.clone(), self.identity()?, options);
            Ok(trainer.fit(model, train, valid, |training| training)?)
        })?;
        let Some(WithLoss { net, .. }) = members.models.first() else {
            return Err(crate::FitError::NotRun.into());
        };
        let spec = Spec {
            kind: T::KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            model: self.recipe.model.clone(),
        };
        model_dir::save(&run.model_dir(), &model_dir::to_bytes(net)?, &spec)?;
        let inner = device.clone().inner();
        let [valid, test] = [1, 2].map(|split| evaluate::<T>(net, &self.take(split), &inner));
        let (valid, test) = (valid?, test?);
        if self.has_test {
            members.log_test(&test.metrics())?;
        }
        let mut report = Report::new(run, members.training, test);
        report.parameters = trainable_parameters(net);
        report.valid = valid.metrics();
        Ok(report)
    }

    fn load(dir: &Path, device: &Device) -> Result<Self::Model, TaskError> {
        let files = ModelFiles::open(dir);
        let Spec { model: config, .. } = files.spec::<Spec<T::Config>>(T::KIND)?;
        let device = device.clone().inner();
        let net = T::init(&config, &device).map_err(|error| files.refuse(error))?;
        let net = files.weights(0, |bytes| model_dir::from_bytes(bytes, net))?;
        Ok(ItemModel {
            net,
            config,
            device,
        })
    }

    fn evaluate(
        model: &Self::Model,
        request: &EvalRequest<'_, Self::Recipe>,
    ) -> Result<EvalReport, TaskError> {
        let own = request.recipe.map_or("", |recipe| &recipe.data.path);
        let path = match request.data {
            Some(path) => path.to_str().ok_or_else(|| {
                TaskError::user(format!("`{}` is not UTF-8: rename it", path.display()))
            })?,
            None => own,
        };
        let items = T::read(path, &model.config)?;
        let scope = request.splits.map(|list| {
            let current = contents(&items)?;
            Ok::<_, TaskError>(list.choose(&current, request.split, request.data.is_some()))
        });
        let scope = scope.transpose()?;
        let rows = match &scope {
            Some(Scope::Stored { rows, .. }) => rows.clone(),
            _ => (0..items.len()).collect(),
        };
        let items: Vec<T::Item> = rows.into_iter().map(|row| items[row].clone()).collect();
        if items.is_empty() {
            let split = request.split;
            return Err(TaskError::user(format!("the {split} split is empty")));
        }
        Ok(EvalReport {
            evaluation: evaluate::<T>(&model.net, &items, &model.device)?,
            labels: Vec::new(),
            scope: scope.or(Some(Scope::Whole { trained_on: 0 })),
            source: None,
            notes: Vec::new(),
        })
    }

    fn predict(
        model: &Self::Model,
        path: &Path,
        _options: &InputOptions<()>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        let name = path.to_string_lossy();
        let items = T::read_inputs(&name, &model.config)?;
        let total = Some(items.len() as u64);
        for (chunk, batch) in items.chunks(EVAL_BATCH).enumerate() {
            let first = chunk * EVAL_BATCH;
            let predictions = predict::<T>(&model.net, batch, &model.device)?;
            let named = predictions.into_iter().enumerate();
            let named = named.map(|(at, prediction)| {
                let item = InputItem {
                    name: name.to_string(),
                    row: Some((first + at + 1) as u64),
                    ..InputItem::default()
                };
                (item, prediction)
            });
            let done = (first + batch.len()) as u64;
            let position = Position { done, total };
            if let ControlFlow::Break(()) = each(Ok(named.collect()), position) {
                break;
            }
        }
        Ok(InputReport::default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn items_are_told_apart_by_their_json_or_refused() {
        let items = contents(&["a", "b", "a"]).unwrap();
        assert_eq!(items[0], items[2]);
        assert_ne!(items[0], items[1]);
        // The keys of an object are texts.
        let odd = [BTreeMap::new(), BTreeMap::from([((1, 2), 3)])];
        let error = contents(&odd).unwrap_err().to_string();
        assert!(error.starts_with("item 2 cannot be told"), "{error}");
    }
}
