//! The images of a result: training images, curves, confusion, mistakes.

use std::convert::Infallible;

use burn::tensor::Device;
use tinderbox_datasets::image::{Augment, Image, Mix};
use tinderbox_datasets::loader::BatchContext;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_train::TaskError;
use tinderbox_train::metrics::{Mistake, Predictions};
use tinderbox_train::task::Report;

use super::ImageClassification;
use crate::vision::analysis::{Attribution, grad_cam};
use crate::vision::data::{DataError, ImageData};
use crate::vision::pictures::color::{BLACK, BLUE, VERMILION};
use crate::vision::pictures::{
    Canvas, Gallery, Sheet, Tile, confusion_matrix, drawable_names, learning_curves,
};

/// Training images on the sheet of augmented ones.
const AUGMENTED: usize = 8;

/// Versions of each.
const VERSIONS: usize = 6;

/// Most mistakes that are shown, and with where the network looked.
const MISTAKES: usize = 24;
const EXPLAINED: usize = 12;

/// Side of an image on a sheet, in pixels.
const SIDE: usize = 160;

impl ImageClassification {
    /// Draws the training images as the network will see them, before it is trained.
    pub(super) fn draw_training(&self, gallery: &mut Gallery) {
        let (names, note) = drawable_names(&self.data.classes);
        gallery.warn(note);
        gallery.add("augmented.png", || self.augmented(&names));
    }

    /// Draws the result.
    pub(super) fn draw_result(
        &self,
        gallery: &mut Gallery,
        report: &Report,
        data: &ImageData,
        device: &Device,
    ) {
        let (names, _) = drawable_names(&self.data.classes);
        let best = report.training.best_epoch;
        // The last layer alone is fitted at once.
        if self.frozen().is_none() {
            gallery.add("learning-curves.png", || {
                learning_curves(report.run.path(), "accuracy", best)
            });
        }
        let Some(test) = report.evaluation.predictions() else {
            return;
        };
        gallery.add("confusion-matrix.png", || {
            let title = format!("Confusion matrix, test split, {} images", test.len());
            Ok::<_, Infallible>(confusion_matrix(&title, &names, &test.confusion()))
        });
        gallery.add("mistakes.png", || {
            let model = ImageClassifier::load(
                &ModelFiles::open(&report.run.model_dir()),
                &device.clone().inner(),
            )?;
            self.mistakes(data, &names, test, &model)
        });
    }

    /// Some training images, each with what augmentation makes of it in the first epochs.
    fn augmented(&self, names: &[String]) -> Result<Canvas, TaskError> {
        let rows = spread(&self.splits.splits.train, &self.data.labels, AUGMENTED);
        let (augment, without) = self.shown_augmentation();
        let originals = rows
            .iter()
            .map(|&row| Ok(self.data.images.get(row).map_err(DataError::Image)?.image));
        let originals: Vec<Image> = originals.collect::<Result<_, TaskError>>()?;
        let versions = if augment.is_none() { 0 } else { VERSIONS };
        let columns: Vec<Vec<Image>> = (1..=versions)
            .map(|epoch| {
                let context = BatchContext {
                    seed: self.recipe.train.seed,
                    epoch,
                    batch: 0,
                    rank: 0,
                    indices: rows.clone(),
                };
                as_batch(&augment, &originals, &context)
            })
            .collect();
        let tiles = originals.iter().enumerate().flat_map(|(at, original)| {
            let class = usize::from(self.data.labels[rows[at]]);
            let own = std::iter::once(Tile {
                picture: Canvas::of(original),
                caption: vec![(names[class].clone(), BLACK)],
            });
            let others = columns.iter().map(move |column| Tile {
                picture: Canvas::of(&column[at]),
                caption: Vec::new(),
            });
            own.chain(others)
        });
        let (title, subtitle, columns) = if versions == 0 {
            ("Training images", without, AUGMENTED / 2)
        } else {
            (
                "Augmented training images",
                "left: the image; right of it: as the network sees it",
                1 + versions,
            )
        };
        let sheet = Sheet {
            title: title.to_owned(),
            subtitle: subtitle.to_owned(),
            columns,
            side: SIDE,
            tiles: tiles.collect(),
        };
        Ok(sheet.draw())
    }

    /// The augmentation, and a line for images that get none.
    fn shown_augmentation(&self) -> (Augment, &'static str) {
        match (&self.recipe.transfer, self.frozen()) {
            (Some(transfer), Some(_)) if transfer.flip => (
                Augment::default(),
                "not augmented; the last layer also sees each of them mirrored",
            ),
            (_, Some(_)) => (Augment::default(), "not augmented"),
            (_, None) => (self.recipe.augment.clone(), "not augmented"),
        }
    }

    /// The mistakes on the test split, the most confident first; next to each where the network looked, if that
    /// is known.
    fn mistakes(
        &self,
        data: &ImageData,
        names: &[String],
        test: &Predictions,
        model: &ImageClassifier,
    ) -> Result<Canvas, TaskError> {
        let rows = &self.splits.splits.test;
        let wrong = test.mistakes();
        let image = |mistake: &Mistake| {
            let item = data.images.get(rows[mistake.item]);
            item.map(|item| item.image).map_err(DataError::Image)
        };
        // A network without feature maps has none.
        let has_maps = match wrong.first() {
            Some(one) => grad_cam(model, &image(one)?, one.predicted).is_ok(),
            None => false,
        };
        let most = if has_maps { EXPLAINED } else { MISTAKES };
        let mut tiles = Vec::new();
        for mistake in wrong.iter().take(most) {
            let image = image(mistake)?;
            tiles.push(Tile {
                picture: Canvas::of(&image),
                caption: vec![
                    (
                        format!(
                            "{} {:.1}%",
                            names[mistake.predicted],
                            100.0 * mistake.probability
                        ),
                        VERMILION,
                    ),
                    (names[mistake.actual].clone(), BLUE),
                ],
            });
            if has_maps {
                let map = grad_cam(model, &image, mistake.predicted)?;
                tiles.push(Tile {
                    picture: heated(&image, &map),
                    caption: Vec::new(),
                });
            }
        }
        let (count, total) = (wrong.len(), test.len());
        let title = match count {
            0 => format!("No mistakes on the test split, {total} images"),
            count if count > most => {
                format!("The {most} most confident of {count} mistakes on {total} test images")
            }
            _ => format!("All {count} mistakes on {total} test images"),
        };
        let subtitle = match (count, has_maps) {
            (0, _) => "",
            (_, false) => "first line: predicted class; second line: true class",
            (_, true) => {
                "first line: predicted class; second line: true class; right: what led to the prediction"
            }
        };
        let sheet = Sheet {
            title,
            subtitle: subtitle.to_owned(),
            columns: 6,
            side: SIDE,
            tiles,
        };
        Ok(sheet.draw())
    }
}

/// An image with what led to its prediction.
fn heated(image: &Image, map: &Attribution) -> Canvas {
    let mut canvas = Canvas::of(image);
    // Of small images a pixel is larger than the heat changes.
    if image.height.max(image.width) < SIDE {
        canvas = canvas.fitted(SIDE);
    }
    let (height, width) = (canvas.height as f64, canvas.width as f64);
    canvas.overlay(|[y, x]| Some(map.at([(y as f64 + 0.5) / height, (x as f64 + 0.5) / width])));
    canvas
}

/// Some of these rows, of as many classes as possible.
fn spread(rows: &[usize], labels: &[u16], count: usize) -> Vec<usize> {
    let mut ordered: Vec<(usize, u16, usize)> = Vec::with_capacity(rows.len());
    let mut seen = std::collections::BTreeMap::<u16, usize>::new();
    for &row in rows {
        let of_class = seen.entry(labels[row]).or_default();
        ordered.push((*of_class, labels[row], row));
        *of_class += 1;
    }
    // The first image of each class, then the second of each.
    ordered.sort_unstable();
    ordered.truncate(count);
    ordered.sort_by_key(|&(of_class, label, _)| (label, of_class));
    ordered.into_iter().map(|(_, _, row)| row).collect()
}

/// What augmentation makes of some images in one batch.
fn as_batch(augment: &Augment, images: &[Image], context: &BatchContext) -> Vec<Image> {
    let images = images.iter().enumerate();
    let mut images: Vec<Image> = images
        .map(|(at, image)| augment.apply(image.clone(), &mut context.item_stream(at)))
        .collect();
    let Some(first) = images.first() else {
        return images;
    };
    let (height, width) = (first.height, first.width);
    if let Some(mix) = augment.sample_mix(height, width, &mut context.batch_stream()) {
        blend(&mix, &mut images, height, width);
    }
    images
}

/// Mixes images as a batch is mixed; the values of a pixel are those taken apart by channel.
fn blend(mix: &Mix, images: &mut [Image], height: usize, width: usize) {
    let channels = images[0].channels;
    let planes = |image: &Image, channel: usize| -> Vec<f32> {
        image
            .pixels
            .iter()
            .skip(channel)
            .step_by(channels)
            .map(|&value| f32::from(value))
            .collect()
    };
    let mut values: Vec<f32> = images
        .iter()
        .flat_map(|image| (0..channels).flat_map(move |channel| planes(image, channel)))
        .collect();
    mix.blend(&mut values, images.len(), channels, height, width);
    let size = height * width;
    for (image, values) in images.iter_mut().zip(values.chunks_exact(size * channels)) {
        for (at, value) in image.pixels.iter_mut().enumerate() {
            *value = values[(at % channels) * size + at / channels].round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_an_image_before_one_has_two() {
        let labels = [0, 0, 0, 1, 1, 2];
        assert_eq!(spread(&[0, 1, 2, 3, 4, 5], &labels, 4), [0, 1, 3, 5]);
        assert_eq!(spread(&[2, 4], &labels, 4), [2, 4]);
        assert!(spread(&[], &labels, 4).is_empty());
    }

    #[test]
    fn mixup_shows_both_images() {
        let image = |value: u8| Image {
            height: 1,
            width: 2,
            channels: 3,
            pixels: vec![value, 0, 0, value, 0, 0],
        };
        let mut images = [image(200), image(100)];
        let mix = Mix {
            weight: 0.25,
            kind: tinderbox_datasets::image::MixKind::Mixup,
        };
        blend(&mix, &mut images, 1, 2);
        assert_eq!(images[0].pixels, [175, 0, 0, 175, 0, 0]);
        assert_eq!(images[1].pixels, [125, 0, 0, 125, 0, 0]);
    }
}
