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

impl BoundingBox {
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
}
