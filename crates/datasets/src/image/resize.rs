//! Antialiased resizing with the arithmetic of Pillow's `Image.resize`, to the byte.
//!
//! Published weights were trained on images that Pillow resized. Its filters widen when an image is
//! made smaller, unlike those of `OpenCV`, and it rounds to 8 bits between its two passes; each of both
//! changes the input of a network enough to cost accuracy.
//!
//! Reference: `Resample.c` of Pillow, <https://github.com/python-pillow/Pillow>. Keys, *Cubic convolution
//! interpolation for digital image processing*, 1981, <https://doi.org/10.1109/TASSP.1981.1163711>,
//! with a = -0.5.

use std::ops::Range;

/// What weighs the inputs of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A triangle as wide as two pixels of the smaller image.
    Bilinear,
    /// The cubic of Keys, as wide as four.
    Bicubic,
}

/// Bits behind the point of a weight: 8 are the pixel's and 2 are left for negative weights.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// One half in fixed point, which makes the shift to 8 bits round.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

impl Filter {
    /// The radius and the weight at a distance, both in pixels of the smaller image.
    fn kernel(self) -> (f64, fn(f64) -> f64) {
        match self {
            Self::Bilinear => (1.0, bilinear),
            Self::Bicubic => (2.0, bicubic),
        }
    }
}

/// The part of a resized image that is wanted, as columns and rows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) columns: Range<u64>,
    pub(super) rows: Range<u64>,
}

impl Window {
    /// All of an image of this width and height.
    pub(super) fn all([width, height]: [u64; 2]) -> Self {
        Self {
            columns: 0..width,
            rows: 0..height,
        }
    }
}

/// Resizes an image of `from` pixels (width, height) to `to` and returns the part in `window`, which
/// alone is computed.
///
/// # Shapes
///
/// - pixels: `[height, width, CHANNELS]`
/// - output: `[window.rows, window.columns, CHANNELS]`
pub(super) fn resize<const CHANNELS: usize>(
    pixels: &[u8],
    from: [usize; 2],
    to: [u64; 2],
    window: &Window,
    filter: Filter,
) -> Vec<u8> {
    let columns = Weights::new(from[0], to[0], window.columns.clone(), filter);
    let rows = Weights::new(from[1], to[1], window.rows.clone(), filter);
    let stride = from[0] * CHANNELS;
    if vertical_first(from, to) {
        let used = columns.needed();
        let bytes = used.start * CHANNELS..used.end * CHANNELS;
        let flat = vertical(pixels, stride, bytes, &rows);
        return horizontal::<CHANNELS>(&flat, used.len() * CHANNELS, &columns.shifted(used.start));
    }
    let used = rows.needed();
    let pixels = &pixels[used.start * stride..used.end * stride];
    let narrow = horizontal::<CHANNELS>(pixels, stride, &columns);
    let stride = columns.spans.len() * CHANNELS;
    vertical(&narrow, stride, 0..stride, &rows.shifted(used.start))
}

/// The order in which Pillow makes its passes, since version 13.
fn vertical_first(from: [usize; 2], to: [u64; 2]) -> bool {
    let [width, height] = [0, 1].map(|axis| from[axis] as f64 - to[axis] as f64);
    height > 0.0 && height > 2.0 * width
}

/// The inputs of each output along one axis, with their weights in fixed point.
struct Weights {
    /// First input and number of inputs of each output.
    spans: Vec<Range<usize>>,
    /// The weights of all spans, one after the other.
    values: Vec<i32>,
}

impl Weights {
    fn new(from: usize, to: u64, wanted: Range<u64>, filter: Filter) -> Self {
        let count = (wanted.end - wanted.start) as usize;
        if from as u64 == to {
            // Pillow skips the pass; a weight of one does the same.
            let wanted = wanted.start as usize..wanted.end as usize;
            return Self {
                values: vec![1 << PRECISION_BITS; count],
                spans: wanted.map(|at| at..at + 1).collect(),
            };
        }
        let scale = from as f64 / to as f64;
        let filter_scale = scale.max(1.0);
        let (radius, weigh) = filter.kernel();
        let support = radius * filter_scale;
        let mut weights = Self {
            spans: Vec::with_capacity(count),
            values: Vec::new(),
        };
        let mut span_weights = Vec::new();
        for at in wanted {
            let center = (at as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let distance = |input: usize| (input as f64 - center + 0.5) * (1.0 / filter_scale);
            span_weights.clear();
            span_weights.extend((start..end).map(|input| weigh(distance(input))));
            let total: f64 = span_weights.iter().sum();
            let fixed = |weight: &f64| {
                let weight = weight / total * f64::from(1 << PRECISION_BITS);
                (weight + 0.5_f64.copysign(weight)) as i32
            };
            weights.values.extend(span_weights.iter().map(fixed));
            weights.spans.push(start..end);
        }
        weights
    }

    /// All inputs that some output needs.
    fn needed(&self) -> Range<usize> {
        let start = self.spans.first().map_or(0, |span| span.start);
        start..self.spans.last().map_or(start, |span| span.end)
    }

    /// The same for an input that lacks the first ones.
    fn shifted(mut self, by: usize) -> Self {
        for span in &mut self.spans {
            *span = span.start - by..span.end - by;
        }
        self
    }

    /// The span and the weights of each output.
    fn iter(&self) -> impl Iterator<Item = (Range<usize>, &[i32])> {
        let mut rest = &self.values[..];
        self.spans.iter().map(move |span| {
            let (weights, after) = rest.split_at(span.len());
            rest = after;
            (span.clone(), weights)
        })
    }
}

fn bilinear(distance: f64) -> f64 {
    (1.0 - distance.abs()).max(0.0)
}

fn bicubic(distance: f64) -> f64 {
    const A: f64 = -0.5;
    let x = distance.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

fn horizontal<const CHANNELS: usize>(pixels: &[u8], stride: usize, columns: &Weights) -> Vec<u8> {
    let mut output = Vec::with_capacity(pixels.len() / stride * columns.spans.len() * CHANNELS);
    for row in pixels.chunks_exact(stride) {
        let (row, _) = row.as_chunks::<CHANNELS>();
        for (span, weights) in columns.iter() {
            let mut sums = [HALF; CHANNELS];
            for (pixel, &weight) in row[span].iter().zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            output.extend(sums.map(to_byte));
        }
    }
    output
}

/// Weighs the rows of an image, of each of which only some bytes are used.
fn vertical(pixels: &[u8], stride: usize, used: Range<usize>, rows: &Weights) -> Vec<u8> {
    let mut output = Vec::with_capacity(rows.spans.len() * used.len());
    let mut sums = vec![HALF; used.len()];
    for (span, weights) in rows.iter() {
        sums.fill(HALF);
        let inputs = pixels[span.start * stride..].chunks_exact(stride);
        for (input, &weight) in inputs.zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(&input[used.clone()]) {
                *sum += i32::from(value) * weight;
            }
        }
        output.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    output
}
