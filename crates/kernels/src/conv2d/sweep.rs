//! Windows over channels-last images, with padding.

use std::ops::Range;

use super::product::Window;
use crate::flex::scratch::Scratch;

/// How windows move over an image and where their results belong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    /// Height and width of the source.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    /// Height and width of a window, in pixels.
    pub(super) window: [usize; 2],
    /// Pixels of the source between windows.
    pub(super) step: usize,
    /// Row and column of the first window in the source, negative in the padding.
    pub(super) origin: [isize; 2],
    /// Windows along each axis.
    pub(super) positions: [usize; 2],
    /// Height and width of the output.
    pub(super) size_out: [usize; 2],
    /// Pixels of the output between results.
    pub(super) step_out: usize,
    /// Row and column of the first result.
    pub(super) origin_out: [usize; 2],
}

/// Some images and rows of windows in each.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) images: Range<usize>,
    pub(super) rows: Range<usize>,
}

/// The windows of a band, in the source itself or in a padded copy.
pub(super) struct Windows<'a> {
    source: &'a [f32],
    padded: Option<Scratch>,
    /// First element of each window.
    pub(super) starts: Vec<usize>,
    pub(super) window: Window,
}

impl Windows<'_> {
    pub(super) fn source(&self) -> &[f32] {
        self.padded.as_deref().unwrap_or(self.source)
    }
}

impl Sweep {
    /// Elements of a window.
    pub(super) fn window_len(&self) -> usize {
        self.window[0] * self.window[1] * self.channels
    }

    /// Whether no window reaches beyond the source.
    fn fits(&self) -> bool {
        (0..2).all(|axis| {
            let last = self.positions[axis].saturating_sub(1) * self.step + self.window[axis];
            self.origin[axis] >= 0 && self.origin[axis].unsigned_abs() + last <= self.size[axis]
        })
    }

    /// The windows of a band of `source`, `[batch, height, width, channels]`.
    pub(super) fn windows<'a>(&self, source: &'a [f32], band: &Band) -> Windows<'a> {
        let [height, width] = self.size;
        let run = self.window[1] * self.channels;
        let window = |width: usize| Window {
            lines: self.window[0],
            stride: width * self.channels,
            run,
        };
        if self.fits() {
            let origin = self.origin.map(isize::unsigned_abs);
            let row = |image: usize| image * height + origin[0] + band.rows.start * self.step;
            return Windows {
                source,
                padded: None,
                starts: self.starts(band, |image| row(image) * width + origin[1], width),
                window: window(width),
            };
        }
        let lines = (band.rows.len() - 1) * self.step + self.window[0];
        let padded_width = (self.positions[1] - 1) * self.step + self.window[1];
        let first = band.images.start;
        Windows {
            source,
            padded: Some(self.padded(source, band, [lines, padded_width])),
            starts: self.starts(
                band,
                |image| (image - first) * lines * padded_width,
                padded_width,
            ),
            window: window(padded_width),
        }
    }

    /// First element of each window, given the first pixel of an image's first one.
    fn starts(&self, band: &Band, first: impl Fn(usize) -> usize, width: usize) -> Vec<usize> {
        let mut starts =
            Vec::with_capacity(band.images.len() * band.rows.len() * self.positions[1]);
        for image in band.images.clone() {
            for row in 0..band.rows.len() {
                let pixel = first(image) + row * self.step * width;
                let pixels = (0..self.positions[1]).map(|x| pixel + x * self.step);
                starts.extend(pixels.map(|pixel| pixel * self.channels));
            }
        }
        starts
    }

    /// The rows of the source that a band reads, with zeros around them.
    fn padded(&self, source: &[f32], band: &Band, [lines, width]: [usize; 2]) -> Scratch {
        let line_len = width * self.channels;
        let mut padded = Scratch::new(band.images.len() * lines * line_len);
        let top = self.origin[0] + (band.rows.start * self.step).cast_signed();
        let images = padded.chunks_exact_mut((lines * line_len).max(1));
        for (image, target) in band.images.clone().zip(images) {
            for (line, target) in target.chunks_exact_mut(line_len.max(1)).enumerate() {
                let row = top + line.cast_signed();
                if row < 0 || row >= self.size[0].cast_signed() {
                    target.fill(0.0);
                } else {
                    self.pad_line(source, image * self.size[0] + row.unsigned_abs(), target);
                }
            }
        }
        padded
    }

    /// Copies a row of the source, from the first window's column.
    fn pad_line(&self, source: &[f32], row: usize, target: &mut [f32]) {
        let channels = self.channels;
        let row = &source[row * self.size[1] * channels..(row + 1) * self.size[1] * channels];
        let (before, skipped) = if self.origin[1] < 0 {
            (self.origin[1].unsigned_abs() * channels, 0)
        } else {
            (0, self.origin[1].unsigned_abs() * channels)
        };
        let before = before.min(target.len());
        let row = &row[skipped.min(row.len())..];
        let (left, rest) = target.split_at_mut(before);
        let (middle, right) = rest.split_at_mut(row.len().min(rest.len()));
        left.fill(0.0);
        middle.copy_from_slice(&row[..middle.len()]);
        right.fill(0.0);
    }

    /// First element of each window's result, in the band's rows of an output whose pixels have
    /// `stride` elements.
    pub(super) fn targets(&self, band: &Band, stride: usize) -> Vec<usize> {
        let [height, width] = self.size_out;
        let mut targets =
            Vec::with_capacity(band.images.len() * band.rows.len() * self.positions[1]);
        for image in 0..band.images.len() {
            for y in band.rows.clone() {
                let y = self.origin_out[0] + (y - band.rows.start) * self.step_out;
                let pixel = (image * height + y) * width + self.origin_out[1];
                let pixels = (0..self.positions[1]).map(|x| pixel + x * self.step_out);
                targets.extend(pixels.map(|pixel| pixel * stride));
            }
        }
        targets
    }
}

/// Splits a batch in bands of about `windows` windows: rows of an image, or whole images.
pub(super) fn bands([rows, columns]: [usize; 2], batch: usize, windows: usize) -> Vec<Band> {
    let per_image = rows * columns;
    if per_image == 0 {
        return Vec::new();
    }
    if per_image <= windows {
        let images = windows / per_image;
        let starts = (0..batch).step_by(images);
        let bands = starts.map(|start| Band {
            images: start..(start + images).min(batch),
            rows: 0..rows,
        });
        return bands.collect();
    }
    let step = (windows / columns).clamp(1, rows);
    // Bands of about the same height.
    let step = rows.div_ceil(rows.div_ceil(step));
    let bands = (0..batch).flat_map(|image| {
        (0..rows).step_by(step).map(move |start| Band {
            images: image..image + 1,
            rows: start..(start + step).min(rows),
        })
    });
    bands.collect()
}

/// A band of windows and the rows of the output that belong to it.
pub(super) struct Task<'a> {
    pub(super) band: Band,
    /// First pixel of the output.
    pub(super) first: usize,
    /// `[pixels, channels]`
    pub(super) output: &'a mut [f32],
}

/// Splits an output, `[batch, height, width, channels]`, in the parts of bands whose rows of windows
/// are `step` rows apart in it.
pub(super) fn tasks(
    bands: Vec<Band>,
    step: usize,
    [height, width, channels]: [usize; 3],
    mut output: &mut [f32],
) -> Vec<Task<'_>> {
    let mut first = 0;
    let task = |band: Band| {
        let end = (band.rows.end * step).min(height);
        let pixels = band.images.len() * (end - band.rows.start * step) * width;
        let (own, rest) = std::mem::take(&mut output).split_at_mut(pixels * channels);
        output = rest;
        first += pixels;
        Task {
            band,
            first: first - pixels,
            output: own,
        }
    };
    bands.into_iter().map(task).collect()
}
