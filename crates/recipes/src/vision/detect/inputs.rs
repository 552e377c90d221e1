//! Photos to search, and the images that are drawn of them.

use std::io;
use std::path::Path;

use tinderbox_datasets::image::{Detection, Image};
use tinderbox_predict::vision::Detector;
use tinderbox_predict::{PredictError, Prediction};
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputOptions, InputReport, Predicted, PredictionListener};

use crate::vision::photos::{self, PhotoModel};
use crate::vision::pictures::{LabeledBox, draw_boxes};
use crate::vision::{Background, PhotoOptions};

/// Finds the objects in the photos of a file, folder or archive, or of stdin.
pub(in crate::vision) fn predict(
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
    let mut listener = |predicted: Predicted, position| {
        if let (Some(file), Ok(predicted)) = (&own.coco, &predicted) {
            file.add(predicted, model.labels());
        }
        each(predicted, position)
    };
    photos::predict(model, path, options, &mut listener)
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
