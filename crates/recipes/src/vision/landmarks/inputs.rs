//! Photos with faces, and the images that are drawn of them.

use std::io;
use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::image::{Detection, Image};
use tinderbox_predict::vision::{Detector, Landmarker};
use tinderbox_predict::{ModelFiles, PredictError, Prediction};
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputOptions, InputReport, PredictionListener};

use crate::vision::photos::{self, PhotoModel};
use crate::vision::pictures::{color, draw_landmarks};
use crate::vision::{Background, PhotoOptions};

/// The points of a face, in pixels.
type Points = Vec<[f32; 2]>;

/// Finds the points of the faces in the photos of a file, folder or archive, or of stdin.
pub(in crate::vision) fn predict(
    model: &Landmarker,
    path: &Path,
    options: &InputOptions<PhotoOptions>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    let own = &options.own;
    if own.background != Background::Transparent || own.no_refine || own.coco.is_some() {
        return Err(TaskError::user(
            "`--background`, `--no-refine` and `--coco` are for models of segmentation or object detection",
        ));
    }
    let detector = own.detector.as_deref();
    let detector = detector
        .map(|run| open_detector(run, model.device()))
        .transpose()?;
    let has_detector = detector.is_some();
    let finder = FaceFinder { model, detector };
    let mut report = photos::predict(&finder, path, options, each)?;
    if !has_detector {
        report.notes.push(
            "one face is searched near the middle of each image; `--detector RUN` finds faces with a run of object \
             detection"
                .to_owned(),
        );
    }
    Ok(report)
}

/// Reads the detector of a run or a model folder.
///
/// # Errors
///
/// If it cannot be read, or is no detector.
pub(in crate::vision) fn open_detector(run: &Path, device: &Device) -> Result<Detector, TaskError> {
    let model = run.join("model");
    let dir = if model.is_dir() {
        model
    } else {
        run.to_owned()
    };
    Ok(Detector::load(&ModelFiles::open(&dir), device)?)
}

/// A model of landmarks with what finds the faces.
struct FaceFinder<'a> {
    model: &'a Landmarker,
    detector: Option<Detector>,
}

impl PhotoModel for FaceFinder<'_> {
    type Found = Vec<Points>;
    type Result = Vec<Points>;

    fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        self.model.decode(bytes, name)
    }

    fn find(&self, photos: &[Image]) -> Result<Vec<Vec<Points>>, TaskError> {
        let Some(detector) = &self.detector else {
            let faces = photos
                .iter()
                .map(|photo| Ok(vec![self.model.locate(photo, None)?]));
            return faces.collect();
        };
        let found = detector.detect(photos)?;
        let faces = photos.iter().zip(found).map(|(photo, found)| {
            let faces = found
                .iter()
                .map(|face| self.model.locate(photo, Some(edges(face))));
            Ok(faces.collect::<Result<Vec<Points>, PredictError>>()?)
        });
        faces.collect()
    }

    fn finish(&self, _photo: &Image, found: Vec<Points>) -> Vec<Points> {
        found
    }

    fn prediction(&self, photo: &Image, found: &Vec<Points>, output: Option<String>) -> Prediction {
        self.model
            .prediction([photo.height, photo.width], found, output)
    }

    fn draw(&self, photo: &Image, found: &Vec<Points>) -> io::Result<Vec<u8>> {
        let faces = found.iter().enumerate();
        let faces: Vec<_> = faces
            .map(|(at, points)| (&points[..], color::CURVES[(at + 2) % color::CURVES.len()]))
            .collect();
        draw_landmarks(photo, &faces)
            .to_png()
            .map_err(io::Error::other)
    }
}

/// Left, top, right and bottom edge of a detection.
pub(super) fn edges(face: &Detection) -> [f32; 4] {
    let bounds = &face.bounds;
    [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max]
}
