//! Heat over an image.

use super::color::BLACK;
use super::{Align, Canvas, Color, LINE_HEIGHT, shorten, width};

/// Width of the bar of a color scale, in pixels.
const BAR: usize = 160;

/// Most pixels of the text of a color scale.
const LONGEST: usize = 500;

/// Free pixels around the parts of a color scale.
const GAP: usize = 6;

/// The color of a value from 0 to 1: a few points of `inferno` (Smith and van der Walt, 2015,
/// <https://bids.github.io/colormap/>), whose lightness grows with the value.
pub fn heat_color(value: f32) -> Color {
    const POINTS: [Color; 7] = [
        [0, 0, 4],
        [51, 10, 95],
        [120, 28, 109],
        [187, 55, 84],
        [237, 105, 37],
        [252, 180, 24],
        [252, 255, 164],
    ];
    let last = POINTS.len() - 1;
    // NaN is 0.
    let value = if value > 0.0 { value.min(1.0) } else { 0.0 };
    let at = value * last as f32;
    let low = (at as usize).min(last - 1);
    let share = at - low as f32;
    let mut color = [0; 3];
    for (channel, value) in color.iter_mut().enumerate() {
        let [from, to] = [POINTS[low][channel], POINTS[low + 1][channel]].map(f32::from);
        *value = (from + share * (to - from)).round() as u8;
    }
    color
}

impl Canvas {
    /// The same picture with a color scale from 0 to 1 below it, and what its colors mean. Over a picture they are
    /// mixed with it.
    #[must_use]
    pub fn with_heat_scale(&self, meaning: &str) -> Self {
        let (zero, one) = (width("0"), width("1"));
        let bar = GAP + zero + GAP + BAR + GAP + one + GAP;
        let meaning = shorten(meaning, LONGEST);
        let total = self.width.max(bar + width(&meaning) + GAP);
        let mut canvas = Self::new(total, self.height + LINE_HEIGHT + 2 * GAP);
        canvas.paste(0, 0, self);
        let top = self.height + GAP;
        let mut write = |text: &str, x: usize| {
            let at = [x.cast_signed(), top.cast_signed()];
            canvas.text(text, at, Align::Left, BLACK);
        };
        write("0", GAP);
        write("1", GAP + zero + GAP + BAR + GAP);
        write(&meaning, bar);
        for column in 0..BAR {
            let color = heat_color(column as f32 / (BAR - 1) as f32);
            let x = (GAP + zero + GAP + column).cast_signed();
            canvas.fill(x, top.cast_signed(), 1, LINE_HEIGHT, color);
        }
        canvas
    }

    /// Draws heat over the picture; `heat` gives the value of a pixel `[y, x]`, or none to leave it.
    ///
    /// What has no heat stays as it is; the warmest is covered by two thirds.
    pub fn overlay(&mut self, heat: impl Fn([usize; 2]) -> Option<f32>) {
        for y in 0..self.height {
            for x in 0..self.width {
                if let Some(value) = heat([y, x]) {
                    let cover = 0.66 * value.clamp(0.0, 1.0).sqrt();
                    self.blend(x.cast_signed(), y.cast_signed(), heat_color(value), cover);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warmer_is_lighter() {
        let sum =
            |value: f32| -> u32 { heat_color(value).iter().map(|&part| u32::from(part)).sum() };
        let sums: Vec<u32> = (0..=10_u8).map(|at| sum(f32::from(at) / 10.0)).collect();
        assert!(sums.is_sorted() && sums[10] > 600, "{sums:?}");
        assert_eq!(heat_color(f32::NAN), heat_color(0.0));
        assert_eq!(heat_color(7.0), heat_color(1.0));
    }

    #[test]
    fn a_color_scale_is_below_the_picture() {
        for side in [1, 50, 600] {
            let mut picture = Canvas::new(side, side);
            picture.fill(0, 0, side, side, [1, 2, 3]);
            let canvas = picture.with_heat_scale("probability of `tumor`");
            assert!(canvas.width >= side && canvas.height > side + LINE_HEIGHT);
            let other = picture.with_heat_scale("probability of `health`");
            // The text is there, whole.
            assert!(
                canvas.width > width("probability of `tumor`") && canvas.pixels != other.pixels
            );
            assert_eq!(canvas.pixel(side - 1, side - 1), [1, 2, 3]);
            let row: Vec<Color> = (0..canvas.width)
                .map(|x| canvas.pixel(x, side + GAP))
                .collect();
            for value in [0.0, 1.0] {
                assert!(row.contains(&heat_color(value)), "{side}");
            }
        }
    }

    #[test]
    fn what_has_no_heat_stays() {
        let mut canvas = Canvas::new(2, 1);
        canvas.overlay(|[_, x]| (x == 1).then_some(1.0));
        assert_eq!(canvas.pixel(0, 0), [255; 3]);
        assert_ne!(canvas.pixel(1, 0), [255; 3]);
    }
}
