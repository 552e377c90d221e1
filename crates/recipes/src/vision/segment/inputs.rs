//! Photos to segment, and the images that are written for them.

use std::io;
use std::path::Path;

use tinderbox_datasets::image::Image;
use tinderbox_predict::vision::{Probabilities, Segmented, Segmenter};
use tinderbox_predict::{PredictError, Prediction};
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputOptions, InputReport, PredictionListener};

use super::MaskTraining;
use super::output::{Background, encode};
use crate::vision::PhotoOptions;
use crate::vision::photos::{self, PhotoModel};

/// A model with what is put behind the objects.
struct Cutter<'a> {
    model: &'a Segmenter,
    background: &'a Background,
    refine: bool,
}

/// Segments the photos of a file, folder or archive, or of stdin.
pub(in crate::vision) fn predict(
    model: &Segmenter,
    path: &Path,
    options: &InputOptions<PhotoOptions>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    if options.own.coco.is_some() || options.own.detector.is_some() {
        return Err(TaskError::user(
            "`--coco` is for models of object detection, and `--detector` for landmarks",
        ));
    }
    let training: MaskTraining =
        serde_json::from_value(model.spec().training.clone()).map_err(TaskError::user)?;
    let cutter = Cutter {
        model,
        background: &options.own.background,
        refine: training.refine && !options.own.no_refine,
    };
    photos::predict(&cutter, path, options, each)
}

impl PhotoModel for Cutter<'_> {
    type Found = Probabilities;
    type Result = Segmented;

    fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        self.model.decode(bytes, name)
    }

    fn find(&self, photos: &[Image]) -> Result<Vec<Probabilities>, TaskError> {
        Ok(self.model.ensemble().probabilities(photos)?)
    }

    fn finish(&self, photo: &Image, found: Probabilities) -> Segmented {
        found.segment(photo, self.refine)
    }

    fn prediction(
        &self,
        _photo: &Image,
        segmented: &Segmented,
        output: Option<String>,
    ) -> Prediction {
        self.model.prediction(&segmented.mask, output)
    }

    fn draw(&self, photo: &Image, segmented: &Segmented) -> io::Result<Vec<u8>> {
        let classes = self.model.labels().len();
        encode(photo, segmented, self.background, classes)
    }
}
