//! Training of an image classifier.

use burn::tensor::Device;
use burn::train::metric::AccuracyMetric;
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::trainable_parameters;
use tinderbox_predict::calibration::Temperature;
use tinderbox_predict::vision::{ImageClassifierSpec, ImageEnsemble, ImageModel, Normalize};
use tinderbox_train::classify::{ClassWeights, Classifier};
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run::{
    Members, Part, cross_validate, identity, seconds_per_item, train_members,
};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::run_options::Job;
use tinderbox_train::task::{BaselineReport, FoldReport, compare};
use tinderbox_train::{
    MetricsOptions, Options, Report, Section, Splits, TaskError, Trained, init_seeded,
};

use super::ImageClassification;
use super::evaluate::{eval_loader, predict_all};
#[cfg(feature = "baseline")]
use crate::baseline::baseline;
use crate::vision::batch::{ImageCollate, measure};
use crate::vision::data::{DataError, ImageData};
use crate::vision::pictures::Gallery;
use crate::vision::saving::{keep_best, save};

/// Most images that are predicted alone to measure the time.
const TIMED_IMAGES: usize = 50;

/// Longest side of the images of a regression on pixels, where the network takes larger ones.
#[cfg(feature = "baseline")]
const PIXELS_SIDE: usize = 64;

/// The trained networks of a part of a run.
struct Fitted {
    ensemble: ImageEnsemble,
    normalize: Normalize,
    members: Members<Classifier<ImageModel>>,
    /// The predictions for the validation split of a model that was not fitted to it, where the final one
    /// was.
    held_out: Option<Evaluation>,
    /// The images as a network with frozen weights sees them, if that is not the input of the recipe.
    data: Option<ImageData>,
    /// Sections of the report.
    sections: Vec<Section>,
    /// What to be careful about.
    warnings: Vec<String>,
    /// Keys for `summary.json`.
    details: serde_json::Map<String, serde_json::Value>,
}

impl ImageClassification {
    /// Trains the folds and the final networks, and reports them.
    pub(in crate::vision) fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let mut gallery = Gallery::new(run.path());
        self.draw_training(&mut gallery);
        let mut warnings = Vec::new();
        let folds = cross_validate(run, &self.splits.folds, |part, splits| {
            self.fold(part, splits, device, options, &mut warnings)
        })?;
        let splits = &self.splits.splits;
        let fitted = self.fit(&Part::main(run), splits, device, options)?;
        self.save(run, &fitted)?;
        let valid = self.valid(&fitted, splits, device)?;
        let evaluation = self.evaluate_rows(&fitted, &splits.test, device)?;
        let test = evaluation.metrics();
        if self.splits.has_test {
            fitted.members.log_test(&test)?;
        }
        warnings.extend(fitted.warnings.iter().cloned());
        let mut baselines = self.baselines("", splits, options, &mut warnings);
        baselines.extend(self.scratch(splits, device, options, &mut warnings));
        let mut report = Report {
            run: run.clone(),
            parameters: fitted
                .ensemble
                .models
                .iter()
                .map(trainable_parameters)
                .sum(),
            seconds_per_item: self.seconds_per_image(&fitted, device)?,
            training: fitted.members.training,
            valid: valid.metrics(),
            test,
            sections: fitted.sections,
            appendix: Vec::new(),
            labels: self.data.classes.clone(),
            comparison: compare(&evaluation, &folds, &baselines),
            evaluation,
            folds,
            baselines,
            details: fitted.details,
            warnings,
        };
        let data = fitted.data.as_ref().unwrap_or(&self.data);
        self.draw_result(&mut gallery, &report, data, device);
        gallery.report(&mut report);
        Ok(report)
    }

    fn fold(
        &self,
        part: &Part,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
        warnings: &mut Vec<String>,
    ) -> Result<FoldReport, TaskError> {
        let fitted = self.fit(part, splits, device, options)?;
        let evaluation = self.evaluate_rows(&fitted, &splits.test, device)?;
        Ok(FoldReport {
            test: evaluation.metrics(),
            evaluation,
            baselines: self.baselines(&part.name, splits, options, warnings),
        })
    }

    /// Trains and calibrates the networks of a part of the run.
    fn fit(
        &self,
        part: &Part,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<Fitted, TaskError> {
        let normalize = if part.is_main() || self.pretrained.is_some() {
            self.normalize.clone()
        } else {
            let train = self.data.select(splits.train.clone())?;
            measure(&*train, self.data.shape()[2])?
        };
        let spec = self.spec(&normalize)?;
        let (mut held_out, mut data) = (None, None);
        let (mut sections, mut warnings) = (Vec::new(), Vec::new());
        let mut details = serde_json::Map::new();
        let members = train_members(part, self.recipe.ensemble, |mut job, member| {
            if let Some(weights) = self.frozen() {
                let fit = self.fit_head(&job, weights, splits, device, options)?;
                (held_out, data) = (Some(fit.valid), Some(fit.data));
                (sections, warnings) = (fit.sections, fit.warnings);
                details = fit.details;
                return Ok(fit.trained);
            }
            job.on_best = keep_best(part, member, &spec, |model: &Classifier<ImageModel>| {
                model.net.to_bytes()
            });
            self.fit_member(job, member, splits, &normalize, device, options)
        })?;
        let models = members.models.iter().map(|model| model.net.clone());
        let ensemble = ImageEnsemble {
            views: self.recipe.views(&normalize),
            ..ImageEnsemble::new(models.collect())
        };
        let mut fitted = Fitted {
            ensemble,
            normalize,
            members,
            held_out,
            data,
            sections,
            warnings,
            details,
        };
        if self.recipe.calibrate {
            let valid = self.valid(&fitted, splits, device)?;
            let classes = self.data.classes.len();
            let predictions = valid.predictions();
            let temperature = predictions.and_then(|valid| {
                Temperature::fit_probabilities(&valid.probabilities, classes, &valid.labels).ok()
            });
            fitted.ensemble.temperature = temperature.unwrap_or_default();
        }
        Ok(fitted)
    }

    fn fit_member(
        &self,
        job: Job<Classifier<ImageModel>>,
        member: usize,
        splits: &Splits,
        normalize: &Normalize,
        device: &Device,
        options: &mut Options,
    ) -> Result<Trained<Classifier<ImageModel>>, TaskError> {
        let mut config = self.recipe.train_config();
        config.train.seed += member as u64;
        let stage = job.stage.clone();
        let model = match &self.pretrained {
            Some(weights) => {
                self.pretrained(config.train.seed, weights, &stage, splits, device, options)?
            }
            None => self.untrained(config.train.seed, &splits.train, device)?,
        };
        let rates = self.rates(&model);
        let batches = LoaderConfig::train(config.train.batch_size, config.train.seed)
            .with_workers(config.train.workers);
        let collate = ImageCollate::train(normalize.clone(), self.recipe.augment.clone());
        let train = self.data.select(splits.train.clone())?;
        let mut loader = Loader::new(train, collate, batches, device)?;
        if config.train.balanced_sampling {
            loader = loader.balanced(self.labels(&splits.train));
        }
        let valid = self.data.select(splits.valid.clone())?;
        let valid = eval_loader(&valid, normalize, config.train.workers, device)?;
        let identity = self.identity(&job.stage.name)?;
        let trainer = job.trainer(config, identity, options).learning_rates(rates);
        Ok(trainer.fit(model, loader, valid, |training| {
            training.metrics((AccuracyMetric::new(),))
        })?)
    }

    /// An untrained network with its loss, whose class weights are those of the training images.
    fn untrained(
        &self,
        seed: u64,
        train: &[usize],
        device: &Device,
    ) -> Result<Classifier<ImageModel>, TaskError> {
        let (shape, classes) = (self.data.shape(), self.data.classes.len());
        let device = device.clone().autodiff();
        let net = init_seeded(seed, &device, || {
            self.recipe.model.init(shape, classes, &device)
        })?;
        Ok(self.classifier(net, train))
    }

    /// A network with its loss.
    pub(super) fn classifier(&self, net: ImageModel, train: &[usize]) -> Classifier<ImageModel> {
        let weights = self.class_weights(train);
        Classifier::new(net, self.recipe.loss.clone()).with_class_weights(weights)
    }

    /// The weight of each class in the loss; empty for equal ones.
    pub(super) fn class_weights(&self, train: &[usize]) -> Vec<f32> {
        match self.recipe.loss.class_weights {
            ClassWeights::None => Vec::new(),
            ClassWeights::Balanced => {
                ClassWeights::Balanced.of(self.labels(train), self.data.classes.len())
            }
        }
    }

    /// The images as the networks see them.
    fn data_of<'a>(&'a self, fitted: &'a Fitted) -> &'a ImageData {
        fitted.data.as_ref().unwrap_or(&self.data)
    }

    /// The predictions for the validation split.
    fn valid(
        &self,
        fitted: &Fitted,
        splits: &Splits,
        device: &Device,
    ) -> Result<Evaluation, TaskError> {
        match &fitted.held_out {
            Some(valid) => Ok(valid.clone()),
            None => self.evaluate_rows(fitted, &splits.valid, device),
        }
    }

    fn labels(&self, rows: &[usize]) -> Vec<usize> {
        let labels = rows.iter().map(|&row| self.data.labels[row]);
        labels.map(usize::from).collect()
    }

    fn evaluate_rows(
        &self,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
    ) -> Result<Evaluation, TaskError> {
        let images = self.data_of(fitted).select(rows.to_vec())?;
        let workers = self.recipe.train.workers;
        let loader = eval_loader(&images, &fitted.normalize, workers, &device.clone().inner())?;
        Ok(Evaluation::Classes(predict_all(&fitted.ensemble, &loader)?))
    }

    /// The time to decode, normalize and classify one image alone, in s.
    fn seconds_per_image(&self, fitted: &Fitted, device: &Device) -> Result<f64, TaskError> {
        let device = device.clone().inner();
        let images = &self.data_of(fitted).images;
        seconds_per_item(self.splits.timed(TIMED_IMAGES), |&row| {
            let item = images.get(row).map_err(DataError::Image)?;
            let batch = fitted.normalize.batch(&[item.image], &device);
            fitted.ensemble.probabilities(&batch)?;
            Ok(())
        })
    }

    /// Classical methods on the same split, if they are wanted.
    #[cfg(feature = "baseline")]
    fn baselines(
        &self,
        part: &str,
        splits: &Splits,
        options: &Options,
        warnings: &mut Vec<String>,
    ) -> Vec<BaselineReport> {
        // At the size of published weights, pixels are too many for a regression.
        let most = self.pretrained.as_ref().map_or(usize::MAX, |_| PIXELS_SIDE);
        let fitted = baseline(options.baselines, part, warnings, |_| {
            super::baseline::logistic_regression(&self.data, splits, most)
        });
        fitted.into_iter().collect()
    }

    /// The network of published weights from scratch, if baselines are wanted.
    #[cfg(feature = "baseline")]
    fn scratch(
        &self,
        splits: &Splits,
        device: &Device,
        options: &Options,
        warnings: &mut Vec<String>,
    ) -> Option<BaselineReport> {
        if !options.baselines || self.pretrained.is_none() {
            return None;
        }
        match self.scratch_baseline(splits, device, options) {
            Ok(baseline) => Some(baseline),
            Err(error) => {
                warnings.push(format!("cannot train the baseline from scratch: {error}"));
                None
            }
        }
    }

    #[cfg(not(feature = "baseline"))]
    #[expect(clippy::unused_self, reason = "as with baselines")]
    fn scratch(
        &self,
        _: &Splits,
        _: &Device,
        _: &Options,
        _: &mut Vec<String>,
    ) -> Option<BaselineReport> {
        None
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

    fn save(&self, run: &RunDir, fitted: &Fitted) -> Result<(), TaskError> {
        let spec = ImageClassifierSpec {
            temperature: fitted.ensemble.temperature,
            input: self.data_of(fitted).decode.clone(),
            ..self.spec(&fitted.normalize)?
        };
        let models = fitted.ensemble.models.iter();
        save(run, models.map(ImageModel::to_bytes), &spec)
    }

    fn identity(&self, stage: &str) -> Result<String, TaskError> {
        let mut recipe = self.recipe.clone();
        if let Some(path) = recipe.data.path_mut() {
            path.clear();
        }
        if let Some(transfer) = &mut recipe.transfer {
            transfer.weights.clear();
        }
        recipe.train = recipe.train.identity();
        recipe.metrics = MetricsOptions::default();
        identity(&recipe, &self.list, stage)
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_train::overlay::reread;

    use crate::vision::classify::Recipe;
    use crate::vision::transfer::TransferCrop;

    #[test]
    fn a_recipe_without_newer_keys_is_read_as_it_was_meant() {
        let newer = [
            "average_flip = false\n",
            "average_shift = 0\n",
            "early_pooling = false\n",
            "crop = \"center\"\n",
        ];
        for (name, keys) in [("digits", &newer[..3]), ("transfer", &newer[3..])] {
            let mut recipe = Recipe::builtin(name).unwrap();
            recipe.average_flip = false;
            if let Some(transfer) = &mut recipe.transfer {
                transfer.crop = TransferCrop::Center;
            }
            let text = toml::to_string(&recipe).unwrap();
            let old = keys.iter().fold(text.clone(), |old, key| {
                assert!(old.contains(key), "{name}: {key}");
                old.replacen(key, "", 1)
            });
            assert_eq!(reread::<Recipe>(&old).unwrap(), text, "{name}");
            recipe.average_flip = true;
            let other = toml::to_string(&recipe).unwrap();
            assert_ne!(reread::<Recipe>(&old).unwrap(), other, "{name}");
        }
    }
}
