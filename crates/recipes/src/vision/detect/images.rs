//! The images of a run: what the network was trained on, and where it is right and wrong.

use std::io;

use burn::data::dataset::Dataset as _;
use tinderbox_datasets::loader::BatchContext;
use tinderbox_train::metrics::TrueBox;
use tinderbox_train::{Report, TaskError};

use super::ObjectDetection;
use super::data::BoxedImage;
use super::evaluate::Evaluated;
use crate::vision::pictures::color::{BLACK, GRAY};
use crate::vision::pictures::{
    Canvas, Gallery, LabeledBox, Sheet, Tile, detection_confusion, draw_boxes, learning_curves,
    precision_recall,
};

/// Training images on the sheet of augmented ones.
const AUGMENTED: usize = 8;

/// Versions of each of them.
const VERSIONS: usize = 3;

/// Best and worst images.
const EXTREMES: usize = 10;

/// Side of an image on a sheet, in pixels.
const SIDE: usize = 300;

impl ObjectDetection {
    /// Draws training images with their boxes as the network will see them.
    pub(super) fn draw_training(&self, gallery: &mut Gallery) {
        gallery.add("augmented.png", || self.augmented());
    }

    /// Draws the result; `ranked` are the photos of the test split, the worst first.
    pub(super) fn draw_result(
        &self,
        gallery: &mut Gallery,
        report: &Report,
        test: &Evaluated,
        ranked: &[(usize, f64)],
        threshold: f32,
    ) {
        let labels = &self.recipe.data.classes;
        gallery.add("learning-curves.png", || {
            learning_curves(report.run.path(), "map50", report.training.best_epoch)
        });
        gallery.add("precision-recall.png", || -> io::Result<Canvas> {
            let curves = (0..labels.len()).map(|class| test.scores.curve(class));
            Ok(precision_recall(labels, &curves.collect::<Vec<_>>()))
        });
        gallery.add("confusion-matrix.png", || -> io::Result<Canvas> {
            let counts = test.scores.confusion(threshold);
            Ok(detection_confusion(labels, &counts, threshold))
        });
        gallery.add("worst-detections.png", || {
            self.compared("Worst detections", test, ranked.iter(), threshold)
        });
        gallery.add("best-detections.png", || {
            self.compared("Best detections", test, ranked.iter().rev(), threshold)
        });
    }

    fn augmented(&self) -> Result<Canvas, TaskError> {
        let rows = self.splits.splits.train.iter().copied();
        let rows: Vec<usize> = rows.take(AUGMENTED).collect();
        let samples = self.data.select(&rows)?;
        let samples = (0..rows.len()).map(|at| samples.get(at).map_err(TaskError::user));
        let samples: Vec<BoxedImage> = samples.collect::<Result<_, _>>()?;
        let collate = self.collate(&self.normalize);
        let versions = (1..=VERSIONS).map(|epoch| {
            let context = BatchContext {
                seed: self.recipe.train.seed,
                epoch,
                batch: 0,
                rank: 0,
                indices: rows.clone(),
            };
            collate.prepare(&samples, &context)
        });
        let versions: Vec<Vec<BoxedImage>> = versions.collect();
        let mut tiles = Vec::new();
        for (at, sample) in samples.iter().enumerate() {
            let changed = versions.iter().map(|version| &version[at]);
            tiles.extend(std::iter::once(sample).chain(changed).map(|sample| Tile {
                picture: self.labeled(sample),
                caption: Vec::new(),
            }));
        }
        let sheet = Sheet {
            title: "Augmented training images with their boxes".to_owned(),
            subtitle: "left: the image; right of it: as the network sees it".to_owned(),
            columns: 1 + VERSIONS,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }

    /// The image with its labeled boxes.
    fn labeled(&self, sample: &BoxedImage) -> Canvas {
        draw_boxes(&sample.image, &self.labels_of(&sample.target))
    }

    fn labels_of(&self, truth: &[TrueBox]) -> Vec<LabeledBox> {
        let names = &self.recipe.data.classes;
        let boxes = truth.iter();
        boxes
            .map(|one| LabeledBox::labeled(one.bounds, names))
            .collect()
    }

    fn compared<'a>(
        &self,
        title: &str,
        test: &Evaluated,
        photos: impl Iterator<Item = &'a (usize, f64)>,
        threshold: f32,
    ) -> Result<Canvas, TaskError> {
        let names = &self.recipe.data.classes;
        let mut tiles = Vec::new();
        for &(row, f1) in photos.take(EXTREMES) {
            let sample = self.data.images.full(row).map_err(TaskError::user)?;
            let found = test.photos.iter().find(|(photo, _)| *photo == row);
            let found = found.iter().flat_map(|(_, found)| found);
            let found = found.filter(|one| one.score >= threshold);
            let found: Vec<LabeledBox> =
                found.map(|one| LabeledBox::detected(one, names)).collect();
            let name = self.data.images.path(row);
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            tiles.push(Tile {
                picture: self.labeled(&sample),
                caption: vec![(name.into_owned(), BLACK), ("true".to_owned(), GRAY)],
            });
            tiles.push(Tile {
                picture: draw_boxes(&sample.image, &found),
                caption: vec![(format!("found, F1 {f1:.3}"), BLACK)],
            });
        }
        let sheet = Sheet {
            title: format!("{title}, test split"),
            subtitle: format!("detections with a score of at least {threshold:.2}"),
            columns: 4,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }
}
