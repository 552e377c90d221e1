//! The images of a run: what the network was trained on, and where it is right and wrong.

use tinderbox_datasets::image::{IGNORE, Image, ImageSample, Mask};
use tinderbox_datasets::loader::BatchContext;
use tinderbox_predict::vision::SegmentationEnsemble;
use tinderbox_train::{Report, TaskError};

use super::ImageSegmentation;
use crate::vision::pictures::color::{self, BLACK, GRAY};
use crate::vision::pictures::{Canvas, Gallery, Sheet, Tile, learning_curves};

/// Training images on the sheet of augmented ones.
const AUGMENTED: usize = 6;

/// Versions of each of them.
const VERSIONS: usize = 4;

/// Best and worst images.
const EXTREMES: usize = 10;

/// Side of an image on a sheet, in pixels.
const SIDE: usize = 200;

impl ImageSegmentation {
    /// Draws training images with their masks as the network will see them.
    pub(super) fn draw_training(&self, gallery: &mut Gallery) {
        gallery.add("augmented.png", || self.augmented());
    }

    /// Draws the result; `photos` are those of the test split, the worst first.
    pub(super) fn draw_result(
        &self,
        gallery: &mut Gallery,
        report: &Report,
        ensemble: &SegmentationEnsemble,
        photos: &[(usize, f64)],
    ) {
        gallery.add("learning-curves.png", || {
            learning_curves(report.run.path(), "iou", report.training.best_epoch)
        });
        gallery.add("worst-masks.png", || {
            self.compared("Worst masks", ensemble, photos.iter())
        });
        gallery.add("best-masks.png", || {
            self.compared("Best masks", ensemble, photos.iter().rev())
        });
    }

    fn augmented(&self) -> Result<Canvas, TaskError> {
        let rows = self.splits.splits.train.iter().copied();
        let rows: Vec<usize> = rows.take(AUGMENTED).collect();
        let samples = self.data.select(&rows)?;
        let collate = self.collate(&self.normalize);
        let mut tiles = Vec::new();
        for at in 0..rows.len() {
            let sample = samples.get(at).map_err(TaskError::user)?;
            let original = std::iter::once(overlay(&sample));
            let versions = (1..=VERSIONS).map(|epoch| {
                let context = BatchContext {
                    seed: self.recipe.train.seed,
                    epoch,
                    batch: 0,
                    rank: 0,
                    indices: rows.clone(),
                };
                overlay(&collate.prepare(sample.clone(), at, &context))
            });
            tiles.extend(original.chain(versions).map(|image| Tile {
                picture: Canvas::of(&image),
                caption: Vec::new(),
            }));
        }
        let sheet = Sheet {
            title: "Augmented training images with their masks".to_owned(),
            subtitle: "left: the image; right of it: as the network sees it; hatched: ignored"
                .to_owned(),
            columns: 1 + VERSIONS,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }

    fn compared<'a>(
        &self,
        title: &str,
        ensemble: &SegmentationEnsemble,
        photos: impl Iterator<Item = &'a (usize, f64)>,
    ) -> Result<Canvas, TaskError> {
        let mut tiles = Vec::new();
        for &(row, iou) in photos.take(EXTREMES) {
            let sample = self.data.pairs.full(row).map_err(TaskError::user)?;
            let photos = std::slice::from_ref(&sample.image);
            let found = ensemble.probabilities(photos)?;
            let found = found[0].segment(&sample.image, self.recipe.refine).mask;
            let predicted = ImageSample {
                image: sample.image.clone(),
                target: found,
            };
            let name = self.data.pairs.path(row);
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            let photo = Canvas::of(&sample.image);
            let caption = vec![(name.into_owned(), BLACK)];
            tiles.push(Tile {
                picture: photo,
                caption,
            });
            tiles.push(Tile {
                picture: Canvas::of(&overlay(&sample)),
                caption: vec![("true".to_owned(), GRAY)],
            });
            tiles.push(Tile {
                picture: Canvas::of(&overlay(&predicted)),
                caption: vec![(format!("predicted, iou {iou:.3}"), BLACK)],
            });
        }
        let sheet = Sheet {
            title: format!("{title}, test split"),
            subtitle: String::new(),
            columns: 6,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }
}

/// The image in color with its mask laid over it; pixels that are ignored are hatched.
fn overlay(sample: &ImageSample<Mask>) -> Image {
    let ImageSample { image, target } = sample;
    let width = image.width;
    let pixels = image.pixels.chunks_exact(image.channels);
    let pixels = pixels.zip(&target.classes).enumerate();
    let pixels = pixels.flat_map(|(at, (pixel, &class))| {
        let color = match *pixel {
            [red, green, blue] => [red, green, blue],
            _ => [pixel[0]; 3],
        };
        let mixed = |over: [u8; 3]| [0, 1, 2].map(|channel| color[channel] / 2 + over[channel] / 2);
        match class {
            0 => color,
            IGNORE if (at / width + at % width) % 8 < 2 => [255, 0, 0],
            IGNORE => mixed([128; 3]),
            class => mixed(color::of_class(usize::from(class - 1))),
        }
    });
    Image {
        height: image.height,
        width,
        channels: 3,
        pixels: pixels.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_colors_its_classes_only() {
        let sample = ImageSample {
            image: Image {
                height: 1,
                width: 3,
                channels: 1,
                pixels: vec![100; 3],
            },
            target: Mask::new(1, 3, vec![0, 1, IGNORE]).unwrap(),
        };
        let drawn = overlay(&sample);
        assert_eq!(drawn.pixels[..3], [100; 3]);
        assert_eq!(drawn.pixels[3..6], [156, 97, 50]);
        assert_eq!(drawn.pixels[6..], [114; 3]);
    }
}
