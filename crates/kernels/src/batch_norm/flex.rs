use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Device, Tensor};

use super::BatchNormOutput;
use super::affine::{Affine, InputSlopes, Moments};
use super::sums::{GradientSums, Rows, moments};
use super::synchronized::LayerExchange;
use crate::activation::functions::{Function, Identity, with_function};
use crate::flex::autodiff::{Inputs, Operation, apply};
use crate::flex::tensors::{contiguous, into_contiguous, into_flex, tensor};
use crate::{Activation, FeatureMap};

/// Input and residual: `[batch, height, width, channels]`.
pub(super) fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    residual: Option<Tensor<4>>,
    activation: Activation,
    exchange: Option<LayerExchange>,
) -> BatchNormOutput {
    let device = input.device();
    let untracked = if device.is_autodiff() {
        input.clone().inner()
    } else {
        input.clone()
    };
    let [_, _, _, channels] = input.dims();
    let values = contiguous(&into_flex(untracked));
    let own = moments(values.storage(), channels);
    drop(values);
    let [mean, variance] = match &exchange {
        Some(exchange) => exchange.moments(own),
        None => own,
    };
    let constant = |values: &[f64]| {
        let values = values.iter().map(|&value| value as f32).collect();
        let values = Tensor::from_primitive::<Flex>(tensor(values, [channels]));
        on_device(values, &device)
    };
    let [mean_tensor, variance_tensor] = [&mean, &variance].map(|values| constant(values));
    let operation = Normalize {
        moments: Moments::new(&mean, &variance, epsilon),
        activation,
        exchange,
    };
    let mut others = vec![gamma.into_dispatch(), beta.into_dispatch()];
    others.extend(residual.map(Tensor::into_dispatch));
    let output = apply(operation, Inputs::new(input.into_dispatch(), others));
    BatchNormOutput {
        output: FeatureMap::channels_last(output),
        mean: mean_tensor,
        variance: variance_tensor,
    }
}

fn on_device(tensor: Tensor<1>, device: &Device) -> Tensor<1> {
    if device.is_autodiff() {
        Tensor::from_inner(tensor)
    } else {
        tensor
    }
}

/// Inputs: the images, gamma, beta and optionally the residual.
#[derive(Debug)]
struct Normalize {
    /// A function of the images: their gradient includes it.
    moments: Moments,
    activation: Activation,
    exchange: Option<LayerExchange>,
}

impl Operation for Normalize {
    fn forward(&self, inputs: Vec<FlexTensor>, _saved: Option<&mut Vec<FlexTensor>>) -> FlexTensor {
        let [input, gamma, beta] = [0, 1, 2].map(|index| contiguous(&inputs[index]));
        let residual = inputs.get(3).map(contiguous);
        let residual = residual.as_ref().map(FlexTensor::storage::<f32>);
        let affine = Affine::new(&self.moments, gamma.storage(), beta.storage());
        let output = with_function!(self.activation, |function| {
            affine.output(input.storage(), residual, function)
        });
        tensor(output, input.shape())
    }

    fn backward(
        &self,
        inputs: &[FlexTensor],
        _saved: &[FlexTensor],
        gradient: FlexTensor,
        _needs_grad: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let [input, gamma, beta] = [0, 1, 2].map(|index| contiguous(&inputs[index]));
        let residual = inputs.get(3).map(contiguous);
        let gamma = gamma.storage::<f32>();
        let backward = BackwardPass {
            moments: &self.moments,
            affine: Affine::new(&self.moments, gamma, beta.storage()),
            gamma,
            input: &input,
            exchange: self.exchange.as_ref(),
        };
        let gradient = into_contiguous(gradient);
        with_function!(self.activation, |function| match residual {
            None => backward.without_residual(gradient, function),
            Some(residual) if self.activation != Activation::Identity => {
                backward.with_residual(&residual, gradient, function)
            }
            Some(_) => backward.with_linear_residual(gradient),
        })
    }
}

struct BackwardPass<'a> {
    moments: &'a Moments,
    affine: Affine,
    gamma: &'a [f32],
    input: &'a FlexTensor,
    exchange: Option<&'a LayerExchange>,
}

impl BackwardPass<'_> {
    fn rows(&self) -> Rows {
        Rows::new(self.gamma.len(), self.input.storage::<f32>().len())
    }

    /// How the gradient of the input depends on those of all parts of the batch.
    fn input_slopes(&self, sums: &GradientSums) -> InputSlopes {
        let Some(exchange) = self.exchange else {
            return self.moments.input_slopes(sums, self.gamma);
        };
        let channels = self.gamma.len();
        let mut values = [&sums.gradients[..], &sums.products].concat();
        exchange.mean(&mut values);
        let products = values.split_off(channels);
        // Still divided by the pixels of this part: its mean is what the statistics of all were computed from.
        let sums = GradientSums {
            gradients: values,
            products,
            pixels: sums.pixels,
        };
        self.moments.input_slopes(&sums, self.gamma)
    }

    /// Overwrites the gradient.
    fn without_residual(
        &self,
        mut gradient: FlexTensor,
        function: impl Function,
    ) -> Vec<Option<FlexTensor>> {
        let input = self.input.storage();
        let sums = (self.affine).sum_gradients(self.rows(), input, gradient.storage(), function);
        let slopes = self.input_slopes(&sums);
        (self.affine).write_input_gradient(&slopes, input, gradient.storage_mut(), function);
        let [gammas, betas] = self.moments.parameter_gradients(&sums);
        vec![Some(gradient), Some(gammas), Some(betas)]
    }

    /// Overwrites the gradient with the one before the activation, which is that of the residual.
    fn with_residual(
        &self,
        residual: &FlexTensor,
        mut gradient: FlexTensor,
        function: impl Function,
    ) -> Vec<Option<FlexTensor>> {
        let inputs = [self.input.storage(), residual.storage()];
        let sums = (self.affine).mask_and_sum_gradients(
            self.rows(),
            inputs,
            gradient.storage_mut(),
            function,
        );
        self.finish(&sums, gradient)
    }

    fn with_linear_residual(&self, gradient: FlexTensor) -> Vec<Option<FlexTensor>> {
        let input = self.input.storage();
        let sums = (self.affine).sum_gradients(self.rows(), input, gradient.storage(), Identity);
        self.finish(&sums, gradient)
    }

    /// All gradients from that before the activation.
    fn finish(&self, sums: &GradientSums, gradient: FlexTensor) -> Vec<Option<FlexTensor>> {
        let slopes = self.input_slopes(sums);
        let input = self.input.storage();
        let values = self
            .affine
            .input_gradient(&slopes, input, gradient.storage());
        let [gammas, betas] = self.moments.parameter_gradients(sums);
        let values = tensor(values, self.input.shape());
        vec![Some(values), Some(gammas), Some(betas), Some(gradient)]
    }
}
