//! A sampled change of position, applied alike to an image and to its targets.

use super::elastic::Elastic;
use super::grid::{Shift, mirror, mirror_rows, turn_right};
use super::warp::Warp;
use crate::image::{BoundingBox, Image, Keypoint, Mask};

/// A change of position of every pixel of an image: an elastic deformation, an affine warp, flips, quarter
/// turns, then a shift by whole pixels.
///
/// [`Augment::sample`](super::Augment::sample) draws it once, and its methods apply it to the image and
/// to whatever is annotated in it. The size of the image stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) elastic: Option<Elastic>,
    pub(super) warp: Option<Warp>,
    pub(super) flip: bool,
    pub(super) vertical_flip: bool,
    /// Quarter turns to the right; even where the image is not square.
    pub(super) turns: u8,
    /// Pixels downward.
    pub(super) down: isize,
    /// Pixels to the right.
    pub(super) right: isize,
}

/// Boxes after a [`Geometry`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransformedBoxes {
    /// The boxes that are kept, in their order.
    pub boxes: Vec<BoundingBox>,
    /// Number of boxes dropped because too little of them is left in the image.
    pub dropped: usize,
}

impl Geometry {
    /// The geometry that leaves images of this size as they are.
    pub fn identity(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            elastic: None,
            warp: None,
            flip: false,
            vertical_flip: false,
            turns: 0,
            down: 0,
            right: 0,
        }
    }

    /// Whether the image is mirrored, on either axis but not on both, so that targets with sides, such as a left eye, change names.
    pub fn is_flipped(&self) -> bool {
        self.flip != self.vertical_flip
    }

    /// The transformed image: bilinear interpolation, black where nothing was.
    ///
    /// # Panics
    ///
    /// If the image is not of the size that the geometry was sampled for.
    pub fn apply_image(&self, image: Image) -> Image {
        self.apply_image_on(image, 0)
    }

    /// The transformed image, `fill` where nothing was.
    pub(super) fn apply_image_on(&self, image: Image, fill: u8) -> Image {
        self.check_size(image.height, image.width);
        let mut image = match (&self.elastic, &self.warp) {
            (Some(elastic), warp) => elastic.apply_image(&image, warp.as_ref(), fill),
            (None, Some(warp)) => warp.apply_image(&image, fill),
            (None, None) => image,
        };
        self.apply_grid(&mut image.pixels, image.channels);
        if let Some(shift) = self.shift(image.channels) {
            image.pixels = shift.apply(&image.pixels, fill);
        }
        image
    }

    /// The transformed mask: the class of the nearest pixel, `fill` where nothing was.
    ///
    /// # Panics
    ///
    /// If the mask is not of the size that the geometry was sampled for.
    pub fn apply_mask(&self, mask: Mask, fill: u16) -> Mask {
        self.check_size(mask.height, mask.width);
        let mut mask = match (&self.elastic, &self.warp) {
            (Some(elastic), warp) => elastic.apply_mask(&mask, warp.as_ref(), fill),
            (None, Some(warp)) => warp.apply_mask(&mask, fill),
            (None, None) => mask,
        };
        self.apply_grid(&mut mask.classes, 1);
        if let Some(shift) = self.shift(1) {
            mask.classes = shift.apply(&mask.classes, fill);
        }
        mask
    }

    /// The boxes around the transformed corners, clipped to the image.
    ///
    /// A box is dropped and counted if less than `min_visibility` of its transformed area, a fraction in
    /// `[0, 1]`, or nothing at all is left in the image.
    pub fn apply_boxes(&self, boxes: &[BoundingBox], min_visibility: f32) -> TransformedBoxes {
        let mut transformed = TransformedBoxes::default();
        for bounding_box in boxes {
            let moved = self.apply_box(bounding_box);
            let clipped = moved.clip(self.height, self.width);
            if clipped.area() > 0.0 && clipped.area() >= min_visibility * moved.area() {
                transformed.boxes.push(clipped);
            } else {
                transformed.dropped += 1;
            }
        }
        transformed
    }

    /// The transformed points, in their order; those that leave the image are not visible.
    ///
    /// Each pair of `flip_pairs` names two points that stand for left and right, such as both eyes; they
    /// are swapped if the image is flipped.
    ///
    /// # Panics
    ///
    /// If a pair names a point that does not exist.
    pub fn apply_points(&self, points: &[Keypoint], flip_pairs: &[[usize; 2]]) -> Vec<Keypoint> {
        let moved = |point: &Keypoint| {
            let [x, y] = self.apply_position([point.x, point.y]);
            let inside = (0.0..self.width as f32).contains(&x);
            let inside = inside && (0.0..self.height as f32).contains(&y);
            let visible = point.visible && inside;
            Keypoint { x, y, visible }
        };
        let mut points: Vec<Keypoint> = points.iter().map(moved).collect();
        if self.is_flipped() {
            for &[left, right] in flip_pairs {
                points.swap(left, right);
            }
        }
        points
    }

    /// The box around the transformed corners, which may leave the image.
    pub(super) fn apply_box(&self, bounding_box: &BoundingBox) -> BoundingBox {
        let &BoundingBox {
            x_min,
            y_min,
            x_max,
            y_max,
            class,
        } = bounding_box;
        let corners = [
            [x_min, y_min],
            [x_max, y_min],
            [x_min, y_max],
            [x_max, y_max],
        ];
        let corners = corners.map(|corner| self.apply_position(corner));
        let least = |axis: usize| corners.iter().fold(f32::INFINITY, |a, c| a.min(c[axis]));
        let most = |axis: usize| {
            corners
                .iter()
                .fold(f32::NEG_INFINITY, |a, c| a.max(c[axis]))
        };
        BoundingBox {
            x_min: least(0),
            y_min: least(1),
            x_max: most(0),
            y_max: most(1),
            class,
        }
    }

    fn apply_position(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let position = [f64::from(x), f64::from(y)];
        let position = match &self.elastic {
            Some(elastic) => elastic.apply_point(position),
            None => position,
        };
        let [mut x, mut y] = match &self.warp {
            Some(warp) => warp.apply_point(position, self.height, self.width),
            None => position,
        };
        if self.flip {
            x = self.width as f64 - x;
        }
        if self.vertical_flip {
            y = self.height as f64 - y;
        }
        for turn in 0..self.turns {
            let height = if turn % 2 == 0 {
                self.height
            } else {
                self.width
            };
            [x, y] = [height as f64 - y, x];
        }
        [
            (x + self.right as f64) as f32,
            (y + self.down as f64) as f32,
        ]
    }

    /// Flips and turns.
    fn apply_grid<T: Copy>(&self, values: &mut Vec<T>, channels: usize) {
        if self.flip {
            mirror(values, self.width, channels);
        }
        if self.vertical_flip {
            mirror_rows(values, self.width * channels);
        }
        if self.turns == 2 {
            mirror(values, self.width, channels);
            mirror_rows(values, self.width * channels);
        } else {
            for _ in 0..self.turns {
                *values = turn_right(values, self.width, channels);
            }
        }
    }

    fn shift(&self, channels: usize) -> Option<Shift> {
        ((self.down, self.right) != (0, 0)).then_some(Shift {
            height: self.height,
            width: self.width,
            channels,
            down: self.down,
            right: self.right,
        })
    }

    fn check_size(&self, height: usize, width: usize) {
        assert_eq!(
            (height, width),
            (self.height, self.width),
            "the geometry was sampled for images of this size"
        );
    }
}
