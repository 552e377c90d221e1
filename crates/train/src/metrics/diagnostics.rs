//! The predictions of a test split as charts: rankings, calibration, scores, residuals.

use super::{CalibrationBin, Evaluation, Predictions, Ranking, calibration, thin};
use crate::section::{Body, Curve, Ideal, Section};
use tinderbox_predict::decision::decide;

/// Most points of a curve.
const MAX_CURVE: usize = 200;

/// Most points in a plane.
const MAX_POINTS: usize = 800;

/// Ranges of a reliability diagram, and of a histogram.
const CALIBRATION_BINS: usize = 10;
const HISTOGRAM_BINS: usize = 20;

/// Methods with a curve.
const MAX_METHODS: usize = 3;

/// Classes with a curve.
const MAX_CLASSES: usize = 5;

/// The charts of some predictions, the first of `methods` being those of the trained model.
///
/// Two classes have the ROC curve, precision against recall, a reliability diagram and a histogram of
/// their scores; more classes have the ROC curve of each against the rest and the last two, of the predicted class;
/// numbers have predicted and actual
/// values, residuals and a histogram of these. Other predictions have none.
pub fn diagnostics(methods: &[(&str, &Evaluation)], labels: &[String]) -> Vec<Section> {
    let Some((_, own)) = methods.first() else {
        return Vec::new();
    };
    if own.is_empty() {
        return Vec::new();
    }
    match own {
        Evaluation::Numbers { predicted, actual } => of_numbers(predicted, actual),
        Evaluation::Classes(predictions) if predictions.classes > 2 => {
            let roc = one_vs_rest(predictions, labels).into_iter();
            roc.chain(of_classes(predictions)).collect()
        }
        Evaluation::Tags { words, .. } => of_classes(words),
        _ => of_two_classes(methods, labels),
    }
}

fn of_two_classes(methods: &[(&str, &Evaluation)], labels: &[String]) -> Vec<Section> {
    let binary = methods.iter().take(MAX_METHODS).filter_map(|(name, all)| {
        let (scores, truth) = all.binary()?;
        Some((*name, Ranking::new(&scores, &truth)))
    });
    let rankings: Vec<(&str, Ranking)> = binary.collect();
    let (Some((_, own)), [negative, positive]) = (methods.first(), labels) else {
        return Vec::new();
    };
    let Some((scores, truth)) = own.binary() else {
        return Vec::new();
    };
    let threshold = own.threshold();
    let mut sections = Vec::new();
    sections.extend(roc(&rankings, threshold));
    sections.extend(precision_recall(&rankings, threshold));
    let bins = calibration(&scores, &truth, CALIBRATION_BINS);
    let axes = [
        format!("predicted probability of {positive}"),
        format!("share of {positive}"),
    ];
    let ece = own.metrics().get("ece").copied();
    sections.push(reliability(&bins, axes, ece));
    let of = |class: bool| {
        let pairs = scores.iter().zip(&truth);
        let own = pairs.filter(|(_, truth)| **truth == class);
        own.map(|(score, _)| *score).collect::<Vec<f64>>()
    };
    sections.push(histogram(
        "Predicted probabilities by true class",
        axes_name(positive),
        [0.0, 1.0],
        &[(negative.clone(), of(false)), (positive.clone(), of(true))],
        threshold.map(|value| ("decision threshold".to_owned(), value)),
    ));
    sections
}

fn axes_name(positive: &str) -> String {
    format!("predicted probability of {positive}")
}

/// Where the ranking stands at a threshold: rows and positives with this score or more.
fn at_threshold(ranking: &Ranking, threshold: f64) -> (f64, f64) {
    let chosen = ranking.steps.iter().rev();
    let step = chosen.into_iter().find(|step| step.score >= threshold);
    step.map_or((0.0, 0.0), |step| (step.rows, step.positives))
}

fn totals(ranking: &Ranking) -> (f64, f64) {
    let last = ranking.steps.last();
    last.map_or((0.0, 0.0), |step| (step.rows, step.positives))
}

fn roc(rankings: &[(&str, Ranking)], threshold: Option<f64>) -> Option<Section> {
    let (_, own) = rankings.first()?;
    own.auroc()?;
    let mut curves: Vec<Curve> = Vec::new();
    for (name, ranking) in rankings {
        let area = ranking.auroc().unwrap_or(f64::NAN);
        curves.push(curve(format!("{name}, AUROC {area:.3}"), &ranking.roc()));
    }
    curves.push(curve("chance".to_owned(), &[[0.0, 0.0], [1.0, 1.0]]));
    if let Some(threshold) = threshold {
        let (rows, found) = at_threshold(own, threshold);
        let (all, positives) = totals(own);
        let point = [(rows - found) / (all - positives), found / positives];
        curves.push(curve(mark_name(threshold), &[point]));
    }
    let axes = ["false positive rate", "true positive rate"];
    Some(Section::curves("ROC curve", axes, curves))
}

/// The ROC curve of each class against the rest: of the classes with the lowest areas, where there are many.
fn one_vs_rest(predictions: &Predictions, labels: &[String]) -> Option<Section> {
    let rankings = (0..predictions.classes).zip(labels);
    let rankings = rankings.filter_map(|(class, label)| {
        let ranking = predictions.against_rest(class);
        Some((ranking.auroc()?, label, ranking))
    });
    let mut rankings: Vec<(f64, &String, Ranking)> = rankings.collect();
    let count = rankings.len();
    let mean = rankings.iter().map(|(area, ..)| area).sum::<f64>() / count as f64;
    rankings.sort_by(|a, b| a.0.total_cmp(&b.0));
    rankings.truncate(MAX_CLASSES);
    let of_class = |(area, label, ranking): &(f64, &String, Ranking)| {
        curve(format!("{label}, AUROC {area:.3}"), &ranking.roc())
    };
    let mut curves: Vec<Curve> = rankings.iter().map(of_class).collect();
    if curves.is_empty() {
        return None;
    }
    curves.push(curve("chance".to_owned(), &[[0.0, 0.0], [1.0, 1.0]]));
    let which = if count > MAX_CLASSES {
        format!("the {MAX_CLASSES} of {count} classes with the lowest AUROC")
    } else {
        "each class".to_owned()
    };
    let title = format!("ROC curves of {which} against the rest, mean AUROC {mean:.3}");
    let axes = ["false positive rate", "true positive rate"];
    Some(Section::curves(&title, axes, curves))
}

fn precision_recall(rankings: &[(&str, Ranking)], threshold: Option<f64>) -> Option<Section> {
    let (_, own) = rankings.first()?;
    let (all, positives) = totals(own);
    own.average_precision()?;
    let mut curves: Vec<Curve> = Vec::new();
    for (name, ranking) in rankings {
        let average = ranking.average_precision().unwrap_or(f64::NAN);
        let name = format!("{name}, average precision {average:.3}");
        curves.push(curve(name, &ranking.precision_recall()));
    }
    let share = positives / all;
    curves.push(curve("chance".to_owned(), &[[0.0, share], [1.0, share]]));
    if let Some(threshold) = threshold {
        let (rows, found) = at_threshold(own, threshold);
        if rows > 0.0 {
            let point = [found / positives, found / rows];
            curves.push(curve(mark_name(threshold), &[point]));
        }
    }
    let axes = ["recall", "precision"];
    Some(Section::curves("Precision and recall", axes, curves))
}

fn mark_name(threshold: f64) -> String {
    format!("decision threshold {}", digits(threshold, 3))
}

fn curve(name: String, points: &[[f64; 2]]) -> Curve {
    let points = thin(points, MAX_CURVE).into_iter();
    Curve {
        name,
        points: points
            .map(|point| point.map(|value| digits(value, 5)))
            .collect(),
    }
}

/// A number with so many significant digits, so that a file of thousands of them stays small.
fn digits(value: f64, count: usize) -> f64 {
    let text = format!("{value:.*e}", count - 1);
    text.parse().unwrap_or(value)
}

fn of_classes(predictions: &Predictions) -> Vec<Section> {
    let rows = predictions
        .probabilities
        .chunks_exact(predictions.classes.max(1));
    let chosen = rows.zip(&predictions.labels).map(|(row, &label)| {
        let class = decide(row, predictions.threshold);
        (f64::from(row[class]), class == label)
    });
    let (confidences, right): (Vec<f64>, Vec<bool>) = chosen.unzip();
    let bins = calibration(&confidences, &right, CALIBRATION_BINS);
    let axes = ["probability of the predicted class", "share that is right"].map(str::to_owned);
    let of = |wanted: bool| {
        let pairs = confidences.iter().zip(&right);
        let own = pairs.filter(|(_, right)| **right == wanted);
        own.map(|(value, _)| *value).collect::<Vec<f64>>()
    };
    let axis = axes[0].clone();
    vec![
        reliability(&bins, axes, predictions.metrics().get("ece").copied()),
        histogram(
            "Probability of the predicted class",
            axis,
            [0.0, 1.0],
            &[
                ("right".to_owned(), of(true)),
                ("wrong".to_owned(), of(false)),
            ],
            None,
        ),
    ]
}

fn reliability(bins: &[CalibrationBin], axes: [String; 2], ece: Option<f64>) -> Section {
    let points: Vec<[f64; 2]> = bins
        .iter()
        .map(|bin| [bin.probability, bin.positives])
        .collect();
    let curves = vec![
        curve("observed".to_owned(), &points),
        curve("perfect calibration".to_owned(), &[[0.0, 0.0], [1.0, 1.0]]),
    ];
    let title = match ece {
        Some(ece) => format!("Reliability diagram, ECE {ece:.3}"),
        None => "Reliability diagram".to_owned(),
    };
    Section {
        title,
        body: Body::Curves { axes, curves },
    }
}

fn of_numbers(predicted: &[f64], actual: &[f64]) -> Vec<Section> {
    let pairs = || predicted.iter().zip(actual);
    let finite = |point: &[f64; 2]| point.iter().all(|value| value.is_finite());
    let against: Vec<[f64; 2]> = pairs().map(|(p, a)| [*a, *p]).filter(finite).collect();
    let residuals: Vec<[f64; 2]> = pairs().map(|(p, a)| [*p, p - a]).filter(finite).collect();
    let spread = residuals.iter().map(|[_, residual]| *residual);
    let (low, high) = spread
        .clone()
        .fold((0.0_f64, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let spread: Vec<f64> = spread.collect();
    let axes = |x: &str, y: &str| [x.to_owned(), y.to_owned()];
    vec![
        plane(
            "Predicted and actual values",
            axes("actual", "predicted"),
            &against,
            Ideal::Diagonal,
        ),
        plane(
            "Residuals",
            axes("predicted", "predicted minus actual"),
            &residuals,
            Ideal::Zero,
        ),
        histogram(
            "Distribution of the residuals",
            "predicted minus actual".to_owned(),
            [low, high],
            &[("residuals".to_owned(), spread)],
            None,
        ),
    ]
}

fn plane(title: &str, axes: [String; 2], points: &[[f64; 2]], ideal: Ideal) -> Section {
    let drawn = thin(points, MAX_POINTS).into_iter();
    Section {
        title: title.to_owned(),
        body: Body::Points {
            axes,
            points: drawn
                .map(|point| point.map(|value| digits(value, 5)))
                .collect(),
            total: points.len(),
            ideal,
        },
    }
}

fn histogram(
    title: &str,
    axis: String,
    [low, high]: [f64; 2],
    series: &[(String, Vec<f64>)],
    mark: Option<(String, f64)>,
) -> Section {
    let width = if high > low { high - low } else { 1.0 };
    let edge = |at: usize| low + width * at as f64 / HISTOGRAM_BINS as f64;
    let counts = |values: &[f64]| {
        let mut counts = vec![0; HISTOGRAM_BINS];
        for value in values {
            let bin = ((value - low) / width * HISTOGRAM_BINS as f64) as usize;
            counts[bin.min(HISTOGRAM_BINS - 1)] += 1;
        }
        counts
    };
    let series = series.iter();
    Section {
        title: title.to_owned(),
        body: Body::Histogram {
            axis,
            edges: (0..=HISTOGRAM_BINS).map(|at| digits(edge(at), 5)).collect(),
            series: series
                .map(|(name, values)| (name.clone(), counts(values)))
                .collect(),
            mark: mark.map(|(name, value)| (name, digits(value, 3))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(sections: &[Section]) -> Vec<&str> {
        sections
            .iter()
            .map(|section| section.title.as_str())
            .collect()
    }

    fn two_classes() -> Evaluation {
        let mut predictions = Predictions::default();
        let rows = [0.9, 0.1, 0.6, 0.4, 0.3, 0.7, 0.2, 0.8];
        predictions.extend(2, &rows, [0, 1, 0, 1]);
        predictions.threshold = Some(0.75);
        Evaluation::Binary(predictions)
    }

    #[test]
    fn two_classes_have_curves_with_the_chosen_threshold() {
        let own = two_classes();
        let labels = ["no", "yes"].map(str::to_owned);
        let sections = diagnostics(&[("this model", &own), ("trees", &own)], &labels);
        assert_eq!(
            titles(&sections)[..2],
            ["ROC curve", "Precision and recall"]
        );
        let Body::Curves { curves, .. } = &sections[0].body else {
            panic!("no curves");
        };
        assert_eq!(curves[0].name, "this model, AUROC 0.750");
        assert_eq!(curves[1].name, "trees, AUROC 0.750");
        // Above 0.75 is one of the two positives and no negative.
        assert_eq!(curves[3].name, "decision threshold 0.75");
        assert_eq!(curves[3].points, [[0.0, 0.5]]);
        let Body::Curves { curves, .. } = &sections[1].body else {
            panic!("no curves");
        };
        assert_eq!(curves[3].points, [[0.5, 1.0]]);
        let Body::Histogram { series, mark, .. } = &sections[3].body else {
            panic!("no histogram");
        };
        assert_eq!(series[1].1.iter().sum::<usize>(), 2);
        assert_eq!(mark.as_ref().map(|mark| mark.1), Some(0.75));
    }

    fn roc_of_classes(classes: usize, labels: &[&str]) -> Option<(String, Vec<Curve>)> {
        let mut predictions = Predictions::default();
        for label in 0..classes {
            // The first class is never confused; every other one is once with the first.
            let sure = |at: usize| if at == label { 0.9 } else { 0.1 };
            let confused = |at: usize| if at == 0 { 0.8 } else { sure(at) / 2.0 };
            let rows: Vec<f32> = (0..classes)
                .map(sure)
                .chain((0..classes).map(confused))
                .collect();
            predictions.extend(classes, &rows, [label, label]);
        }
        let own = Evaluation::Classes(predictions);
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let first = diagnostics(&[("this model", &own)], &labels)
            .into_iter()
            .next()?;
        match first.body {
            Body::Curves { curves, .. } if first.title.starts_with("ROC") => {
                Some((first.title, curves))
            }
            _ => None,
        }
    }

    #[test]
    fn more_classes_have_a_curve_each_against_the_rest() {
        let (title, curves) = roc_of_classes(3, &["a", "b", "c"]).unwrap();
        // Of the 8 pairs of a row of `a` and another, 2 are equal.
        assert_eq!(
            title,
            "ROC curves of each class against the rest, mean AUROC 0.958"
        );
        let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "a, AUROC 0.875",
                "b, AUROC 1.000",
                "c, AUROC 1.000",
                "chance"
            ]
        );
        let letters = ["a", "b", "c", "d", "e", "f", "g"];
        let (title, curves) = roc_of_classes(7, &letters).unwrap();
        assert!(
            title.contains("the 5 of 7 classes with the lowest AUROC"),
            "{title}"
        );
        assert_eq!(curves.len(), 6);
        assert!(roc_of_classes(3, &[]).is_none(), "classes without names");
    }

    #[test]
    fn numbers_have_residuals_and_few_points_of_many() {
        let actual: Vec<f64> = (0..5_000).map(f64::from).collect();
        let predicted: Vec<f64> = actual.iter().map(|value| value + 1.0).collect();
        let own = Evaluation::Numbers { predicted, actual };
        let sections = diagnostics(&[("this model", &own)], &[]);
        let Body::Points { points, total, .. } = &sections[1].body else {
            panic!("no points");
        };
        assert_eq!((points.len(), *total), (MAX_POINTS, 5_000));
        assert!(
            points
                .iter()
                .all(|[_, residual]| (residual - 1.0).abs() < 1e-9)
        );
        let Body::Histogram { series, edges, .. } = &sections[2].body else {
            panic!("no histogram");
        };
        assert_eq!(series[0].1.iter().sum::<usize>(), 5_000);
        assert_eq!(edges.len(), HISTOGRAM_BINS + 1);
    }

    #[test]
    fn what_has_no_charts_has_no_sections() {
        let tokens = Evaluation::Tokens {
            nats: 1.0,
            tokens: 1,
            characters: 1,
        };
        assert!(diagnostics(&[("this model", &tokens)], &[]).is_empty());
        assert!(diagnostics(&[], &[]).is_empty());
        let none = Evaluation::Numbers {
            predicted: Vec::new(),
            actual: Vec::new(),
        };
        assert!(diagnostics(&[("this model", &none)], &[]).is_empty());
        let mut single = Predictions::default();
        single.extend(2, &[0.5, 0.5, 0.1, 0.9], [1, 1]);
        let single = Evaluation::Binary(single);
        let labels = ["no", "yes"].map(str::to_owned);
        let sections = diagnostics(&[("this model", &single)], &labels);
        assert_eq!(titles(&sections)[0], "Precision and recall");
    }
}
