//! Charts of the training.

use std::fmt::Write as _;

use crate::html;
use crate::series::{MetricSeries, Training};
use crate::svg::{Axes, Line, Mark, Scale, Style, lines};

/// Most metrics with a chart.
const MAX_CHARTS: usize = 6;

/// Ratio of the largest and the smallest loss from which on equal ratios are equally far apart.
const LOG_RATIO: f64 = 25.0;

/// A chart of each metric.
pub(crate) fn charts(training: &Training, headline: Option<&str>) -> String {
    let mut shown: Vec<&MetricSeries> = training.metrics.iter().collect();
    // The loss, the metric that decides, the learning rate, and others as far as there is room.
    let rank = |metric: &&MetricSeries| match metric.name.as_str() {
        "loss" => 0,
        name if Some(name) == headline => 1,
        "learning_rate" => 2,
        _ => 3,
    };
    let mut kept: Vec<&MetricSeries> = shown.clone();
    kept.sort_by_key(rank);
    kept.truncate(MAX_CHARTS);
    shown.retain(|metric| kept.contains(metric));
    let mut all = String::from("<div class=\"charts\">\n");
    for metric in &shown {
        all.push_str(&chart(training, metric));
    }
    all.push_str("</div>\n");
    let left_out = training.metrics.len() - shown.len();
    if left_out > 0 {
        let _ = writeln!(
            all,
            "<p class=\"soft\">{left_out} more metrics are in <code>metrics.jsonl</code>.</p>"
        );
    }
    all
}

fn chart(training: &Training, metric: &MetricSeries) -> String {
    let both = [("train", &metric.train), ("validation", &metric.valid)];
    let named: Vec<(usize, &str, &Vec<[f64; 2]>)> = both
        .into_iter()
        .enumerate()
        .filter(|(_, (_, points))| !points.is_empty())
        .map(|(at, (name, points))| (at, name, points))
        .collect();
    let all = named
        .iter()
        .map(|(at, _, points)| (*at, *points))
        .collect::<Vec<_>>();
    let mark = training.best.map(|x| Mark {
        name: if training.axis == "epoch" {
            format!("best epoch {x:.0}")
        } else {
            format!("best, step {x:.0}")
        },
        x,
    });
    let Some(svg) = drawn(&metric.name, training.axis, &all, mark.as_ref()) else {
        return String::new();
    };
    let names = named.iter().map(|(at, name, _)| (format!("s{at}"), *name));
    html::card(&metric.name, &(svg + &html::key(names)))
}

/// Lines of a metric, each with the number of its color; `None` without a finite value.
pub(crate) fn drawn(
    name: &str,
    axis: &str,
    all: &[(usize, &Vec<[f64; 2]>)],
    mark: Option<&Mark>,
) -> Option<String> {
    let points = || all.iter().flat_map(|(_, points)| points.iter().copied());
    let scale = scale(name, points().map(|[_, y]| y));
    // The chart has a heading with the name.
    let label = match scale {
        Scale::Log => "log scale",
        Scale::Linear => "",
    };
    let axes = Axes::around(points(), scale)?.whole().named([axis, label]);
    let lines_of = all.iter().map(|(at, points)| {
        let style = match (*at < crate::svg::COLORS, points.len()) {
            (true, 0..=12) => Style::Dotted,
            (true, _) => Style::Solid,
            (false, _) => Style::Dashed,
        };
        Line::numbered(*at, style, (*points).clone())
    });
    let lines_of: Vec<Line> = lines_of.collect();
    Some(lines(name, &axes, &lines_of, mark))
}

fn scale(name: &str, values: impl Iterator<Item = f64>) -> Scale {
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for value in values.filter(|value| value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    if name.contains("loss") && low > 0.0 && high / low > LOG_RATIO {
        Scale::Log
    } else {
        Scale::Linear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(names: &[&str]) -> Training {
        let metric = |name: &&str| MetricSeries {
            name: (*name).to_owned(),
            train: vec![[1.0, 1.0], [2.0, 0.01]],
            valid: vec![[1.0, 1.0], [2.0, 0.5]],
        };
        Training {
            axis: "epoch",
            metrics: names.iter().map(metric).collect(),
            best: Some(2.0),
        }
    }

    #[test]
    fn the_best_epoch_is_marked_and_a_falling_loss_has_a_log_scale() {
        let page = charts(&training(&["loss", "accuracy"]), None);
        assert_eq!(page.matches("best epoch 2").count(), 2);
        assert_eq!(page.matches("log scale").count(), 1);
        assert_eq!(page.matches("<polyline").count(), 4);
    }

    #[test]
    fn metrics_without_room_are_counted_and_the_deciding_one_is_shown() {
        let names = ["loss", "a", "b", "c", "d", "e", "f", "z", "learning_rate"];
        let page = charts(&training(&names), Some("z"));
        assert!(page.contains("<h3>z</h3>") && page.contains("<h3>learning_rate</h3>"));
        assert!(page.contains("3 more metrics are in"));
    }

    #[test]
    fn names_of_metrics_cannot_add_markup() {
        let page = charts(&training(&["<script>", "loss"]), None);
        assert!(!page.contains("<script"), "{page}");
    }
}
