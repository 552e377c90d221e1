//! Evaluation of a segmentation model, at the size of the photos.

use tinderbox_datasets::image::{Image, Mask};
use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::{Probabilities, SegmentationEnsemble, Segmented, Segmenter};
use tinderbox_train::metrics::{Estimate, Evaluation, MembraneScores, SegmentationScores};
use tinderbox_train::task::{EvalReport, EvalRequest};
use tinderbox_train::{Metrics, MonitorMode, TaskError};

use super::data::MaskedImages;
use super::recipe::SegmentationRecipe;
use super::{MaskTraining, splits_of};
use crate::vision::eval_rows::{EvalRows, set_path};

/// Photos that are in memory at a time.
const BATCH: usize = 16;

/// The result on some photos.
pub(super) struct Evaluated {
    pub(super) evaluation: Evaluation,
    /// Row and intersection over union of each photo, the worst first.
    pub(super) photos: Vec<(usize, f64)>,
    /// The metric that models are compared by, with the influence of each photo.
    pub(super) estimate: Option<Estimate>,
}

/// Finds the classes of the pixels of photos.
pub(super) trait PixelModel: Sync {
    /// The probabilities of the classes at the resolution of the network.
    fn probabilities(&self, images: &[Image]) -> Result<Vec<Probabilities>, TaskError>;
}

impl PixelModel for SegmentationEnsemble {
    fn probabilities(&self, images: &[Image]) -> Result<Vec<Probabilities>, TaskError> {
        Ok(self.probabilities(images)?)
    }
}

/// How photos are segmented and compared.
pub(super) struct Evaluator<'a> {
    pub(super) model: &'a dyn PixelModel,
    pub(super) data: &'a MaskedImages,
    pub(super) labels: &'a [String],
    pub(super) refine: bool,
    pub(super) separate_objects: bool,
}

/// The scores of one or more photos.
struct Scores {
    pixels: SegmentationScores,
    objects: Option<MembraneScores>,
}

impl Evaluator<'_> {
    /// Segments photos at their own size and compares with their masks.
    pub(super) fn rows(&self, rows: &[usize]) -> Result<Evaluated, TaskError> {
        let mut total = self.scores();
        let (mut photos, mut sum) = (Vec::new(), 0.0);
        // Of two classes the foreground counts, of more their mean.
        let (first, headline) = match self.labels.len() {
            2 => (1, "iou"),
            _ => (0, "mean_iou"),
        };
        let mut ratios = vec![Vec::new(); self.labels.len() - first];
        for rows in rows.chunks(BATCH) {
            let samples = parallel_map(rows, |&row| self.data.pairs.full(row));
            let samples: Vec<_> = samples
                .into_iter()
                .collect::<Result<_, _>>()
                .map_err(TaskError::user)?;
            let images: Vec<_> = samples.iter().map(|sample| sample.image.clone()).collect();
            let found = self.model.probabilities(&images)?;
            let segmented = parallel_map(samples.iter().zip(found), |(sample, found)| {
                found.segment(&sample.image, self.refine)
            });
            for ((&row, sample), segmented) in rows.iter().zip(&samples).zip(segmented) {
                let mut own = self.scores();
                own.pixels.add(&segmented.mask, &sample.target);
                let iou = foreground_mean(&own.pixels.iou());
                sum += iou;
                photos.push((row, iou));
                let parts = own.pixels.intersections_and_unions().into_iter();
                for (ratio, parts) in ratios.iter_mut().zip(parts.skip(first)) {
                    ratio.push(parts);
                }
                total.add(&segmented, &sample.target);
            }
        }
        photos.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut metrics = total.metrics(self.labels);
        metrics.insert("iou_of_images".to_owned(), sum / photos.len().max(1) as f64);
        Ok(Evaluated {
            evaluation: Evaluation::Other {
                metrics,
                items: photos.len(),
                headline: (headline, MonitorMode::Max),
            },
            photos,
            estimate: Estimate::of_ratios(ratios),
        })
    }

    fn scores(&self) -> Scores {
        let pixels = SegmentationScores::new(self.labels.len(), SegmentationScores::TOLERANCE);
        Scores {
            pixels,
            objects: self.separate_objects.then(MembraneScores::default),
        }
    }
}

impl Scores {
    fn add(&mut self, segmented: &Segmented, target: &Mask) {
        self.pixels.add(&segmented.mask, target);
        let foreground = segmented
            .alpha
            .iter()
            .map(|&alpha| f32::from(alpha) / 255.0);
        let foreground: Vec<f32> = foreground.collect();
        self.pixels.add_matte(&foreground, target);
        if let Some(objects) = &mut self.objects {
            let background: Vec<f32> = foreground.iter().map(|value| 1.0 - value).collect();
            objects.add(&background, target, 0);
        }
    }

    fn metrics(&self, labels: &[String]) -> Metrics {
        let mut metrics = self.pixels.metrics();
        if let Some(objects) = &self.objects {
            for (name, best) in [("v_rand", objects.v_rand()), ("v_info", objects.v_info())] {
                let Some(best) = best else {
                    continue;
                };
                metrics.insert(name.to_owned(), best.score);
                metrics.insert(format!("{name}_split"), best.split);
                metrics.insert(format!("{name}_merge"), best.merge);
            }
        }
        if labels.len() > 2 {
            for (label, iou) in labels.iter().zip(self.pixels.iou()) {
                metrics.extend(iou.map(|iou| (format!("iou_{label}"), iou)));
            }
        }
        metrics
    }
}

/// The mean over the classes other than the background that occur; 1 where nothing is to be found, and
/// nothing is found.
fn foreground_mean(of_classes: &[Option<f64>]) -> f64 {
    let values: Vec<f64> = of_classes.iter().skip(1).flatten().copied().collect();
    if values.is_empty() {
        return 1.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// Evaluates a stored split of the data that the model was trained on, or all photos of other data.
pub(in crate::vision) fn evaluate(
    model: &Segmenter,
    request: &EvalRequest<'_, SegmentationRecipe>,
) -> Result<EvalReport, TaskError> {
    let training: MaskTraining =
        serde_json::from_value(model.spec().training.clone()).map_err(TaskError::user)?;
    let recipe = request.recipe.map(|recipe| (&recipe.data, &recipe.split));
    let mut images = training.images.of_recipe(recipe);
    set_path(request, &mut images.data.path)?;
    let data = MaskedImages::open(&images.data)?;
    let chosen = EvalRows::choose(request, &data.items(), &data.named, &images.digest, || {
        splits_of(&data, &images.split)
    })?;
    let labels = model.labels();
    let evaluator = Evaluator {
        model: model.ensemble(),
        data: &data,
        labels,
        refine: training.refine,
        separate_objects: training.separate_objects,
    };
    let evaluated = evaluator.rows(&chosen.rows)?;
    Ok(EvalReport {
        evaluation: evaluated.evaluation,
        labels: labels.to_vec(),
        source: chosen.source,
        notes: data.notes,
        scope: chosen.scope,
    })
}
