//! Photos to search, and the images that are drawn of them.

use std::cell::RefCell;
use std::io;
use std::path::Path;

use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::image::{BoundingBox, Detection, Image};
use tinderbox_predict::vision::{CocoResult, Detector, write_coco_results};
use tinderbox_predict::{PredictError, Prediction};
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputItem, InputOptions, InputReport, Predicted, PredictionListener};

use crate::vision::photos::{self, PhotoModel};
use crate::vision::pictures::{LabeledBox, draw_boxes};
use crate::vision::{Background, PhotoOptions};

/// Finds the objects in the photos of a file, folder or archive, or of stdin.
pub(super) fn predict(
    model: &Detector,
    path: &Path,
    options: &InputOptions<PhotoOptions>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    let own = &options.own;
    if own.background != Background::Transparent || own.no_refine || own.detector.is_some() {
        return Err(TaskError::user(
            "`--background` and `--no-refine` are for models of segmentation, and `--detector` for landmarks",
        ));
    }
    let results = RefCell::new(Vec::new());
    let mut listener = |predicted: Predicted, position| {
        if let (Some(_), Ok(predicted)) = (&own.coco, &predicted) {
            let mut results = results.borrow_mut();
            collect(predicted, model.labels(), &mut results);
        }
        each(predicted, position)
    };
    let report = photos::predict(model, path, options, &mut listener)?;
    if let Some(file) = &own.coco {
        let results = results.into_inner().into_iter().flatten();
        let written = write_atomic(file, |out| write_coco_results(out, results));
        written.map_err(|error| {
            TaskError::user(format!("cannot write `{}`: {error}", file.display()))
        })?;
    }
    Ok(report)
}

/// Adds the detections of a photo, under its number from 1.
fn collect(
    predicted: &[(InputItem, Prediction)],
    labels: &[String],
    results: &mut Vec<Vec<CocoResult>>,
) {
    for (item, prediction) in predicted {
        let Prediction::Objects { objects, .. } = prediction else {
            continue;
        };
        let image = (results.len() as u64 + 1, item.name.as_str());
        let objects = objects.iter().map(|object| {
            let class = labels.iter().position(|label| *label == object.label);
            let class = class.unwrap_or_default();
            let [x_min, y_min, x_max, y_max] = object.bounds;
            let bounds = BoundingBox {
                x_min,
                y_min,
                x_max,
                y_max,
                class: class as u16,
            };
            let one = Detection {
                bounds,
                score: object.score,
            };
            CocoResult::new(&one, image, labels, class as u64 + 1)
        });
        results.push(objects.collect());
    }
}

impl PhotoModel for Detector {
    type Found = Vec<Detection>;
    type Result = Vec<Detection>;

    fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        Self::decode(self, bytes, name)
    }

    fn find(&self, photos: &[Image]) -> Result<Vec<Vec<Detection>>, TaskError> {
        Ok(self.detect(photos)?)
    }

    fn finish(&self, _photo: &Image, found: Vec<Detection>) -> Vec<Detection> {
        found
    }

    fn prediction(
        &self,
        photo: &Image,
        found: &Vec<Detection>,
        output: Option<String>,
    ) -> Prediction {
        Self::prediction(self, [photo.height, photo.width], found, output)
    }

    fn draw(&self, photo: &Image, found: &Vec<Detection>) -> io::Result<Vec<u8>> {
        let boxes = found.iter();
        let boxes: Vec<LabeledBox> = boxes
            .map(|one| LabeledBox::detected(one, self.labels()))
            .collect();
        draw_boxes(photo, &boxes).to_png().map_err(io::Error::other)
    }
}
