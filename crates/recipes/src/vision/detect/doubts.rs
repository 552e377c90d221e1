//! Labels that may be wrong, by what the network finds in images that it has not seen.

use tinderbox_datasets::image::{BoundingBox, Detection};
use tinderbox_train::Section;
use tinderbox_train::metrics::TrueBox;

use super::data::BoxedImages;
use super::evaluate::Evaluated;

/// Lowest score of a detection that a label is doubted for.
const SURE: f32 = 0.7;

/// Overlap from which a detection and a label are about the same object.
const SAME: f32 = 0.7;

/// Overlap up to which a detection is of an object without a label.
const APART: f32 = 0.3;

/// Doubts that are listed; all are counted.
const LISTED: usize = 10;

/// A label that may be wrong.
#[derive(Clone, Debug, PartialEq)]
struct Doubt {
    row: usize,
    what: String,
    bounds: BoundingBox,
    score: f32,
}

/// Lists objects that are found for sure without a label, or with a label of another class.
pub(super) fn section(data: &BoxedImages, of_splits: [&Evaluated; 2]) -> Option<Section> {
    let names = data.classes();
    let photos = of_splits.iter().flat_map(|split| &split.photos);
    let doubts =
        photos.flat_map(|(row, found)| doubts(*row, found, &data.images.truth(*row), names));
    let mut doubts: Vec<Doubt> = doubts.collect();
    doubts.sort_by(|a, b| b.score.total_cmp(&a.score));
    let head = [
        format!("labels to check, {} in all", doubts.len()),
        "found".to_owned(),
        "left, top, right, bottom".to_owned(),
        "score".to_owned(),
    ];
    let rows = doubts.iter().take(LISTED).map(|doubt| {
        let BoundingBox {
            x_min,
            y_min,
            x_max,
            y_max,
            ..
        } = doubt.bounds;
        vec![
            data.images.path(doubt.row).display().to_string(),
            doubt.what.clone(),
            format!("{x_min:.0}, {y_min:.0}, {x_max:.0}, {y_max:.0}"),
            format!("{:.2}", doubt.score),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(rows).collect();
    (!doubts.is_empty()).then(|| Section::table("", rows))
}

fn doubts(row: usize, found: &[Detection], truth: &[TrueBox], names: &[String]) -> Vec<Doubt> {
    let sure = found.iter().filter(|one| one.score >= SURE);
    let doubts = sure.filter_map(|one| {
        let overlap = |label: &&TrueBox| {
            let inside = one.bounds.intersection(&label.bounds) / one.bounds.area().max(1.0);
            if label.crowd {
                inside
            } else {
                one.bounds.iou(&label.bounds)
            }
        };
        let nearest = truth
            .iter()
            .max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        let name = |class: u16| &names[usize::from(class)];
        let what = match nearest {
            Some(label) if overlap(&label) >= SAME && label.bounds.class != one.bounds.class => {
                let (found, labeled) = (name(one.bounds.class), name(label.bounds.class));
                format!("{found}, labeled {labeled}")
            }
            Some(label) if overlap(&label) > APART => return None,
            _ => format!("{}, no label", name(one.bounds.class)),
        };
        Some(Doubt {
            row,
            what,
            bounds: one.bounds,
            score: one.score,
        })
    });
    doubts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(x_min: f32, class: u16) -> BoundingBox {
        BoundingBox {
            x_min,
            y_min: 0.0,
            x_max: x_min + 10.0,
            y_max: 10.0,
            class,
        }
    }

    fn found(x_min: f32, class: u16, score: f32) -> Detection {
        Detection {
            bounds: bounds(x_min, class),
            score,
        }
    }

    #[test]
    fn sure_objects_without_their_label_are_doubts() {
        let names = ["cat", "dog"].map(str::to_owned);
        let label = |x_min: f32, crowd: bool| TrueBox {
            bounds: bounds(x_min, 0),
            crowd,
            difficult: false,
        };
        let truth = [label(0.0, false), label(50.0, true)];
        let all = [
            // Correct, wrong class, no label, low score, poor overlap, inside a crowd.
            found(0.0, 0, 0.9),
            found(1.0, 1, 0.8),
            found(30.0, 1, 0.75),
            found(30.0, 1, 0.5),
            found(4.0, 0, 0.9),
            found(51.0, 0, 0.9),
        ];
        let doubts = doubts(3, &all, &truth, &names);
        let whats: Vec<&str> = doubts.iter().map(|doubt| doubt.what.as_str()).collect();
        assert_eq!(whats, ["dog, labeled cat", "dog, no label"]);
    }
}
