//! Where a classifier looks: Grad-CAM.
//!
//! Reference: Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, *Grad-CAM: visual explanations from deep
//! networks via gradient-based localization*, 2017, <https://arxiv.org/abs/1610.02391>.
//! Differs from it: the maps of an ensemble are each scaled to a maximum of 1 and averaged.

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
    let models = &model.ensemble().models;
    let mut sum: Option<Attribution> = None;
    for network in models {
        let own = of_network(network, input.clone(), class)?;
        match &mut sum {
            None => sum = Some(own),
            Some(sum) => sum
                .values
                .iter_mut()
                .zip(own.values)
                .for_each(|(sum, own)| *sum += own),
        }
    }
    let mut map = sum.ok_or_else(|| TaskError::user("the model has no network"))?;
    map.values
        .iter_mut()
        .for_each(|value| *value /= models.len() as f32);
    Ok(map)
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
        values.iter_mut().for_each(|value| *value /= most);
    }
    Ok(Attribution {
        height,
        width,
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
