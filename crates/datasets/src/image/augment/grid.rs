//! Exact moves of pixels: mirroring, quarter turns and shifting by whole pixels.

/// Mirrors rows of `width` pixels of `channels` values each, left and right.
pub(super) fn mirror<T>(values: &mut [T], width: usize, channels: usize) {
    for row in values.chunks_exact_mut((width * channels).max(1)) {
        for left in 0..width / 2 {
            let right = width - 1 - left;
            for c in 0..channels {
                row.swap(left * channels + c, right * channels + c);
            }
        }
    }
}

/// Mirrors rows of `stride` values, top and bottom.
pub(super) fn mirror_rows<T>(values: &mut [T], stride: usize) {
    let rows = values.len() / stride.max(1);
    for top in 0..rows / 2 {
        let (upper, lower) = values.split_at_mut((rows - 1 - top) * stride);
        upper[top * stride..(top + 1) * stride].swap_with_slice(&mut lower[..stride]);
    }
}

/// Turns a square of `side` times `side` pixels by 90 degrees to the right.
pub(super) fn turn_right<T: Copy>(values: &[T], side: usize, channels: usize) -> Vec<T> {
    let mut turned = Vec::with_capacity(values.len());
    for row in 0..side {
        for column in 0..side {
            let from = ((side - 1 - column) * side + row) * channels;
            turned.extend_from_slice(&values[from..from + channels]);
        }
    }
    turned
}

/// Pixels `[height, width, channels]`, and how far to shift them.
pub(super) struct Shift {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Pixels downward.
    pub(super) down: isize,
    /// Pixels to the right.
    pub(super) right: isize,
}

impl Shift {
    /// The values after the shift, `fill` outside of the source.
    pub(super) fn apply<T: Copy>(&self, values: &[T], fill: T) -> Vec<T> {
        let (width, channels) = (self.width, self.channels);
        let mut shifted = vec![fill; values.len()];
        // Columns of the result that lie inside the source.
        let inside = |column: isize| column.clamp(0, width.cast_signed()).cast_unsigned();
        let (first, last) = (inside(self.right), inside(width.cast_signed() + self.right));
        if first >= last {
            return shifted;
        }
        let from_column = first.saturating_add_signed(-self.right);
        for row in 0..self.height {
            let from = row.checked_add_signed(-self.down);
            let Some(from) = from.filter(|&from| from < self.height) else {
                continue;
            };
            let from = (from * width + from_column) * channels;
            let to = (row * width + first) * channels;
            let len = (last - first) * channels;
            shifted[to..to + len].copy_from_slice(&values[from..from + len]);
        }
        shifted
    }
}
