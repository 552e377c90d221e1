//! The content of an image, and its boxes in the pixels of the decoded image.

use image::metadata::Orientation;

use super::clean::CleanImage;
use super::turn::turn_box;
use super::{DetectionOptions, Entry, LabeledObject};
use crate::content::content_hash;
use crate::detection::Annotation;
use crate::image::{BoundingBox, ImageError, MAX_PIXELS, decode_full, read_file, stored_size};

/// Whether and how the boxes of an image were turned with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// The image is not turned, or has no boxes.
    No,
    /// Its labels have the size of the turned image, so that its boxes stay.
    Already,
    /// Its labels have the size as it is stored, so that its boxes are turned.
    FromStored,
    /// Its labels do not say, so that they are taken as those of the stored image.
    Assumed,
}

/// Reads the content of an image, and turns its boxes with it.
pub(super) fn load(
    image: &CleanImage,
    options: &DetectionOptions,
) -> Result<(Entry, Turned), ImageError> {
    let bytes = read_file(&image.path)?;
    let (stored, orientation) = stored_size(&bytes, &image.path, MAX_PIXELS)?;
    if options.skip_broken {
        decode_full(&bytes, &image.path, options.channels, MAX_PIXELS)?;
    }
    let is_turned = orientation != Orientation::NoTransforms;
    let has_sides = <[usize; 2]>::from(stored) != image.oriented;
    let turned = match image.labeled {
        _ if !is_turned || image.objects.is_empty() => Turned::No,
        Some(labeled) if has_sides && labeled == image.oriented => Turned::Already,
        Some(_) if has_sides => Turned::FromStored,
        _ => Turned::Assumed,
    };
    let objects = image.objects.iter().map(|object| {
        let bounds = match turned {
            Turned::No | Turned::Already => object.bounds,
            Turned::FromStored | Turned::Assumed => turn_box(object.bounds, stored, orientation),
        };
        labeled_object(object, bounds)
    });
    let entry = Entry {
        path: image.path.clone(),
        size: image.oriented,
        objects: objects.collect(),
        content: content_hash(&bytes),
    };
    Ok((entry, turned))
}

fn labeled_object(object: &Annotation, bounds: [f64; 4]) -> LabeledObject {
    let [x_min, y_min, x_max, y_max] = bounds.map(|edge| edge as f32);
    LabeledObject {
        bounds: BoundingBox {
            x_min,
            y_min,
            x_max,
            y_max,
            class: object.class as u16,
        },
        crowd: object.crowd,
        difficult: object.difficult,
    }
}
