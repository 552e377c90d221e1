//! Evaluation of an image classifier.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::Dataset;
use burn::tensor::{Device, Tensor};
use tinderbox_datasets::image::LabeledImage;
use tinderbox_datasets::loader::{Loader, LoaderConfig, LoaderError};
use tinderbox_predict::PredictError;
use tinderbox_predict::vision::{ImageClassifier, ImageEnsemble, Normalize};
use tinderbox_train::TaskError;
use tinderbox_train::classify::LabeledBatch;
use tinderbox_train::metrics::{Evaluation, Predictions};
use tinderbox_train::task::{EvalReport, EvalRequest};

use super::Recipe;
use crate::vision::batch::ImageCollate;
use crate::vision::data::{DataError, ImageData, open, open_other};
use crate::vision::eval_rows::{EvalRows, TrainingData};
use crate::vision::source::Data;
use crate::vision::splits::ImageSplits;

/// Batches of images with their classes, in their order and unchanged.
pub(super) fn eval_loader(
    images: &Arc<dyn Dataset<LabeledImage>>,
    normalize: &Normalize,
    workers: usize,
    device: &Device,
) -> Result<Loader<LabeledImage, LabeledBatch<Tensor<4>>>, LoaderError> {
    let collate = ImageCollate::eval(normalize.clone());
    let first = if images.is_empty() {
        None
    } else {
        images.get(0).ok()
    };
    let shape = first.map_or([0; 3], |item| {
        [item.image.height, item.image.width, item.image.channels]
    });
    let config = LoaderConfig::eval(ImageEnsemble::batch_size(shape)).with_workers(workers);
    Loader::new(Arc::clone(images), collate, config, device)
}

/// The predictions for all batches, with the classes.
pub(super) fn predict_all(
    ensemble: &ImageEnsemble,
    batches: &dyn DataLoader<LabeledBatch<Tensor<4>>>,
) -> Result<Predictions, TaskError> {
    let mut predictions = Predictions::default();
    for batch in batches.iter() {
        let LabeledBatch { inputs, labels, .. } = batch.map_err(DataError::Image)?;
        let probabilities = ensemble.probabilities(&inputs)?;
        let labels = labels
            .try_into_vec_as::<i64>()
            .map_err(PredictError::device)?;
        let classes = probabilities.len() / labels.len().max(1);
        let labels = labels.into_iter().map(|label| label as usize);
        predictions.extend(classes, &probabilities, labels);
    }
    Ok(predictions)
}

/// Evaluates a stored split of the data that the model was trained on, or all images of other data.
///
/// Of other data with a split of this name, only the split is evaluated.
pub(in crate::vision) fn evaluate(
    model: &ImageClassifier,
    request: &EvalRequest<'_, Recipe>,
) -> Result<EvalReport, TaskError> {
    let training: TrainingData<Data> =
        serde_json::from_value(model.spec().training.clone()).map_err(TaskError::user)?;
    let recipe = request.recipe.map(|recipe| (&recipe.data, &recipe.split));
    let training = training.of_recipe(recipe);
    let data = open_for(model, &training.data, request.data)?;
    let chosen = EvalRows::choose(
        request,
        &data.items(),
        &data.named,
        &training.digest,
        || ImageSplits::new(&data, &training.split),
    )?;
    let images = data.select(chosen.rows)?;
    let loader = eval_loader(&images, &model.spec().normalize, 1, model.device())?;
    let mut predictions = predict_all(model.ensemble(), &loader)?;
    predictions.threshold = model.threshold();
    Ok(EvalReport {
        evaluation: Evaluation::Classes(predictions),
        labels: model.labels().to_vec(),
        source: chosen.source,
        notes: data.all_notes(),
        scope: chosen.scope,
    })
}

/// Opens the images that a model was trained on, or others.
fn open_for(
    model: &ImageClassifier,
    source: &Data,
    other: Option<&Path>,
) -> Result<ImageData, DataError> {
    let own = match source {
        Data::ImageFolder { path, .. } if !path.is_empty() => Some(Path::new(path)),
        _ => None,
    };
    let data = match other.or(own) {
        Some(path) => open_other(
            path,
            &model.spec().input,
            model.labels(),
            source.skip_broken(),
        )?,
        None => open(source)?,
    };
    let (found, expected) = (data.shape(), model.spec().shape());
    if found != expected {
        return Err(DataError::Shape { found, expected });
    }
    if data.classes != model.labels() {
        return Err(DataError::Classes {
            found: data.classes,
            expected: model.labels().to_vec(),
        });
    }
    Ok(data)
}
