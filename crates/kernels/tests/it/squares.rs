//! Squares to channels against Burn's operations.

use burn::tensor::{Device, Int, Tensor};
use tinderbox_kernels::squares_to_channels;

use crate::checks::{noise, values, with_gradients};

#[test]
fn the_pixels_of_a_square_become_channels_from_left_to_right() {
    let device = Device::flex();
    let images = Tensor::<1, Int>::arange(0..16, &device).float();
    let channels = squares_to_channels(images.reshape([1, 1, 4, 4])).into_nchw();
    let values = values(channels);
    let values: Vec<u8> = values.iter().map(|value| *value as u8).collect();
    assert_eq!(values[..4], [0, 2, 8, 10]);
    assert_eq!(values[4..8], [4, 6, 12, 14]);
    assert_eq!(values[8..12], [1, 3, 9, 11]);
}

#[test]
fn squares_and_their_gradient_equal_burns_permutation() {
    let device = Device::flex().autodiff();
    for [batch, channels, height, width] in [[1, 3, 4, 6], [3, 1, 2, 2], [2, 5, 64, 96]] {
        let run = |squares: fn(Tensor<4>) -> Tensor<4>| {
            let images = noise([batch, channels, height, width], 0.1, &device);
            let images = Tensor::from_inner(images.inner()).require_grad();
            with_gradients(squares(images.clone()), |gradients| {
                vec![values(images.grad(gradients).unwrap())]
            })
        };
        let ours = run(|images| squares_to_channels(images).into_nchw());
        let burns = run(|images| {
            let [batch, channels, height, width] = images.dims();
            let squares: Tensor<6> = images.reshape([batch, channels, height / 2, 2, width / 2, 2]);
            let squares = squares.permute([0, 5, 3, 1, 2, 4]);
            squares.reshape([batch, 4 * channels, height / 2, width / 2])
        });
        assert_eq!(ours, burns);
    }
}
