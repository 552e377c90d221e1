use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Int, Tensor};

use crate::flex::tensors::{contiguous, int_into_flex, into_flex, tensor};

pub(super) fn embed_and_concat(
    numeric: Option<Tensor<2>>,
    codes: Tensor<2, Int>,
    offsets: &[i32],
    table: Tensor<2>,
) -> Tensor<2> {
    let ([rows, columns], [_, d_embedding]) = (codes.dims(), table.dims());
    let n_numeric = numeric.as_ref().map_or(0, |numeric| numeric.dims()[1]);
    let numeric = numeric.map(|numeric| contiguous(&into_flex(numeric)));
    let numeric = numeric.as_ref().map_or(&[][..], FlexTensor::storage::<f32>);
    let codes = contiguous(&int_into_flex(codes));
    let table = contiguous(&into_flex(table));
    let (codes, table) = (codes.storage::<i32>(), table.storage::<f32>());
    let width = n_numeric + columns * d_embedding;
    let mut output = Vec::with_capacity(rows * width);
    for row in 0..rows {
        output.extend_from_slice(&numeric[row * n_numeric..][..n_numeric]);
        for (code, offset) in codes[row * columns..][..columns].iter().zip(offsets) {
            let index = usize::try_from(code + offset).ok();
            let embedding =
                index.and_then(|index| table.get(index * d_embedding..(index + 1) * d_embedding));
            assert!(embedding.is_some(), "the code {code} is out of range");
            output.extend_from_slice(embedding.unwrap_or_default());
        }
    }
    Tensor::from_primitive::<Flex>(tensor(output, [rows, width]))
}
