//! Evaluation of a detector, at the size of the photos.

use tinderbox_datasets::image::{Detection, GroupBy, Image};
use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::{DetectionNetwork, Detector};
use tinderbox_train::metrics::{DetectionScores, Evaluation, image_f1};
use tinderbox_train::task::{EvalReport, EvalRequest};
use tinderbox_train::{MonitorMode, TaskError};

use super::data::{BoxedImage, BoxedImages};
use super::recipe::{BoxData, DetectionRecipe};
use super::splits_of;
use crate::vision::eval_rows::{EvalRows, TrainingData, set_path};

/// Photos that are in memory at a time.
const BATCH: usize = 16;

/// Lowest score of a detection that counts for average precision.
pub(super) const LEAST_SCORE: f32 = 0.001;

/// Lowest score of an object until the validation split has chosen another one.
pub(super) const THRESHOLD: f32 = 0.3;

/// The result on some photos.
pub(super) struct Evaluated {
    pub(super) scores: DetectionScores,
    /// Row of each photo with what was found.
    pub(super) photos: Vec<(usize, Vec<Detection>)>,
}

/// How photos are searched and compared.
pub(super) struct Evaluator<'a> {
    pub(super) network: &'a DetectionNetwork,
    pub(super) data: &'a BoxedImages,
}

impl Evaluator<'_> {
    /// Finds the objects in photos at their own size and compares with their boxes.
    pub(super) fn rows(&self, rows: &[usize]) -> Result<Evaluated, TaskError> {
        Evaluated::new(self.data, rows, |images| {
            Ok(self.network.detect(images, LEAST_SCORE)?)
        })
    }
}

impl Evaluated {
    /// Compares what `detect` finds in photos at their own size with their boxes.
    pub(super) fn new(
        data: &BoxedImages,
        rows: &[usize],
        detect: impl Fn(&[Image]) -> Result<Vec<Vec<Detection>>, TaskError>,
    ) -> Result<Self, TaskError> {
        let mut scores = DetectionScores::new(data.classes().len());
        let mut photos = Vec::with_capacity(rows.len());
        for rows in rows.chunks(BATCH) {
            let samples = parallel_map(rows, |&row| data.images.full(row));
            let samples: Vec<BoxedImage> = samples
                .into_iter()
                .collect::<Result<_, _>>()
                .map_err(TaskError::user)?;
            let (images, truths): (Vec<Image>, Vec<_>) = samples
                .into_iter()
                .map(|sample| (sample.image, sample.target))
                .unzip();
            let found = detect(&images)?;
            for ((&row, truth), found) in rows.iter().zip(truths).zip(found) {
                scores.add(&found, &truth);
                photos.push((row, found));
            }
        }
        Ok(Self { scores, photos })
    }

    /// The lowest score of an object with the best F1 on these photos.
    pub(super) fn threshold(&self) -> f32 {
        let best = self.scores.best_threshold();
        best.map_or(THRESHOLD, |best| best.threshold)
    }

    /// The metrics; precision, recall and F1 are those at the threshold of the model.
    pub(super) fn evaluation(&self, labels: &[String], threshold: f32) -> Evaluation {
        let mut metrics = self.scores.metrics(labels);
        if let Some(point) = self.scores.at_threshold(threshold) {
            metrics.extend([
                ("threshold".to_owned(), f64::from(point.threshold)),
                ("precision".to_owned(), point.precision),
                ("recall50".to_owned(), point.recall),
                ("f1_micro".to_owned(), point.f1),
            ]);
        }
        Evaluation::Other {
            metrics,
            items: self.photos.len(),
            headline: ("map50", MonitorMode::Max),
        }
    }

    /// The photos with their F1 at a threshold, the worst first.
    pub(super) fn ranked(&self, data: &BoxedImages, threshold: f32) -> Vec<(usize, f64)> {
        let photos = self.photos.iter();
        let photos = photos.map(|(row, found)| {
            let truth = data.images.truth(*row);
            (*row, image_f1(found, &truth, threshold))
        });
        let mut photos: Vec<(usize, f64)> = photos.collect();
        photos.sort_by(|a, b| a.1.total_cmp(&b.1));
        photos
    }
}

/// Evaluates a stored split of the data that the model was trained on, or all photos of other data.
pub(in crate::vision) fn evaluate(
    model: &Detector,
    request: &EvalRequest<'_, DetectionRecipe>,
) -> Result<EvalReport, TaskError> {
    let training: TrainingData<BoxData> =
        serde_json::from_value(model.spec().training.clone()).map_err(TaskError::user)?;
    let recipe = request.recipe.map(|recipe| (&recipe.data, &recipe.split));
    let mut training = training.of_recipe(recipe);
    if set_path(request, &mut training.data.path)? {
        // Groups matter only where the training data is split.
        training.data.group_by = GroupBy::Image;
    }
    model.labels().clone_into(&mut training.data.classes);
    let data = BoxedImages::open(&training.data)?;
    let chosen = EvalRows::choose(
        request,
        &data.items(),
        &data.named,
        &training.digest,
        || splits_of(&data, &training.split),
    )?;
    let labels = model.labels();
    let evaluator = Evaluator {
        network: model.network(),
        data: &data,
    };
    let evaluated = evaluator.rows(&chosen.rows)?;
    Ok(EvalReport {
        evaluation: evaluated.evaluation(labels, model.spec().threshold),
        labels: labels.to_vec(),
        source: chosen.source,
        notes: data.notes(),
        scope: chosen.scope,
    })
}
