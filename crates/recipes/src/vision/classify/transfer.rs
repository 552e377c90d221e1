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
    ConfigError, DirectFit, Options, Section, Splits, TaskError, Timings, Trained, init_seeded,
};

use super::{ImageClassification, Recipe};
use crate::vision::data::ImageData;
use crate::vision::transfer::{
    Choice, Extractor, Features, Probe, ProbeOptions, Transfer, TransferCrop, TransferMode,
    layer_rates, resolve_input, resolve_model,
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
        let ignored = [
            (recipe.train.sync_batch_norm, "sync_batch_norm"),
            (!recipe.train.budget.is_empty(), "budget"),
        ];
        for (_, key) in ignored.into_iter().filter(|(is_set, _)| *is_set) {
            notes.push(format!(
                "`train.{key}` has no effect in mode `frozen`: only the last layer is fitted, at once"
            ));
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
    /// The images, brought to the input that was chosen.
    pub(super) data: ImageData,
    /// How that input was chosen, if there was a choice.
    pub(super) sections: Vec<Section>,
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
            let rows = [&splits.train[..]];
            let ([train], _) = self.features(weights, &self.data, stage, rows, &device, options)?;
            let class_weights = self.class_weights(&splits.train);
            let options = self.probe(&class_weights);
            let choice = options.choose(std::slice::from_ref(&train))?;
            let probe = options.fit(&train, choice.scaling, choice.l2)?;
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
        let Recipe {
            average_flip,
            average_shift,
            ..
        } = self.recipe;
        let averages = [
            ("average_flip", average_flip),
            ("average_shift", average_shift > 0),
        ];
        if let Some((key, _)) = averages.into_iter().find(|(_, is_on)| *is_on) {
            // The validation split is predicted from features of images as they are.
            let reason = format!("`{key}` needs `transfer.mode` to be `staged` or `full`");
            return Err(TaskError::user(reason));
        }
        let log = DirectFit::start(&job.dir)?;
        let started = Instant::now();
        let rows = [&splits.train[..], &splits.valid];
        let crop = self.transfer().map(|transfer| transfer.crop);
        let (mut inputs, mut parts, mut both) = (Vec::new(), Vec::new(), Vec::new());
        let mut warnings = Vec::new();
        for (crop, decode) in crop.unwrap_or_default().inputs(&self.data.decode) {
            let data = self.data.with_decode(decode)?;
            let (features, warning) =
                self.features(weights, &data, &job.stage, rows, device, options)?;
            inputs.push((crop, data));
            both.push(features[0].and(&features[1]));
            parts.push(features);
            warnings = warning;
        }
        let data_s = started.elapsed().as_secs_f64();
        let class_weights = self.class_weights(&splits.train);
        let probe = self.probe(&class_weights);
        let choice = probe.choose(&both)?;
        let sections = crop_chosen(&inputs, &choice).into_iter().collect();
        let Choice {
            kind,
            scaling,
            l2,
            losses,
        } = choice;
        let losses: Map<String, Value> = inputs
            .iter()
            .zip(losses)
            .map(|((crop, _), loss)| (crop.name().to_owned(), loss.into()))
            .collect();
        let (crop, data) = inputs.swap_remove(kind);
        let held_out = probe.fit(&parts[kind][0], scaling, l2)?;
        let evaluations = parts[kind]
            .each_ref()
            .map(|features| Evaluation::Classes(held_out.predict_all(features)));
        let head = probe.fit(&both[kind], scaling, l2)?;
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
        let trained = log.finish(model, both[kind].len(), timings, metrics)?;
        let [_, valid] = evaluations;
        let details = json!({
            "architecture": weights.architecture,
            "crop": crop.name(),
            "input": [data.decode.height, data.decode.width],
            "scaling": scaling.name(),
            "l2": l2,
            "cross_validated_loss": losses,
            "features_s": data_s,
        });
        Ok(HeadFit {
            trained,
            valid,
            data,
            sections,
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
        data: &ImageData,
        stage: &Stage,
        splits: [&[usize]; N],
        device: &Device,
        options: &mut Options,
    ) -> Result<([Features; N], Vec<String>), TaskError> {
        let flip = self.transfer().is_some_and(|transfer| transfer.flip);
        let interrupter = options.interrupter.clone();
        let mut extractor = Extractor::new(weights, data, device, interrupter)?;
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

/// Which part of the images was chosen, and by what.
fn crop_chosen(inputs: &[(TransferCrop, ImageData)], choice: &Choice) -> Option<Section> {
    let [center, whole] = choice.losses[..] else {
        return None;
    };
    let (own, other) = (center.min(whole), center.max(whole));
    let (crop, data) = &inputs[choice.kind];
    let (part, rejected) = match crop {
        TransferCrop::Whole => ("the whole shorter side", "the center"),
        TransferCrop::Auto | TransferCrop::Center => ("the center", "the whole shorter side"),
    };
    let [height, width, _] = data.shape();
    Some(Section::text(format!(
        "The network sees {part} of an image, {height}x{width} pixels (`transfer.crop`): the loss in \
         cross-validation is {own:.4}, and {other:.4} with {rejected}."
    )))
}

fn set_head(net: &mut ImageModel, probe: &Probe, device: &Device) {
    if let Some(backbone) = net.backbone_mut() {
        backbone.set_classifier(probe.layer(device));
    }
}
