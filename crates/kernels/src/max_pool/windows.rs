//! The windows of max pooling and the loops over their pixels, `[batch, height, width, channels]`.

use std::ops::Range;

use crate::flex::blocks::for_each_pixel;

/// Square windows of `PIXELS` pixels with stride 2 and, if larger than 2×2, a border of one pixel.
#[derive(Debug)]
pub(super) struct Windows<const PIXELS: usize> {
    /// Height and width of the input.
    pub(super) input: [usize; 2],
    /// Height and width of the output.
    pub(super) output: [usize; 2],
    pub(super) channels: usize,
}

impl<const PIXELS: usize> Windows<PIXELS> {
    const SIZE: usize = PIXELS.isqrt();
    const BORDER: usize = (Self::SIZE - 1) / 2;

    pub(super) fn new(input: [usize; 2], channels: usize) -> Self {
        let [height, width] = input;
        assert!(
            height.min(width) + 2 * Self::BORDER >= Self::SIZE,
            "the input is smaller than 2x2"
        );
        Self {
            input,
            output: input.map(|size| (size + 2 * Self::BORDER - Self::SIZE) / 2 + 1),
            channels,
        }
    }

    /// The window positions that contain a row or column of the input, with its offset in them: the
    /// first one, and whether there are two.
    #[inline(always)]
    fn containing(pixel: usize, count: usize) -> ([(usize, usize); 2], Range<usize>) {
        let pixel = pixel + Self::BORDER;
        let last = pixel / 2;
        let windows = [(last.wrapping_sub(1), pixel % 2 + 2), (last, pixel % 2)];
        let from = usize::from(last == 0 || pixel % 2 + 2 >= Self::SIZE);
        let to = if last < count { 2 } else { 1 };
        (windows, from..to)
    }
}

/// Pools one row of windows and writes the position of each maximum in its window.
#[inline(always)]
pub(super) fn pool_row<const PIXELS: usize, const POSITIONS: bool>(
    windows: &Windows<PIXELS>,
    row: usize,
    input: &[f32],
    absent: &[f32],
    (output, positions): (&mut [f32], &mut [u8]),
) {
    let size = Windows::<PIXELS>::SIZE;
    let border = Windows::<PIXELS>::BORDER;
    let ([height, width], channels) = (windows.input, windows.channels);
    let (image, y) = (row / windows.output[0], row % windows.output[0]);
    let image = &input[image * height * width * channels..][..height * width * channels];
    let mut no_positions = [];
    let mut positions = positions.chunks_exact_mut(channels);
    for (x, output) in output.chunks_exact_mut(channels).enumerate() {
        let mut first = None;
        let mut pixels = [absent; PIXELS];
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let y = (2 * y + index / size).wrapping_sub(border);
            let x = (2 * x + index % size).wrapping_sub(border);
            if y < height && x < width {
                *pixel = &image[(y * width + x) * channels..][..channels];
                first.get_or_insert(index);
            }
        }
        let positions = positions.next().unwrap_or(&mut no_positions);
        pool_pixel::<PIXELS, POSITIONS>(pixels, first.unwrap_or(0), output, positions);
    }
}

/// The maximum of each channel, and its position: the first among equals, `first` if all are
/// negative infinity. The last NaN wins, as in `PyTorch`.
#[inline(always)]
fn pool_pixel<const PIXELS: usize, const POSITIONS: bool>(
    pixels: [&[f32]; PIXELS],
    first: usize,
    output: &mut [f32],
    positions: &mut [u8],
) {
    let channels = output.len();
    let pixels = pixels.map(|pixel| &pixel[..channels]);
    let positions = &mut positions[..if POSITIONS { channels } else { 0 }];
    for channel in 0..channels {
        let (mut largest, mut position) = (f32::NEG_INFINITY, first as u32);
        for (index, pixel) in pixels.iter().enumerate() {
            let value = pixel[channel];
            let wins = (value > largest) | value.is_nan();
            largest = if wins { value } else { largest };
            position = if wins { index as u32 } else { position };
        }
        output[channel] = largest;
        if POSITIONS {
            positions[channel] = position as u8;
        }
    }
}

/// Computes a block of the gradient of the input: a pixel receives the gradients of the windows whose
/// maximum it is.
#[inline(always)]
pub(super) fn unpool_block<const PIXELS: usize>(
    windows: &Windows<PIXELS>,
    elements: &Range<usize>,
    (gradient, positions): (&[f32], &[u8]),
    output: &mut [f32],
) {
    let channels = windows.channels;
    let [height, width] = windows.output;
    let shape = [windows.input[0], windows.input[1], channels];
    for_each_pixel(
        elements,
        shape,
        output,
        #[inline(always)]
        |[image, y, x], range, output| {
            let (ys, range_y) = Windows::<PIXELS>::containing(y, height);
            let (xs, range_x) = Windows::<PIXELS>::containing(x, width);
            let mut is_first = true;
            for &(y, offset_y) in &ys[range_y] {
                for &(x, offset_x) in &xs[range_x.clone()] {
                    let start = ((image * height + y) * width + x) * channels;
                    let elements = start + range.start..start + range.end;
                    let source = (&gradient[elements.clone()], &positions[elements]);
                    let position = (offset_y * Windows::<PIXELS>::SIZE + offset_x) as u8;
                    if is_first {
                        route(output, source, position, |_, gradient| gradient);
                    } else {
                        route(output, source, position, |sum, gradient| sum + gradient);
                    }
                    is_first = false;
                }
            }
            if is_first {
                output.fill(0.0);
            }
        },
    );
}

/// Combines the output with the gradients whose maximum is at a position, or zero.
#[inline(always)]
fn route(
    output: &mut [f32],
    (gradient, positions): (&[f32], &[u8]),
    position: u8,
    combine: impl Fn(f32, f32) -> f32,
) {
    let n = output.len();
    let (gradient, positions) = (&gradient[..n], &positions[..n]);
    for i in 0..n {
        let value = if positions[i] == position {
            gradient[i]
        } else {
            0.0
        };
        output[i] = combine(output[i], value);
    }
}
