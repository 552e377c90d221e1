#[cfg(feature = "flex")]
mod flex;

use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor, TensorData};

/// Embeds the categorical columns of a batch with one shared table and appends the embeddings to the
/// numeric columns.
///
/// # Shapes
///
/// - numeric: `[batch, n_numeric]`
/// - codes: `[batch, n_categorical]`
/// - offsets: `n_categorical`; a code plus the offset of its column is a row of the table
/// - table: `[rows, d_embedding]`
/// - output: `[batch, n_numeric + n_categorical * d_embedding]`
///
/// # Panics
///
/// If the shapes do not match, or a code is out of range.
pub fn embed_and_concat(
    numeric: Option<Tensor<2>>,
    codes: Tensor<2, Int>,
    offsets: &[i32],
    table: Tensor<2>,
) -> Tensor<2> {
    let [_, columns] = codes.dims();
    assert_eq!(
        columns,
        offsets.len(),
        "the number of offsets does not match the columns of codes"
    );
    #[cfg(feature = "flex")]
    if is_supported(numeric.as_ref(), &codes, &table) {
        return flex::embed_and_concat(numeric, codes, offsets, table);
    }
    let offsets = TensorData::new(offsets.to_vec(), [1, columns]);
    let rows = codes.clone() + Tensor::from_data(offsets, &codes.device());
    let embeddings = embedding(table, rows).flatten(1, 2);
    match numeric {
        Some(numeric) => Tensor::cat(vec![numeric, embeddings], 1),
        None => embeddings,
    }
}

#[cfg(feature = "flex")]
fn is_supported(numeric: Option<&Tensor<2>>, codes: &Tensor<2, Int>, table: &Tensor<2>) -> bool {
    use crate::flex::tensors::{is_supported_int, is_supported_untracked};

    is_supported_untracked(table)
        && numeric.is_none_or(is_supported_untracked)
        && is_supported_int(codes)
}
