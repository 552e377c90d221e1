//! Training that starts from published weights.

use std::time::Instant;

use burn::tensor::Device;
use serde_json::{Map, Value, json};
use tinderbox_datasets::image::DecodeOptions;
use tinderbox_predict::vision::{ImageModel, PublishedModel};
use tinderbox_train::classify::Classifier;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run_options::{Job, Stage};
use tinderbox_train::{
    ConfigError, DirectFit, Options, Splits, TaskError, Timings, Trained, init_seeded,
};

use super::{ImageClassification, Recipe};
use crate::vision::transfer::{
    Extractor, Features, Probe, ProbeOptions, Transfer, TransferMode, layer_rates, resolve_input,
    resolve_model,
};

/// Opens the weights of a recipe, if it has any, and brings its network and its images to theirs.
pub(super) fn open(
    recipe: &mut Recipe,
) -> Result<Option<(PublishedModel, DecodeOptions)>, TaskError> {
    let Some(transfer) = &mut recipe.transfer else {
        return Ok(None);
    };
    let weights = transfer.open()?;
    resolve_model(&mut recipe.model, &weights)?;
    let decode = resolve_input(&mut recipe.data, &weights)?;
    Ok(Some((weights, decode)))
}

/// Chooses the mode of a recipe by its training images; gives lines for the user.
pub(super) fn resolve(
    recipe: &mut Recipe,
    weights: Option<&PublishedModel>,
    images: usize,
) -> Result<Vec<String>, TaskError> {
    let (Some(transfer), Some(weights)) = (&mut recipe.transfer, weights) else {
        return Ok(Vec::new());
    };
    let mut notes = weights.notes.clone();
    notes.extend(transfer.resolve_mode(images));
    if transfer.mode == TransferMode::Frozen {
        if recipe.ensemble > 1 {
            let expected = "1 with `transfer.mode` `frozen`, whose networks would be equal";
            return Err(ConfigError::new("ensemble", recipe.ensemble, expected).into());
        }
        notes.push(
            "mode `frozen`: once its penalty is chosen, the last layer is fitted to the training and \
             validation images; the validation metrics are of a fit without them"
                .to_owned(),
        );
    }
    Ok(notes)
}

/// A fitted last layer.
pub(super) struct HeadFit {
    pub(super) trained: Trained<Classifier<ImageModel>>,
    /// The predictions for the validation split of a fit without it.
    pub(super) valid: Evaluation,
    pub(super) warnings: Vec<String>,
    /// Keys for `summary.json`.
    pub(super) details: Map<String, Value>,
}

impl ImageClassification {
    fn transfer(&self) -> Option<&Transfer> {
        self.recipe.transfer.as_ref()
    }

    fn mode(&self) -> Option<TransferMode> {
        self.transfer().map(|transfer| transfer.mode)
    }

    /// The weights, if only the last layer is trained.
    pub(super) fn frozen(&self) -> Option<&PublishedModel> {
        let weights = self.pretrained.as_ref()?;
        (self.mode() == Some(TransferMode::Frozen)).then_some(weights)
    }

    /// The factors of the learning rate by part of the network.
    pub(super) fn rates(&self, model: &Classifier<ImageModel>) -> Vec<(String, f64)> {
        match self.transfer() {
            Some(transfer) if transfer.mode == TransferMode::Staged => {
                layer_rates(model, transfer.layer_decay)
            }
            _ => Vec::new(),
        }
    }

    /// The published network before its training as a whole, with its last layer.
    pub(super) fn pretrained(
        &self,
        seed: u64,
        weights: &PublishedModel,
        stage: &Stage,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<Classifier<ImageModel>, TaskError> {
        let device = device.clone().autodiff();
        let classes = self.data.classes.len();
        let mut net = init_seeded(seed, &device, || weights.with_classes(classes, &device))
            .map_err(TaskError::user)?;
        if self.mode() == Some(TransferMode::Staged) {
            let [train] = self
                .features(weights, stage, [&splits.train], &device, options)?
                .0;
            let class_weights = self.class_weights(&splits.train);
            let options = self.probe(&class_weights);
            let l2 = options.choose_l2(&train)?;
            let probe = options.fit(&train, l2)?;
            set_head(&mut net, &probe, &device);
        }
        Ok(self.classifier(net, &splits.train))
    }

    /// Fits the last layer of the published network to the training and validation split.
    pub(super) fn fit_head(
        &self,
        job: &Job<Classifier<ImageModel>>,
        weights: &PublishedModel,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<HeadFit, TaskError> {
        if self.recipe.average_flip {
            // The validation split is predicted from features of images as they are.
            let reason = "`average_flip` needs `transfer.mode` to be `staged` or `full`";
            return Err(TaskError::user(reason));
        }
        let log = DirectFit::start(&job.dir)?;
        let started = Instant::now();
        let rows = [&splits.train[..], &splits.valid];
        let ([train, valid], warnings) =
            self.features(weights, &job.stage, rows, device, options)?;
        let data_s = started.elapsed().as_secs_f64();
        let class_weights = self.class_weights(&splits.train);
        let probe = self.probe(&class_weights);
        let both = train.and(&valid);
        let l2 = probe.choose_l2(&both)?;
        let held_out = probe.fit(&train, l2)?;
        let evaluations =
            [&train, &valid].map(|features| Evaluation::Classes(held_out.predict_all(features)));
        let head = probe.fit(&both, l2)?;
        let device = device.clone().inner();
        let mut net = weights.load(&device).map_err(TaskError::user)?;
        set_head(&mut net, &head, &device);
        let timings = Timings {
            data_s,
            compute_s: started.elapsed().as_secs_f64() - data_s,
            ..Timings::default()
        };
        let model = self.classifier(net, &splits.train);
        let metrics = evaluations.each_ref().map(Evaluation::metrics);
        let trained = log.finish(model, both.len(), timings, metrics)?;
        let [_, valid] = evaluations;
        let details = json!({"architecture": weights.architecture, "l2": l2, "features_s": data_s});
        Ok(HeadFit {
            trained,
            valid,
            warnings,
            details: Map::from_iter([("transfer".to_owned(), details)]),
        })
    }

    fn probe<'a>(&'a self, class_weights: &'a [f32]) -> ProbeOptions<'a> {
        ProbeOptions {
            classes: &self.data.classes,
            l2: self.transfer().map_or(0.0, |transfer| transfer.l2),
            label_smoothing: self.recipe.loss.label_smoothing,
            class_weights,
            seed: self.recipe.train.seed,
        }
    }

    /// The features of some splits, with what to be careful about.
    fn features<const N: usize>(
        &self,
        weights: &PublishedModel,
        stage: &Stage,
        splits: [&[usize]; N],
        device: &Device,
        options: &mut Options,
    ) -> Result<([Features; N], Vec<String>), TaskError> {
        let flip = self.transfer().is_some_and(|transfer| transfer.flip);
        let interrupter = options.interrupter.clone();
        let mut extractor = Extractor::new(weights, &self.data, device, interrupter)?;
        let mut renderer = (options.renderer)(stage);
        renderer.start(1, 1, None, None);
        renderer.start_split("features", splits.iter().map(|rows| rows.len()).sum());
        let (mut all, mut before) = (Vec::new(), 0);
        for rows in splits {
            let features =
                extractor.features(rows, flip, |done| renderer.update_split(before + done))?;
            before += rows.len();
            all.push(features);
        }
        renderer.end_split();
        renderer.end();
        let mut all = all.into_iter();
        let all = std::array::from_fn(|_| all.next().unwrap_or_default());
        Ok((all, extractor.warning().into_iter().collect()))
    }
}

fn set_head(net: &mut ImageModel, probe: &Probe, device: &Device) {
    if let Some(backbone) = net.backbone_mut() {
        backbone.set_classifier(probe.layer(device));
    }
}
