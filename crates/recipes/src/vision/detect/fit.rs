//! Training of a detector.

use burn::tensor::Device;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::trainable_parameters;
use tinderbox_predict::vision::{DetectionModel, DetectionNetwork, Normalize};
use tinderbox_train::detect::{MapMetric, ObjectDetector};
use tinderbox_train::run::{
    Members, Part, cross_validate, identity, seconds_per_item, train_members,
};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::run_options::Job;
use tinderbox_train::task::{BaselineReport, FoldReport, compare};
use tinderbox_train::{MetricsOptions, Options, Report, Splits, TaskError, Trained, init_seeded};

use super::batch::BoxCollate;
use super::evaluate::{Evaluated, Evaluator, THRESHOLD};
use super::{ObjectDetection, doubts};
#[cfg(feature = "baseline")]
use crate::baseline::baseline;
use crate::vision::batch::measure;
use crate::vision::pictures::Gallery;
use crate::vision::saving::{keep_best, save};
use crate::vision::worst::worst;

/// Most photos that are predicted alone to measure the time.
const TIMED_IMAGES: usize = 10;

/// Photos of a validation batch.
const EVAL_BATCH: usize = 16;

/// A network with its loss.
type Network = ObjectDetector<DetectionModel>;

/// The trained network of a part of a run.
struct Fitted {
    network: DetectionNetwork,
    members: Members<Network>,
}

impl ObjectDetection {
    /// Trains the folds and the final networks, and reports them.
    pub(in crate::vision) fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let labels = &self.recipe.data.classes;
        let mut warnings = Vec::new();
        let folds = cross_validate(run, &self.splits.folds, |part, splits| {
            let fitted = self.fit(part, splits, device, options)?;
            let valid = self.evaluate_rows(&fitted, &splits.valid)?;
            let test = self.evaluate_rows(&fitted, &splits.test)?;
            let evaluation = test.evaluation(labels, valid.threshold());
            let baselines = self.baselines(&part.name, splits, options, &mut warnings);
            Ok(FoldReport {
                test: evaluation.metrics(),
                evaluation,
                baselines,
            })
        })?;
        let splits = &self.splits.splits;
        let mut gallery = Gallery::new(run.path());
        self.draw_training(&mut gallery);
        let fitted = self.fit(&Part::main(run), splits, device, options)?;
        let valid = self.evaluate_rows(&fitted, &splits.valid)?;
        let threshold = valid.threshold();
        let spec = self.spec(&fitted.network.normalize, threshold)?;
        save(run, [fitted.network.model.to_bytes()], &spec)?;
        let test = self.evaluate_rows(&fitted, &splits.test)?;
        let evaluation = test.evaluation(labels, threshold);
        if self.splits.has_test {
            fitted.members.log_test(&evaluation.metrics())?;
        }
        let mut report = Report::new(run, fitted.members.training.clone(), evaluation);
        report.parameters = trainable_parameters(&fitted.network.model);
        report.seconds_per_item = self.seconds_per_image(&fitted, threshold)?;
        report.valid = valid.evaluation(labels, threshold).metrics();
        report.labels.clone_from(labels);
        report.folds = folds;
        report.warnings.extend(warnings);
        report.baselines = self.baselines("", splits, options, &mut report.warnings);
        report.comparison = compare(&report.evaluation, &report.folds, &report.baselines);
        let ranked = test.ranked(&self.data, threshold);
        let column = format!("f1 at a score of {threshold:.2}");
        let photos = ranked.iter();
        let photos = photos.map(|&(row, f1)| (self.data.images.path(row), f1));
        report.sections = vec![worst(["worst test images", &column], photos)];
        report
            .sections
            .extend(doubts::section(&self.data, [&valid, &test]));
        report.appendix = test.scores.sections(labels, threshold);
        self.draw_result(&mut gallery, &report, &test, &ranked, threshold);
        gallery.report(&mut report);
        Ok(report)
    }

    /// A classical method on the same split, if it is wanted.
    #[cfg(feature = "baseline")]
    fn baselines(
        &self,
        part: &str,
        splits: &Splits,
        options: &Options,
        warnings: &mut Vec<String>,
    ) -> Vec<BaselineReport> {
        let fitted = baseline(options.baselines, part, warnings, |warnings| {
            self.hog_baseline(splits, warnings)
        });
        fitted.into_iter().collect()
    }

    #[cfg(not(feature = "baseline"))]
    #[expect(clippy::unused_self, reason = "as with baselines")]
    fn baselines(
        &self,
        _: &str,
        _: &Splits,
        _: &Options,
        _: &mut Vec<String>,
    ) -> Vec<BaselineReport> {
        Vec::new()
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
        let spec = self.spec(&normalize, THRESHOLD)?;
        let members = train_members(part, 1, |mut job, member| {
            job.on_best = keep_best(part, member, &spec, |model: &Network| model.net.to_bytes());
            self.fit_member(job, splits, &normalize, device, options)
        })?;
        let model = members.models.first().map(|model| model.net.clone());
        let model = model.ok_or_else(|| TaskError::internal("no network was trained"))?;
        Ok(Fitted {
            network: DetectionNetwork {
                model,
                input: self.recipe.input(),
                normalize,
                device: device.clone().inner(),
            },
            members,
        })
    }

    fn fit_member(
        &self,
        job: Job<Network>,
        splits: &Splits,
        normalize: &Normalize,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<Network>, TaskError> {
        let config = self.recipe.train_config();
        let classes = self.recipe.data.classes.len();
        let on = device.clone().autodiff();
        let net = init_seeded(config.train.seed, &on, || {
            if let Some(weights) = &self.weights {
                return weights.with_classes(classes, &on).map_err(TaskError::user);
            }
            let channels = self.recipe.data.channels;
            Ok(self.recipe.model.init(channels, classes, &on)?)
        })?;
        let max_overlap = self.recipe.max_overlap as f32;
        let counts = self.data.counts(&splits.train).into_iter().enumerate();
        let labels = counts.flat_map(|(class, count)| std::iter::repeat_n(class, count));
        let weights = self.recipe.loss.class_weights.of(labels, classes);
        let model = ObjectDetector::new(net, self.recipe.loss.clone(), max_overlap);
        let model = model.with_class_weights(weights);
        let workers = config.train.workers;
        let batches = LoaderConfig::train(config.train.batch_size, config.train.seed);
        let train = self.data.select(&splits.train)?;
        let collate = self.collate(normalize);
        let valid_collate = BoxCollate {
            augment: None,
            ..collate.clone()
        };
        let mut loader = Loader::new(train, collate, batches.with_workers(workers), device)?;
        if config.train.balanced_sampling {
            loader = loader.balanced(self.data.rarest_classes(&splits.train));
        }
        let batches = LoaderConfig::eval(EVAL_BATCH).with_workers(workers);
        let valid = self.data.select(&splits.valid)?;
        let valid = Loader::new(valid, valid_collate, batches, device)?;
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config, identity, options);
        Ok(trainer.fit(model, loader, valid, |training| {
            training.metric_valid_numeric(MapMetric::new(classes))
        })?)
    }

    fn evaluate_rows(&self, fitted: &Fitted, rows: &[usize]) -> Result<Evaluated, TaskError> {
        let evaluator = Evaluator {
            network: &fitted.network,
            data: &self.data,
        };
        evaluator.rows(rows)
    }

    /// The time to decode and search one photo alone, in s.
    fn seconds_per_image(&self, fitted: &Fitted, threshold: f32) -> Result<f64, TaskError> {
        seconds_per_item(self.splits.timed(TIMED_IMAGES), |&row| {
            let photo = [self.data.images.full(row).map_err(TaskError::user)?.image];
            fitted.network.detect(&photo, threshold)?;
            Ok(())
        })
    }

    /// Makes training batches.
    pub(super) fn collate(&self, normalize: &Normalize) -> BoxCollate {
        BoxCollate {
            normalize: normalize.clone(),
            size: self.recipe.data.size,
            augment: Some((self.recipe.augment.clone(), self.recipe.mosaic.clone())),
        }
    }

    fn identity(&self, stage: &str) -> Result<String, TaskError> {
        let mut recipe = self.recipe.clone();
        recipe.data.path.clear();
        // The weights themselves count, not where they are.
        recipe.weights = match &self.weights {
            Some(weights) => weights.digest.clone(),
            None => String::new(),
        };
        recipe.train = recipe.train.identity();
        recipe.metrics = MetricsOptions::default();
        identity(&recipe, &self.list, stage)
    }
}
