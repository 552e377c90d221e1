//! Learning curves, from the metrics of a run.

use std::collections::BTreeMap;
use std::path::Path;

use tinderbox_train::{METRICS_FILE, MetricLine, MetricLinesError, read_metrics};

use super::{Canvas, Line, Plot};

/// Most plots; the loss and these metrics come first.
const MAX_PLOTS: usize = 2;

/// Size of a plot, in pixels.
const SIZE: [usize; 2] = [640, 420];

/// Draws the loss and the metric `metric` of every epoch, of the training and the validation split, with
/// the epoch that the weights are from.
///
/// # Errors
///
/// If the metrics of the run cannot be read.
pub fn learning_curves(
    run: &Path,
    metric: &str,
    best_epoch: usize,
) -> Result<Canvas, MetricLinesError> {
    let curves = read(&run.join(METRICS_FILE))?;
    let plots = ["loss", metric].into_iter().filter_map(|name| {
        let lines = ["train", "valid"].into_iter().filter_map(|split| {
            let points = curves.get(&(split.to_owned(), name.to_owned()))?;
            Some(Line {
                name: split.to_owned(),
                points: points
                    .iter()
                    .map(|(&epoch, &value)| [epoch as f64, value])
                    .collect(),
            })
        });
        let lines: Vec<Line> = lines.collect();
        (!lines.is_empty()).then(|| Plot {
            title: format!("{name} by epoch"),
            axis: "epoch".to_owned(),
            lines,
            mark: (best_epoch > 0).then(|| (best_epoch as f64, format!("best epoch {best_epoch}"))),
        })
    });
    let plots: Vec<Canvas> = plots
        .take(MAX_PLOTS)
        .map(|plot| plot.draw(SIZE[0], SIZE[1]))
        .collect();
    let mut canvas = Canvas::new(SIZE[0] * plots.len().max(1), SIZE[1]);
    for (at, plot) in plots.iter().enumerate() {
        canvas.paste(at * SIZE[0], 0, plot);
    }
    Ok(canvas)
}

type Curves = BTreeMap<(String, String), BTreeMap<usize, f64>>;

/// The values of every epoch, by split and name.
fn read(path: &Path) -> Result<Curves, MetricLinesError> {
    let mut curves = Curves::new();
    for line in read_metrics(path)? {
        let MetricLine {
            epoch,
            split,
            name,
            value,
            ..
        } = line;
        let name = match split.as_str() {
            "train" => name.strip_prefix("epoch_").map(str::to_owned),
            _ => Some(name),
        };
        if let (Some(name), Some(value)) = (name, value) {
            curves
                .entry((split, name))
                .or_default()
                .insert(epoch, value);
        }
    }
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn curves_are_those_of_whole_epochs() {
        let dir = tempfile::tempdir().unwrap();
        let line = |epoch: usize, split: &str, name: &str, value: &str| {
            format!(
                "{{\"step\":1,\"epoch\":{epoch},\"split\":\"{split}\",\"name\":\"{name}\",\"value\":{value},\"wall_s\":0.1}}\n"
            )
        };
        let text = [
            line(1, "train", "loss", "9.0"),
            line(1, "train", "epoch_loss", "1.5"),
            line(1, "valid", "loss", "1.0"),
            line(2, "train", "epoch_loss", "null"),
            line(2, "valid", "loss", "0.5"),
            line(2, "test", "loss", "0.4"),
        ];
        fs::write(dir.path().join(METRICS_FILE), text.concat()).unwrap();
        let curves = read(&dir.path().join(METRICS_FILE)).unwrap();
        let of = |split: &str| curves[&(split.to_owned(), "loss".to_owned())].clone();
        assert_eq!(of("train"), BTreeMap::from([(1, 1.5)]));
        assert_eq!(of("valid"), BTreeMap::from([(1, 1.0), (2, 0.5)]));
        // A metric that was not logged has no plot.
        let canvas = learning_curves(dir.path(), "dice", 2).unwrap();
        assert_eq!(canvas.width, SIZE[0]);
        assert!(learning_curves(&dir.path().join("none"), "dice", 2).is_err());
    }
}
