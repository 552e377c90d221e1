//! Training of a segmentation model.

use burn::tensor::Device;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_predict::vision::{InputScale, Normalize, SegmentationEnsemble, SegmentationModel};
use tinderbox_train::metrics::Comparison;
use tinderbox_train::run::{
    Members, Part, cross_validate, identity, seconds_per_item, train_members,
};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::run_options::Job;
use tinderbox_train::segment::{IouMetric, PixelClassifier, SegmentationLoss};
use tinderbox_train::task::{BaselineReport, FoldReport, compare};
use tinderbox_train::{MetricsOptions, Options, Report, Splits, TaskError, Trained, init_seeded};

use super::batch::MaskCollate;
use super::evaluate::{Evaluated, Evaluator, PixelModel};
use super::{ImageSegmentation, weights};
#[cfg(feature = "baseline")]
use crate::baseline::baseline;
use crate::vision::batch::measure;
use crate::vision::pictures::Gallery;
use crate::vision::saving::{keep_best, save};
use crate::vision::worst::worst;

/// Most photos that are predicted alone to measure the time.
const TIMED_IMAGES: usize = 10;

/// Photos of a validation batch, where all are of one size.
const EVAL_BATCH: usize = 8;

/// A network with its loss.
type Network = PixelClassifier<SegmentationModel>;

/// The trained networks of a part of a run.
struct Fitted {
    ensemble: SegmentationEnsemble,
    members: Members<Network>,
}

impl ImageSegmentation {
    /// Trains the folds and the final networks, and reports them.
    pub(in crate::vision) fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let mut warnings = Vec::new();
        let folds = cross_validate(run, &self.splits.folds, |part, splits| {
            let fitted = self.fit(part, splits, device, options)?;
            let evaluation = self
                .evaluator(&fitted.ensemble)
                .rows(&splits.test)?
                .evaluation;
            let baselines = self.baselines(&part.name, splits, options, &mut warnings);
            Ok(FoldReport {
                test: evaluation.metrics(),
                evaluation,
                baselines: baselines.into_iter().map(|(report, _)| report).collect(),
            })
        })?;
        let splits = &self.splits.splits;
        let mut gallery = Gallery::new(run.path());
        self.draw_training(&mut gallery);
        let fitted = self.fit(&Part::main(run), splits, device, options)?;
        let models = &fitted.ensemble.models;
        let spec = self.spec(&fitted.ensemble.normalize)?;
        save(run, models.iter().map(SegmentationModel::to_bytes), &spec)?;
        let evaluator = self.evaluator(&fitted.ensemble);
        let valid = evaluator.rows(&splits.valid)?.evaluation;
        let test = evaluator.rows(&splits.test)?;
        if self.splits.has_test {
            fitted.members.log_test(&test.evaluation.metrics())?;
        }
        let baselines = self.baselines("", splits, options, &mut warnings);
        let comparison = comparison(&test, &folds, &baselines);
        let mut report = Report::new(run, fitted.members.training.clone(), test.evaluation);
        report.parameters = models.iter().map(SegmentationModel::used_parameters).sum();
        report.seconds_per_item = self.seconds_per_image(&fitted)?;
        report.valid = valid.metrics();
        report.labels.clone_from(&self.recipe.data.classes);
        report.folds = folds;
        report.baselines = baselines.into_iter().map(|(report, _)| report).collect();
        report.comparison = comparison;
        report.warnings = warnings;
        let photos = test.photos.iter();
        let photos = photos.map(|&(row, iou)| (self.data.pairs.path(row), iou));
        report.sections = vec![worst(["worst test images", "iou"], photos)];
        self.draw_result(&mut gallery, &report, &fitted.ensemble, &test.photos);
        gallery.report(&mut report);
        Ok(report)
    }

    /// Trains the networks of a part of the run.
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
        let members = train_members(part, self.recipe.ensemble, |mut job, member| {
            job.on_best = keep_best(part, member, &spec, |model: &Network| model.net.to_bytes());
            self.fit_member(job, member, splits, &normalize, device, options)
        })?;
        let models = members.models.iter().map(|model| model.net.clone());
        Ok(Fitted {
            ensemble: SegmentationEnsemble {
                models: models.collect(),
                input: self.recipe.data.input(),
                normalize,
                test_time_augmentation: self.recipe.test_time_augmentation,
                device: device.clone().inner(),
            },
            members,
        })
    }

    fn fit_member(
        &self,
        job: Job<Network>,
        member: usize,
        splits: &Splits,
        normalize: &Normalize,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<Network>, TaskError> {
        let mut config = self.recipe.train_config();
        config.train.seed += member as u64;
        let (channels, classes) = (self.recipe.data.channels, self.recipe.data.classes.len());
        let on = device.clone().autodiff();
        let net = init_seeded(config.train.seed, &on, || {
            self.recipe.model.init(channels, classes, &on)
        })?;
        let net = match &self.weights {
            Some(weights) => weights::fill(net, weights, &on)?,
            None => net,
        };
        let model = PixelClassifier::new(net, self.recipe.loss.clone());
        let is_fit = self.recipe.data.scale == InputScale::Fit;
        let workers = config.train.workers;
        let batches = LoaderConfig::train(config.train.batch_size, config.train.seed);
        let train = self.data.select(&splits.train)?;
        let collate = self.collate(normalize);
        let valid_collate = MaskCollate {
            augment: None,
            crop: None,
            // The plain loss, so that the numbers of two recipes can be compared.
            loss: SegmentationLoss::default(),
            ..collate.clone()
        };
        let loader = Loader::new(train, collate, batches.with_workers(workers), device)?;
        let batches = LoaderConfig::eval(if is_fit { EVAL_BATCH } else { 1 });
        let valid = self.data.select(&splits.valid)?;
        let valid = Loader::new(valid, valid_collate, batches.with_workers(workers), device)?;
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config, identity, options);
        Ok(trainer.fit(model, loader, valid, |training| {
            training.metric_valid_numeric(IouMetric::new(classes))
        })?)
    }

    /// Compares a network or a baseline with the masks.
    pub(super) fn evaluator<'a>(&'a self, model: &'a dyn PixelModel) -> Evaluator<'a> {
        Evaluator {
            model,
            data: &self.data,
            labels: &self.recipe.data.classes,
            refine: self.recipe.refine,
            separate_objects: self.recipe.separate_objects,
        }
    }

    /// The classical method on the same split, if it is wanted.
    #[cfg(feature = "baseline")]
    fn baselines(
        &self,
        part: &str,
        splits: &Splits,
        options: &Options,
        warnings: &mut Vec<String>,
    ) -> Vec<(BaselineReport, Evaluated)> {
        let fitted = baseline(options.baselines, part, warnings, |warnings| {
            self.pixel_classification(splits, warnings)
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
    ) -> Vec<(BaselineReport, Evaluated)> {
        Vec::new()
    }

    /// The time to decode and segment one photo alone, in s.
    fn seconds_per_image(&self, fitted: &Fitted) -> Result<f64, TaskError> {
        seconds_per_item(self.splits.timed(TIMED_IMAGES), |&row| {
            let photo = [self.data.pairs.full(row).map_err(TaskError::user)?.image];
            let found = fitted.ensemble.probabilities(&photo)?;
            found[0].segment(&photo[0], self.recipe.refine);
            Ok(())
        })
    }

    /// Makes training batches.
    pub(super) fn collate(&self, normalize: &Normalize) -> MaskCollate {
        let is_fit = self.recipe.data.scale == InputScale::Fit;
        MaskCollate {
            normalize: normalize.clone(),
            augment: Some(self.recipe.augment.clone()),
            crop: (!is_fit).then_some(self.recipe.data.size),
            multiple: self.recipe.model.min_multiple(),
            loss: self.recipe.loss.clone(),
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

/// The network and the best baseline over the folds, or else over the test photos.
fn comparison(
    test: &Evaluated,
    folds: &[FoldReport],
    baselines: &[(BaselineReport, Evaluated)],
) -> Option<Comparison> {
    if !folds.is_empty() {
        return compare(&test.evaluation, folds, &[]);
    }
    let (name, mode) = test.evaluation.headline();
    let baselines = baselines.iter().filter_map(|(baseline, evaluated)| {
        let estimate = evaluated.estimate.clone()?;
        Some((baseline.result.method.as_str(), estimate))
    });
    Comparison::of_rows(name, mode, test.estimate.as_ref()?, baselines)
}
