//! Helpers of this crate's tests.

use std::collections::BTreeMap;
use std::fmt::Debug;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Distribution, Gradients, Int, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::summary::is_running_statistic;
use crate::text::bert::BertConfig;

/// Reads a tensor's elements, row by row.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Compares a tensor with reference values, up to `f32` rounding.
pub(crate) fn assert_close<const D: usize>(actual: Tensor<D>, expected: &[f32]) {
    let actual = values(actual);
    assert_eq!(actual.len(), expected.len());
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (a - e).abs() <= 1e-4 * (1.0 + e.abs()),
            "element {index}: {a} is not {e}"
        );
    }
}

/// Samples from the standard normal distribution.
pub(crate) fn normal<const D: usize>(
    shape: [usize; D],
    device: &burn::tensor::Device,
) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Asserts that the loss reaches every parameter of a model on an autodiff device.
pub(crate) fn assert_every_parameter_gets_a_gradient<M: Module>(model: &M, logits: &Tensor<2>) {
    let gradients = logits.clone().powi_scalar(2).mean().backward();
    let mut visitor = GradientVisitor {
        gradients,
        path: Vec::new(),
        visited: 0,
    };
    model.visit(&mut visitor);
    assert!(visitor.visited > 0, "the model has no parameters");
}

struct GradientVisitor {
    gradients: Gradients,
    path: Vec<String>,
    visited: usize,
}

impl ModuleVisitor for GradientVisitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        let statistic = is_running_statistic(name, container);
        self.path.push(if statistic {
            "(statistic)".into()
        } else {
            name.into()
        });
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        if path.ends_with("(statistic)") {
            return;
        }
        let gradient = param.val().grad(&self.gradients);
        let gradient = gradient.unwrap_or_else(|| panic!("`{path}` has no gradient"));
        let norm: f32 = gradient.abs().sum().into_scalar();
        assert!(
            norm.is_finite() && norm > 0.0,
            "the gradient of `{path}` is {norm}"
        );
        self.visited += 1;
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

/// Asserts that a configuration survives JSON and TOML.
pub(crate) fn assert_round_trips<T>(config: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let json = serde_json::to_string(config).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), config);
    let toml = toml::to_string(config).unwrap();
    assert_eq!(&toml::from_str::<T>(&toml).unwrap(), config);
}

/// Convolves planes with 3×3 kernels, zero padding and stride 1, as the definition says.
///
/// - `input`: `[channels, height, width]`, one row
/// - `weight`: `[d_output, channels, 3, 3]`
pub(crate) fn naive_conv3x3(
    input: &[f32],
    [channels, height, width]: [usize; 3],
    weight: &[f32],
    d_output: usize,
) -> Vec<f32> {
    let at = |c: usize, y: usize, x: usize| {
        let inside = (1..=height).contains(&y) && (1..=width).contains(&x);
        if inside {
            input[(c * height + y - 1) * width + x - 1]
        } else {
            0.0
        }
    };
    let mut output = Vec::with_capacity(d_output * height * width);
    for o in 0..d_output {
        for y in 0..height {
            for x in 0..width {
                let taps = (0..channels * 9).map(|tap| {
                    let (c, i, j) = (tap / 9, tap / 3 % 3, tap % 3);
                    weight[o * channels * 9 + tap] * at(c, y + i, x + j)
                });
                output.push(taps.sum());
            }
        }
    }
    output
}

/// Token ids that vary with the position, `[batch, seq]`.
pub(crate) fn ids(
    [batch, seq]: [usize; 2],
    vocabulary: usize,
    device: &burn::tensor::Device,
) -> Tensor<2, Int> {
    let id = |index: usize| ((index * 7 + index / seq * 3 + 1) % vocabulary) as u32;
    let ids: Vec<u32> = (0..batch * seq).map(id).collect();
    Tensor::from_data(TensorData::new(ids, [batch, seq]), device)
}

/// Padding mask of texts of the given lengths, `[lengths, seq]`.
pub(crate) fn padding(
    lengths: &[usize],
    seq: usize,
    device: &burn::tensor::Device,
) -> Tensor<2, Bool> {
    let marks = lengths
        .iter()
        .flat_map(|&length| (0..seq).map(move |position| position >= length));
    let marks: Vec<bool> = marks.collect();
    Tensor::from_data(TensorData::new(marks, [lengths.len(), seq]), device)
}

/// Asserts that the logits of a text are the same alone and in a batch, with any amount of padding
/// and any padding tokens.
pub(crate) fn assert_padding_changes_nothing(
    vocabulary: usize,
    classify: impl Fn(Tensor<2, Int>, Tensor<2, Bool>) -> Tensor<2>,
) {
    let device = burn::tensor::Device::flex();
    let lengths = [7, 3, 12, 1];
    let batch = ids([4, 12], vocabulary, &device);
    let together = classify(batch.clone(), padding(&lengths, 12, &device));
    for (row, length) in lengths.into_iter().enumerate() {
        let text = batch.clone().slice([row..row + 1, 0..length]);
        let expected = values(together.clone().slice(row..row + 1));
        let alone = classify(text.clone(), padding(&[length], length, &device));
        assert_close(alone, &expected);
        let others = ids([1, 4], vocabulary, &device);
        let padded = Tensor::cat(vec![text, others], 1);
        let padded = classify(padded, padding(&[length], length + 4, &device));
        assert_close(padded, &expected);
    }
}

/// Shape and values of every parameter under its path.
pub(crate) fn parameters<M: Module>(model: &M) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    #[derive(Default)]
    struct Parameters {
        path: Vec<String>,
        parameters: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    }

    impl ModuleVisitor for Parameters {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.into());
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = (param.dims().to_vec(), values(param.val()));
            self.parameters.insert(self.path.join("."), value);
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
    }

    let mut visitor = Parameters::default();
    model.visit(&mut visitor);
    visitor.parameters
}

/// Replaces every parameter by the flat tensor that a function returns for its shape.
pub(crate) fn map_parameters<M: Module>(model: M, value: impl FnMut(&[usize]) -> Tensor<1>) -> M {
    struct Mapper<F>(F);

    impl<F: FnMut(&[usize]) -> Tensor<1>> ModuleMapper for Mapper<F> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let value = self.0(&param.dims());
            param.map(|old| value.reshape(old.dims()))
        }
    }

    model.map(&mut Mapper(value))
}

/// A BERT with two layers of size 8, a vocabulary of 20 and a maximum length of 16.
pub(crate) fn small_bert() -> BertConfig {
    BertConfig::new(20)
        .with_max_len(16)
        .with_d_model(8)
        .with_n_heads(2)
        .with_n_layers(2)
        .with_d_hidden(12)
}

/// Scales all matrices up: with the usual initial weights the output of a small network is almost
/// constant.
pub(crate) fn scale_weights<M: Module>(model: M, factor: f32) -> M {
    struct Scaler(f32);

    impl ModuleMapper for Scaler {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if D < 2 {
                return param;
            }
            param.map(|weights| {
                let scaled = weights.detach() * self.0;
                if scaled.device().is_autodiff() {
                    scaled.detach().require_grad()
                } else {
                    scaled
                }
            })
        }
    }

    model.map(&mut Scaler(factor))
}

/// Type, shape and bytes of each tensor of a SafeTensors file.
pub(crate) type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Writes a SafeTensors file.
pub(crate) fn safetensors_bytes(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// Adds a single-precision tensor.
pub(crate) fn insert_f32(tensors: &mut Tensors, name: &str, shape: &[usize], values: &[f32]) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    let tensor = (Dtype::F32, shape.to_vec(), bytes.collect());
    tensors.insert(name.to_owned(), tensor);
}
