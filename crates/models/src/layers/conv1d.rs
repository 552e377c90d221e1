//! Convolution along a text, as a linear layer on what lies side by side.

use burn::tensor::{Bool, Tensor};

/// Sets the vectors where there is no token to zero, as what is beyond a text's ends.
///
/// - x: `[batch, seq, d]`
/// - padding: `[batch, seq]`
pub(crate) fn silence(x: Tensor<3>, padding: Tensor<2, Bool>) -> Tensor<3> {
    let kept = padding.bool_not().float();
    x * kept.unsqueeze_dim(2)
}

/// Joins each vector with its neighbours: `width` in all, with zeros beyond the ends.
///
/// - x: `[batch, seq, d]`
/// - output: `[batch, seq, width * d]`
pub(crate) fn windows(x: Tensor<3>, width: usize) -> Tensor<3> {
    if width == 1 {
        return x;
    }
    let [batch, seq, d] = x.dims();
    let before = (width - 1) / 2;
    let zeros = |count| Tensor::zeros([batch, count, d], (&x.device(), x.dtype()));
    let padded = Tensor::cat(vec![zeros(before), x.clone(), zeros(width - 1 - before)], 1);
    let shifted = (0..width).map(|shift| padded.clone().narrow(1, shift, seq));
    Tensor::cat(shifted.collect(), 2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::testing::values;

    #[test]
    fn a_window_has_its_neighbours_and_zeros_beyond_the_ends() {
        let x = Tensor::<3>::from_data([[[1.0, 2.0], [3.0, 4.0]]], &Device::flex());
        assert_eq!(
            values(windows(x.clone(), 3)),
            [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]
        );
        assert_eq!(
            values(windows(x.clone(), 2)),
            [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 0.0, 0.0]
        );
        assert_eq!(values(windows(x.clone(), 1)), values(x));
    }
}
