//! What a detector predicts for every cell.

use burn::tensor::Tensor;
use tinderbox_kernels::sigmoid;

/// The prediction of every cell of a [`CellGrid`](super::CellGrid).
#[derive(Clone, Debug)]
pub struct DetectorOutput {
    /// Left, top, right and bottom edge of a box, in pixels of the input, `[batch, cells, 4]`.
    pub boxes: Tensor<3>,
    /// Unnormalized log-probability of each class, `[batch, cells, num_classes]`.
    pub classes: Tensor<3>,
    /// Unnormalized log-probability that there is an object, `[batch, cells, 1]`; none where the classes say
    /// it too.
    pub objectness: Option<Tensor<3>>,
    /// What the boxes were computed from: for [`Yolox`](super::Yolox) the shift of the center and the logarithm of
    /// the size, in strides, `[batch, cells, 4]`; for [`FastDetector`](super::FastDetector) the logits of the
    /// distance to each edge, `[batch, cells, 4 * bins]`.
    pub raw_boxes: Tensor<3>,
}

impl DetectorOutput {
    /// The score of each class in each cell, in `[0, 1]`, `[batch, cells, num_classes]`.
    pub fn scores(&self) -> Tensor<3> {
        let classes = sigmoid(self.classes.clone());
        match &self.objectness {
            Some(objectness) => classes * sigmoid(objectness.clone()),
            None => classes,
        }
    }

    /// The same, of which each part leads to the whole network in the backward pass: a loss of some parts only, as
    /// of images without an object, then visits the same layers as any other loss.
    #[must_use]
    pub fn joined(self) -> Self {
        let [boxes, classes, raw_boxes] =
            [&self.boxes, &self.classes, &self.raw_boxes].map(|part| part.dims()[2]);
        let mut parts = vec![self.boxes, self.classes, self.raw_boxes];
        let has_objectness = self.objectness.is_some();
        parts.extend(self.objectness);
        let all = Tensor::cat(parts, 2);
        let part = |start, width| all.clone().narrow(2, start, width);
        Self {
            boxes: part(0, boxes),
            classes: part(boxes, classes),
            raw_boxes: part(boxes + classes, raw_boxes),
            objectness: has_objectness.then(|| part(boxes + classes + raw_boxes, 1)),
        }
    }
}
