//! Landmarks on a photo.

use tinderbox_datasets::IBUG_POINTS;
use tinderbox_datasets::image::Image;

use super::{Canvas, Color};

/// Longest side, in pixels, up to which a small photo is enlarged.
const ENLARGED: usize = 480;

/// Largest factor by which it is.
const MAX_ENLARGED: usize = 8;

/// The lines of the 68 points of iBUG: first and last point from 0, and whether the line is closed.
const IBUG_LINES: [(usize, usize, bool); 9] = [
    (0, 16, false),
    (17, 21, false),
    (22, 26, false),
    (27, 30, false),
    (31, 35, false),
    (36, 41, true),
    (42, 47, true),
    (48, 59, true),
    (60, 67, true),
];

/// Draws the points of faces on a photo in a color each: with the lines of a face for the 68 points of iBUG. A small
/// photo is enlarged by a whole factor.
pub fn draw_landmarks(image: &Image, faces: &[(&[[f32; 2]], Color)]) -> Canvas {
    let photo = Canvas::of(image);
    let longest = photo.width.max(photo.height).max(1);
    let factor = (ENLARGED / longest).clamp(1, MAX_ENLARGED);
    let mut canvas = if factor > 1 {
        photo.enlarged(factor)
    } else {
        photo
    };
    let factor = factor as f64;
    let width = ((longest as f64 * factor) / 400.0).clamp(1.0, 4.0);
    for (points, color) in faces {
        let at = |point: usize| points[point].map(|value| f64::from(value) * factor - 0.5);
        for &[from, to] in &lines_of(points.len()) {
            canvas.line(at(from), at(to), width, *color);
        }
        for point in 0..points.len() {
            let [x, y] = at(point);
            // A short line is a dot.
            canvas.line([x - 0.5, y], [x + 0.5, y], 2.0 * width, *color);
        }
    }
    canvas
}

/// Pairs of points that lines connect.
fn lines_of(points: usize) -> Vec<[usize; 2]> {
    if points != IBUG_POINTS {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (first, last, closed) in IBUG_LINES {
        lines.extend((first..last).map(|point| [point, point + 1]));
        lines.extend(closed.then_some([last, first]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::pictures::color::BLUE;

    #[test]
    fn points_are_dots_and_those_of_ibug_are_connected() {
        let image = Image {
            height: 480,
            width: 480,
            channels: 1,
            pixels: vec![128; 480 * 480],
        };
        let points = [[100.0, 50.0], [200.0, 50.0]];
        let canvas = draw_landmarks(&image, &[(&points, BLUE)]);
        assert_eq!(canvas.pixel(99, 49), BLUE);
        assert_ne!(canvas.pixel(150, 50), BLUE);
        let row: Vec<[f32; 2]> = (0..68).map(|at| [10.0 + 5.0 * at as f32, 100.0]).collect();
        let canvas = draw_landmarks(&image, &[(&row, BLUE)]);
        assert_eq!(canvas.pixel(12, 99), BLUE);
        // Between jaw and eyebrow, points 16 and 17, is no line.
        assert_ne!(canvas.pixel(92, 99), BLUE);
        assert_eq!(lines_of(68).len(), 63);
        assert!(points.iter().flatten().all(|value| value.is_finite()));
        assert!(draw_landmarks(&image, &[(&[[-900.0, 9e9]], BLUE)]).width == 480);
    }
}
