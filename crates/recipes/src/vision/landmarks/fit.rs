//! Training of a model of landmarks.

use std::time::Instant;

use burn::tensor::Device;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_datasets::random::{permutation, stream};
use tinderbox_models::trainable_parameters;
use tinderbox_predict::vision::{LandmarkModel, LandmarkModelConfig, Landmarker, Normalize};
use tinderbox_train::landmarks::{LandmarkRegressor, NmeMetric};
use tinderbox_train::run::{
    Members, Part, cross_validate, identity, seconds_per_item, train_members,
};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::run_options::Job;
use tinderbox_train::task::{FoldReport, compare};
use tinderbox_train::{
    DirectFit, MetricsOptions, Options, Report, Splits, TaskError, Timings, Trained, init_seeded,
};

use super::Landmarks;
use super::cascade::{CascadeFitter, MAX_CROPS};
use super::evaluate::Evaluated;
use super::shapes::modes_of;
use super::weights::fill;
use crate::vision::batch::measure;
use crate::vision::pictures::Gallery;
use crate::vision::saving::{keep_best, save};
use crate::vision::worst::worst;

/// Most photos that are predicted alone to measure the time.
const TIMED_FACES: usize = 20;

/// Faces of a validation batch.
const EVAL_BATCH: usize = 32;

/// The trained network of a part of a run.
struct Fitted {
    model: Landmarker,
    members: Members<LandmarkRegressor>,
    valid: Evaluated,
}

impl Landmarks {
    /// Trains the folds and the final networks, and reports them.
    pub(in crate::vision) fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let is_compared = options.baselines;
        let baselines = |splits: &Splits| {
            if !is_compared {
                return Ok(Vec::new());
            }
            let fitter = self.fitter(&self.normalize, device);
            fitter.baselines(&fitted_faces(splits, self.recipe.train.seed), &splits.test)
        };
        let fold_baselines: Vec<_> = self
            .splits
            .folds
            .iter()
            .map(baselines)
            .collect::<Result<_, _>>()?;
        let baselines = baselines(&self.splits.splits)?;
        let mut fold_baselines = fold_baselines.into_iter();
        let folds = cross_validate(run, &self.splits.folds, |part, splits| {
            let fitted = self.fit(part, splits, device, options)?;
            let test = Evaluated::with_whole(&fitted.model, &self.data, &splits.test)?;
            let evaluation = test.evaluation();
            Ok(FoldReport {
                test: evaluation.metrics(),
                evaluation,
                baselines: fold_baselines.next().unwrap_or_default(),
            })
        })?;
        let splits = &self.splits.splits;
        let mut gallery = Gallery::new(run.path());
        self.draw_training(&mut gallery);
        let fitted = self.fit(&Part::main(run), splits, device, options)?;
        let weights = fitted.model.model().to_bytes();
        save(run, [weights], fitted.model.spec())?;
        let test = Evaluated::with_whole(&fitted.model, &self.data, &splits.test)?;
        let evaluation = test.evaluation();
        if self.splits.has_test {
            fitted.members.log_test(&evaluation.metrics())?;
        }
        let mut report = Report::new(run, fitted.members.training.clone(), evaluation);
        report.parameters = trainable_parameters(fitted.model.model());
        report.seconds_per_item = self.seconds_per_face(&fitted.model)?;
        report.valid = fitted.valid.evaluation().metrics();
        report.folds = folds;
        report.baselines = baselines;
        report.comparison = compare(&report.evaluation, &report.folds, &report.baselines);
        let ranked = test.ranked();
        let faces = ranked.faces.iter();
        let faces = faces.map(|(row, _, error)| (self.data.images.face(*row).path.clone(), *error));
        report.sections = vec![worst(["worst test faces", "nme"], faces)];
        self.draw_result(&mut gallery, &report, &ranked);
        gallery.report(&mut report);
        Ok(report)
    }

    /// Trains the network of a part of the run.
    fn fit(
        &self,
        part: &Part,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<Fitted, TaskError> {
        let normalize = if part.is_main() || self.weights.is_some() {
            self.normalize.clone()
        } else {
            let train = self.data.select(&splits.train)?;
            measure(&*train, self.recipe.data.channels)?
        };
        let spec = self.spec(&normalize)?;
        let mut held_out = None;
        let members = train_members(part, 1, |mut job, member| {
            if matches!(self.recipe.model, LandmarkModelConfig::LandmarkCascade(_)) {
                let (trained, valid) = self.fit_cascade(&job, splits, &normalize, device)?;
                held_out = Some(valid);
                return Ok(trained);
            }
            job.on_best = keep_best(part, member, &spec, |model: &LandmarkRegressor| {
                model.net.to_bytes()
            });
            self.fit_steps(job, splits, &normalize, device, options)
        })?;
        let model = members.models.first().map(|model| model.net.clone());
        let model = model.ok_or_else(|| TaskError::internal("no network was trained"))?;
        let model = Landmarker::new(model, spec, device);
        let valid = match held_out {
            Some(valid) => valid,
            None => Evaluated::rows(&model, &self.data, &splits.valid)?,
        };
        Ok(Fitted {
            model,
            members,
            valid,
        })
    }

    /// Fits a cascade to the training split for the metrics of the validation split, then to both.
    fn fit_cascade(
        &self,
        job: &Job<LandmarkRegressor>,
        splits: &Splits,
        normalize: &Normalize,
        device: &Device,
    ) -> Result<(Trained<LandmarkRegressor>, Evaluated), TaskError> {
        let log = DirectFit::start(&job.dir)?;
        let started = Instant::now();
        let seed = self.recipe.train.seed;
        let fitter = self.fitter(normalize, device);
        let net = self.cascade(device)?;
        let LandmarkModel::LandmarkCascade(net) = net else {
            return Err(TaskError::internal("the network is no cascade"));
        };
        let train = Splits {
            valid: Vec::new(),
            ..splits.clone()
        };
        let train = fitted_faces(&train, seed);
        let held_out = LandmarkModel::LandmarkCascade(fitter.fit(net.clone(), &train)?);
        let held_out = Landmarker::new(held_out, self.spec(normalize)?, device);
        let valid = Evaluated::rows(&held_out, &self.data, &splits.valid)?;
        let metrics = [
            Evaluated::rows(&held_out, &self.data, &train)?
                .evaluation()
                .metrics(),
            valid.evaluation().metrics(),
        ];
        let both = fitted_faces(splits, seed);
        let net = LandmarkModel::LandmarkCascade(fitter.fit(net, &both)?);
        let timings = Timings {
            compute_s: started.elapsed().as_secs_f64(),
            ..Timings::default()
        };
        let model = LandmarkRegressor::new(net, self.recipe.loss.clone());
        let samples = both.len() * fitter.versions(both.len());
        Ok((log.finish(model, samples, timings, metrics)?, valid))
    }

    /// The cascade with published features, before it is fitted.
    fn cascade(&self, device: &Device) -> Result<LandmarkModel, TaskError> {
        let device = device.clone().inner();
        let model = init_seeded(self.recipe.train.seed, &device, || {
            self.recipe.model.init(self.sizes(), &device)
        })?;
        match (&self.recipe.model, &self.weights) {
            (LandmarkModelConfig::LandmarkCascade(config), Some(weights)) => {
                fill(model, config.0.stages, weights, &device)
            }
            _ => Ok(model),
        }
    }

    fn fit_steps(
        &self,
        job: Job<LandmarkRegressor>,
        splits: &Splits,
        normalize: &Normalize,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<LandmarkRegressor>, TaskError> {
        let config = self.recipe.train_config();
        let on = device.clone().autodiff();
        let net = init_seeded(config.train.seed, &on, || {
            self.recipe.model.init(self.sizes(), &on)
        })?;
        let net = match net {
            LandmarkModel::LandmarkCnn(net) => {
                let modes = net.modes();
                let (mean, modes) =
                    modes_of(&self.shapes(&splits.train, normalize, device)?, modes);
                LandmarkModel::LandmarkCnn(net.with_shapes(modes, mean, &on))
            }
            cascade @ LandmarkModel::LandmarkCascade(_) => cascade,
        };
        let model = LandmarkRegressor::new(net, self.recipe.loss.clone());
        let workers = config.train.workers;
        let batches = LoaderConfig::train(config.train.batch_size, config.train.seed);
        let train = self.data.select(&splits.train)?;
        let collate = self.collate(normalize);
        let plain = super::batch::FaceCollate {
            augment: None,
            ..collate.clone()
        };
        let loader = Loader::new(train, collate, batches.with_workers(workers), device)?;
        let batches = LoaderConfig::eval(EVAL_BATCH).with_workers(workers);
        let valid = self.data.select(&splits.valid)?;
        let valid = Loader::new(valid, plain, batches, device)?;
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config, identity, options);
        Ok(trainer.fit(model, loader, valid, |training| {
            training.metric_valid_numeric(NmeMetric::default())
        })?)
    }

    /// The shapes of changed training crops.
    fn shapes(
        &self,
        rows: &[usize],
        normalize: &Normalize,
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, TaskError> {
        let fitter = self.fitter(normalize, device);
        let mut shapes = Vec::new();
        for &face in rows.iter().take(MAX_CROPS) {
            let crops = fitter.crops(face, fitter.versions(rows.len()))?;
            shapes.extend(crops.into_iter().map(|crop| crop.points.concat()));
        }
        Ok(shapes)
    }

    fn fitter(&self, normalize: &Normalize, device: &Device) -> CascadeFitter<'_> {
        CascadeFitter {
            data: &self.data,
            collate: self.collate(normalize),
            fit: &self.recipe.cascade,
            seed: self.recipe.train.seed,
            device: device.clone().inner(),
            cache: &self.cache,
        }
    }

    /// The time to crop one face and find its points, in s.
    fn seconds_per_face(&self, model: &Landmarker) -> Result<f64, TaskError> {
        seconds_per_item(self.splits.timed(TIMED_FACES), |&row| {
            Evaluated::rows(model, &self.data, &[row])?;
            Ok(())
        })
    }

    fn identity(&self, stage: &str) -> Result<String, TaskError> {
        let mut recipe = self.recipe.clone();
        recipe.data.path.clear();
        recipe.data.extra.clear();
        recipe.train = recipe.train.identity();
        recipe.metrics = MetricsOptions::default();
        identity(&recipe, &self.list, stage)
    }
}

/// The training and validation faces that a cascade is fitted to: all, or some of many.
fn fitted_faces(splits: &Splits, seed: u64) -> Vec<usize> {
    let mut faces = [&splits.train[..], &splits.valid].concat();
    if faces.len() > MAX_CROPS {
        let order = permutation(faces.len(), &mut stream(seed, &[MAX_CROPS as u64]));
        faces = order
            .into_iter()
            .take(MAX_CROPS)
            .map(|at| faces[at])
            .collect();
    }
    faces
}
