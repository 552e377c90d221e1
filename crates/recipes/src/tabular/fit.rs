//! The training of one part of a run: the final training, a fold, or all but one deposit.

use std::path::PathBuf;

use burn::tensor::Device;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_datasets::table::{ColumnSchema, Kind, Schema};
use tinderbox_models::tabular::quantile_bins;
use tinderbox_models::trainable_parameters;
use tinderbox_predict::calibration::Temperature;
use tinderbox_predict::model_dir;
use tinderbox_predict::tabular::{
    Encoded, Encoder, Ensemble, KIND, Sizes, Spec, TabularNet, Target,
};
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run::{self, Members, Part};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::run_options::{Job, Options};
use tinderbox_train::{BestListener, Splits, TaskError, Trained, init_seeded};

use super::dataset::EncodedDataset;
use super::error::{DataError, table_error};
use super::headline::HeadlineMetric;
use super::predictor::Training;
use super::recipe::of_recipe;
use super::targets::fit_scale;
use super::task::Tabular;
use super::train_step::{Objective, TabularModel};

/// Rows in a batch of the validation during training.
const EVAL_BATCH: usize = 1_024;

/// A trained ensemble with its preprocessing.
pub(super) struct Fitted {
    pub(super) ensemble: Ensemble,
    pub(super) encoder: Encoder,
    /// All rows of the data.
    pub(super) encoded: Encoded,
    pub(super) members: Members<TabularModel>,
}

impl Fitted {
    /// Trainable parameters of all networks together.
    pub(super) fn parameters(&self) -> usize {
        self.ensemble.nets.iter().map(trainable_parameters).sum()
    }
}

impl Tabular {
    /// Trains the networks of one part of the run, each in a separate folder.
    pub(super) fn fit(
        &self,
        part: &Part,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<Fitted, TaskError> {
        let encoder = self.encoder(splits)?;
        let mut target = self.dataset.target.clone();
        let targets = &self.dataset.targets;
        let scaling = self.recipe.features.target_scaling;
        let name = &self.recipe.data.target;
        fit_scale(&mut target, targets, &splits.train, scaling, name)?;
        let encoded = encoder.encode(&self.dataset.table).map_err(table_error)?;
        let dataset =
            |rows: &[usize]| EncodedDataset::new(encoded.take(rows), &targets.take(rows), &target);
        let datasets = [dataset(&splits.train), dataset(&splits.valid)];
        let objective = Objective::new(&self.recipe.loss, &targets.take(&splits.train), &target);
        let sizes = sizes(&encoder, &target);
        let count = self.recipe.ensemble;
        let mut members = run::train_members(part, count, |mut job, member| {
            if let Some(dir) = part.best_dir() {
                let spec = self.spec(&encoder, &target);
                job.on_best = Some(keep_best(dir, member, spec));
            }
            let net = self.untrained(&sizes, &datasets[0], member, device)?;
            let model = TabularModel::new(net, objective.clone());
            let metric = HeadlineMetric::new(&target, &datasets[1].classes());
            self.fit_member(model, &datasets, metric, job, device, options)
        })?;
        let models = std::mem::take(&mut members.models);
        let mut ensemble = Ensemble {
            nets: models.into_iter().map(|model| model.net).collect(),
            target,
            temperature: Temperature::default(),
        };
        if self.recipe.calibrate
            && let Some(classes) = targets.take(&splits.valid).classes()
        {
            let device = device.clone().inner();
            ensemble.calibrate(&encoded.take(&splits.valid), classes, &device)?;
        }
        Ok(Fitted {
            ensemble,
            encoder,
            encoded,
            members,
        })
    }

    /// Fits the preprocessing on the training rows.
    pub(super) fn encoder(&self, splits: &Splits) -> Result<Encoder, DataError> {
        let (table, columns) = (&self.dataset.table, &self.dataset.columns);
        let features = &self.recipe.features;
        Ok(Encoder::fit(table, columns, &splits.train, features)?)
    }

    fn untrained(
        &self,
        sizes: &Sizes,
        train: &EncodedDataset,
        member: usize,
        device: &Device,
    ) -> Result<TabularNet, TaskError> {
        let device = device.clone().autodiff();
        let seed = self.recipe.train.seed + member as u64;
        let (model, features) = (&self.recipe.model, &self.recipe.features);
        let init = || model.init(sizes, features, &device);
        let net = init_seeded(seed, &device, init).map_err(of_recipe)?;
        let net = net.with_zeroed_categories(&train.unused_codes(&sizes.cardinalities));
        match features.numeric_embedding.n_bins() {
            Some(n_bins) if sizes.n_numeric > 0 => {
                let edges: Vec<Vec<f32>> = (0..sizes.n_numeric)
                    .map(|column| quantile_bins(&train.numbers(column), n_bins))
                    .collect();
                net.with_bins(&edges).map_err(TaskError::internal)
            }
            _ => Ok(net),
        }
    }

    fn fit_member(
        &self,
        model: TabularModel,
        [train, valid]: &[EncodedDataset; 2],
        metric: Option<HeadlineMetric>,
        job: Job<TabularModel>,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<TabularModel>, TaskError> {
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
        let identity = run::identity(&self.recipe.identity(), &self.list, &job.stage.name)?;
        let trainer = job.trainer(config, identity, options);
        Ok(trainer.fit(model, loader, eval, |training| match metric {
            Some(metric) => training.metric_valid_numeric(metric),
            None => training,
        })?)
    }

    /// The predictions of a trained ensemble for some rows, with their targets.
    pub(super) fn evaluate_rows(
        &self,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
    ) -> Result<Evaluation, TaskError> {
        let Fitted {
            ensemble, encoded, ..
        } = fitted;
        let device = device.clone().inner();
        let outputs = ensemble.predict(&encoded.take(rows), &device)?;
        let target = &ensemble.target;
        let outputs: Vec<f64> = outputs.into_iter().map(|x| target.unscaled(x)).collect();
        Ok(self.dataset.targets.take(rows).evaluation(&outputs))
    }

    /// Writes `model/`, with further files by their names.
    pub(super) fn save(
        &self,
        run: &RunDir,
        fitted: &Fitted,
        threshold: Option<f64>,
        files: &[(&str, &[u8])],
    ) -> Result<(), TaskError> {
        let Fitted {
            ensemble, encoder, ..
        } = fitted;
        let spec = Spec {
            temperature: ensemble.temperature,
            threshold,
            ..self.spec(encoder, &ensemble.target)
        };
        let weights = ensemble.nets.iter().map(TabularNet::to_bytes);
        let weights: Vec<Vec<u8>> = weights.collect::<Result<_, _>>()?;
        model_dir::save_with(&run.model_dir(), &weights, &spec, files)?;
        Ok(())
    }

    /// `model.json`, not calibrated yet.
    fn spec(&self, encoder: &Encoder, target: &Target) -> Spec {
        let training = Training {
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
            digest: self.list.digest(),
        };
        Spec {
            kind: KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            members: self.recipe.ensemble,
            model: self.recipe.model.clone(),
            sizes: sizes(encoder, target),
            features: self.recipe.features.clone(),
            target_column: self.recipe.data.target.clone(),
            schema: self.schema(encoder),
            file_format: self.recipe.data.format.clone(),
            encoder: encoder.clone(),
            target: target.clone(),
            temperature: Temperature::default(),
            threshold: None,
            training: serde_json::json!(training),
        }
    }

    /// The feature columns and the target, as other files have them.
    fn schema(&self, encoder: &Encoder) -> Schema {
        let mut schema = self.dataset.table.schema();
        let is_used = |column: &ColumnSchema| {
            column.name == self.recipe.data.target
                || encoder.names().any(|name| name == column.name)
        };
        if schema.header {
            schema.columns.retain(is_used);
        } else {
            // Columns without names are identified by their positions, so each is kept; unused ones
            // may hold anything.
            let unused = schema.columns.iter_mut().filter(|column| !is_used(column));
            unused.for_each(|column| *column = ColumnSchema::new(&column.name, Kind::Text));
        }
        schema
    }
}

/// The sizes of the data for a network.
pub(super) fn sizes(encoder: &Encoder, target: &Target) -> Sizes {
    Sizes {
        n_numeric: encoder.n_numeric(),
        cardinalities: encoder.cardinalities(),
        d_output: target.d_output(),
    }
}

/// Keeps the best weights so far of a network of the run.
fn keep_best(dir: PathBuf, member: usize, spec: Spec) -> Box<BestListener<TabularModel>> {
    Box::new(move |model| {
        let weights = model.net.to_bytes()?;
        model_dir::save_best(&dir, member, &weights, &spec, &[])
    })
}

/// The probability of the positive class of two in each row.
pub(super) fn positive(probabilities: &[f32]) -> Vec<f32> {
    probabilities.chunks_exact(2).map(|row| row[1]).collect()
}
