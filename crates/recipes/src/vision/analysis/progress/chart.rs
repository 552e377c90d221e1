//! A chart over dates as SVG, in the colors of its page.

use time::Date;
use tinderbox_report::svg::{Axes, Line, Scale, Tick, lines, round_step};

use super::outcome::value_text;
use super::plan::Unit;

/// Lines over dates; nothing without a point. `title` is read aloud in place of the picture.
pub(super) fn svg(title: &str, all: &[Line], unit: Unit) -> String {
    let points = || all.iter().flat_map(|line| &line.points);
    let (mut start, mut end) = (f64::MAX, f64::MIN);
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for &[day, value] in points() {
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
        x: [start, end],
        y: [low, high],
        scale: Scale::Linear,
        x_ticks: day_ticks(start, end),
        y_ticks: value_ticks(low, high, step, unit),
        names: [String::new(), String::new()],
    };
    lines(title, &axes, all, None)
}

fn value_ticks(low: f64, high: f64, step: f64, unit: Unit) -> Vec<Tick> {
    let steps = ((high - low) / step).round() as usize;
    let value = |at: usize| low + at as f64 * step;
    (0..=steps)
        .map(|at| Tick {
            value: value(at),
            text: value_text(value(at), unit).replace(".0%", "%"),
        })
        .collect()
}

fn day_ticks(start: f64, end: f64) -> Vec<Tick> {
    let count = (end - start).clamp(1.0, 4.0).floor();
    let day = |at: usize| (start + (end - start) * at as f64 / count).round();
    (0..=count as usize)
        .map(|at| Tick {
            value: day(at),
            text: day_text(day(at)),
        })
        .collect()
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
    round_step(high - low, 5).max(least)
}

#[cfg(test)]
mod tests {
    use tinderbox_report::svg::Style;

    use super::*;

    #[test]
    fn points_are_inside_of_the_axes_and_steps_are_round() {
        assert!((step(0.0, 11.0, Unit::Count) - 5.0).abs() < 1e-9);
        assert!((step(0.0, 2.0, Unit::Count) - 1.0).abs() < 1e-9);
        assert!((step(0.0, 0.08, Unit::Share) - 0.02).abs() < 1e-9);
        let points = vec![[2_459_055.0, 0.0], [2_459_065.0, 7.0]];
        let line = Line::numbered(0, Style::Dotted, points);
        let svg = svg("slab", &[line], Unit::Count);
        assert!(svg.contains("points=\"54.0,214.0 408.0,"), "{svg}");
        assert!(svg.contains(">Jul 24<") && svg.contains(">8<"), "{svg}");
        assert_eq!(super::svg("slab", &[], Unit::Count), "");
    }
}
