//! Transforms of tiles, a register of channels at a time.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::sweep::Band;
use super::{ELEMENTS, STAGGER, Tiling};
use crate::flex::arch::arch;
use crate::flex::gemm::REGISTERS;
use crate::flex::scratch::Scratch;

/// Transformed tiles: for each element `[tiles, channels]`.
pub(super) struct Transformed {
    values: Scratch,
    plane: usize,
}

impl Transformed {
    pub(super) fn plane(&self, element: usize) -> &[f32] {
        &self.values[element * self.plane..(element + 1) * self.plane]
    }
}

/// `Bᵀ d B` of the tiles of a band.
pub(super) struct InputTransform<'a> {
    tiling: &'a Tiling,
    band: &'a Band,
    source: &'a [f32],
    /// A pixel of the padding.
    zeros: &'a [f32],
    output: [&'a mut [f32]; ELEMENTS],
}

impl InputTransform<'_> {
    pub(super) fn run(tiling: &Tiling, band: &Band, source: &[f32]) -> Transformed {
        let plane = tiling.count(band) * tiling.channels + STAGGER;
        let mut values = Scratch::new(ELEMENTS * plane);
        let mut zeros = Scratch::new(tiling.channels);
        zeros.fill(0.0);
        let mut planes = values.chunks_exact_mut(plane);
        let transform = InputTransform {
            tiling,
            band,
            source,
            zeros: &zeros,
            output: std::array::from_fn(|_| planes.next().unwrap_or_default()),
        };
        arch().dispatch(transform);
        Transformed { values, plane }
    }
}

impl WithSimd for InputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let channels = self.tiling.channels;
        for (tile, [image, y, x]) in self.tiling.positions(self.band).enumerate() {
            let corner = [y, x].map(|at| 2 * at.cast_signed() + self.tiling.origin);
            let mut pixels = [[self.zeros; 4]; 4];
            for (i, row) in pixels.iter_mut().enumerate() {
                for (j, pixel) in row.iter_mut().enumerate() {
                    *pixel = pixel_at(
                        self.tiling,
                        self.source,
                        self.zeros,
                        image,
                        [corner[0] + i.cast_signed(), corner[1] + j.cast_signed()],
                    );
                }
            }
            let range = tile * channels..(tile + 1) * channels;
            transform_tile(simd, &pixels, &mut self.output, range);
        }
    }
}

/// A pixel of the source, zeros in the padding.
#[inline(always)]
fn pixel_at<'a>(
    tiling: &Tiling,
    source: &'a [f32],
    zeros: &'a [f32],
    image: usize,
    [y, x]: [isize; 2],
) -> &'a [f32] {
    let Tiling { size, channels, .. } = *tiling;
    let inside = y >= 0 && x >= 0 && (y as usize) < size[0] && (x as usize) < size[1];
    if !inside {
        return zeros;
    }
    let pixel = (image * size[0] + y as usize) * size[1] + x as usize;
    &source[pixel * channels..(pixel + 1) * channels]
}

/// Transforms a tile to a range of each plane.
#[inline(always)]
fn transform_tile<S: Simd>(
    simd: S,
    pixels: &[[&[f32]; 4]; 4],
    planes: &mut [&mut [f32]; ELEMENTS],
    range: Range<usize>,
) {
    let whole = range.len() / S::F32_LANES;
    let mut heads: [[&[S::f32s]; 4]; 4] = [[&[]; 4]; 4];
    for (heads, row) in heads.iter_mut().zip(pixels) {
        for (head, pixel) in heads.iter_mut().zip(row) {
            *head = &S::as_simd_f32s(pixel).0[..whole];
        }
    }
    let mut targets: [&mut [S::f32s]; ELEMENTS] = Default::default();
    for (target, plane) in targets.iter_mut().zip(planes.iter_mut()) {
        let (head, _) = S::as_mut_simd_f32s(&mut plane[range.start..range.end]);
        *target = &mut head[..whole];
    }
    let mut values = [[simd.splat_f32s(0.0); 4]; 4];
    for register in 0..whole {
        for row in 0..4 {
            for column in 0..4 {
                values[row][column] = heads[row][column][register];
            }
        }
        let elements = input_elements(simd, &values);
        for index in 0..ELEMENTS {
            targets[index][register] = elements[index];
        }
    }
    let rest = whole * S::F32_LANES;
    if rest < range.len() {
        for row in 0..4 {
            for column in 0..4 {
                values[row][column] = simd.partial_load_f32s(&pixels[row][column][rest..]);
            }
        }
        let elements = input_elements(simd, &values);
        for (plane, element) in planes.iter_mut().zip(&elements) {
            simd.partial_store_f32s(&mut plane[range.start + rest..range.end], *element);
        }
    }
}

/// `Bᵀ d B`
#[inline(always)]
fn input_elements<S: Simd>(simd: S, pixels: &[[S::f32s; 4]; 4]) -> [S::f32s; ELEMENTS] {
    let mut rows = *pixels;
    for row in &mut rows {
        *row = input_line(simd, row[0], row[1], row[2], row[3]);
    }
    let mut elements = [simd.splat_f32s(0.0); ELEMENTS];
    for column in 0..4 {
        let line = input_line(
            simd,
            rows[0][column],
            rows[1][column],
            rows[2][column],
            rows[3][column],
        );
        for row in 0..4 {
            elements[4 * row + column] = line[row];
        }
    }
    elements
}

/// `Bᵀ` times a vector.
#[inline(always)]
fn input_line<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s, d: S::f32s) -> [S::f32s; 4] {
    [
        simd.sub_f32s(a, c),
        simd.add_f32s(b, c),
        simd.sub_f32s(c, b),
        simd.sub_f32s(b, d),
    ]
}

/// `Aᵀ m A` of the tiles of a band, for a panel of columns.
pub(super) struct OutputTransform<'a> {
    pub(super) tiling: &'a Tiling,
    pub(super) band: &'a Band,
    /// For each element `[tiles, width]`, `plane` elements apart.
    pub(super) products: &'a [f32],
    pub(super) plane: usize,
    pub(super) columns: Range<usize>,
    /// Elements of a pixel of the output.
    pub(super) stride: usize,
    /// Rows of the output that belong to the band.
    pub(super) output: &'a mut [f32],
}

impl OutputTransform<'_> {
    pub(super) fn run(self) {
        arch().dispatch(self);
    }
}

impl WithSimd for OutputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [height, width] = self.tiling.size_out;
        let [top, rows] = self.tiling.rows_out(self.band);
        let first = self.band.images.start;
        let tile_len = REGISTERS * S::F32_LANES;
        let mut planes: [&[f32]; ELEMENTS] = [&[]; ELEMENTS];
        for (plane, values) in planes
            .iter_mut()
            .zip(self.products.chunks_exact(self.plane))
        {
            *plane = values;
        }
        for (tile, [image, y, x]) in self.tiling.positions(self.band).enumerate() {
            // Pixels of a row and rows of pixels that exist.
            let [rows_left, columns_left] = [height - 2 * y, width - 2 * x];
            let row = (image - first) * rows + 2 * y - top;
            let start = (row * width + 2 * x) * self.stride;
            for register in 0..self.columns.len().div_ceil(S::F32_LANES) {
                let at = tile * tile_len + register * S::F32_LANES;
                let mut elements = [simd.splat_f32s(0.0); ELEMENTS];
                for (element, plane) in elements.iter_mut().zip(&planes) {
                    *element = S::as_simd_f32s(&plane[at..at + S::F32_LANES]).0[0];
                }
                let pixels = output_pixels(simd, &elements);
                let column = self.columns.start + register * S::F32_LANES;
                let count = S::F32_LANES.min(self.columns.end - column);
                for (i, row) in pixels.iter().enumerate().take(rows_left) {
                    for (j, pixel) in row.iter().enumerate().take(columns_left) {
                        let start = start + (i * width + j) * self.stride + column;
                        store(simd, &mut self.output[start..start + count], *pixel);
                    }
                }
            }
        }
    }
}

/// Stores the first elements of a register.
#[inline(always)]
fn store<S: Simd>(simd: S, target: &mut [f32], value: S::f32s) {
    match S::as_mut_simd_f32s(target).0 {
        [whole] => *whole = value,
        _ => simd.partial_store_f32s(target, value),
    }
}

/// Loads a register, with zeros behind the last element.
#[inline(always)]
fn load<S: Simd>(simd: S, source: &[f32]) -> S::f32s {
    match S::as_simd_f32s(source).0 {
        [whole] => *whole,
        _ => simd.partial_load_f32s(source),
    }
}

/// `Aᵀ m A`
#[inline(always)]
fn output_pixels<S: Simd>(simd: S, elements: &[S::f32s; ELEMENTS]) -> [[S::f32s; 2]; 2] {
    let mut rows = [[simd.splat_f32s(0.0); 4]; 2];
    for column in 0..4 {
        let [upper, lower] = output_line(
            simd,
            elements[column],
            elements[4 + column],
            elements[8 + column],
            elements[12 + column],
        );
        rows[0][column] = upper;
        rows[1][column] = lower;
    }
    let [[a, b, c, d], [e, f, g, h]] = rows;
    [output_line(simd, a, b, c, d), output_line(simd, e, f, g, h)]
}

/// `Aᵀ` times a vector.
#[inline(always)]
fn output_line<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s, d: S::f32s) -> [S::f32s; 2] {
    [
        simd.add_f32s(simd.add_f32s(a, b), c),
        simd.sub_f32s(simd.sub_f32s(b, c), d),
    ]
}

/// `A d Aᵀ` of the gradients of a band's tiles, `[element, panel, tile, width]`.
pub(super) struct GradientTransform<'a> {
    pub(super) tiling: &'a Tiling,
    pub(super) band: &'a Band,
    /// `[batch, height, width, columns]`
    pub(super) gradient: &'a [f32],
    pub(super) columns: usize,
    pub(super) output: &'a mut [f32],
    /// Elements between planes of the output.
    pub(super) plane: usize,
}

impl GradientTransform<'_> {
    pub(super) fn run(self) {
        arch().dispatch(self);
    }
}

impl WithSimd for GradientTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [height, width] = self.tiling.size_out;
        let count = self.tiling.count(self.band);
        let tile_len = REGISTERS * S::F32_LANES;
        let mut planes: [&mut [f32]; ELEMENTS] = Default::default();
        for (plane, values) in planes
            .iter_mut()
            .zip(self.output.chunks_exact_mut(self.plane))
        {
            *plane = values;
        }
        for (tile, [image, y, x]) in self.tiling.positions(self.band).enumerate() {
            let [rows_left, columns_left] = [height - 2 * y, width - 2 * x];
            let start = ((image * height + 2 * y) * width + 2 * x) * self.columns;
            for column in (0..self.columns.next_multiple_of(tile_len)).step_by(S::F32_LANES) {
                let range = column.min(self.columns)..(column + S::F32_LANES).min(self.columns);
                let mut pixels = [[simd.splat_f32s(0.0); 2]; 2];
                for (i, row) in pixels.iter_mut().enumerate().take(rows_left) {
                    for (j, pixel) in row.iter_mut().enumerate().take(columns_left) {
                        let start = start + (i * width + j) * self.columns;
                        let source = &self.gradient[start + range.start..start + range.end];
                        *pixel = load(simd, source);
                    }
                }
                let panel = column / tile_len * count + tile;
                let start = panel * tile_len + column % tile_len;
                let elements = gradient_elements(simd, &pixels);
                for (plane, element) in planes.iter_mut().zip(&elements) {
                    store(simd, &mut plane[start..start + S::F32_LANES], *element);
                }
            }
        }
    }
}

/// `A d Aᵀ`
#[inline(always)]
fn gradient_elements<S: Simd>(simd: S, pixels: &[[S::f32s; 2]; 2]) -> [S::f32s; ELEMENTS] {
    let [[a, b], [c, d]] = *pixels;
    let [upper, lower] = [gradient_line(simd, a, b), gradient_line(simd, c, d)];
    let mut elements = [simd.splat_f32s(0.0); ELEMENTS];
    for column in 0..4 {
        let line = gradient_line(simd, upper[column], lower[column]);
        for row in 0..4 {
            elements[4 * row + column] = line[row];
        }
    }
    elements
}

/// `A` times a vector.
#[inline(always)]
fn gradient_line<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> [S::f32s; 4] {
    [
        a,
        simd.add_f32s(a, b),
        simd.sub_f32s(a, b),
        simd.neg_f32s(b),
    ]
}
