//! Precision against recall of a detector.

use tinderbox_train::metrics::PrecisionRecall;

use super::{Canvas, Line, Plot, shorten};

/// Most classes with a curve; the mean of all has one too.
const MAX_CLASSES: usize = 5;

/// Least width and height, in pixels.
const SIZE: [usize; 2] = [760, 560];

/// Most pixels of a class name.
const MAX_NAME: usize = 160;

/// Draws precision against recall of each class at IoU 0.5, interpolated as for the average precision, which
/// stands next to the names, and their mean.
///
/// Of more than five classes those with the lowest average precision are drawn, and the title says so. Classes
/// without a box have no curve.
pub fn precision_recall(names: &[String], curves: &[PrecisionRecall]) -> Canvas {
    let mut classes: Vec<Class> = Vec::new();
    for (name, curve) in names.iter().zip(curves) {
        if let Some(average) = curve.average_precision {
            classes.push(Class {
                name,
                average,
                values: curve.interpolated(),
            });
        }
    }
    let all = classes.len();
    let mut lines = Vec::new();
    if all > 1 {
        lines.push(mean(&classes).line());
    }
    let mut title = "Precision by recall, IoU 0.5".to_owned();
    if all > MAX_CLASSES {
        classes.sort_by(|a, b| a.average.total_cmp(&b.average));
        classes.truncate(MAX_CLASSES);
        title = format!("{title}: the {MAX_CLASSES} worst classes of {all}");
    }
    lines.extend(classes.iter().map(Class::line));
    let plot = Plot {
        title,
        axis: "recall".to_owned(),
        lines,
        mark: None,
    };
    plot.draw_shares(SIZE[0].max(plot.width_of_names()), SIZE[1])
}

/// The curve of a class.
struct Class<'a> {
    name: &'a str,
    average: f64,
    /// Precision at recalls from 0 to 1, equally far apart.
    values: Vec<f64>,
}

impl Class<'_> {
    fn line(&self) -> Line {
        let steps = (self.values.len().max(2) - 1) as f64;
        let points = self.values.iter().enumerate();
        Line {
            name: format!("{} {:.3}", shorten(self.name, MAX_NAME), self.average),
            points: points
                .map(|(at, &value)| [at as f64 / steps, value])
                .collect(),
        }
    }
}

/// The mean of the curves of at least one class.
fn mean(classes: &[Class]) -> Class<'static> {
    let count = classes.len() as f64;
    let at_recall = |at: usize| {
        let values = classes.iter().map(|class| class.values[at]);
        values.sum::<f64>() / count
    };
    Class {
        name: "mean",
        average: classes.iter().map(|class| class.average).sum::<f64>() / count,
        values: (0..classes[0].values.len()).map(at_recall).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::pictures::color::{BLUE, VERMILION};

    fn curve(average: Option<f64>) -> PrecisionRecall {
        PrecisionRecall {
            recall: vec![0.5, 1.0],
            precision: vec![1.0, 0.5],
            score: vec![0.9, 0.8],
            average_precision: average,
        }
    }

    fn pixels(canvas: &Canvas, color: [u8; 3]) -> usize {
        let pixels = canvas.pixels.chunks_exact(3);
        pixels.filter(|pixel| *pixel == color).count()
    }

    #[test]
    fn one_class_has_no_mean_and_undefined_classes_have_no_curve() {
        let names = ["a", "b"].map(str::to_owned);
        let one = precision_recall(&names, &[curve(Some(0.75)), curve(None)]);
        assert!(pixels(&one, BLUE) > 0 && pixels(&one, VERMILION) == 0);
        let two = precision_recall(&names, &[curve(Some(0.75)), curve(Some(0.7))]);
        assert!(pixels(&two, VERMILION) > 0);
        // Nothing to draw is no panic.
        assert_eq!(precision_recall(&names, &[]).width, SIZE[0]);
    }

    #[test]
    fn names_of_many_classes_fit() {
        let names: Vec<String> = (0..80)
            .map(|at| format!("a rather long name {at}"))
            .collect();
        let curves: Vec<_> = (0..80)
            .map(|at| curve(Some(f64::from(at) / 80.0)))
            .collect();
        let canvas = precision_recall(&names, &curves);
        assert!(canvas.width > SIZE[0] && canvas.width < 2000);
    }
}
