//! What networks for classification have in common, so that others can be built on them.

use burn::nn::Linear;
use burn::tensor::Tensor;

use super::{EfficientNetLite, MobileNetV3, ResNet};

/// A network of stages whose last feature map is averaged and classified by one linear layer.
pub trait ImageBackbone {
    /// Computes the features that the classifier reads.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, d_features]`
    fn forward_features(&self, input: Tensor<4>) -> Tensor<2>;

    /// Computes the feature maps of every stage.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height, width]`
    /// - output `i`: `[batch, stage_channels[i], height / stage_strides[i], width / stage_strides[i]]`,
    ///   rounded up
    fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>>;

    /// Number of output channels of every stage.
    fn stage_channels(&self) -> Vec<usize>;

    /// Stride of the output of every stage, in pixels of the image.
    fn stage_strides(&self) -> Vec<usize>;

    /// The classifier: weights `[d_features, num_classes]` and a bias `[num_classes]`.
    fn classifier(&self) -> &Linear;

    /// Replaces the classifier.
    fn set_classifier(&mut self, classifier: Linear);

    /// Number of features that the classifier reads.
    fn d_features(&self) -> usize {
        let [d_features, _num_classes] = self.classifier().weight.dims();
        d_features
    }
}

macro_rules! backbone {
    ($network:ty) => {
        impl ImageBackbone for $network {
            fn forward_features(&self, input: Tensor<4>) -> Tensor<2> {
                self.forward_features(input)
            }

            fn forward_stages(&self, input: Tensor<4>) -> Vec<Tensor<4>> {
                self.forward_stages(input)
            }

            fn stage_channels(&self) -> Vec<usize> {
                self.stage_channels()
            }

            fn stage_strides(&self) -> Vec<usize> {
                self.stage_strides()
            }

            fn classifier(&self) -> &Linear {
                &self.output
            }

            fn set_classifier(&mut self, classifier: Linear) {
                self.output = classifier;
            }
        }
    };
}

backbone!(EfficientNetLite);
backbone!(MobileNetV3);
backbone!(ResNet);
