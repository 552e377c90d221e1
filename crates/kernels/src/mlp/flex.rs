use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Int, Tensor};

use crate::flex::gemm::{FEW_ROWS, Matrix, Packed, multiply, multiply_rows};
use crate::flex::simd_math::vectorized;
use crate::flex::tensors::{contiguous, forwards, matrix, primitive, tensor};
use crate::linear::flex::add_bias;

/// What is no number stays so: a network that came to nothing must not look sound.
fn rectify(values: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for value in &mut *values {
                *value = if *value < 0.0 { 0.0 } else { *value };
            }
        },
    );
}

pub(crate) fn perceptron(
    input: Tensor<2>,
    layers: Vec<(Tensor<2>, Option<Tensor<1>>)>,
) -> Tensor<2> {
    let [rows, mut depth] = input.dims();
    let input = contiguous(&primitive(input));
    let mut output: Option<Vec<f32>> = None;
    let last = layers.len();
    for ((weight, bias), at) in layers.into_iter().zip(1..) {
        let [d_input, columns] = weight.dims();
        assert_eq!(d_input, depth, "a layer does not fit the one before");
        let weight = forwards(&primitive(weight));
        let bias = bias.map(|bias| contiguous(&primitive(bias)));
        let bias = bias.as_ref().map_or(&[][..], |bias| bias.storage::<f32>());
        let values = output.as_deref().unwrap_or_else(|| input.storage::<f32>());
        let left = Matrix::new(&values[..rows * depth], depth);
        let size = [depth, columns];
        let done = |output: &mut [f32]| {
            add_bias(output, bias);
            if at < last {
                rectify(output);
            }
        };
        output = Some(if rows > FEW_ROWS {
            let mut output = vec![0.0; rows * columns];
            let right = Packed::new(matrix(&weight), size);
            multiply_rows(left, rows, &right, &mut output, |_, output| done(output));
            output
        } else {
            let mut output = multiply(left, rows, matrix(&weight), size);
            done(&mut output);
            output
        });
        depth = columns;
    }
    let output = output.map_or(input, |output| tensor(output, [rows, depth]));
    Tensor::from_primitive::<Flex>(output)
}

pub(crate) fn look_up(
    numbers: Option<Tensor<2>>,
    codes: Tensor<2, Int>,
    starts: &[i32],
    table: Tensor<2>,
) -> Tensor<2> {
    let ([rows, columns], [_, width]) = (codes.dims(), table.dims());
    let n_numbers = numbers.as_ref().map_or(0, |numbers| numbers.dims()[1]);
    let numbers = numbers.map(|numbers| contiguous(&primitive(numbers)));
    let numbers = numbers.as_ref().map_or(&[][..], FlexTensor::storage::<f32>);
    let codes = codes.try_into_primitive::<Flex>();
    let codes: FlexTensor =
        codes.unwrap_or_else(|error| unreachable!("`takes_codes` has looked: {error:?}"));
    let codes = codes.to_contiguous();
    let table = contiguous(&primitive(table));
    let (codes, table) = (codes.storage::<i32>(), table.storage::<f32>());
    let total = n_numbers + columns * width;
    let mut output = Vec::with_capacity(rows * total);
    for row in 0..rows {
        output.extend_from_slice(&numbers[row * n_numbers..][..n_numbers]);
        for (code, start) in codes[row * columns..][..columns].iter().zip(starts) {
            let at = usize::try_from(code + start).ok();
            let vector = at.and_then(|at| table.get(at * width..(at + 1) * width));
            assert!(vector.is_some(), "the code {code} is out of range");
            output.extend_from_slice(vector.unwrap_or_default());
        }
    }
    Tensor::from_primitive::<Flex>(tensor(output, [rows, total]))
}
