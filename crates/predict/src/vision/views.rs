//! Versions of an image whose predictions are averaged.

use burn::tensor::{Tensor, TensorData};

use super::Normalize;

/// The versions of an image that a classifier averages its probabilities over.
///
/// Reference: Jordan, *94% on CIFAR-10 in 3.29 seconds on a single GPU*, 2024, <https://arxiv.org/abs/2404.00498>.
/// Differs from it: four shifts in place of two, all versions with the same weight, filled with black as images are that
/// training crops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Views {
    /// Whether each version is mirrored too.
    flip: bool,
    /// Pixels that four more versions are shifted by along both axes; 0 for none.
    shift: usize,
    /// The value of black in each channel.
    black: Vec<f32>,
}

impl Views {
    /// Versions of images with this normalization.
    pub fn new(flip: bool, shift: usize, normalize: &Normalize) -> Self {
        Self {
            flip,
            shift,
            black: normalize.black(),
        }
    }

    /// Whether each version is mirrored too.
    pub fn flip(&self) -> bool {
        self.flip
    }

    /// All versions, the images themselves first.
    ///
    /// # Shapes
    ///
    /// - images and each version: `[batch, channels, height, width]`
    pub fn of(&self, images: &Tensor<4>) -> Vec<Tensor<4>> {
        let mut views = vec![images.clone()];
        if self.shift > 0 {
            let [_, _, height, width] = images.dims();
            let by = self.shift;
            let black = TensorData::new(self.black.clone(), [1, self.black.len(), 1, 1]);
            let black = Tensor::<4>::from_data(black, &images.device());
            let padded = (images.clone() - black.clone()).pad((by, by, by, by), 0.0) + black;
            views.extend(self.corners().map(|[top, left]| {
                let (rows, columns) = (top..top + height, left..left + width);
                let [batch, channels, _, _] = padded.dims();
                padded.clone().slice([0..batch, 0..channels, rows, columns])
            }));
        }
        if self.flip {
            let mirrored: Vec<_> = views.iter().map(|view| view.clone().flip([3])).collect();
            views.extend(mirrored);
        }
        views
    }

    /// Top and left of each shifted version in the image with a border of `shift` pixels.
    pub fn corners(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let far = 2 * self.shift;
        [[0, 0], [0, far], [far, 0], [far, far]].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn images_are_shifted_along_both_axes_and_filled_with_black() {
        let normalize = Normalize {
            mean: vec![0.5],
            std: vec![0.25],
        };
        let views = Views::new(true, 1, &normalize);
        let data = TensorData::new(vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 1, 2, 3]);
        let images = Tensor::<4>::from_data(data, &Device::flex());
        let rows: Vec<Vec<f32>> = views
            .of(&images)
            .into_iter()
            .map(|view| view.try_into_vec_as::<f32>().unwrap())
            .collect();
        let black = -2.0;
        assert_eq!(
            rows,
            [
                vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
                vec![black, black, black, black, 1.0, 2.0],
                vec![black, black, black, 2.0, 3.0, black],
                vec![black, 4.0, 5.0, black, black, black],
                vec![5.0, 6.0, black, black, black, black],
                vec![3.0, 2.0, 1.0, 6.0, 5.0, 4.0],
                vec![black, black, black, 2.0, 1.0, black],
                vec![black, black, black, black, 3.0, 2.0],
                vec![5.0, 4.0, black, black, black, black],
                vec![black, 6.0, 5.0, black, black, black],
            ]
        );
        let plain = Views::new(false, 0, &normalize);
        assert_eq!(plain.of(&images).len(), 1);
    }
}
