//! `SwiGLU` against Burn's operations.

use crate::checks::{
    assert_all_close, assert_close, assert_same_for_any_threads, noise, values, with_gradients,
};
use burn::tensor::activation::silu;
use burn::tensor::{DType, Device, Tensor};
use tinderbox_kernels::swiglu;

const SIZES: [[usize; 3]; 6] = [
    [1, 1, 5],
    [2, 3, 17],
    [4, 100, 128],
    [1, 129, 40],
    [3, 5, 768],
    [20, 300, 64],
];

fn gate([batch, seq, d]: [usize; 3], gate: fn(Tensor<3>) -> Tensor<3>) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = (noise([batch, seq, 2 * d], 0.1, &device) * 3.0).require_grad();
    let output = gate(input.clone());
    with_gradients(output, |gradients| {
        vec![values(input.grad(gradients).unwrap())]
    })
}

#[test]
fn swiglu_equals_burn() {
    for size in SIZES {
        let burns = gate(size, |input| {
            let [gates, values]: [_; 2] = input.chunk(2, 2).try_into().unwrap();
            silu(gates) * values
        });
        assert_all_close(&format!("{size:?}"), &gate(size, swiglu), &burns);
    }
}

#[test]
fn the_fallback_gives_the_same_result() {
    let x = noise([5, 40], 0.1, &Device::flex());
    // There is no kernel for double precision.
    let burns = values(swiglu(x.clone().cast(DType::F64)));
    assert_close("swiglu", &values(swiglu(x)), &burns);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    assert_same_for_any_threads(|| gate([20, 500, 64], swiglu));
}
