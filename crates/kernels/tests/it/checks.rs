//! Comparison of a kernel with a reference.

use burn::tensor::{Device, Tensor, TensorData};

pub(crate) fn noise<const D: usize>(shape: [usize; D], seed: f32, device: &Device) -> Tensor<D> {
    let value = |index: usize| {
        // A hash (Wellons' lowbias32), so that neighbors are unrelated and sums do not cancel.
        let mut bits = (index as u32).wrapping_add(seed.to_bits());
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x7FEB_352D);
        bits = (bits ^ (bits >> 15)).wrapping_mul(0x846C_A68B);
        bits ^= bits >> 16;
        (bits as f32 / u32::MAX as f32 - 0.5) * 3.4
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// Whether the process was told to use no SIMD: some functions call Burn then.
pub(crate) fn is_scalar() -> bool {
    std::env::var("TINDERBOX_SIMD").is_ok_and(|name| name == "scalar")
}

/// Compares relative to the largest expected value.
pub(crate) fn assert_close(context: &str, ours: &[f32], expected: &[f32]) {
    assert_eq!(ours.len(), expected.len(), "{context}");
    let scale = expected
        .iter()
        .fold(1e-3_f32, |scale, value| scale.max(value.abs()));
    for (index, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let error = (ours - expected).abs() / scale;
        assert!(
            error < 1e-5,
            "{context}, element {index}: {ours} is not {expected}"
        );
    }
}

pub(crate) fn assert_all_close(context: &str, ours: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(ours.len(), expected.len(), "{context}");
    for (part, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        assert_close(&format!("{context}, part {part}"), ours, expected);
    }
}

/// The output and the gradients of the inputs for a fixed gradient of the output.
pub(crate) fn with_gradients<const D: usize>(
    output: Tensor<D>,
    gradient_of: impl FnOnce(&burn::tensor::Gradients) -> Vec<Vec<f32>>,
) -> Vec<Vec<f32>> {
    let upstream = noise(output.dims(), 0.4, &output.device());
    let gradients = (output.clone() * upstream).sum().backward();
    let mut all = vec![values(output)];
    all.extend(gradient_of(&gradients));
    all
}

/// Compares the bits of the results on one, two and three threads.
pub(crate) fn assert_same_for_any_threads(compute: impl Fn() -> Vec<Vec<f32>> + Send + Sync) {
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let results = pool.build().unwrap().install(&compute);
        let bits = results
            .into_iter()
            .map(|part| part.into_iter().map(f32::to_bits).collect());
        bits.collect::<Vec<Vec<u32>>>()
    };
    let one = bits(1);
    for threads in [2, 3] {
        for (part, (one, other)) in one.iter().zip(&bits(threads)).enumerate() {
            assert!(!one.is_empty());
            assert!(one == other, "part {part} is another on {threads} threads");
        }
    }
}
