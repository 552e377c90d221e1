//! Which cell learns which object: SimOTA.
//!
//! Reference: Ge et al., *OTA: optimal transport assignment for object detection*, 2021,
//! <https://arxiv.org/abs/2103.14259>, in the simple form of YOLOX (Ge et al., 2021, section 2.1,
//! <https://arxiv.org/abs/2107.08430>).

use tinderbox_datasets::image::BoundingBox;
use tinderbox_models::vision::CellGrid;

/// Keeps logarithms finite.
const EPSILON: f32 = 1e-8;

/// Cost of a cell that is not both in the box and near its center.
const FAR: f32 = 1e5;

/// Assigns cells to objects by what the network predicts for them now.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigner {
    /// A cell is near the center of a box within so many of its strides.
    pub center_radius: f32,
    /// The number of cells of an object is the sum of its best overlaps, of so many cells.
    pub candidates: usize,
    /// Weight of the overlap in the cost; that of the classes is 1.
    pub overlap_weight: f32,
}

impl Default for Assigner {
    fn default() -> Self {
        Self {
            center_radius: 2.5,
            candidates: 10,
            overlap_weight: 3.0,
        }
    }
}

/// The predictions of the cells of one image.
#[derive(Clone, Copy, Debug)]
pub struct CellPredictions<'a> {
    /// Left, top, right and bottom edge in pixels, `[cells, 4]`.
    pub boxes: &'a [f32],
    /// The probability of each class, `[cells, classes]`.
    pub scores: &'a [f32],
    /// Number of classes.
    pub classes: usize,
}

/// A cell with the object that it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assignment {
    /// Number of the cell.
    pub cell: usize,
    /// Number of the object.
    pub object: usize,
    /// Intersection over union of the predicted box and the object.
    pub iou: f32,
}

/// A cell that could learn an object.
struct Candidate {
    cell: usize,
    iou: f32,
    cost: f32,
}

impl Assigner {
    /// The cells of an image that learn an object, by their number; every object has at least one unless a cheaper
    /// object takes it.
    pub fn assign(
        &self,
        grid: &CellGrid,
        objects: &[BoundingBox],
        predicted: CellPredictions<'_>,
    ) -> Vec<Assignment> {
        // The cheapest object of each cell so far.
        let mut of_cell: Vec<Option<(Assignment, f32)>> = vec![None; grid.len()];
        for (object, bounds) in objects.iter().enumerate() {
            for Candidate { cell, iou, cost } in self.cells_of(grid, bounds, predicted) {
                if of_cell[cell].is_none_or(|(_, other)| cost < other) {
                    of_cell[cell] = Some((Assignment { cell, object, iou }, cost));
                }
            }
        }
        let assigned = of_cell.into_iter().flatten();
        assigned.map(|(assignment, _)| assignment).collect()
    }

    /// The cheapest cells of an object, as many as its overlaps sum up to.
    fn cells_of(
        &self,
        grid: &CellGrid,
        bounds: &BoundingBox,
        predicted: CellPredictions<'_>,
    ) -> Vec<Candidate> {
        let cells = 0..grid.len();
        let candidates = cells.filter_map(|cell| self.candidate(grid, cell, bounds, predicted));
        let mut candidates: Vec<Candidate> = candidates.collect();
        let mut overlaps: Vec<f32> = candidates.iter().map(|candidate| candidate.iou).collect();
        overlaps.sort_by(|a, b| b.total_cmp(a));
        let sum: f32 = overlaps.iter().take(self.candidates).sum();
        let count = (sum as usize).max(1);
        candidates.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        candidates.truncate(count);
        candidates
    }

    fn candidate(
        &self,
        grid: &CellGrid,
        cell: usize,
        bounds: &BoundingBox,
        predicted: CellPredictions<'_>,
    ) -> Option<Candidate> {
        let [x, y] = grid.center(cell);
        let is_inside =
            x > bounds.x_min && x < bounds.x_max && y > bounds.y_min && y < bounds.y_max;
        let radius = self.center_radius * grid.strides[cell];
        let center_x = 0.5 * (bounds.x_min + bounds.x_max);
        let center_y = 0.5 * (bounds.y_min + bounds.y_max);
        let is_near = (x - center_x).abs() < radius && (y - center_y).abs() < radius;
        if !is_inside && !is_near {
            return None;
        }
        let &[x_min, y_min, x_max, y_max] = predicted.boxes.get(4 * cell..4 * cell + 4)? else {
            return None;
        };
        let iou = bounds.iou(&BoundingBox {
            x_min,
            y_min,
            x_max,
            y_max,
            ..*bounds
        });
        let scores = &predicted.scores[cell * predicted.classes..][..predicted.classes];
        let cost = class_cost(scores, usize::from(bounds.class))
            - self.overlap_weight * (iou + EPSILON).ln();
        let far = if is_inside && is_near { 0.0 } else { FAR };
        Some(Candidate {
            cell,
            iou,
            cost: cost + far,
        })
    }
}

/// The binary cross-entropy of the square roots of the scores, as in YOLOX.
fn class_cost(scores: &[f32], class: usize) -> f32 {
    let costs = scores.iter().enumerate().map(|(at, score)| {
        let probability = score.max(0.0).sqrt();
        let right = if at == class {
            probability
        } else {
            1.0 - probability
        };
        -right.max(EPSILON).ln()
    });
    costs.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(x_min: f32, y_min: f32, side: f32, class: u16) -> BoundingBox {
        BoundingBox {
            x_min,
            y_min,
            x_max: x_min + side,
            y_max: y_min + side,
            class,
        }
    }

    /// Every cell predicts a box of so many strides around its center, and both classes alike.
    fn predictions(grid: &CellGrid, strides: f32) -> (Vec<f32>, Vec<f32>) {
        let boxes = (0..grid.len()).flat_map(|cell| {
            let [x, y] = grid.center(cell);
            let half = 0.5 * strides * grid.strides[cell];
            [x - half, y - half, x + half, y + half]
        });
        (boxes.collect(), vec![0.25; 2 * grid.len()])
    }

    fn assign(
        grid: &CellGrid,
        objects: &[BoundingBox],
        boxes: &[f32],
        scores: &[f32],
    ) -> Vec<Assignment> {
        let predicted = CellPredictions {
            boxes,
            scores,
            classes: 2,
        };
        Assigner::default().assign(grid, objects, predicted)
    }

    #[test]
    fn an_object_takes_the_cells_whose_boxes_fit() {
        let grid = CellGrid::new([64, 64]);
        let (boxes, scores) = predictions(&grid, 2.0);
        // 16 pixels around (28, 28): the box of the fine cell in row and column 3.
        let found = assign(&grid, &[object(20.0, 20.0, 16.0, 0)], &boxes, &scores);
        let exact = found.iter().find(|one| (one.iou - 1.0).abs() < 1e-5);
        assert_eq!(exact.map(|one| one.cell), Some(3 * 8 + 3));
        // 32 pixels around (24, 24): that of the cell in row and column 1 at a stride of 16.
        let found = assign(&grid, &[object(8.0, 8.0, 32.0, 0)], &boxes, &scores);
        assert!(found.iter().any(|one| one.cell == 64 + 4 + 1));
    }

    #[test]
    fn a_cell_learns_one_object_and_a_tiny_object_has_a_cell() {
        let grid = CellGrid::new([64, 64]);
        let (boxes, scores) = predictions(&grid, 2.0);
        let objects = [object(20.0, 20.0, 16.0, 0), object(20.0, 20.0, 16.0, 1)];
        let found = assign(&grid, &objects, &boxes, &scores);
        let mut cells: Vec<usize> = found.iter().map(|one| one.cell).collect();
        cells.dedup();
        assert_eq!(cells.len(), found.len());
        // Smaller than a cell, between the centers.
        let found = assign(&grid, &[object(31.5, 31.5, 1.0, 0)], &boxes, &scores);
        assert_eq!(found.len(), 1);
        assert_eq!(assign(&grid, &[], &boxes, &scores), []);
    }

    #[test]
    fn of_two_equal_boxes_the_one_with_the_class_is_chosen() {
        let grid = CellGrid::new([32, 32]);
        let (mut boxes, mut scores) = predictions(&grid, 2.0);
        let bounds = object(4.0, 4.0, 24.0, 1);
        // All fine cells predict the object.
        for cell in 0..16 {
            boxes[4 * cell..][..4].copy_from_slice(&[4.0, 4.0, 28.0, 28.0]);
        }
        scores[2 * 6 + 1] = 0.9;
        let found = assign(&grid, &[bounds], &boxes, &scores);
        assert!(found.iter().any(|one| one.cell == 6));
        // The sum of ten overlaps of 1.
        assert_eq!(found.len(), 10);
    }
}
