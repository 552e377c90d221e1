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

/// How features are scaled before a regression with one penalty for all of them.
///
/// Divided by the standard deviation itself, features that few images have would count as much as those that tell
/// classes apart. Its square root is better in cross-validation on training images on four sets; undivided features are
/// better still on some sets and worse on others (`docs/results.md`), so that they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vision) enum Scaling {
    /// Each is divided by the square root of its standard deviation.
    Root,
    /// All are divided by the same number.
    None,
}

impl Scaling {
    /// The word in `summary.json`.
    pub(in crate::vision) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::None => "none",
        }
    }
}

/// What a cross-validation on training images chose.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::vision) struct Choice {
    /// Place of the kind of features.
    pub(in crate::vision) kind: usize,
    /// How they are scaled.
    pub(in crate::vision) scaling: Scaling,
    /// The penalty.
    pub(in crate::vision) l2: f64,
    /// The cross-entropy of each kind with its best penalty; empty with too few images.
    pub(in crate::vision) losses: Vec<f64>,
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
    pub(in crate::vision) fn fit(
        &self,
        features: &Features,
        scaling: Scaling,
        l2: f64,
    ) -> Result<Probe, TaskError> {
        let places: Vec<usize> = (0..features.len()).collect();
        let rows = Scaled::new(features, &places, scaling);
        let model = rows.fit(self, l2, None).map_err(TaskError::user)?;
        Ok(rows.fold(&model))
    }

    /// Chooses between kinds of features of the same images, how they are scaled, and the penalty unless the recipe has
    /// one: the combination whose cross-entropy in a cross-validation is lowest, of equal ones the first.
    ///
    /// # Errors
    ///
    /// As for [`fit`](Self::fit).
    pub(in crate::vision) fn choose(&self, kinds: &[Features]) -> Result<Choice, TaskError> {
        let fixed = self.l2 > 0.0;
        let penalties = if fixed { &[self.l2][..] } else { &L2 };
        let mut choice = Choice {
            kind: 0,
            scaling: Scaling::Root,
            l2: if fixed { self.l2 } else { DEFAULT_L2 },
            losses: Vec::new(),
        };
        // Too few images of a class, or too many copies of one.
        let Some(parts) = kinds.first().and_then(|kind| self.parts(kind)) else {
            return Ok(choice);
        };
        let mut lowest = f64::INFINITY;
        for (kind, features) in kinds.iter().enumerate() {
            let mut of_kind = f64::INFINITY;
            for scaling in [Scaling::Root, Scaling::None] {
                let losses = self.losses(features, scaling, &parts, penalties);
                let losses = losses.map_err(TaskError::user)?;
                for (&l2, loss) in penalties.iter().zip(losses) {
                    if loss < lowest {
                        lowest = loss;
                        (choice.kind, choice.scaling, choice.l2) = (kind, scaling, l2);
                    }
                    of_kind = of_kind.min(loss);
                }
            }
            choice.losses.push(of_kind);
        }
        Ok(choice)
    }

    /// The mean cross-entropy of held-out images for each penalty.
    fn losses(
        &self,
        features: &Features,
        scaling: Scaling,
        parts: &[(Vec<usize>, Vec<usize>)],
        penalties: &[f64],
    ) -> Result<Vec<f64>, BaselineError> {
        let mut losses = vec![0.0; penalties.len()];
        for (train, valid) in parts {
            let rows = Scaled::new(features, train, scaling);
            let mut model = None;
            for (sum, &l2) in losses.iter_mut().zip(penalties) {
                let fitted = rows.fit(self, l2, model.as_ref())?;
                let predictions = rows.fold(&fitted).predict(features, valid);
                let share = valid.len() as f64 / features.len() as f64;
                *sum += predictions.metrics()["loss"] * share;
                model = Some(fitted);
            }
        }
        Ok(losses)
    }

    /// The training and validation images of each fold of the cross-validation, if there are enough.
    fn parts(&self, features: &Features) -> Option<Vec<(Vec<usize>, Vec<usize>)>> {
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
        parts.ok()
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

/// Features as the regression sees them: with mean 0, scaled so that their mean square is 1.
struct Scaled {
    mean: Vec<f64>,
    scale: Vec<f64>,
    values: Vec<f32>,
    labels: Vec<usize>,
}

impl Scaled {
    /// Of some images, with their mirrored views if there are any.
    fn new(features: &Features, places: &[usize], scaling: Scaling) -> Self {
        let width = features.width;
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        let views = [&features.plain, &features.flipped];
        for view in views.into_iter().filter(|view| !view.is_empty()) {
            for &place in places {
                values.extend_from_slice(&view[place * width..][..width]);
                labels.push(usize::from(features.labels[place]));
            }
        }
        let (mean, scale) = statistics(&values, width, scaling);
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
fn statistics(values: &[f32], width: usize, scaling: Scaling) -> (Vec<f64>, Vec<f64>) {
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
    let mean_of = |power: i32| {
        let powers = std.iter().filter(|std| changes(std));
        powers.map(|std| std.powi(power)).sum::<f64>() / changing
    };
    let (mean_std, root_mean_square) = (mean_of(1), mean_of(2).sqrt());
    let scale = |std: &f64| match scaling {
        _ if !changes(std) => 1.0,
        Scaling::Root => (std * mean_std).sqrt(),
        Scaling::None => root_mean_square,
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
        let l2 = options.choose(std::slice::from_ref(&features)).unwrap().l2;
        assert!(L2.contains(&l2));
        let probe = options.fit(&features, Scaling::Root, l2).unwrap();
        let metrics = probe.predict_all(&features).metrics();
        assert!(metrics["accuracy"] > 0.99, "{metrics:?}");
    }

    #[test]
    fn the_layer_computes_the_same_as_the_probe() {
        let (classes, features) = (classes(), features(8));
        let probe = options(&classes)
            .fit(&features, Scaling::None, 3.0)
            .unwrap();
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
        let kinds = [features(2), features(2)];
        let choice = |options: ProbeOptions<'_>| options.choose(&kinds).unwrap();
        let expected = Choice {
            kind: 0,
            scaling: Scaling::Root,
            l2: DEFAULT_L2,
            losses: Vec::new(),
        };
        assert_eq!(choice(options(&classes)), expected);
        let mut fixed = options(&classes);
        fixed.l2 = 5.0;
        assert_eq!(
            choice(fixed),
            Choice {
                l2: 5.0,
                ..expected
            }
        );
    }

    #[test]
    fn the_features_that_tell_classes_apart_are_chosen() {
        let (classes, good) = (classes(), features(60));
        let mut noise = good.clone();
        // The second feature no longer follows from the class.
        for at in 0..60 {
            noise.plain[3 * at + 1] = ((at * 29) % 7) as f32;
        }
        for l2 in [0.0, 10.0] {
            let options = ProbeOptions {
                l2,
                ..options(&classes)
            };
            for (kinds, expected) in [
                ([good.clone(), noise.clone()], 0),
                ([noise.clone(), good.clone()], 1),
                ([good.clone(), good.clone()], 0),
            ] {
                let choice = options.choose(&kinds).unwrap();
                assert_eq!(choice.kind, expected, "{choice:?}");
                assert_eq!(choice.losses.len(), 2);
            }
        }
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
        let rows = Scaled::new(&features, &[0, 1, 2, 3], Scaling::Root);
        let [wide, narrow, constant] = [0, 1, 2].map(|column| rows.values[9 + column]);
        assert!((wide / narrow - 4.0).abs() < 1e-5, "{wide} {narrow}");
        // Of the two that change.
        let mean_square = (wide * wide).midpoint(narrow * narrow);
        assert!((mean_square - 1.0).abs() < 1e-5, "{mean_square}");
        assert!(constant.abs() < 1e-5);
        let rows = Scaled::new(&features, &[0, 1, 2, 3], Scaling::None);
        let [wide, narrow, _] = [0, 1, 2].map(|column| rows.values[9 + column]);
        assert!((wide / narrow - 16.0).abs() < 1e-4, "{wide} {narrow}");
        assert!(((wide * wide).midpoint(narrow * narrow) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn mirrored_views_are_rows_of_their_own() {
        let mut features = features(6);
        features.flipped = features.plain.clone();
        let rows = Scaled::new(&features, &[0, 3, 5], Scaling::Root);
        assert_eq!(rows.labels, [0, 1, 1, 0, 1, 1]);
        assert_eq!(rows.values.len(), 18);
        let sum: f32 = rows.values.iter().step_by(3).sum();
        assert!(sum.abs() < 1e-3, "the mean is {sum}");
    }
}
