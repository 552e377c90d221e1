//! Bounding boxes, the target of object detection.

/// An axis-aligned box around an object, in pixels (the format `xyxy`).
///
/// The pixel in row `r` and column `c` covers `c..c + 1` by `r..r + 1`, so a box around the whole image
/// is `0, 0, width, height`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundingBox {
    /// Left edge.
    pub x_min: f32,
    /// Top edge.
    pub y_min: f32,
    /// Right edge.
    pub x_max: f32,
    /// Bottom edge.
    pub y_max: f32,
    /// Class of the object, counted from 0.
    pub class: u16,
}

/// Left, top, right and bottom edge of the smallest box around points.
pub fn bounds_of(points: &[[f32; 2]]) -> [f32; 4] {
    let start = [
        f32::INFINITY,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NEG_INFINITY,
    ];
    points
        .iter()
        .fold(start, |[left, top, right, bottom], &[x, y]| {
            [left.min(x), top.min(y), right.max(x), bottom.max(y)]
        })
}

impl BoundingBox {
    /// The smallest box around points, of class 0.
    pub fn around(points: &[[f32; 2]]) -> Self {
        let [x_min, y_min, x_max, y_max] = bounds_of(points);
        Self {
            x_min,
            y_min,
            x_max,
            y_max,
            class: 0,
        }
    }

    /// Its area, in square pixels; 0 if its edges are the wrong way round.
    pub fn area(&self) -> f32 {
        (self.x_max - self.x_min).max(0.0) * (self.y_max - self.y_min).max(0.0)
    }

    /// Its part inside an image of this size; of area 0 if there is none.
    #[must_use]
    pub fn clip(&self, height: usize, width: usize) -> Self {
        let (height, width) = (height as f32, width as f32);
        Self {
            x_min: self.x_min.clamp(0.0, width),
            y_min: self.y_min.clamp(0.0, height),
            x_max: self.x_max.clamp(0.0, width),
            y_max: self.y_max.clamp(0.0, height),
            class: self.class,
        }
    }

    /// The box in an image that is larger by this factor.
    #[must_use]
    pub fn scale(&self, factor: f32) -> Self {
        Self {
            x_min: self.x_min * factor,
            y_min: self.y_min * factor,
            x_max: self.x_max * factor,
            y_max: self.y_max * factor,
            class: self.class,
        }
    }

    /// Intersection over union with another box, whatever the classes; 0 if both are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let both = self.intersection(other);
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }

    /// The area that it shares with another box, in square pixels.
    pub fn intersection(&self, other: &Self) -> f32 {
        let width = self.x_max.min(other.x_max) - self.x_min.max(other.x_min);
        let height = self.y_max.min(other.y_max) - self.y_min.max(other.y_min);
        width.max(0.0) * height.max(0.0)
    }
}

/// A box that a detector found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// The box, with its class.
    pub bounds: BoundingBox,
    /// The probability that it is right, in `[0, 1]`.
    pub score: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clipped_box_is_its_part_inside_the_image() {
        let outer = BoundingBox {
            x_min: -2.0,
            y_min: 1.0,
            x_max: 3.0,
            y_max: 9.0,
            class: 4,
        };
        let clipped = outer.clip(5, 10);
        assert_eq!((outer.area(), clipped.area()), (40.0, 12.0));
        assert_eq!((clipped.x_min, clipped.y_max, clipped.class), (0.0, 5.0, 4));
        let outside = BoundingBox {
            x_min: 11.0,
            x_max: 12.0,
            ..outer
        };
        assert!(outside.clip(5, 10).area().abs() < 1e-6);
    }

    #[test]
    fn a_scaled_box_has_scaled_edges() {
        let bounds = |x_min: f32, x_max: f32, y_max: f32| BoundingBox {
            x_min,
            y_min: 1.0,
            x_max,
            y_max,
            class: 3,
        };
        let expected = BoundingBox {
            y_min: 2.0,
            ..bounds(-4.0, 6.0, 18.0)
        };
        assert_eq!(bounds(-2.0, 3.0, 9.0).scale(2.0), expected);
    }

    #[test]
    fn the_overlap_of_two_boxes_is_their_intersection_over_union() {
        let bounds = |x_min: f32, x_max: f32| BoundingBox {
            x_min,
            y_min: 0.0,
            x_max,
            y_max: 2.0,
            class: 0,
        };
        let left = bounds(0.0, 4.0);
        assert!((left.iou(&bounds(2.0, 6.0)) - 1.0 / 3.0).abs() < 1e-6);
        assert!((left.iou(&left) - 1.0).abs() < 1e-6);
        assert!(left.iou(&bounds(5.0, 6.0)).abs() < 1e-6);
        assert!(bounds(1.0, 1.0).iou(&bounds(1.0, 1.0)).abs() < 1e-6);
    }
}
