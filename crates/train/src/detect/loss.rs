//! Losses of object detection.
//!
//! | network | classes | boxes |
//! |---|---|---|
//! | with an objectness (YOLOX) | binary cross-entropy of the classes in the assigned cells, and of the objectness in all | 1 - IoU² |
//! | without | quality focal loss in all cells | GIoU, and distribution focal loss of the distances |

use burn::tensor::activation::{log_sigmoid, log_softmax, sigmoid};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tinderbox_datasets::image::BoundingBox;
use tinderbox_datasets::parallel_map;
use tinderbox_models::vision::{CellGrid, DetectorOutput};

use super::{Assigner, Assignment, CellPredictions};
use crate::classify::ClassWeights;
use crate::{ConfigError, check_range};

/// Keeps ratios of areas defined.
const EPSILON: f64 = 1e-7;

/// Keeps the distance to an edge below the last bin.
const BELOW_LAST: f32 = 0.01;

/// A weighted sum of losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionLoss {
    /// Weight of the loss of the boxes: 1 minus the squared IoU (Ge et al., *YOLOX*, 2021,
    /// <https://arxiv.org/abs/2107.08430>), or generalized IoU where the network has no objectness (Rezatofighi et
    /// al., 2019, <https://arxiv.org/abs/1902.09630>).
    pub boxes: f64,
    /// Weight of the loss of the classes: binary cross-entropy, or quality focal loss where the network has no
    /// objectness (Li et al., 2020, <https://arxiv.org/abs/2006.04388>).
    pub classes: f64,
    /// Weight of the binary cross-entropy of the objectness, where the network has one.
    pub objectness: f64,
    /// Weight of the distribution focal loss of the distances to the edges (Li et al., 2020), where the network
    /// predicts distributions.
    pub distribution: f64,
    /// Whether rare classes count as much as frequent ones in the loss of the classes.
    pub class_weights: ClassWeights,
}

impl Default for DetectionLoss {
    fn default() -> Self {
        Self {
            boxes: 2.0,
            classes: 1.0,
            objectness: 1.0,
            distribution: 0.25,
            class_weights: ClassWeights::None,
        }
    }
}

/// The objects that cells learn, of all images of a batch.
struct Targets {
    /// Row of each assigned cell, counted over all images.
    rows: Vec<usize>,
    /// Its class.
    classes: Vec<usize>,
    /// Overlap of its predicted box with the object.
    ious: Vec<f32>,
    /// The edges of the object, `[assigned, 4]`.
    edges: Vec<f32>,
    /// The distance from the center of the cell to each edge, in strides, `[assigned, 4]`.
    distances: Vec<f32>,
}

impl DetectionLoss {
    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("loss.boxes", self.boxes),
            ("loss.classes", self.classes),
            ("loss.objectness", self.objectness),
            ("loss.distribution", self.distribution),
        ] {
            check_range(key, value, 0.0..=1000.0)?;
        }
        Ok(())
    }

    /// The loss of a batch, `[1]`: sums over the cells, divided by the number of those that learn an object.
    ///
    /// `boxes` has the objects of each image of `[height, width]` pixels, and `class_weights` the weight of each
    /// class, as [`ClassWeights::of`] computes them; empty for equal ones.
    pub fn forward(
        &self,
        output: DetectorOutput,
        boxes: &[Vec<BoundingBox>],
        image: [usize; 2],
        class_weights: &[f32],
    ) -> Tensor<1> {
        let grid = CellGrid::new(image);
        let targets = assign(&output, boxes, &grid);
        if output.objectness.is_some() {
            self.with_objectness(output, &targets, class_weights)
        } else {
            self.with_quality(output, &targets, class_weights)
        }
    }

    /// The loss of YOLOX.
    fn with_objectness(
        &self,
        output: DetectorOutput,
        targets: &Targets,
        class_weights: &[f32],
    ) -> Tensor<1> {
        let device = output.boxes.device();
        let [images, cells, classes] = output.classes.dims();
        let count = targets.rows.len().max(1) as f64;
        let mut has_object = vec![0.0; images * cells];
        for &row in &targets.rows {
            has_object[row] = 1.0;
        }
        let objectness = output
            .objectness
            .map_or_else(|| Tensor::zeros([images * cells], &device), flat);
        let mut loss = cross_entropy(objectness, vector(has_object, &device))
            .sum()
            .mul_scalar(self.objectness / count);
        if targets.rows.is_empty() {
            return loss;
        }
        let rows = targets.rows(&device);
        let logits = rows_of(output.classes, rows.clone());
        let entropy = cross_entropy(logits, targets.qualities(classes, &device));
        loss = loss
            + weighted(entropy, class_weights)
                .sum()
                .mul_scalar(self.classes / count);
        let iou = overlap(&rows_of(output.boxes, rows), &targets.edges(&device)).iou;
        let of_boxes = iou.powi_scalar(2).neg().add_scalar(1.0).sum();
        loss + of_boxes.mul_scalar(self.boxes / count)
    }

    /// Generalized focal losses.
    fn with_quality(
        &self,
        output: DetectorOutput,
        targets: &Targets,
        class_weights: &[f32],
    ) -> Tensor<1> {
        let device = output.boxes.device();
        let [images, cells, classes] = output.classes.dims();
        let count = targets.rows.len().max(1) as f64;
        let logits: Tensor<2> = output.classes.clone().reshape([images * cells, classes]);
        let quality = targets.all_qualities([images * cells, classes], &device);
        let distance = quality.clone() - sigmoid(logits.clone());
        let focal = cross_entropy(logits, quality) * distance.powi_scalar(2);
        let loss = weighted(focal, class_weights)
            .sum()
            .mul_scalar(self.classes / count);
        if targets.rows.is_empty() {
            return loss;
        }
        let rows = targets.rows(&device);
        // A box counts as much as the network is sure of it (Li et al., 2020).
        let scores = sigmoid(rows_of(output.classes, rows.clone()).detach());
        let weights: Tensor<1> = scores.max_dim(1).squeeze_dim(1);
        let weights = weights.clone() / weights.sum().clamp_min(EPSILON);
        let giou = overlap(
            &rows_of(output.boxes, rows.clone()),
            &targets.edges(&device),
        )
        .giou;
        let of_boxes = (giou.neg().add_scalar(1.0) * weights.clone()).sum();
        let distances = rows_of(output.raw_boxes, rows);
        let of_distances = targets.distribution(distances, &device);
        let of_distances = (of_distances * weights).sum();
        loss + of_boxes.mul_scalar(self.boxes) + of_distances.mul_scalar(self.distribution)
    }
}

/// Multiplies each class `[rows, classes]` by its weight, if there are weights.
fn weighted(losses: Tensor<2>, weights: &[f32]) -> Tensor<2> {
    if weights.is_empty() {
        return losses;
    }
    let weights = Tensor::<1>::from_floats(weights, &losses.device());
    losses * weights.unsqueeze::<2>()
}

/// The objects that cells learn, by what the network predicts now.
fn assign(output: &DetectorOutput, boxes: &[Vec<BoundingBox>], grid: &CellGrid) -> Targets {
    let [_, cells, classes] = output.classes.dims();
    let read = |tensor: Tensor<3>| {
        tensor
            .without_autodiff()
            .try_into_vec_as::<f32>()
            .unwrap_or_default()
    };
    let predicted = read(output.boxes.clone());
    let scores = read(output.scores());
    let assigner = Assigner::default();
    // A device that fails leaves nothing to read: the loss then fails where it is read.
    let is_read = predicted.len() == 4 * cells * boxes.len();
    let images = boxes.iter().enumerate().filter(|_| is_read);
    let assigned: Vec<Vec<Assignment>> = parallel_map(images, |(image, objects)| {
        let predictions = CellPredictions {
            boxes: &predicted[4 * cells * image..][..4 * cells],
            scores: &scores[classes * cells * image..][..classes * cells],
            classes,
        };
        assigner.assign(grid, objects, predictions)
    });
    let mut targets = Targets {
        rows: Vec::new(),
        classes: Vec::new(),
        ious: Vec::new(),
        edges: Vec::new(),
        distances: Vec::new(),
    };
    for (image, (assigned, objects)) in assigned.iter().zip(boxes).enumerate() {
        for one in assigned {
            targets.add(one, image * cells, &objects[one.object], grid);
        }
    }
    targets
}

impl Targets {
    fn add(&mut self, one: &Assignment, first: usize, object: &BoundingBox, grid: &CellGrid) {
        let [x, y] = grid.center(one.cell);
        let stride = grid.strides[one.cell];
        let edges = [object.x_min, object.y_min, object.x_max, object.y_max];
        let distances = [
            x - object.x_min,
            y - object.y_min,
            object.x_max - x,
            object.y_max - y,
        ];
        self.rows.push(first + one.cell);
        self.classes.push(usize::from(object.class));
        self.ious.push(one.iou);
        self.edges.extend(edges);
        self.distances
            .extend(distances.map(|distance| distance / stride));
    }

    fn rows(&self, device: &Device) -> Tensor<1, Int> {
        let rows: Vec<u32> = self.rows.iter().map(|&row| row as u32).collect();
        let count = rows.len();
        Tensor::from_data(TensorData::new(rows, [count]), device)
    }

    fn edges(&self, device: &Device) -> Tensor<2> {
        vector(self.edges.clone(), device).reshape([self.rows.len(), 4])
    }

    /// The overlap in the column of the class of each assigned cell, `[assigned, classes]`.
    fn qualities(&self, classes: usize, device: &Device) -> Tensor<2> {
        let mut values = vec![0.0; self.rows.len() * classes];
        for (at, (class, iou)) in self.classes.iter().zip(&self.ious).enumerate() {
            values[at * classes + class] = *iou;
        }
        vector(values, device).reshape([self.rows.len(), classes])
    }

    /// The same for all cells, 0 where there is no object.
    fn all_qualities(&self, [rows, classes]: [usize; 2], device: &Device) -> Tensor<2> {
        let mut values = vec![0.0; rows * classes];
        for ((row, class), iou) in self.rows.iter().zip(&self.classes).zip(&self.ious) {
            values[row * classes + class] = *iou;
        }
        vector(values, device).reshape([rows, classes])
    }

    /// The mean cross-entropy of the two bins next to each distance, `[assigned]`.
    fn distribution(&self, logits: Tensor<2>, device: &Device) -> Tensor<1> {
        let [count, width] = logits.dims();
        let bins = width / 4;
        let mut values = vec![0.0; count * width];
        for (at, &distance) in self.distances.iter().enumerate() {
            let distance = distance.clamp(0.0, (bins - 1) as f32 - BELOW_LAST);
            let left = distance as usize;
            values[at * bins + left] = (left + 1) as f32 - distance;
            values[at * bins + left + 1] = distance - left as f32;
        }
        let targets: Tensor<3> = vector(values, device).reshape([count, 4, bins]);
        let logits: Tensor<3> = logits.reshape([count, 4, bins]);
        let entropy = log_softmax(logits, 2) * targets;
        let sum: Tensor<2> = entropy.sum_dim(2).squeeze_dim(2);
        sum.mean_dim(1).squeeze_dim::<1>(1).neg()
    }
}

fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn flat(values: Tensor<3>) -> Tensor<1> {
    let count = values.dims().iter().product::<usize>();
    values.reshape([count])
}

/// Some rows of `[batch, cells, width]`, counted over all images.
fn rows_of(values: Tensor<3>, rows: Tensor<1, Int>) -> Tensor<2> {
    let [batch, cells, width] = values.dims();
    values.reshape([batch * cells, width]).select(0, rows)
}

/// Binary cross-entropy of logits with targets in `[0, 1]`, element by element.
fn cross_entropy<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<D> {
    // -t ln σ(x) - (1 - t) ln σ(-x) = (1 - t) x - ln σ(x)
    targets.neg().add_scalar(1.0) * logits.clone() - log_sigmoid(logits)
}

/// How much pairs of boxes overlap, `[pairs]`.
struct Overlap {
    iou: Tensor<1>,
    giou: Tensor<1>,
}

/// The overlap of boxes `[pairs, 4]` with others.
fn overlap(boxes: &Tensor<2>, others: &Tensor<2>) -> Overlap {
    let edge = |boxes: &Tensor<2>, at: usize| boxes.clone().narrow(1, at, 1).squeeze_dim::<1>(1);
    let [a, b] = [boxes, others].map(|boxes| [0, 1, 2, 3].map(|at| edge(boxes, at)));
    let area = |[left, top, right, bottom]: &[Tensor<1>; 4]| {
        (right.clone() - left.clone()).clamp_min(0.0)
            * (bottom.clone() - top.clone()).clamp_min(0.0)
    };
    let inner = [
        a[0].clone().max_pair(b[0].clone()),
        a[1].clone().max_pair(b[1].clone()),
        a[2].clone().min_pair(b[2].clone()),
        a[3].clone().min_pair(b[3].clone()),
    ];
    let outer = [
        a[0].clone().min_pair(b[0].clone()),
        a[1].clone().min_pair(b[1].clone()),
        a[2].clone().max_pair(b[2].clone()),
        a[3].clone().max_pair(b[3].clone()),
    ];
    let both = area(&inner);
    let either = (area(&a) + area(&b) - both.clone()).add_scalar(EPSILON);
    let hull = area(&outer).add_scalar(EPSILON);
    let iou = both / either.clone();
    Overlap {
        giou: iou.clone() - (hull.clone() - either) / hull,
        iou,
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_models::vision::{FastDetectorConfig, YoloxConfig};

    use super::*;

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    #[test]
    fn overlaps_are_those_of_their_formulas() {
        let device = Device::flex();
        let of = |edges: [f32; 4]| Tensor::<2>::from_floats([edges], &device);
        let found = overlap(&of([0.0, 0.0, 2.0, 2.0]), &of([1.0, 0.0, 3.0, 2.0]));
        assert!((value(found.iou) - 2.0 / 6.0).abs() < 1e-5);
        // The hull is the union.
        assert!((value(found.giou) - 2.0 / 6.0).abs() < 1e-5);
        let apart = overlap(&of([0.0, 0.0, 1.0, 1.0]), &of([3.0, 0.0, 4.0, 1.0]));
        assert!(value(apart.iou).abs() < 1e-5);
        assert!((value(apart.giou) + 0.5).abs() < 1e-5);
    }

    #[test]
    fn the_cross_entropy_is_that_of_its_formula() {
        let device = Device::flex();
        let logits = Tensor::<1>::from_floats([2.0], &device);
        let found = cross_entropy(logits, Tensor::from_floats([0.25], &device));
        let right = 1.0 / (1.0 + (-2.0_f32).exp());
        let expected = -0.25 * right.ln() - 0.75 * (1.0 - right).ln();
        assert!((value(found) - expected).abs() < 1e-5);
    }

    /// Gradient descent on one image, by both losses.
    #[test]
    fn a_network_learns_one_image() {
        use burn::optim::{AdamConfig, GradientsParams};
        let device = Device::flex().autodiff();
        device.seed(1);
        let image =
            Tensor::<4>::random([1, 3, 64, 64], burn::tensor::Distribution::Default, &device);
        let object = BoundingBox {
            x_min: 10.0,
            y_min: 12.0,
            x_max: 40.0,
            y_max: 50.0,
            class: 1,
        };
        let boxes = [vec![object]];
        let loss = DetectionLoss::default();
        let mut fast = FastDetectorConfig::new(3, 2)
            .with_channels(vec![4, 8, 8, 8, 8])
            .with_neck_channels(8)
            .init(&device);
        let mut optimizer = AdamConfig::new().init();
        let mut losses = Vec::new();
        for _ in 0..40 {
            let step = loss.forward(fast.forward(image.clone()), &boxes, [64, 64], &[]);
            losses.push(value(step.clone().inner()));
            let gradients = GradientsParams::from_grads(step.backward(), &fast);
            fast = optimizer.step(0.02, fast, gradients);
        }
        assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
        let yolox = YoloxConfig::new(3, 2)
            .with_width_multiplier(0.125)
            .init(&device);
        let step = loss.forward(yolox.forward(image), &boxes, [64, 64], &[]);
        assert!(value(step.inner()).is_finite());
    }

    #[test]
    fn an_image_without_objects_has_a_finite_loss() {
        let device = Device::flex();
        let model = FastDetectorConfig::new(3, 2).init(&device);
        let output = model.forward(Tensor::zeros([1, 3, 32, 32], &device));
        let loss = DetectionLoss::default().forward(output, &[Vec::new()], [32, 32], &[]);
        assert!(value(loss).is_finite());
    }
}
