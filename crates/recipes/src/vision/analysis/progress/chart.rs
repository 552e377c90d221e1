//! A chart over dates as SVG, in the colors of its page.

use std::fmt::Write as _;

use time::Date;

use super::outcome::value_text;
use super::plan::Unit;

/// Width and height of the drawing, in units of its text of 13.
const SIZE: [f64; 2] = [480.0, 250.0];

/// Left, top, right and bottom of the axes.
const FRAME: [f64; 4] = [56.0, 12.0, 468.0, 218.0];

/// One line of a chart.
pub(super) struct Line {
    /// `plan` or `actual`: its style on the page.
    pub(super) class: &'static str,
    /// Julian days with values.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether its points are marked.
    pub(super) dots: bool,
}

/// Lines over dates; nothing without a point. `title` is read aloud in place of the picture.
pub(super) fn svg(title: &str, lines: &[Line], unit: Unit) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (mut start, mut end) = (f64::MAX, f64::MIN);
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for &(day, value) in points() {
        (start, end) = (start.min(day), end.max(day));
        (low, high) = (low.min(value), high.max(value));
    }
    if start > end {
        return String::new();
    }
    if end - start < 1.0 {
        (start, end) = (start - 1.0, end + 1.0);
    }
    let step = step(low, high, unit);
    let (low, high) = (
        (low / step).floor() * step,
        ((high / step).ceil() * step).max(step),
    );
    let axes = Axes {
        days: [start, end],
        values: [low, high],
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{title}\">\n",
        SIZE[0], SIZE[1]
    );
    axes.draw(&mut svg, step, unit);
    for line in lines {
        let place = line
            .points
            .iter()
            .map(|&(day, value)| axes.place(day, value));
        let place: Vec<[f64; 2]> = place.collect();
        let text: Vec<String> = place
            .iter()
            .map(|[x, y]| format!("{x:.1},{y:.1}"))
            .collect();
        // Writing into a string cannot fail.
        let _ = writeln!(
            svg,
            "<polyline class=\"{}\" points=\"{}\"/>",
            line.class,
            text.join(" ")
        );
        for [x, y] in place.iter().filter(|_| line.dots) {
            let _ = writeln!(
                svg,
                "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>",
                line.class
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

struct Axes {
    days: [f64; 2],
    values: [f64; 2],
}

impl Axes {
    fn place(&self, day: f64, value: f64) -> [f64; 2] {
        let share = |value: f64, [from, to]: [f64; 2]| (value - from) / (to - from);
        let [left, top, right, bottom] = FRAME;
        [
            left + share(day, self.days) * (right - left),
            bottom - share(value, self.values) * (bottom - top),
        ]
    }

    fn draw(&self, svg: &mut String, step: f64, unit: Unit) {
        let [left, _, right, bottom] = FRAME;
        let steps = ((self.values[1] - self.values[0]) / step).round() as usize;
        for at in 0..=steps {
            let value = self.values[0] + at as f64 * step;
            let [_, y] = self.place(self.days[0], value);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.5,
                value_text(value, unit).replace(".0%", "%")
            );
        }
        let [start, end] = self.days;
        let count = (end - start).clamp(1.0, 4.0);
        for at in 0..=count as usize {
            let day = (start + (end - start) * at as f64 / count.floor()).round();
            let [x, _] = self.place(day, 0.0);
            let anchor = match at {
                0 => "start",
                at if at == count as usize => "end",
                _ => "middle",
            };
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} {bottom}v5\"/><text x=\"{x:.1}\" y=\"{}\" \
                 text-anchor=\"{anchor}\">{}</text>",
                bottom + 20.0,
                day_text(day)
            );
        }
    }
}

/// A day of a year, such as `Jul 24`.
fn day_text(day: f64) -> String {
    Date::from_julian_day(day as i32).map_or_else(
        |_| String::new(),
        |date| {
            let month = date.month().to_string();
            format!("{} {}", &month[..3], date.day())
        },
    )
}

/// A round distance of at most 6 grid lines; whole for counts.
fn step(low: f64, high: f64, unit: Unit) -> f64 {
    let least = match unit {
        Unit::Count => 1.0,
        Unit::Share => 0.001,
    };
    let wanted = ((high - low) / 5.0).max(least);
    let scale = 10_f64.powf(wanted.log10().floor());
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|round| round * scale);
    rounds
        .into_iter()
        .find(|&round| round >= wanted * (1.0 - 1e-9))
        .unwrap_or(10.0 * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_inside_of_the_axes_and_steps_are_round() {
        assert!((step(0.0, 11.0, Unit::Count) - 5.0).abs() < 1e-9);
        assert!((step(0.0, 2.0, Unit::Count) - 1.0).abs() < 1e-9);
        assert!((step(0.0, 0.08, Unit::Share) - 0.02).abs() < 1e-9);
        let line = Line {
            class: "actual",
            points: vec![(2_459_055.0, 0.0), (2_459_065.0, 7.0)],
            dots: true,
        };
        let svg = svg("slab", &[line], Unit::Count);
        assert!(svg.contains("points=\"56.0,218.0 468.0,"), "{svg}");
        assert!(svg.contains(">Jul 24<") && svg.contains(">8<"), "{svg}");
        assert_eq!(super::svg("slab", &[], Unit::Count), "");
    }
}
