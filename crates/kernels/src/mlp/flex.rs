use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use crate::flex::bias::{add_bias, add_bias_and_rectify};
use crate::flex::gemm::{MAX_UNPACKED_ROWS, Matrix, PackedRhs, matmul, matmul_packed};
use crate::flex::tensors::{contiguous, into_flex, matrix, tensor, with_positive_strides};

pub(super) fn mlp(input: Tensor<2>, layers: Vec<(Tensor<2>, Option<Tensor<1>>)>) -> Tensor<2> {
    let [rows, mut d_input] = input.dims();
    let input = contiguous(&into_flex(input));
    let mut output: Option<Vec<f32>> = None;
    let n_layers = layers.len();
    for ((weight, bias), number) in layers.into_iter().zip(1..) {
        let [d_weight, d_output] = weight.dims();
        assert_eq!(
            d_weight, d_input,
            "the rows of a weight do not match the columns of its input"
        );
        let weight = with_positive_strides(&into_flex(weight));
        let bias = bias.map(|bias| contiguous(&into_flex(bias)));
        let bias = bias.as_ref().map_or(&[][..], |bias| bias.storage::<f32>());
        let x = output.as_deref().unwrap_or_else(|| input.storage::<f32>());
        let x = Matrix::new(&x[..rows * d_input], d_input);
        let relu = number < n_layers;
        output = Some(layer(x, rows, &weight, [d_input, d_output], bias, relu));
        d_input = d_output;
    }
    let output = output.map_or(input, |output| tensor(output, [rows, d_input]));
    Tensor::from_primitive::<Flex>(output)
}

/// One layer, with or without ReLU.
fn layer(
    x: Matrix<'_>,
    rows: usize,
    weight: &FlexTensor,
    shape: [usize; 2],
    bias: &[f32],
    relu: bool,
) -> Vec<f32> {
    let epilogue = |output: &mut [f32]| {
        if relu {
            add_bias_and_rectify(output, shape[1], bias);
        } else {
            add_bias(output, bias);
        }
    };
    if rows > MAX_UNPACKED_ROWS {
        let mut output = vec![0.0; rows * shape[1]];
        let weight = PackedRhs::new(matrix(weight), shape);
        matmul_packed(x, rows, &weight, &mut output, |_, output| epilogue(output));
        output
    } else {
        let mut output = matmul(x, rows, matrix(weight), shape);
        epilogue(&mut output);
        output
    }
}
