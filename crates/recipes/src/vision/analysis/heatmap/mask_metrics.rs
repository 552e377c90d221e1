//! The ground-truth mask of an image, and the metrics of a map against it.

use std::path::Path;

use serde_json::{Value, json};
use tinderbox_datasets::image::LargeImage;
use tinderbox_train::metrics::{Froc, Ranking};
use tinderbox_train::{Section, TaskError};

use super::map::{CellGrid, HeatMap};
use super::regions::{label, peaks};

/// Rows of a mask that are read at once.
const ROWS: usize = 256;

/// Detections for the FROC have at least this probability.
const LOWEST: f32 = 0.1;

/// A ground-truth mask.
pub(super) struct LesionMask {
    /// Whether most of a cell is in the mask.
    cells: Vec<bool>,
    /// The number of the lesion that a cell belongs to.
    lesion: Vec<Option<u32>>,
    /// Number of connected parts of the mask.
    lesions: usize,
}

/// The metrics of a map.
pub(super) struct MaskMetrics {
    /// None where all or no pixels are in the mask.
    auroc: Option<f64>,
    /// At 95 % specificity.
    sensitivity: Option<f64>,
    /// Points of the map, with the lesion that each hits.
    detections: Vec<(f64, Option<usize>)>,
    lesions: usize,
    /// Lesions hit by a point of at least the threshold, and points of that kind elsewhere.
    lesions_found: usize,
    false_positives: usize,
}

impl LesionMask {
    /// Reads the mask of an image: white on black, or 1 on 0.
    pub(super) fn read(path: &Path, image: &LargeImage, grid: CellGrid) -> Result<Self, TaskError> {
        let mut mask = LargeImage::open(path, 1).map_err(TaskError::user)?;
        let refuse =
            |reason: String| TaskError::user(format!("the mask `{}` {reason}", path.display()));
        let size = |image: &LargeImage| format!("{} x {} pixels", image.width(), image.height());
        if [mask.height(), mask.width()] != [image.height(), image.width()] {
            let (found, expected) = (size(&mask), size(image));
            return Err(refuse(format!("has {found}, its image {expected}")));
        }
        // Pixels of each cell above 127, and of 1.
        let mut counts = vec![[0_u32; 2]; grid.len()];
        let mut largest = 0;
        for top in (0..mask.height()).step_by(ROWS) {
            let rows = top..(top + ROWS).min(mask.height());
            let rows = mask.rows(rows).map_err(TaskError::user)?;
            for (at, &value) in rows.pixels.iter().enumerate() {
                let (y, x) = (top + at / rows.width, at % rows.width);
                let counts = &mut counts[grid.cell_of(y, x)];
                counts[0] += u32::from(value > 127);
                counts[1] += u32::from(value == 1);
                largest = largest.max(value);
            }
        }
        if (2..=127).contains(&largest) {
            return Err(refuse(format!(
                "has values up to {largest}; expected 0 and 255, or 0 and 1"
            )));
        }
        let which = usize::from(largest <= 1);
        let cells: Vec<bool> = counts
            .iter()
            .enumerate()
            .map(|(at, counts)| 2 * counts[which] as usize >= grid.pixels(at).max(1))
            .collect();
        let (lesion, lesions) = label(&cells, grid.width);
        Ok(Self {
            cells,
            lesion,
            lesions,
        })
    }

    /// Whether a cell is at the edge of the mask, inside of it.
    pub(super) fn is_edge(&self, at: usize, width: usize) -> bool {
        let (column, inside) = (at % width, |at: Option<usize>| {
            at.and_then(|at| self.cells.get(at).copied())
                .unwrap_or(true)
        });
        let left = at.checked_sub(1).filter(|_| column > 0);
        let right = Some(at + 1).filter(|_| column + 1 < width);
        let around = [left, right, at.checked_sub(width), Some(at + width)];
        self.cells[at] && !around.into_iter().all(inside)
    }

    /// Compares a map with the mask; a detection keeps the others `radius` cells away.
    pub(super) fn evaluate(&self, map: &HeatMap, radius: usize, threshold: f64) -> MaskMetrics {
        let scores: Vec<f64> = map.values.iter().map(|&value| f64::from(value)).collect();
        let ranking = Ranking::new(&scores, &self.cells);
        let peaks = peaks(&map.values, map.grid.width, radius, LOWEST);
        let detections: Vec<(f64, Option<usize>)> = peaks
            .into_iter()
            .map(|at| (scores[at], self.lesion[at].map(|lesion| lesion as usize)))
            .collect();
        let sure = || detections.iter().filter(|(score, _)| *score >= threshold);
        let hits: std::collections::BTreeSet<usize> = sure().filter_map(|(_, hit)| *hit).collect();
        MaskMetrics {
            auroc: ranking.auroc(),
            sensitivity: ranking.sensitivity_at(0.95),
            lesions: self.lesions,
            lesions_found: hits.len(),
            false_positives: sure().filter(|(_, hit)| hit.is_none()).count(),
            detections,
        }
    }
}

impl MaskMetrics {
    pub(super) fn section(&self, threshold: f64) -> Section {
        let number = |value: Option<f64>| {
            value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
        };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let found = format!("{} of {}", self.lesions_found, self.lesions);
        let rows = vec![
            row("pixel AUROC", number(self.auroc)),
            row("sensitivity at 95% specificity", number(self.sensitivity)),
            row(&format!("lesions found at {threshold}"), found),
            row(
                &format!("false positives at {threshold}"),
                self.false_positives.to_string(),
            ),
        ];
        Section::table(
            "Metrics against the mask (white is the class; a detection is a local maximum)",
            rows,
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "pixel_auroc": self.auroc,
            "sensitivity_at_specificity_95": self.sensitivity,
            "lesions": self.lesions,
            "lesions_found": self.lesions_found,
            "false_positives": self.false_positives,
        })
    }
}

/// The metrics over all images with a mask.
#[derive(Default)]
pub(super) struct TotalMetrics {
    froc: Froc,
    images: usize,
    aurocs: Vec<f64>,
    lesions_found: usize,
}

impl TotalMetrics {
    pub(super) fn add(&mut self, metrics: &MaskMetrics) {
        self.froc.add(&metrics.detections, metrics.lesions);
        self.images += 1;
        self.aurocs.extend(metrics.auroc);
        self.lesions_found += metrics.lesions_found;
    }

    /// The FROC, and the mean over several images.
    pub(super) fn sections(&self) -> Vec<Section> {
        if self.images == 0 {
            return Vec::new();
        }
        let mut head = vec!["false positives per image".to_owned()];
        let mut row = vec!["sensitivity".to_owned()];
        for count in Froc::FALSE_POSITIVES {
            head.push(count.to_string());
            let found = self.froc.sensitivity(count);
            row.push(found.map_or_else(|| "-".to_owned(), |found| format!("{found:.4}")));
        }
        let mut title = "FROC".to_owned();
        if self.images > 1 {
            let (images, lesions) = (self.images, self.froc.lesions());
            title = format!(
                "FROC of {images} images: {} of {lesions} lesions found",
                self.lesions_found
            );
            if let Some(auroc) = mean(&self.aurocs) {
                title = format!("{title}, mean pixel AUROC {auroc:.4}");
            }
        }
        vec![Section::table(title, vec![head, row])]
    }

    pub(super) fn json(&self) -> Option<Value> {
        let froc: serde_json::Map<String, Value> = Froc::FALSE_POSITIVES
            .into_iter()
            .map(|count| (count.to_string(), json!(self.froc.sensitivity(count))))
            .collect();
        (self.images > 0).then(|| {
            json!({
                "images": self.images,
                "mean_pixel_auroc": mean(&self.aurocs),
                "lesions": self.froc.lesions(),
                "lesions_found": self.lesions_found,
                "froc": froc,
                "froc_score": self.froc.score(),
            })
        })
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
