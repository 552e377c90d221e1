//! Evaluation of landmarks, in the pixels of the images.

use tinderbox_datasets::image::{GroupBy, Image};
use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::{CropFrame, Landmarker};
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::task::{EvalReport, EvalRequest};
use tinderbox_train::{Metrics, MonitorMode, TaskError};

use super::data::{Face, Faces, normalized_error};
use super::recipe::{LandmarkData, LandmarkRecipe};
use crate::vision::eval_rows::{EvalRows, TrainingData, set_path};

/// Faces that are in memory at a time.
const BATCH: usize = 32;

/// The normalized mean error above which a face counts as a failure.
const FAILURE: f64 = 0.1;

/// The result on some faces.
#[derive(Clone, Debug, Default)]
pub(super) struct Evaluated {
    /// Row of each face with the points that were found and their normalized mean error.
    pub(super) faces: Vec<(usize, Vec<[f32; 2]>, f64)>,
    /// The normalized mean errors of faces that were searched in their whole image.
    whole: Vec<f64>,
}

impl Evaluated {
    /// Finds the points of faces in the crops around their true points.
    pub(super) fn rows(
        model: &Landmarker,
        data: &Faces,
        rows: &[usize],
    ) -> Result<Self, TaskError> {
        let margin = model.spec().input.margin;
        let mut evaluated = Self::default();
        for rows in rows.chunks(BATCH) {
            let samples = parallel_map(rows, |&row| data.images.sample(row));
            let samples: Vec<Face> = samples
                .into_iter()
                .collect::<Result<_, _>>()
                .map_err(TaskError::user)?;
            let crops: Vec<(&Image, CropFrame)> = samples
                .iter()
                .map(|face| (&face.image, CropFrame::around_points(&face.target, margin)))
                .collect();
            let found = model.find(&crops)?;
            for ((&row, face), found) in rows.iter().zip(&samples).zip(found) {
                evaluated.add(row, found, &face.target);
            }
        }
        Ok(evaluated)
    }

    /// The same, and again without the box: searched in the whole image, as `predict` does.
    pub(super) fn with_whole(
        model: &Landmarker,
        data: &Faces,
        rows: &[usize],
    ) -> Result<Self, TaskError> {
        let mut evaluated = Self::rows(model, data, rows)?;
        for &row in rows {
            let face = data.images.sample(row).map_err(TaskError::user)?;
            let found = model.locate(&face.image, None)?;
            evaluated.whole.push(normalized_error(&found, &face.target));
        }
        Ok(evaluated)
    }

    /// Adds a face.
    pub(super) fn add(&mut self, row: usize, found: Vec<[f32; 2]>, truth: &[[f32; 2]]) {
        let error = normalized_error(&found, truth);
        self.faces.push((row, found, error));
    }

    /// The metrics.
    pub(super) fn evaluation(&self) -> Evaluation {
        let mut errors: Vec<f64> = self.faces.iter().map(|(_, _, error)| *error).collect();
        errors.sort_by(f64::total_cmp);
        let count = errors.len().max(1) as f64;
        let failures = errors.iter().filter(|error| **error > FAILURE).count();
        let mut metrics = Metrics::from([
            ("nme".to_owned(), errors.iter().sum::<f64>() / count),
            (
                "median_nme".to_owned(),
                errors.get(errors.len() / 2).copied().unwrap_or(0.0),
            ),
            ("failure_rate".to_owned(), failures as f64 / count),
        ]);
        if !self.whole.is_empty() {
            let mean = self.whole.iter().sum::<f64>() / self.whole.len() as f64;
            metrics.insert("nme_whole_image".to_owned(), mean);
        }
        Evaluation::Other {
            metrics,
            items: self.faces.len(),
            headline: ("nme", MonitorMode::Min),
        }
    }

    /// The faces, the worst first.
    pub(super) fn ranked(mut self) -> Self {
        self.faces.sort_by(|a, b| b.2.total_cmp(&a.2));
        self
    }
}

/// Evaluates a stored split of the data that the model was trained on, or all faces of other data.
pub(in crate::vision) fn evaluate(
    model: &Landmarker,
    request: &EvalRequest<'_, LandmarkRecipe>,
) -> Result<EvalReport, TaskError> {
    let training: TrainingData<LandmarkData> =
        serde_json::from_value(model.spec().training.clone()).map_err(TaskError::user)?;
    let recipe = request.recipe.map(|recipe| (&recipe.data, &recipe.split));
    let mut training = training.of_recipe(recipe);
    if set_path(request, &mut training.data.path)? {
        // Groups matter only where the training data is split.
        training.data.group_by = GroupBy::Image;
        training.data.extra.clear();
    }
    training.data.points = model.spec().input.points;
    let data = Faces::open(&training.data)?;
    let chosen = EvalRows::choose(
        request,
        &data.items(),
        &data.named,
        &training.digest,
        || data.splits(&training.split, training.data.group_by),
    )?;
    let evaluated = Evaluated::with_whole(model, &data, &chosen.rows)?;
    Ok(EvalReport {
        evaluation: evaluated.evaluation(),
        labels: Vec::new(),
        source: chosen.source,
        notes: data.notes.clone(),
        scope: chosen.scope,
    })
}
