//! Embeddings of table columns against Burn's.

use crate::checks::values;
use burn::tensor::module::embedding;
use burn::tensor::{Device, Distribution, Int, Tensor};
use tinderbox_kernels::embed_and_concat;

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

#[test]
fn embeddings_follow_the_numeric_columns() {
    let device = Device::flex();
    let table = normal([9, 4], &device);
    let offsets = [0, 3, 5];
    let codes = Tensor::<2, Int>::from_ints([[2, 1, 3], [0, 0, 0]], &device);
    let rows = Tensor::<2, Int>::from_ints([[2, 4, 8], [0, 3, 5]], &device);
    let embeddings: Tensor<2> = embedding(table.clone(), rows).flatten(1, 2);
    let numeric = normal([2, 2], &device);
    let expected = Tensor::cat(vec![numeric.clone(), embeddings.clone()], 1);
    let ours = embed_and_concat(
        Some(numeric.clone()),
        codes.clone(),
        &offsets,
        table.clone(),
    );
    assert_eq!(values(ours), values(expected.clone()));
    let ours = embed_and_concat(None, codes.clone(), &offsets, table.clone());
    assert_eq!(values(ours), values(embeddings));

    let tracked = device.autodiff();
    let tracked_table = Tensor::<2>::from_data(table.to_data(), &tracked).require_grad();
    let [numeric, codes] = [numeric.to_data(), codes.to_data()];
    let codes = Tensor::<2, Int>::from_data(codes, &tracked);
    let numeric = Tensor::<2>::from_data(numeric, &tracked);
    let ours = embed_and_concat(Some(numeric), codes, &offsets, tracked_table.clone());
    let gradients = ours.clone().sum().backward();
    assert_eq!(values(ours), values(expected));
    // Rows 2, 4, 8, 0, 3 and 5 were read, once each.
    let gradient = values(tracked_table.grad(&gradients).unwrap());
    assert!((gradient.iter().sum::<f32>() - 24.0).abs() < 1e-4);
}

#[test]
#[should_panic(expected = "out of range")]
fn a_code_out_of_range_is_rejected() {
    let device = Device::flex();
    let codes = Tensor::<2, Int>::from_ints([[3]], &device);
    embed_and_concat(None, codes, &[0], Tensor::zeros([3, 2], &device));
}
