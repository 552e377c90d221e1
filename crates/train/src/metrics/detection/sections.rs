//! The scores of a detector as charts and tables.

use super::average::Ranked;
use super::matching::{AREAS, IOUS};
use super::{DetectionScores, PrecisionRecall};
use crate::section::{Body, Curve, Section};

/// Most classes with a curve; the mean of all has one too.
const MAX_CLASSES: usize = 5;

/// Most classes of a table.
const MAX_ROWS: usize = 100;

impl DetectionScores {
    /// Precision against recall of the classes, their average precision by size, and what was taken for what at
    /// a threshold of the score.
    pub fn sections(&self, labels: &[String], threshold: f32) -> Vec<Section> {
        let curves: Vec<PrecisionRecall> =
            (0..self.classes).map(|class| self.curve(class)).collect();
        let mut named: Vec<(&String, &PrecisionRecall, f64)> = labels
            .iter()
            .zip(&curves)
            .filter_map(|(label, curve)| Some((label, curve, curve.average_precision?)))
            .collect();
        if named.is_empty() {
            return Vec::new();
        }
        let by_class = self.by_class(labels, &curves);
        let all = named.len();
        let mean = (all > 1).then(|| mean(&named));
        let mut title = "Precision and recall by class, IoU 0.5".to_owned();
        if all > MAX_CLASSES {
            named.sort_by(|a, b| a.2.total_cmp(&b.2));
            named.truncate(MAX_CLASSES);
            title = format!("{title}: the {MAX_CLASSES} worst of {all} classes");
        }
        let own = named.iter().map(|(label, curve, average)| {
            of_values(format!("{label}, {average:.3}"), &curve.interpolated())
        });
        let curves = mean.into_iter().chain(own).collect();
        vec![
            Section::curves(title, ["recall", "precision"], curves),
            by_class,
            self.matrix(labels, threshold),
        ]
    }

    /// Average precision of a class at IoU 0.5, by the size of the boxes.
    fn by_size(&self, class: usize) -> [Option<f64>; 3] {
        let images = self.class_images(class);
        [AREAS[1], AREAS[2], AREAS[3]]
            .map(|area| Ranked::of(&images, area, IOUS[0]).average_precision())
    }

    fn by_class(&self, labels: &[String], curves: &[PrecisionRecall]) -> Section {
        let head = ["class", "all", "small", "medium", "large"].map(str::to_owned);
        let share =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
        let classes = labels.iter().zip(curves).enumerate().take(MAX_ROWS);
        let rows = classes.map(|(class, (label, curve))| {
            let sizes = self.by_size(class).map(share);
            let own = [label.clone(), share(curve.average_precision)];
            own.into_iter().chain(sizes).collect()
        });
        let rows = std::iter::once(head.to_vec()).chain(rows).collect();
        Section::table(
            "Average precision at IoU 0.5 by class and size of the boxes",
            rows,
        )
    }

    fn matrix(&self, labels: &[String], threshold: f32) -> Section {
        let names = [labels, &["background".to_owned()]].concat();
        Section {
            title: format!("Confusion matrix at a score of {threshold:.2}"),
            body: Body::Matrix {
                axes: ["true class", "detected class"].map(str::to_owned),
                rows: names.clone(),
                columns: names,
                counts: self.confusion(threshold),
            },
        }
    }
}

/// Precision at recalls from 0 to 1, equally far apart.
fn of_values(name: String, values: &[f64]) -> Curve {
    let steps = (values.len().max(2) - 1) as f64;
    let points = values.iter().enumerate();
    Curve {
        name,
        points: points
            .map(|(at, value)| [at as f64 / steps, (value * 1e4).round() / 1e4])
            .collect(),
    }
}

/// The mean of the curves of at least one class.
fn mean(named: &[(&String, &PrecisionRecall, f64)]) -> Curve {
    let count = named.len() as f64;
    let values: Vec<Vec<f64>> = named.iter().map(|one| one.1.interpolated()).collect();
    let at_recall = |at: usize| values.iter().map(|values| values[at]).sum::<f64>() / count;
    let averages: Vec<f64> = (0..values[0].len()).map(at_recall).collect();
    let average = named.iter().map(|one| one.2).sum::<f64>() / count;
    of_values(format!("mean, {average:.3}"), &averages)
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::image::{BoundingBox, Detection};

    use super::*;
    use crate::metrics::TrueBox;

    #[test]
    fn classes_have_curves_sizes_and_what_they_were_taken_for() {
        let bounds = |class: u16, side: f64| BoundingBox {
            x_min: 0.0,
            y_min: 0.0,
            x_max: side as f32,
            y_max: side as f32,
            class,
        };
        let truth = |class, side| TrueBox {
            bounds: bounds(class, side),
            crowd: false,
            difficult: false,
        };
        let found = |class, side| Detection {
            bounds: bounds(class, side),
            score: 0.9,
        };
        let mut scores = DetectionScores::new(3);
        scores.add(&[found(0, 10.0)], &[truth(0, 10.0)]);
        scores.add(&[found(0, 50.0)], &[truth(1, 50.0)]);
        let labels = ["a", "b", "c"].map(str::to_owned);
        let sections = scores.sections(&labels, 0.5);
        let Body::Curves { curves, .. } = &sections[0].body else {
            panic!("no curves");
        };
        // Class c has no box.
        let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names.len(), 3);
        assert!(names[0].starts_with("mean, ") && names[2] == "b, 0.000");
        let Body::Table { rows } = &sections[1].body else {
            panic!("no table");
        };
        assert_eq!(rows[1][2], "1.0000", "{rows:?}");
        assert_eq!(rows[2], ["b", "0.0000", "-", "0.0000", "-"]);
        let Body::Matrix { counts, rows, .. } = &sections[2].body else {
            panic!("no matrix");
        };
        assert_eq!((counts[0][0], counts[1][0]), (1, 1));
        assert_eq!(rows[3], "background");
        assert!(DetectionScores::new(3).sections(&labels, 0.5).is_empty());
    }
}
