//! Curves over a common axis.

use super::canvas::color::{BLACK, CURVES, GRAY, LIGHT};
use super::{Align, Canvas, Color, LINE_HEIGHT, width};

/// A curve of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its points, from left to right; those that are not finite are left out.
    pub points: Vec<[f64; 2]>,
}

/// Curves with their axes and names.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Name of the horizontal axis.
    pub axis: String,
    /// The curves.
    pub lines: Vec<Line>,
    /// A place on the horizontal axis that is marked, with its name.
    pub mark: Option<(f64, String)>,
}

/// Most numbers along an axis.
const MAX_TICKS: usize = 6;

/// Pixels left of the axis, for its numbers.
const LEFT: usize = 80;
/// Pixels above the axis, for the title and the names of the curves.
const ABOVE: usize = 3 * LINE_HEIGHT;
/// Pixels below the axis, for its numbers and its name.
const BELOW: usize = 2 * LINE_HEIGHT + 14;
const RIGHT: usize = 20;

/// An axis: its ends, and its numbers.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// An axis for these values, whose numbers are 1, 2 or 5 times a power of 10 apart.
    fn of(values: impl Iterator<Item = f64>, whole: bool) -> Self {
        let range = values.fold(None, |range: Option<[f64; 2]>, value| {
            let [low, high] = range.unwrap_or([value, value]);
            Some([low.min(value), high.max(value)])
        });
        let [low, high] = range.unwrap_or([0.0, 1.0]);
        let spread = if high > low {
            high - low
        } else {
            low.abs().max(1.0)
        };
        let raw = spread / (MAX_TICKS - 1) as f64;
        let power = 10_f64.powf(raw.log10().floor());
        let factors = [1.0, 2.0, 5.0, 10.0];
        let step = factors.into_iter().map(|factor| factor * power);
        let mut step = step.into_iter().find(|&step| step >= raw).unwrap_or(raw);
        if whole {
            step = step.max(1.0).round();
        }
        Self { low, high, step }
    }

    /// An axis with these ends.
    fn between(low: f64, high: f64) -> Self {
        let axis = Self::of([low, high].into_iter(), false);
        Self { low, high, ..axis }
    }

    /// The same with a number at each end.
    fn rounded(self) -> Self {
        let low = (self.low / self.step).floor() * self.step;
        let high = (self.high / self.step).ceil() * self.step;
        let high = if high > low { high } else { low + self.step };
        Self { low, high, ..self }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let first = (self.low / self.step - 1e-9).ceil() as i64;
        let last = (self.high / self.step + 1e-9).floor() as i64;
        (first..=last).map(|at| at as f64 * self.step)
    }

    fn place(&self, value: f64) -> f64 {
        if self.high > self.low {
            (value - self.low) / (self.high - self.low)
        } else {
            0.5
        }
    }

    fn label(&self, value: f64) -> String {
        let digits = (-(self.step.log10() + 1e-9).floor()).clamp(0.0, 8.0) as usize;
        // Not `-0.0`.
        format!("{:.digits$}", value + 0.0)
    }
}

impl Plot {
    /// Draws the plot on a canvas of this size, in pixels.
    pub fn draw(&self, width: usize, height: usize) -> Canvas {
        let points = || self.lines.iter().flat_map(|line| finite(&line.points));
        let x = Axis::of(points().map(|[x, _]| x), true);
        let y = Axis::of(points().map(|[_, y]| y), false).rounded();
        self.draw_along([x, y], width, height)
    }

    /// Draws the plot on a canvas of this size, in pixels, with axes from 0 to 1.
    pub fn draw_shares(&self, width: usize, height: usize) -> Canvas {
        let axes = [Axis::between(0.0, 1.0), Axis::between(0.0, 1.0)];
        self.draw_along(axes, width, height)
    }

    fn draw_along(&self, [x, y]: [Axis; 2], width: usize, height: usize) -> Canvas {
        let mut canvas = Canvas::new(width, height);
        canvas.bold(&self.title, [LEFT.cast_signed(), 4], Align::Left, BLACK);
        let size = [
            width.saturating_sub(LEFT + RIGHT).max(1) as f64,
            height.saturating_sub(ABOVE + BELOW).max(1) as f64,
        ];
        let position = |[at_x, at_y]: [f64; 2]| {
            [
                LEFT as f64 + x.place(at_x) * size[0],
                ABOVE as f64 + (1.0 - y.place(at_y)) * size[1],
            ]
        };
        self.draw_axes(&mut canvas, [&x, &y], size);
        if let Some((at, name)) = &self.mark {
            let [at, _] = position([*at, y.low]);
            let (top, bottom) = (ABOVE as f64, ABOVE as f64 + size[1]);
            canvas.line([at, top], [at, bottom], 1.0, GRAY);
            let half = (super::width(name) / 2) as f64;
            let at = at.clamp(LEFT as f64 + half, LEFT as f64 + size[0] - half);
            let place = [at as isize, ABOVE.cast_signed() + 2];
            canvas.text(name, place, Align::Center, GRAY);
        }
        for (line, color) in self.lines.iter().zip(CURVES.into_iter().cycle()) {
            draw_line(&mut canvas, finite(&line.points).map(position), color);
        }
        self.draw_names(&mut canvas);
        canvas
    }

    fn draw_axes(&self, canvas: &mut Canvas, [x, y]: [&Axis; 2], size: [f64; 2]) {
        let (left, bottom) = (LEFT as f64, ABOVE as f64 + size[1]);
        for value in y.ticks() {
            let at = bottom - y.place(value) * size[1];
            canvas.line([left, at], [left + size[0], at], 1.0, LIGHT);
            let place = [LEFT.cast_signed() - 8, at as isize - 10];
            canvas.text(&y.label(value), place, Align::Right, GRAY);
        }
        canvas.line([left, bottom], [left + size[0], bottom], 1.0, GRAY);
        for value in x.ticks() {
            let at = left + x.place(value) * size[0];
            canvas.line([at, bottom], [at, bottom + 5.0], 1.0, GRAY);
            let place = [at as isize, bottom as isize + 7];
            canvas.text(&x.label(value), place, Align::Center, GRAY);
        }
        let middle = (left + size[0] / 2.0) as isize;
        let place = [middle, bottom as isize + 9 + LINE_HEIGHT.cast_signed()];
        canvas.text(&self.axis, place, Align::Center, GRAY);
    }

    /// Width, in pixels, at which the names of all curves are drawn.
    pub fn width_of_names(&self) -> usize {
        let names = self.lines.iter().map(|line| 24 + width(&line.name) + 28);
        LEFT + names.sum::<usize>()
    }

    /// Names of the curves, in their colors.
    fn draw_names(&self, canvas: &mut Canvas) {
        let mut x = LEFT;
        for (line, color) in self.lines.iter().zip(CURVES.into_iter().cycle()) {
            let y = (LINE_HEIGHT + 10).cast_signed();
            canvas.fill(x.cast_signed(), y + 8, 18, 4, color);
            canvas.text(&line.name, [x.cast_signed() + 24, y], Align::Left, color);
            x += 24 + width(&line.name) + 28;
        }
    }
}

fn finite(points: &[[f64; 2]]) -> impl Iterator<Item = [f64; 2]> {
    let finite = |point: &&[f64; 2]| point.iter().all(|value| value.is_finite());
    points.iter().filter(finite).copied()
}

fn draw_line(canvas: &mut Canvas, points: impl Iterator<Item = [f64; 2]>, color: Color) {
    let points: Vec<[f64; 2]> = points.collect();
    for pair in points.windows(2) {
        canvas.line(pair[0], pair[1], 2.5, color);
    }
    // A few points are shown one by one; a single one has no line at all.
    if points.len() <= 40 {
        for &point in &points {
            canvas.line(point, point, 6.0, color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], whole: bool) -> Vec<String> {
        let axis = Axis::of(values.iter().copied(), whole).rounded();
        axis.ticks().map(|value| axis.label(value)).collect()
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(
            labels(&[0.13, 0.94], false),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(&[1.0, 3.0], true), ["1", "2", "3"]);
        assert_eq!(
            labels(&[0.991, 0.9935], false),
            ["0.991", "0.992", "0.993", "0.994"]
        );
        assert_eq!(labels(&[5.0], true), ["5", "6"]);
        assert_eq!(
            labels(&[], false),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(&[-1.0, 1.0], false),
            ["-1.0", "-0.5", "0.0", "0.5", "1.0"]
        );
    }

    #[test]
    fn a_curve_goes_through_its_points() {
        let plot = Plot {
            title: "loss".to_owned(),
            axis: "epoch".to_owned(),
            lines: vec![Line {
                name: "train".to_owned(),
                points: vec![[1.0, 1.0], [2.0, f64::NAN], [3.0, 0.0]],
            }],
            mark: None,
        };
        let canvas = plot.draw(300, 200);
        let bottom = 200 - BELOW;
        assert_eq!(canvas.pixel(LEFT, ABOVE + 1), CURVES[0]);
        assert_eq!(canvas.pixel(300 - RIGHT - 1, bottom - 2), CURVES[0]);
        assert_eq!(canvas.pixel(300 - RIGHT - 4, ABOVE + 4), [255; 3]);
        // Nothing to draw is no panic.
        let empty = Plot {
            lines: Vec::new(),
            ..plot
        };
        assert_eq!(empty.draw(1, 1).pixels.len(), 3);
    }
}
