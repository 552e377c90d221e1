//! The axes of a chart: scales, ticks, names.

use std::fmt::Write as _;

use tinderbox_datasets::escape::escape_markup;
use tinderbox_datasets::format::shorten;

use super::text;
use crate::number::{tick, tick_of};

/// Width and height of a chart, in units of its text of 12.
pub const SIZE: [f64; 2] = [420.0, 260.0];

/// Left, top, right and bottom of the axes.
pub const FRAME: [f64; 4] = [54.0, 12.0, 408.0, 214.0];

/// Space between values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart; for values above 0.
    Log,
}

/// A value of an axis with its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// The text.
    pub text: String,
}

/// The axes of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    /// Least and greatest value of the horizontal axis.
    pub x: [f64; 2],
    /// Least and greatest value of the vertical axis.
    pub y: [f64; 2],
    /// Scale of the vertical axis.
    pub scale: Scale,
    /// Ticks of the horizontal axis.
    pub x_ticks: Vec<Tick>,
    /// Ticks of the vertical axis, each with a line.
    pub y_ticks: Vec<Tick>,
    /// Names of the horizontal and the vertical axis; empty for none.
    pub names: [String; 2],
}

impl Axes {
    /// Axes that contain all points, with round ticks; `None` without a point.
    pub fn around(points: impl Iterator<Item = [f64; 2]>, scale: Scale) -> Option<Self> {
        let (mut x, mut y) = ([f64::MAX, f64::MIN], [f64::MAX, f64::MIN]);
        for [across, up] in points.filter(|point| point.iter().all(|value| value.is_finite())) {
            x = [x[0].min(across), x[1].max(across)];
            y = [y[0].min(up), y[1].max(up)];
        }
        if x[0] > x[1] {
            return None;
        }
        Some(Self::new(x, y, scale))
    }

    /// Axes of at least these ranges, with round ticks.
    pub fn new(x: [f64; 2], y: [f64; 2], scale: Scale) -> Self {
        let x = widened(x);
        let x_ticks = ticks(x, 6);
        let (y, y_ticks) = match scale {
            Scale::Linear => {
                let y = widened(y);
                let step = round_step(y[1] - y[0], 5);
                let y = [(y[0] / step).floor() * step, (y[1] / step).ceil() * step];
                (y, ticks(y, 5))
            }
            Scale::Log => log_ticks(y),
        };
        Self {
            x,
            y,
            scale,
            x_ticks,
            y_ticks,
            names: [String::new(), String::new()],
        }
    }

    /// The same with ticks at whole numbers of the horizontal axis only.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.x_ticks.retain(|tick| tick.value.fract().abs() < 1e-9);
        self
    }

    /// Names the axes.
    #[must_use]
    pub fn named(mut self, names: [&str; 2]) -> Self {
        self.names = names.map(str::to_owned);
        self
    }

    /// Where a point is drawn.
    pub fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [left, top, right, bottom] = FRAME;
        let share = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
        let up = match self.scale {
            Scale::Linear => share(y, self.y),
            Scale::Log => share(
                y.max(f64::MIN_POSITIVE).ln(),
                self.y.map(|end| end.max(f64::MIN_POSITIVE).ln()),
            ),
        };
        [
            left + share(x, self.x).clamp(0.0, 1.0) * (right - left),
            bottom - up.clamp(0.0, 1.0) * (bottom - top),
        ]
    }

    /// Draws lines, ticks and names.
    pub fn draw(&self, svg: &mut String) {
        let [left, _, right, bottom] = FRAME;
        for tick in &self.y_ticks {
            let [_, y] = self.place([self.x[0], tick.value]);
            // Writing into a string cannot fail.
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/>");
            text(svg, [left - 6.0, y + 4.0], "end", &tick.text);
        }
        let last = self.x_ticks.len().saturating_sub(1);
        for (at, tick) in self.x_ticks.iter().enumerate() {
            let [x, _] = self.place([tick.value, self.y[0]]);
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {bottom}v4\"/>");
            let anchor = match at {
                0 if x < left + 8.0 => "start",
                at if at == last && x > right - 12.0 => "end",
                _ => "middle",
            };
            text(svg, [x, bottom + 17.0], anchor, &tick.text);
        }
        if !self.names[0].is_empty() {
            let name = shorten(&self.names[0], 52);
            text(
                svg,
                [f64::midpoint(left, right), bottom + 36.0],
                "middle",
                &name,
            );
        }
        if !self.names[1].is_empty() {
            let name = escape_markup(&shorten(&self.names[1], 30));
            let y = f64::midpoint(FRAME[1], bottom);
            let _ = writeln!(
                svg,
                "<text x=\"12\" y=\"{y:.1}\" text-anchor=\"middle\" \
                 transform=\"rotate(-90 12 {y:.1})\">{name}</text>"
            );
        }
    }
}

/// A range of some width.
fn widened([low, high]: [f64; 2]) -> [f64; 2] {
    if high - low > 1e-12 * high.abs().max(low.abs()) {
        return [low, high];
    }
    // So wide that the texts of the ticks stay short, as those of a constant learning rate.
    let margin = if low == 0.0 { 0.5 } else { low.abs() * 0.2 };
    [low - margin, high + margin]
}

/// A round distance of at most so many ticks.
pub fn round_step(width: f64, most: usize) -> f64 {
    let wanted = (width / most as f64).max(f64::MIN_POSITIVE);
    let scale = 10_f64.powf(wanted.log10().floor());
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|round| round * scale);
    let fits = |round: &f64| *round >= wanted * (1.0 - 1e-9);
    rounds.into_iter().find(fits).unwrap_or(10.0 * scale)
}

fn ticks([low, high]: [f64; 2], most: usize) -> Vec<Tick> {
    let step = round_step(high - low, most);
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).max(0.0) as usize;
    let value = |at: usize| (first + at as f64) * step;
    (0..=count)
        .map(|at| Tick {
            value: value(at),
            text: tick_of((value(at) / step).round() * step, step),
        })
        .collect()
}

/// Ticks at powers of ten, and between them where there are few.
fn log_ticks([low, high]: [f64; 2]) -> ([f64; 2], Vec<Tick>) {
    let low = low.max(f64::MIN_POSITIVE);
    let (first, last) = (low.log10().floor(), high.max(low).log10().ceil());
    let last = last.max(first + 1.0);
    let factors: &[f64] = if last - first < 3.0 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let decades = (last - first) as i32;
    let apart = usize::try_from(decades / 6 + 1).unwrap_or(1);
    let values = (0..=decades)
        .step_by(apart)
        .flat_map(|at| factors.iter().map(move |factor| (at, factor)));
    let ends = [10_f64.powf(first), 10_f64.powf(last)];
    let ticks = values
        .map(|(at, factor)| 10_f64.powi(first as i32 + at) * factor)
        .filter(|value| (ends[0]..=ends[1] * 1.000_001).contains(value))
        .map(|value| Tick {
            value,
            text: tick(value),
        });
    (ends, ticks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let axes = Axes::new([0.0, 10.0], [0.13, 0.97], Scale::Linear);
        assert_eq!(texts(&axes.x_ticks), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts(&axes.y_ticks), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        let whole = Axes::new([1.0, 4.0], [0.0, 1.0], Scale::Linear).whole();
        assert_eq!(texts(&whole.x_ticks), ["1", "2", "3", "4"]);
        let near = Axes::new([0.0, 1.0], [0.001_52, 0.001_69], Scale::Linear);
        assert_eq!(
            texts(&near.y_ticks),
            ["0.0015", "0.00155", "0.0016", "0.00165", "0.0017"]
        );
        let constant = Axes::new([0.0, 1.0], [0.001, 0.001], Scale::Linear);
        let longest = constant.y_ticks.iter().map(|tick| tick.text.len()).max();
        assert!(longest <= Some(6), "{:?}", constant.y_ticks);
        let log = Axes::new([0.0, 1.0], [0.003, 2.0], Scale::Log);
        assert_eq!(
            texts(&log.y_ticks),
            ["1e-3", "0.01", "0.1", "1", "10"]
                .map(|text| { if text == "1e-3" { "0.001" } else { text } })
        );
        assert!((round_step(11.0, 5) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn points_are_inside_of_the_axes() {
        let axes = Axes::around([[1.0, 5.0], [3.0, 5.0]].into_iter(), Scale::Linear).unwrap();
        let [left, top, right, bottom] = FRAME;
        let [x, y] = axes.place([1.0, 5.0]);
        assert!((x - left).abs() < 1e-9 && y > top && y < bottom);
        assert!((axes.place([3.0, 5.0])[0] - right).abs() < 1e-9);
        assert_eq!(
            Axes::around([[f64::NAN, 1.0]].into_iter(), Scale::Log),
            None
        );
    }
}
