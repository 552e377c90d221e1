//! Masks in another size, brought to it as their photos are.

use super::{IGNORE, Mask};
#[cfg(feature = "loader")]
use crate::image::{
    DecodeOptions, Fit, Interpolation,
    scale::{center, scaled_size},
};

/// The class of the nearest pixel in `region` of a mask, `[top, left, height, width]` in its pixels;
/// [`IGNORE`] where the region leaves the mask.
pub(in crate::image) fn sample_region(
    mask: &Mask,
    [top, left, region_height, region_width]: [f64; 4],
    height: usize,
    width: usize,
) -> Mask {
    let sources = |start: f64, len: f64, n: usize, limit: usize| -> Vec<Option<usize>> {
        let source = |at: usize| (start + (at as f64 + 0.5) * len / n as f64).floor();
        let inside = |at: f64| (at >= 0.0 && at < limit as f64).then_some(at as usize);
        (0..n).map(|at| inside(source(at))).collect()
    };
    let rows = sources(top, region_height, height, mask.height);
    let columns = sources(left, region_width, width, mask.width);
    let mut classes = Vec::with_capacity(height * width);
    for row in rows {
        classes.extend(columns.iter().map(|column| match (row, column) {
            (Some(row), Some(column)) => mask.classes[row * mask.width + column],
            _ => IGNORE,
        }));
    }
    Mask {
        height,
        width,
        classes,
    }
}

#[cfg(feature = "loader")]
/// The part of a picture of this size that `options` bring to their size, `[top, left, height, width]` in
/// its pixels: smaller than the picture where it is cropped, larger where it is padded.
pub(in crate::image) fn fit_region(
    height: usize,
    width: usize,
    options: &DecodeOptions,
) -> [f64; 4] {
    let (h, w) = (height as f64, width as f64);
    let (to_h, to_w) = (options.height as f64, options.width as f64);
    if options.interpolation != Interpolation::Triangle && options.fit != Fit::Pad {
        let scaled = scaled_size([width as u64, height as u64], options);
        let window = center(scaled, [options.width as u64, options.height as u64]);
        // Pixels of the picture per pixel of the result.
        let (step_y, step_x) = (h / scaled[1] as f64, w / scaled[0] as f64);
        let (top, left) = (window.rows.start as f64, window.columns.start as f64);
        return [top * step_y, left * step_x, to_h * step_y, to_w * step_x];
    }
    let rounded = |side: f64, most: f64| side.round().clamp(1.0, most);
    match options.fit {
        Fit::Stretch => [0.0, 0.0, h, w],
        Fit::Crop => {
            let kept_w = rounded(h * to_w / to_h, w);
            let kept_h = rounded(w * to_h / to_w, h);
            let (top, left) = ((h - kept_h) / 2.0, (w - kept_w) / 2.0);
            [top.floor(), left.floor(), kept_h, kept_w]
        }
        Fit::Pad => {
            let inner_w = rounded(w * to_h / h, to_w);
            let inner_h = rounded(h * to_w / w, to_h);
            // Pixels of the picture per pixel of the result.
            let (step_y, step_x) = (h / inner_h, w / inner_w);
            let top = ((to_h - inner_h) / 2.0).floor();
            let left = ((to_w - inner_w) / 2.0).floor();
            [-top * step_y, -left * step_x, to_h * step_y, to_w * step_x]
        }
    }
}
