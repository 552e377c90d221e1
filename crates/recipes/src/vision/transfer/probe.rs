//! A linear classifier on features, which becomes the last layer of the network they are from.

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_baselines::{BaselineError, DenseRows, Softmax, SoftmaxConfig};
use tinderbox_datasets::stratified_folds_by_content;
use tinderbox_train::TaskError;
use tinderbox_train::metrics::Predictions;

use super::Features;

/// Penalties that are tried, strongest first: each fit starts from the one before it.
const L2: [f64; 11] = [1e4, 3e3, 1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1];

/// The penalty where there are too few images to choose it.
const DEFAULT_L2: f64 = 100.0;

/// Most folds of the cross-validation.
const FOLDS: usize = 5;

/// Where the gradient is this small, no prediction changes any more.
const TOLERANCE: f64 = 1e-5;

/// How a [`Probe`] is fitted.
#[derive(Clone, Debug)]
pub(in crate::vision) struct ProbeOptions<'a> {
    /// Names of the classes.
    pub(in crate::vision) classes: &'a [String],
    /// The penalty; 0 chooses it by cross-validation.
    pub(in crate::vision) l2: f64,
    /// Probability spread evenly over all classes.
    pub(in crate::vision) label_smoothing: f64,
    /// Weight of each class; empty for equal ones.
    pub(in crate::vision) class_weights: &'a [f32],
    /// Seed of the folds.
    pub(in crate::vision) seed: u64,
}

/// A linear classifier on features.
#[derive(Clone, Debug)]
pub(in crate::vision) struct Probe {
    width: usize,
    /// `[width, classes]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl ProbeOptions<'_> {
    /// Fits a classifier on scaled features.
    ///
    /// # Errors
    ///
    /// If the images have fewer than two classes, or a feature is not finite.
    pub(in crate::vision) fn fit(&self, features: &Features, l2: f64) -> Result<Probe, TaskError> {
        let places: Vec<usize> = (0..features.len()).collect();
        let rows = Scaled::new(features, &places);
        let model = rows.fit(self, l2, None).map_err(TaskError::user)?;
        Ok(rows.fold(&model))
    }

    /// The penalty of the recipe, or else the one whose cross-entropy in a cross-validation is lowest.
    ///
    /// # Errors
    ///
    /// As for [`fit`](Self::fit).
    pub(in crate::vision) fn choose_l2(&self, features: &Features) -> Result<f64, TaskError> {
        if self.l2 > 0.0 {
            return Ok(self.l2);
        }
        let mut counts = vec![0; self.classes.len()];
        for &label in &features.labels {
            counts[usize::from(label)] += 1;
        }
        let folds = counts.iter().copied().min().unwrap_or(0).min(FOLDS);
        let parts = stratified_folds_by_content(
            &features.labels,
            &features.contents,
            self.classes,
            folds.max(2),
            self.seed,
        );
        // Too few images of a class, or too many copies of one.
        let Ok(parts) = parts else {
            return Ok(DEFAULT_L2);
        };
        let mut losses = [0.0; L2.len()];
        for (train, valid) in &parts {
            let path = self.path(features, train, valid).map_err(TaskError::user)?;
            losses
                .iter_mut()
                .zip(path)
                .for_each(|(sum, own)| *sum += own);
        }
        let pairs = L2.iter().zip(losses);
        let best = pairs.min_by(|(_, a), (_, b)| a.total_cmp(b));
        Ok(best.map_or(DEFAULT_L2, |(&l2, _)| l2))
    }

    /// The summed cross-entropy of held-out images for each penalty.
    fn path(
        &self,
        features: &Features,
        train: &[usize],
        valid: &[usize],
    ) -> Result<[f64; L2.len()], BaselineError> {
        let rows = Scaled::new(features, train);
        let mut losses = [0.0; L2.len()];
        let mut model = None;
        for (loss, &l2) in losses.iter_mut().zip(&L2) {
            let fitted = rows.fit(self, l2, model.as_ref())?;
            let probe = rows.fold(&fitted);
            let predictions = probe.predict(features, valid);
            *loss = predictions.metrics()["loss"] * valid.len() as f64;
            model = Some(fitted);
        }
        Ok(losses)
    }
}

impl Features {
    /// Number of images.
    pub(in crate::vision) fn len(&self) -> usize {
        self.labels.len()
    }

    /// These and others of the same network.
    pub(in crate::vision) fn and(&self, other: &Self) -> Self {
        Self {
            width: self.width,
            plain: [&self.plain[..], &other.plain].concat(),
            flipped: [&self.flipped[..], &other.flipped].concat(),
            labels: [&self.labels[..], &other.labels].concat(),
            contents: [&self.contents[..], &other.contents].concat(),
        }
    }

    fn row(&self, place: usize) -> &[f32] {
        &self.plain[place * self.width..][..self.width]
    }
}

/// Features as the regression sees them: with mean 0, divided by the square root of their standard deviation, and
/// all by the same number, so that their mean square is 1.
///
/// Divided by the standard deviation itself, features that few images have would count as much as those that tell
/// classes apart; undivided, few features would decide. In cross-validation on training images the square root is
/// better than the standard deviation on four sets, and better than nothing on two of three (`docs/results.md`).
struct Scaled {
    mean: Vec<f64>,
    scale: Vec<f64>,
    values: Vec<f32>,
    labels: Vec<usize>,
}

impl Scaled {
    /// Of some images, with their mirrored views if there are any.
    fn new(features: &Features, places: &[usize]) -> Self {
        let width = features.width;
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        let views = [&features.plain, &features.flipped];
        for view in views.into_iter().filter(|view| !view.is_empty()) {
            for &place in places {
                values.extend_from_slice(&view[place * width..][..width]);
                labels.push(usize::from(features.labels[place]));
            }
        }
        let (mean, scale) = statistics(&values, width);
        for row in values.chunks_exact_mut(width.max(1)) {
            for (value, (mean, scale)) in row.iter_mut().zip(mean.iter().zip(&scale)) {
                *value = ((f64::from(*value) - mean) / scale) as f32;
            }
        }
        Self {
            mean,
            scale,
            values,
            labels,
        }
    }

    fn fit(
        &self,
        options: &ProbeOptions,
        l2: f64,
        start: Option<&Softmax>,
    ) -> Result<Softmax, BaselineError> {
        let rows = DenseRows {
            features: &self.values,
            labels: &self.labels,
            weights: options.class_weights,
        };
        let config = SoftmaxConfig {
            l2,
            label_smoothing: options.label_smoothing,
            tolerance: TOLERANCE,
            ..SoftmaxConfig::default()
        };
        config.fit(&rows, options.classes.len(), start)
    }

    /// The regression as a layer on features that are not scaled.
    fn fold(&self, model: &Softmax) -> Probe {
        let (width, classes) = (self.mean.len(), model.intercepts.len());
        let mut weights = vec![0.0; width * classes];
        let mut bias = model.intercepts.clone();
        for (class, own) in model.weights.chunks_exact(width.max(1)).enumerate() {
            for (column, weight) in own.iter().enumerate() {
                let weight = weight / self.scale[column];
                weights[column * classes + class] = weight as f32;
                bias[class] -= weight * self.mean[column];
            }
        }
        Probe {
            width,
            weights,
            bias: bias.into_iter().map(|value| value as f32).collect(),
        }
    }
}

/// Mean and scale of each column; 1 for a column that never changes.
fn statistics(values: &[f32], width: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = || values.chunks_exact(width.max(1));
    let count = rows().len().max(1) as f64;
    let mut mean = vec![0.0; width];
    for row in rows() {
        mean.iter_mut()
            .zip(row)
            .for_each(|(m, &x)| *m += f64::from(x));
    }
    for m in &mut mean {
        *m /= count;
    }
    let mut variance = vec![0.0; width];
    for row in rows() {
        for (v, (m, &x)) in variance.iter_mut().zip(mean.iter().zip(row)) {
            *v += (f64::from(x) - m).powi(2);
        }
    }
    let std: Vec<f64> = variance.iter().map(|sum| (sum / count).sqrt()).collect();
    let changes = |std: &f64| *std > 1e-6;
    let changing = std.iter().filter(|std| changes(std)).count().max(1) as f64;
    let typical = std.iter().filter(|std| changes(std)).sum::<f64>() / changing;
    let scale = |std: &f64| {
        if changes(std) {
            (std * typical).sqrt()
        } else {
            1.0
        }
    };
    let scale = std.iter().map(scale).collect();
    (mean, scale)
}

impl Probe {
    /// The layer on a device.
    pub(in crate::vision) fn layer(&self, device: &Device) -> Linear {
        let classes = self.bias.len();
        let mut layer = LinearConfig::new(self.width, classes).init(device);
        let weights = TensorData::new(self.weights.clone(), [self.width, classes]);
        let bias = TensorData::new(self.bias.clone(), [classes]);
        layer.weight = Param::from_tensor(Tensor::from_data(weights, device));
        layer.bias = Some(Param::from_tensor(Tensor::from_data(bias, device)));
        layer
    }

    /// The predictions for some images, as they are.
    pub(in crate::vision) fn predict(&self, features: &Features, places: &[usize]) -> Predictions {
        let classes = self.bias.len();
        let mut probabilities = Vec::with_capacity(places.len() * classes);
        for &place in places {
            let mut scores: Vec<f64> = self.bias.iter().map(|&bias| f64::from(bias)).collect();
            let columns = self.weights.chunks_exact(classes);
            for (&value, weights) in features.row(place).iter().zip(columns) {
                for (score, &weight) in scores.iter_mut().zip(weights) {
                    *score += f64::from(value) * f64::from(weight);
                }
            }
            let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
            let of = |score: &f64| ((score - highest).exp() / sum) as f32;
            probabilities.extend(scores.iter().map(of));
        }
        Predictions {
            classes,
            probabilities,
            labels: places
                .iter()
                .map(|&at| usize::from(features.labels[at]))
                .collect(),
            threshold: None,
        }
    }

    /// The predictions for all images, as they are.
    pub(in crate::vision) fn predict_all(&self, features: &Features) -> Predictions {
        let places: Vec<usize> = (0..features.len()).collect();
        self.predict(features, &places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes whose second feature tells them apart, on features of different scales.
    fn features(images: usize) -> Features {
        let value = |at: usize| ((at * 37) % 11) as f32 / 11.0;
        let row = |at: usize| {
            let class = if at.is_multiple_of(2) { -1.0 } else { 1.0 };
            [100.0 + value(at), 0.01 * (class + 0.3 * value(at + 5)), 7.0]
        };
        Features {
            width: 3,
            plain: (0..images).flat_map(row).collect(),
            flipped: Vec::new(),
            labels: (0..images).map(|at| (at % 2) as u16).collect(),
            contents: (0..images as u64).collect(),
        }
    }

    fn classes() -> Vec<String> {
        ["a", "b"].map(str::to_owned).to_vec()
    }

    fn options(classes: &[String]) -> ProbeOptions<'_> {
        ProbeOptions {
            classes,
            l2: 0.0,
            label_smoothing: 0.0,
            class_weights: &[],
            seed: 1,
        }
    }

    #[test]
    fn classes_are_told_apart_whatever_the_scale_of_a_feature() {
        let (classes, features) = (classes(), features(60));
        let options = options(&classes);
        let l2 = options.choose_l2(&features).unwrap();
        assert!(L2.contains(&l2));
        let probe = options.fit(&features, l2).unwrap();
        let metrics = probe.predict_all(&features).metrics();
        assert!(metrics["accuracy"] > 0.99, "{metrics:?}");
    }

    #[test]
    fn the_layer_computes_the_same_as_the_probe() {
        let (classes, features) = (classes(), features(8));
        let probe = options(&classes).fit(&features, 3.0).unwrap();
        let device = Device::flex();
        let inputs = TensorData::new(features.plain.clone(), [8, 3]);
        let scores = probe
            .layer(&device)
            .forward(Tensor::<2>::from_data(inputs, &device));
        let found = burn::tensor::activation::softmax(scores, 1);
        let found = found.try_into_vec_as::<f32>().unwrap();
        let expected = probe.predict_all(&features).probabilities;
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
        }
    }

    #[test]
    fn with_too_few_images_the_penalty_is_the_default() {
        let classes = classes();
        let l2 = options(&classes).choose_l2(&features(2)).unwrap();
        assert!((l2 - DEFAULT_L2).abs() < f64::EPSILON);
        let mut fixed = options(&classes);
        fixed.l2 = 5.0;
        assert!((fixed.choose_l2(&features(2)).unwrap() - 5.0).abs() < f64::EPSILON);
    }

    #[test]
    fn scaled_features_keep_half_of_their_differences_in_scale() {
        let sign = [-1.0, -1.0, 1.0, 1.0];
        let features = Features {
            width: 3,
            plain: sign
                .iter()
                .flat_map(|s| [5.0 + 16.0 * s, *s, 7.0])
                .collect(),
            flipped: Vec::new(),
            labels: vec![0, 0, 1, 1],
            contents: vec![0, 1, 2, 3],
        };
        let rows = Scaled::new(&features, &[0, 1, 2, 3]);
        let [wide, narrow, constant] = [0, 1, 2].map(|column| rows.values[9 + column]);
        assert!((wide / narrow - 4.0).abs() < 1e-5, "{wide} {narrow}");
        // Of the two that change.
        let mean_square = (wide * wide).midpoint(narrow * narrow);
        assert!((mean_square - 1.0).abs() < 1e-5, "{mean_square}");
        assert!(constant.abs() < 1e-5);
    }

    #[test]
    fn mirrored_views_are_rows_of_their_own() {
        let mut features = features(6);
        features.flipped = features.plain.clone();
        let rows = Scaled::new(&features, &[0, 3, 5]);
        assert_eq!(rows.labels, [0, 1, 1, 0, 1, 1]);
        assert_eq!(rows.values.len(), 18);
        let sum: f32 = rows.values.iter().step_by(3).sum();
        assert!(sum.abs() < 1e-3, "the mean is {sum}");
    }
}
