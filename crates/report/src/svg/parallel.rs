//! Parallel coordinates.

use std::fmt::Write as _;

use tinderbox_datasets::escape::escape_markup;
use tinderbox_datasets::format::shorten;
use tinderbox_train::section::Axis;

use super::text;
use crate::number::tick;

/// Width of an axis with its space, and height of the chart.
const SPACE: f64 = 130.0;
const HEIGHT: f64 = 310.0;

/// Top and bottom of the axes.
const ENDS: [f64; 2] = [58.0, 284.0];

/// Most letters of the name of an axis and of a value.
const LETTERS: usize = 18;

/// Colors from the lowest to the highest value of the last axis: dark to light in a way that color-blind people see
/// (viridis, van der Walt and Smith 2015), in as many steps as the eye tells apart.
const SHADES: [&str; 5] = ["#6a4c93", "#3b6ea5", "#21908d", "#4db562", "#c2a800"];

/// A line for each item through its value on every axis, colored by the last one; where an axis does not apply, the
/// line has a gap.
pub fn parallel(title: &str, axes: &[Axis], lines: &[Vec<Option<f64>>]) -> Option<String> {
    let last = axes.len().checked_sub(1)?;
    if lines.is_empty() {
        return None;
    }
    let ranges: Vec<[f64; 2]> = (0..axes.len())
        .map(|at| range(&axes[at], lines.iter().filter_map(|line| *line.get(at)?)))
        .collect();
    let width = SPACE * axes.len() as f64;
    let mut svg = format!(
        "<svg class=\"wide axes\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escape_markup(title)
    );
    for line in lines {
        let place = |at: usize| {
            let value = line.get(at).copied().flatten()?;
            Some([x(at), y(share(&axes[at], ranges[at], value))])
        };
        let score = line.get(last).copied().flatten();
        let shade = score.map_or(0.0, |score| share(&axes[last], ranges[last], score));
        let color = SHADES[(shade * SHADES.len() as f64).min(SHADES.len() as f64 - 1.0) as usize];
        let points: Vec<Option<[f64; 2]>> = (0..axes.len()).map(place).collect();
        for part in points.split(Option::is_none).filter(|part| part.len() > 1) {
            let points = part.iter().flatten();
            let points: Vec<String> = points.map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline class=\"item\" style=\"stroke:{color}\" points=\"{}\"/>",
                points.join(" ")
            );
        }
    }
    for (at, axis) in axes.iter().enumerate() {
        draw(&mut svg, x(at), axis, ranges[at], at);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

fn draw(svg: &mut String, x: f64, axis: &Axis, [low, high]: [f64; 2], at: usize) {
    let [top, bottom] = ENDS;
    let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>");
    // Names of neighbors on two levels, so that long ones have room.
    let level = if at.is_multiple_of(2) { 12.0 } else { 28.0 };
    text(
        svg,
        [x, level],
        "middle",
        &shorten(last_words(&axis.name), LETTERS + 6),
    );
    if axis.ticks.is_empty() {
        text(svg, [x, bottom + 18.0], "middle", &tick(rounded(low)));
        text(svg, [x, top - 4.0], "middle", &tick(rounded(high)));
        return;
    }
    for (value, name) in axis.ticks.iter().enumerate() {
        let up = y(share(axis, [low, high], value as f64));
        text(svg, [x + 5.0, up + 4.0], "start", &shorten(name, LETTERS));
    }
}

/// A key without its section, which its neighbors mostly share.
fn last_words(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn range(axis: &Axis, values: impl Iterator<Item = f64>) -> [f64; 2] {
    if !axis.ticks.is_empty() {
        return [0.0, axis.ticks.len().saturating_sub(1) as f64];
    }
    let finite = values.filter(|value| value.is_finite());
    let [low, high] = finite.fold([f64::MAX, f64::MIN], |[low, high], value| {
        [low.min(value), high.max(value)]
    });
    if low > high { [0.0, 1.0] } else { [low, high] }
}

/// Where a value is on its axis, from 0 to 1; the middle where all are equal.
fn share(axis: &Axis, [low, high]: [f64; 2], value: f64) -> f64 {
    let scale = |value: f64| {
        if axis.log && low > 0.0 {
            value.ln()
        } else {
            value
        }
    };
    let length = scale(high) - scale(low);
    if length <= 0.0 {
        return 0.5;
    }
    ((scale(value) - scale(low)) / length).clamp(0.0, 1.0)
}

fn x(at: usize) -> f64 {
    SPACE * (at as f64 + 0.5)
}

fn y(share: f64) -> f64 {
    let [top, bottom] = ENDS;
    bottom - (bottom - top) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, log: bool, ticks: &[&str]) -> Axis {
        Axis {
            name: name.to_owned(),
            log,
            ticks: ticks.iter().map(|tick| (*tick).to_owned()).collect(),
        }
    }

    #[test]
    fn a_line_is_broken_where_an_axis_does_not_apply() {
        let axes = [
            axis("optimizer.learning_rate", true, &[]),
            axis("a.b<c>", false, &["x", "y<z>"]),
            axis("d", false, &[]),
            axis("auroc", false, &[]),
        ];
        let lines = [
            vec![Some(1e-4), Some(0.0), Some(3.0), Some(0.8)],
            vec![Some(1e-2), Some(1.0), None, Some(0.9)],
        ];
        let svg = parallel("Trials", &axes, &lines).unwrap();
        // The second has one part only: a point alone is no line.
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
        assert!(
            svg.contains("y&lt;z&gt;") && svg.contains("b&lt;c&gt;"),
            "{svg}"
        );
        assert!(svg.contains(">learning_rate<"), "{svg}");
        assert_eq!(parallel("Trials", &axes, &[]), None);
        assert_eq!(parallel("Trials", &[], &lines), None);
    }

    #[test]
    fn ratios_are_equally_far_apart_on_a_logarithmic_axis() {
        let log = axis("x", true, &[]);
        assert!((share(&log, [1e-4, 1e-2], 1e-3) - 0.5).abs() < 1e-9);
        assert!((share(&axis("x", false, &[]), [0.0, 4.0], 1.0) - 0.25).abs() < 1e-9);
        assert!((share(&log, [2.0, 2.0], 2.0) - 0.5).abs() < 1e-9);
    }
}
