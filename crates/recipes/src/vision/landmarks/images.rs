//! The images of a run: what the network was trained on, and where it is right and wrong.

use burn::data::dataset::Dataset as _;
use tinderbox_datasets::loader::BatchContext;
use tinderbox_train::{Report, TaskError};

use super::Landmarks;
use super::batch::Crop;
use super::evaluate::Evaluated;
use crate::vision::pictures::color::{BLACK, GREEN, VERMILION};
use crate::vision::pictures::{Canvas, Gallery, Sheet, Tile, draw_landmarks, learning_curves};

/// Training faces on the sheet of changed ones.
const AUGMENTED: usize = 6;

/// Versions of each of them.
const VERSIONS: usize = 4;

/// Best and worst faces.
const EXTREMES: usize = 10;

/// Side of an image on a sheet, in pixels.
const SIDE: usize = 240;

impl Landmarks {
    /// Draws training faces with their points as the network will see them.
    pub(super) fn draw_training(&self, gallery: &mut Gallery) {
        gallery.add("augmented.png", || self.augmented());
    }

    /// Draws the result; `ranked` are the faces of the test split, the worst first.
    pub(super) fn draw_result(&self, gallery: &mut Gallery, report: &Report, ranked: &Evaluated) {
        if report.training.steps > 0 {
            gallery.add("learning-curves.png", || {
                learning_curves(report.run.path(), "nme", report.training.best_epoch)
            });
        }
        gallery.add("worst-faces.png", || {
            self.compared("Largest errors", ranked.faces.iter())
        });
        gallery.add("best-faces.png", || {
            self.compared("Smallest errors", ranked.faces.iter().rev())
        });
    }

    fn augmented(&self) -> Result<Canvas, TaskError> {
        let rows = self.splits.splits.train.iter().copied();
        let rows: Vec<usize> = rows.take(AUGMENTED).collect();
        let samples = self.data.select(&rows)?;
        let collate = self.collate(&self.normalize);
        let mut tiles = Vec::new();
        for (at, &row) in rows.iter().enumerate() {
            let face = samples.get(at).map_err(TaskError::user)?;
            let mut crops = vec![collate.plain(&face)];
            for epoch in 1..=VERSIONS {
                let context = BatchContext {
                    seed: self.recipe.train.seed,
                    epoch,
                    batch: 0,
                    rank: 0,
                    indices: vec![row],
                };
                crops.push(collate.changed(&face, &mut context.item_stream(0)));
            }
            tiles.extend(crops.iter().map(|crop| Tile {
                picture: draw_crop(crop),
                caption: Vec::new(),
            }));
        }
        let sheet = Sheet {
            title: "Changed training crops with their points".to_owned(),
            subtitle: "left: the plain crop; right of it: as the network sees it".to_owned(),
            columns: 1 + VERSIONS,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }

    fn compared<'a>(
        &self,
        title: &str,
        faces: impl Iterator<Item = &'a (usize, Vec<[f32; 2]>, f64)>,
    ) -> Result<Canvas, TaskError> {
        let mut tiles = Vec::new();
        for (row, found, error) in faces.take(EXTREMES) {
            let sample = self.data.images.sample(*row).map_err(TaskError::user)?;
            let name = &self.data.images.face(*row).path;
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            let both = [(&sample.target[..], GREEN), (&found[..], VERMILION)];
            tiles.push(Tile {
                picture: draw_landmarks(&sample.image, &both),
                caption: vec![
                    (name.into_owned(), BLACK),
                    (format!("NME {error:.3}"), BLACK),
                ],
            });
        }
        let sheet = Sheet {
            title: format!("{title}, test split"),
            subtitle: "green: true points; red: found ones".to_owned(),
            columns: 5,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }
}

fn draw_crop(crop: &Crop) -> Canvas {
    let half = 0.5 * crop.image.width as f32;
    let points: Vec<[f32; 2]> = crop
        .points
        .iter()
        .map(|point| point.map(|value| (value + 1.0) * half))
        .collect();
    draw_landmarks(&crop.image, &[(&points, GREEN)])
}
