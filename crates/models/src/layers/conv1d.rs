//! One-dimensional convolution along a text, as a linear layer on unfolded windows.

use burn::tensor::{Bool, Tensor};

/// Zeroes the vectors at padding positions, like the zero padding beyond both ends.
///
/// - x: `[batch, seq, d]`
/// - padding: `[batch, seq]`
pub(crate) fn zero_padding(x: Tensor<3>, padding: Tensor<2, Bool>) -> Tensor<3> {
    let kept = padding.bool_not().float();
    x * kept.unsqueeze_dim(2)
}

/// Concatenates each vector with its neighbors, `kernel_size` in all, with zeros beyond both ends.
///
/// - x: `[batch, seq, d]`
/// - output: `[batch, seq, kernel_size * d]`
pub(crate) fn unfold(x: Tensor<3>, kernel_size: usize) -> Tensor<3> {
    if kernel_size == 1 {
        return x;
    }
    let [batch, seq, d] = x.dims();
    let before = (kernel_size - 1) / 2;
    let zeros = |count| Tensor::zeros([batch, count, d], (&x.device(), x.dtype()));
    let padded = Tensor::cat(
        vec![zeros(before), x.clone(), zeros(kernel_size - 1 - before)],
        1,
    );
    let shifted = (0..kernel_size).map(|shift| padded.clone().narrow(1, shift, seq));
    Tensor::cat(shifted.collect(), 2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::testing::values;

    #[test]
    fn a_window_has_its_neighbors_and_zeros_beyond_the_ends() {
        let x = Tensor::<3>::from_data([[[1.0, 2.0], [3.0, 4.0]]], &Device::flex());
        assert_eq!(
            values(unfold(x.clone(), 3)),
            [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]
        );
        assert_eq!(
            values(unfold(x.clone(), 2)),
            [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 0.0, 0.0]
        );
        assert_eq!(values(unfold(x.clone(), 1)), values(x));
    }
}
