//! Where a classifier looks: Grad-CAM.
//!
//! Reference: Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, *Grad-CAM: visual explanations from deep
//! networks via gradient-based localization*, 2017, <https://arxiv.org/abs/1610.02391>.
//! Differs from it: the maps of an ensemble, and those of the mirror image where predictions average it, are each scaled
//! to a maximum of 1 and averaged. Those of shifted copies are left out: they differ by less than a cell of the map.

use burn::module::Module as _;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use tinderbox_datasets::image::Image;
use tinderbox_predict::PredictError;
use tinderbox_predict::vision::{ImageClassifier, ImageModel};
use tinderbox_train::TaskError;

/// How much each part of an image speaks for a class, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// The values `[height, width]`; all are 0 where nothing speaks for the class.
    pub values: Vec<f32>,
}

impl Attribution {
    /// The value at a point of the image, `[y, x]` from 0 to 1, interpolated bilinearly.
    pub fn at(&self, [y, x]: [f64; 2]) -> f32 {
        let axis = |at: f64, size: usize| {
            let at = (at * size as f64 - 0.5).clamp(0.0, (size - 1) as f64);
            let low = at.floor() as usize;
            (low, (low + 1).min(size - 1), (at - low as f64) as f32)
        };
        let ((top, bottom, down), (left, right, across)) =
            (axis(y, self.height), axis(x, self.width));
        let value = |row: usize, column: usize| self.values[row * self.width + column];
        let upper = value(top, left) * (1.0 - across) + value(top, right) * across;
        let lower = value(bottom, left) * (1.0 - across) + value(bottom, right) * across;
        upper * (1.0 - down) + lower * down
    }

    /// The map of the mirror image.
    fn mirrored(mut self) -> Self {
        self.values
            .chunks_exact_mut(self.width)
            .for_each(<[f32]>::reverse);
        self
    }
}

/// Computes how much each part of an image of the network's input size speaks for a class.
///
/// # Errors
///
/// If the network has no feature maps, or the device fails.
pub fn grad_cam(
    model: &ImageClassifier,
    image: &Image,
    class: usize,
) -> Result<Attribution, TaskError> {
    let input = model
        .spec()
        .normalize
        .batch(std::slice::from_ref(image), model.device());
    let ensemble = model.ensemble();
    let mut maps = Vec::new();
    for network in &ensemble.models {
        maps.push(of_network(network, input.clone(), class)?);
        if ensemble.views.flip() {
            let flipped = of_network(network, input.clone().flip([3]), class)?;
            maps.push(flipped.mirrored());
        }
    }
    mean(maps).ok_or_else(|| TaskError::user("the model has no network"))
}

/// The mean of maps of one size; none without maps.
fn mean(maps: Vec<Attribution>) -> Option<Attribution> {
    let count = maps.len() as f32;
    let sum = maps.into_iter().reduce(|mut sum, own| {
        for (sum, own) in sum.values.iter_mut().zip(own.values) {
            *sum += own;
        }
        sum
    });
    sum.map(|mut sum| {
        sum.values.iter_mut().for_each(|value| *value /= count);
        sum
    })
}

fn of_network(
    network: &ImageModel,
    input: Tensor<4>,
    class: usize,
) -> Result<Attribution, TaskError> {
    let refused = || {
        TaskError::user(
            "Grad-CAM needs a network with feature maps, and this one (`model.kind = \"mlp\"`) has none; \
             explain a run of another `model.kind`, such as cnn or resnet",
        )
    };
    // Without dropout and with the stored statistics of normalization.
    let network = network.clone().valid();
    let map = network.forward_map(input).ok_or_else(refused)?;
    let leaf = map.clone().autodiff().require_grad();
    let scores = network.classify_map(leaf.clone()).ok_or_else(refused)?;
    let gradients = scores.narrow(1, class, 1).sum().backward();
    let gradient = leaf.grad(&gradients).ok_or_else(|| {
        TaskError::user("the gradient of this network with respect to its feature map is not known")
    })?;
    let [_, _, height, width] = map.dims();
    let weights = gradient.mean_dim(2).mean_dim(3);
    let heat = relu((map * weights).sum_dim(1));
    let mut values = heat
        .try_into_vec_as::<f32>()
        .map_err(PredictError::device)?;
    let most = values.iter().copied().fold(0.0, f32::max);
    if most > 0.0 {
        for value in &mut values {
            *value /= most;
        }
    }
    Ok(Attribution {
        height,
        width,
        values,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use burn::tensor::{Device, Distribution};
    use tinderbox_datasets::image::DecodeOptions;
    use tinderbox_predict::ModelFiles;
    use tinderbox_predict::calibration::Temperature;
    use tinderbox_predict::vision::{ImageClassifierSpec, ImageModelConfig, Normalize};
    use tinderbox_train::overlay::assign;
    use tinderbox_train::{Options, Task as _};

    use super::*;
    use crate::vision::{Recipe, VisionTask};

    #[test]
    fn values_between_the_centers_are_interpolated() {
        let map = Attribution {
            height: 1,
            width: 2,
            values: vec![0.0, 1.0],
        };
        for (x, expected) in [(0.0, 0.0), (0.25, 0.0), (0.5, 0.5), (0.75, 1.0), (1.0, 1.0)] {
            assert!((map.at([0.5, x]) - expected).abs() < 1e-6, "{x}");
        }
    }

    /// With global average pooling and one linear layer, the gradient is the weight over the number of
    /// positions: Zhou et al., 2016, <https://arxiv.org/abs/1512.04150>.
    #[test]
    fn a_linear_classifier_gives_the_class_activation_map() {
        let device = Device::flex();
        let classes = 40;
        let config = ImageModelConfig::of_kind("resnet").unwrap();
        let network = config.init([32, 32, 3], classes, &device).unwrap();
        let input = Tensor::random([1, 3, 32, 32], Distribution::Normal(0.0, 1.0), &device);
        let map = network.forward_map(input.clone()).unwrap();
        let logits = network.classify_map(map.clone()).unwrap();
        logits.into_data().assert_approx_eq::<f32>(
            &tinderbox_predict::Classify::classify(&network, input.clone()).into_data(),
            burn::tensor::Tolerance::absolute(1e-5),
        );
        let weights = network.backbone().unwrap().classifier().weight.val();
        let mut with_heat = 0;
        for class in 0..classes {
            let found = of_network(&network, input.clone(), class).unwrap();
            let weights = weights.clone().narrow(1, class, 1).reshape([1, -1, 1, 1]);
            let cam = relu((map.clone() * weights).sum_dim(1));
            let cam = cam.try_into_vec_as::<f32>().unwrap();
            let most = cam.iter().copied().fold(0.0, f32::max);
            with_heat += usize::from(most > 0.0);
            for (found, cam) in found.values.iter().zip(cam) {
                let expected = if most > 0.0 { cam / most } else { 0.0 };
                assert!(
                    (found - expected).abs() < 1e-3,
                    "{class}: {found} {expected}"
                );
            }
        }
        assert!(with_heat > 0);
    }

    /// A model of two untrained networks for images of 32×32 pixels.
    fn untrained(average_flip: bool, weights: &[Vec<u8>]) -> ImageClassifier {
        let spec = ImageClassifierSpec {
            kind: ImageClassifier::KIND.to_owned(),
            recipe: "photos".to_owned(),
            members: weights.len(),
            model: ImageModelConfig::of_kind("resnet").unwrap(),
            labels: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            input: DecodeOptions::new(32, 32, 3),
            normalize: Normalize {
                mean: vec![0.5; 3],
                std: vec![0.25; 3],
            },
            temperature: Temperature::default(),
            average_flip,
            average_shift: 0,
            training: serde_json::Value::Null,
        };
        let mut json = serde_json::to_value(&spec).unwrap();
        json["format"] = 2.into();
        let names = ["weights.safetensors", "weights-1.safetensors"];
        let mut files: BTreeMap<String, Vec<u8>> = names
            .iter()
            .zip(weights)
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect();
        files.insert("model.json".to_owned(), json.to_string().into_bytes());
        ImageClassifier::load(&ModelFiles::from_memory(files), &Device::flex()).unwrap()
    }

    #[test]
    fn the_heat_of_the_mirror_image_is_averaged_where_its_prediction_is() {
        let device = Device::flex();
        let config = ImageModelConfig::of_kind("resnet").unwrap();
        let weights = [(); 2].map(|()| {
            let network = config.init([32, 32, 3], 4, &device).unwrap();
            network.to_bytes().unwrap()
        });
        let [plain, flipping] = [false, true].map(|flip| untrained(flip, &weights));
        let image = Image {
            height: 32,
            width: 32,
            channels: 3,
            pixels: patch(0, 3, 20).into_raw(),
        };
        let mut mirror = image.clone();
        for row in mirror.pixels.chunks_exact_mut(32 * 3) {
            let pixels: Vec<u8> = row.chunks_exact(3).rev().flatten().copied().collect();
            row.copy_from_slice(&pixels);
        }
        let mut apart = 0.0_f32;
        for class in 0..4 {
            let heat = |model: &ImageClassifier, image: &Image| {
                grad_cam(model, image, class).unwrap().values
            };
            let width = grad_cam(&plain, &image, class).unwrap().width;
            let [own, mut other] = [&image, &mirror].map(|image| heat(&plain, image));
            other.chunks_exact_mut(width).for_each(<[f32]>::reverse);
            let averaged = heat(&flipping, &image);
            for ((averaged, own), other) in averaged.iter().zip(&own).zip(&other) {
                assert!((averaged - (own + other) / 2.0).abs() < 1e-4);
                apart = apart.max((averaged - own).abs());
            }
        }
        assert!(apart > 1e-3, "the two images have the same heat");
    }

    /// A gray image with a patch of the color of its class.
    fn patch(class: usize, top: u32, left: u32) -> image::RgbImage {
        let mut picture = image::RgbImage::from_fn(32, 32, |x, y| {
            image::Rgb([(110 + (x * 7 + y * 13) % 30) as u8; 3])
        });
        for y in top..top + 10 {
            for x in left..left + 10 {
                let mut color = [20, 20, 20];
                color[2 * class] = 230;
                picture.put_pixel(x, y, image::Rgb(color));
            }
        }
        picture
    }

    fn write_images(dir: &Path) {
        for class in 0..2 {
            let folder = dir.join(["red", "blue"][class]);
            std::fs::create_dir(&folder).unwrap();
            for at in 0..40_u32 {
                let picture = patch(class, at * 7 % 23, at * 11 % 23);
                picture.save(folder.join(format!("{at}.png"))).unwrap();
            }
        }
    }

    #[test]
    fn the_heat_lies_where_the_class_is_decided() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        write_images(&data);
        let changes = [
            format!("data.path={:?}", data.to_str().unwrap()),
            "data.height=32".into(),
            "data.width=32".into(),
            "model.kind=cnn".into(),
            "model.block_channels=[16, 32]".into(),
            "model.d_hidden=0".into(),
            "train.epochs=8".into(),
            "train.batch_size=8".into(),
        ];
        let recipe = assign(Recipe::builtin("image-folder").unwrap(), &changes).unwrap();
        let task = VisionTask::prepare(recipe.into()).unwrap();
        let run = dir.path().join("run");
        let report = task.train(&Device::flex(), Options::new(&run)).unwrap();
        assert!(report.test["accuracy"] > 0.9, "{:?}", report.test);
        let model = VisionTask::load(&run.join("model"), &Device::flex()).unwrap();
        let model = model.into_classifier().unwrap();
        for (class, top, left) in [(0, 2, 20), (1, 18, 4), (0, 20, 19), (1, 1, 1)] {
            let pixels = patch(class, top, left).into_raw();
            let image = Image {
                height: 32,
                width: 32,
                channels: 3,
                pixels,
            };
            let name = ["red", "blue"][class];
            let label = model
                .labels()
                .iter()
                .position(|label| label == name)
                .unwrap();
            let map = grad_cam(&model, &image, label).unwrap();
            let heat = |at: usize| map.at([(at / 32) as f64 / 32.0, (at % 32) as f64 / 32.0]);
            let best = (0..1024)
                .max_by(|&a, &b| heat(a).total_cmp(&heat(b)))
                .unwrap();
            let (y, x) = ((best / 32) as u32, (best % 32) as u32);
            let inside = |at: u32, from: u32| (from..from + 10).contains(&at);
            assert!(
                inside(y, top) && inside(x, left),
                "{name}: {y} {x}, {top} {left}"
            );
        }
        for file in [
            "augmented",
            "learning-curves",
            "confusion-matrix",
            "mistakes",
        ] {
            assert!(run.join(format!("images/{file}.png")).exists(), "{file}");
        }
        assert_eq!(report.details["images"].as_array().unwrap().len(), 4);
    }
}
