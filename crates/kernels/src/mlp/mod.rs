#[cfg(feature = "flex")]
mod flex;

use burn::tensor::activation::relu;
use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor, TensorData};

use crate::linear::linear;

/// Linear layers with rectifiers between them: a multilayer perceptron. Without a gradient all of it
/// is one step, which is what counts for a single row.
///
/// # Shapes
///
/// - input: `[batch, d_input]`
/// - layers: weights `[d_input, d_output]` of each, the input of one as wide as the output of the one
///   before, and biases `[d_output]`
/// - output: `[batch, d_output]` of the last
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn perceptron(input: Tensor<2>, layers: Vec<(Tensor<2>, Option<Tensor<1>>)>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_vectors(&input)
        && crate::flex::tensors::takes_plain(&input)
        && layers.iter().all(|(weight, bias)| {
            crate::flex::tensors::takes_plain(weight)
                && bias.as_ref().is_none_or(crate::flex::tensors::takes_plain)
        })
    {
        return flex::perceptron(input, layers);
    }
    let last = layers.len();
    let layers = layers.into_iter().zip(1..);
    layers.fold(input, |x, ((weight, bias), at)| {
        let x = linear(x, vec![weight], Vec::from_iter(bias));
        if at < last { relu(x) } else { x }
    })
}

/// Numbers as they are, and behind them a vector for each code, all from one table.
///
/// # Shapes
///
/// - numbers: `[batch, n_numbers]`, if there are any
/// - codes: `[batch, n_codes]`, each with its column's entry of `starts` a row of the table
/// - starts: `n_codes`
/// - table: `[rows, width]`
/// - output: `[batch, n_numbers + n_codes * width]`
///
/// # Panics
///
/// If the shapes do not fit together, or a code is beyond the table.
pub fn look_up(
    numbers: Option<Tensor<2>>,
    codes: Tensor<2, Int>,
    starts: &[i32],
    table: Tensor<2>,
) -> Tensor<2> {
    let [_, columns] = codes.dims();
    assert_eq!(columns, starts.len(), "each column of codes has a start");
    #[cfg(feature = "flex")]
    if crate::flex::tensors::takes_plain(&table)
        && numbers
            .as_ref()
            .is_none_or(crate::flex::tensors::takes_plain)
        && crate::flex::tensors::takes_codes(&codes)
    {
        return flex::look_up(numbers, codes, starts, table);
    }
    let starts = TensorData::new(starts.to_vec(), [1, columns]);
    let codes = codes.clone() + Tensor::from_data(starts, &codes.device());
    let vectors = embedding(table, codes).flatten(1, 2);
    match numbers {
        Some(numbers) => Tensor::cat(vec![numbers, vectors], 1),
        None => vectors,
    }
}
