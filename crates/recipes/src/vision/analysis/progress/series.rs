//! Dated photos and what a model finds in them.

use std::path::PathBuf;

use time::PrimitiveDateTime;
use tinderbox_datasets::image::{
    Detection, Image, ImageFile, MAX_PIXELS, decode_full, exif_time, file_name_time, resize_image,
};
use tinderbox_datasets::parallel_map;
use tinderbox_train::TaskError;

use super::error::{MAX_PHOTOS, ProgressError};
use super::plan::Unit;
use crate::vision::VisionModel;
use crate::vision::analysis::outputs::files;

/// Longest side of the photos that are compared and shown, in pixels.
const LONGEST: usize = 960;

/// Photos that are in memory at their own size at a time.
const BATCH: usize = 8;

/// Undated photos that an error names.
const NAMED: usize = 5;

/// A photo, at most [`LONGEST`] pixels long.
pub(super) struct Photo {
    pub(super) name: String,
    pub(super) time: PrimitiveDateTime,
    /// Height and width of the file.
    pub(super) size: [usize; 2],
    pub(super) image: Image,
    pub(super) found: Found,
}

/// What a model found, in pixels of [`Photo::image`].
pub(super) enum Found {
    /// There is no model.
    Nothing,
    Objects(Vec<Detection>),
    /// The class of each pixel, and the share of each class in the photo.
    Areas(Vec<u16>, Vec<f64>),
}

impl Photo {
    /// Pixels of the file for a pixel of the image.
    pub(super) fn scale(&self) -> f64 {
        self.size[1] as f64 / self.image.width.max(1) as f64
    }

    /// The number of objects of a class, or its share of the area.
    pub(super) fn value(&self, class: usize) -> f64 {
        match &self.found {
            Found::Nothing => 0.0,
            Found::Objects(objects) => {
                let of_class = |one: &&Detection| usize::from(one.bounds.class) == class;
                objects.iter().filter(of_class).count() as f64
            }
            Found::Areas(_, shares) => shares.get(class).copied().unwrap_or(0.0),
        }
    }
}

/// What a model can measure.
#[derive(Clone, Copy)]
pub(super) struct Measures<'a> {
    pub(super) labels: &'a [String],
    pub(super) unit: Unit,
    /// Classes before this one are background.
    pub(super) first: usize,
}

/// The classes that a model measures.
pub(super) fn measures(model: Option<&VisionModel>) -> Result<Measures<'_>, ProgressError> {
    Ok(match model {
        None => Measures {
            labels: &[],
            unit: Unit::Count,
            first: 0,
        },
        Some(VisionModel::Detector(model)) => Measures {
            labels: model.labels(),
            unit: Unit::Count,
            first: 0,
        },
        Some(VisionModel::Segmenter(model)) => Measures {
            labels: model.labels(),
            unit: Unit::Share,
            first: 1,
        },
        Some(VisionModel::Classifier(_)) => {
            return Err(ProgressError::OtherModel {
                kind: "image classification",
            });
        }
        Some(VisionModel::Landmarker(_)) => {
            return Err(ProgressError::OtherModel { kind: "landmarks" });
        }
    })
}

/// A photo file with its date.
pub(super) struct Dated {
    file: ImageFile,
    time: PrimitiveDateTime,
}

/// The photos of all inputs by date, with notes for the user.
pub(super) fn dated(inputs: &[PathBuf]) -> Result<(Vec<Dated>, Vec<String>), TaskError> {
    let (files, mut notes) = files(inputs)?;
    let total = files.len();
    if total < 2 {
        return Err(TaskError::user(ProgressError::TooFew { found: total }));
    }
    if total > MAX_PHOTOS {
        return Err(TaskError::user(ProgressError::TooMany { found: total }));
    }
    let times = parallel_map(&files, |file| -> Result<_, TaskError> {
        let bytes = file.bytes().map_err(TaskError::user)?;
        Ok((exif_time(&bytes, file.path()), file_name_time(file.path())))
    });
    let (mut all, mut undated, mut different) = (Vec::new(), Vec::new(), 0);
    for (file, times) in files.into_iter().zip(times) {
        let (exif, name) = times?;
        if let (Some(exif), Some(name)) = (exif, name) {
            different += usize::from((exif - name).whole_days().abs() > 1);
        }
        match exif.or(name) {
            Some(time) => all.push(Dated { file, time }),
            None => undated.push(format!("`{}`", file.path().display())),
        }
    }
    if !undated.is_empty() {
        let count = undated.len();
        undated.truncate(NAMED);
        let more = if count > NAMED { ", …" } else { "" };
        let names = undated.join(", ") + more;
        return Err(TaskError::user(ProgressError::Undated {
            count,
            total,
            names,
        }));
    }
    if different > 0 {
        notes.push(format!(
            "{different} of {total} photos have another date in EXIF than in the file name; EXIF is used"
        ));
    }
    all.sort_by(|a, b| (a.time, a.file.path()).cmp(&(b.time, b.file.path())));
    Ok((all, notes))
}

/// Reads photos and finds what a model finds in them; `each` hears of the number that is done.
pub(super) fn read(
    dated: &[Dated],
    model: Option<&VisionModel>,
    each: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Photo>, TaskError> {
    let mut photos = Vec::with_capacity(dated.len());
    for batch in dated.chunks(BATCH) {
        let images = parallel_map(batch, |one| -> Result<Image, TaskError> {
            let bytes = one.file.bytes().map_err(TaskError::user)?;
            let name = one.file.path();
            match model {
                Some(VisionModel::Detector(model)) => Ok(model.decode(&bytes, name)?),
                Some(VisionModel::Segmenter(model)) => Ok(model.decode(&bytes, name)?),
                _ => decode_full(&bytes, name, 3, MAX_PIXELS).map_err(TaskError::user),
            }
        });
        let images = images.into_iter().collect::<Result<Vec<Image>, _>>()?;
        let found = find(model, &images)?;
        let pairs: Vec<_> = batch.iter().zip(images).zip(found).collect();
        photos.extend(parallel_map(pairs, |((one, image), found)| {
            photo(one, &image, found)
        }));
        each(photos.len(), dated.len());
    }
    Ok(photos)
}

/// What is in each image, in its pixels.
fn find(model: Option<&VisionModel>, images: &[Image]) -> Result<Vec<Found>, TaskError> {
    Ok(match model {
        Some(VisionModel::Detector(model)) => {
            let found = model.detect(images)?;
            found.into_iter().map(Found::Objects).collect()
        }
        Some(VisionModel::Segmenter(model)) => {
            let found = model.ensemble().probabilities(images)?;
            let pairs: Vec<_> = images.iter().zip(found).collect();
            let classes = model.labels().len();
            parallel_map(pairs, |(image, found)| {
                let mask = found.segment(image, false).mask;
                let mut counts = vec![0.0; classes];
                for &class in &mask.classes {
                    counts[usize::from(class)] += 1.0;
                }
                let total = mask.classes.len().max(1) as f64;
                let shares = counts.iter().map(|count| count / total).collect();
                Found::Areas(mask.classes, shares)
            })
        }
        _ => images.iter().map(|_| Found::Nothing).collect(),
    })
}

/// A photo at the size at which it is compared and shown.
fn photo(one: &Dated, image: &Image, found: Found) -> Photo {
    let size = [image.height, image.width];
    let longest = image.height.max(image.width);
    let small = size.map(|side| {
        if longest > LONGEST {
            (side * LONGEST / longest).max(1)
        } else {
            side
        }
    });
    let scale = small[1] as f32 / image.width as f32;
    let found = match found {
        Found::Objects(objects) => {
            let objects = objects.into_iter().map(|one| Detection {
                bounds: one.bounds.scale(scale),
                ..one
            });
            Found::Objects(objects.collect())
        }
        Found::Areas(classes, shares) => {
            let at = |row: usize, column: usize| {
                let (y, x) = (row * size[0] / small[0], column * size[1] / small[1]);
                classes[y * size[1] + x]
            };
            let rows = (0..small[0]).flat_map(|row| (0..small[1]).map(move |x| (row, x)));
            let reduced = rows.map(|(row, column)| at(row, column)).collect();
            Found::Areas(reduced, shares)
        }
        Found::Nothing => Found::Nothing,
    };
    Photo {
        name: one.file.path().display().to_string(),
        time: one.time,
        size,
        image: if longest > LONGEST {
            resize_image(image, small[0], small[1])
        } else {
            image.clone()
        },
        found,
    }
}
