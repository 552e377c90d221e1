//! A patch classifier that slides over an image of any size.

use std::ops::Range;

use burn::tensor::Tensor;
use rayon::prelude::*;
use tinderbox_datasets::image::{Image, LargeImage, Rows, fit_image};
use tinderbox_predict::PredictError;
use tinderbox_predict::vision::{ImageClassifier, ImageEnsemble, Tile, Tiles};
use tinderbox_train::TaskError;

/// Most cells along a side of a map.
const MAX_CELLS: usize = 2048;

/// Above this value in every channel a pixel is white.
const WHITE: u8 = 220;

/// Share of white pixels of a white patch.
const WHITE_SHARE: f64 = 0.95;

/// How a classifier slides over an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    /// The class.
    pub(super) class: usize,
    /// Pixels along a side of a patch.
    pub(super) patch: usize,
    /// Pixels that patches overlap by, at least.
    pub(super) overlap: usize,
    /// Whether white patches get 0 without the network.
    pub(super) skip_white: bool,
}

/// Square cells over an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellGrid {
    /// Height and width of the image, in pixels.
    image: [usize; 2],
    /// Pixels of the image along a side of a cell.
    pub(super) cell: usize,
    /// Rows of cells.
    pub(super) height: usize,
    /// Columns of cells.
    pub(super) width: usize,
}

impl CellGrid {
    /// As small cells as give at most [`MAX_CELLS`] along a side.
    pub(super) fn new(height: usize, width: usize) -> Self {
        let image = [height, width];
        let cell = height.max(width).div_ceil(MAX_CELLS);
        let [height, width] = image.map(|side| side.div_ceil(cell));
        Self {
            image,
            cell,
            height,
            width,
        }
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.height * self.width
    }

    /// The cell of a pixel.
    pub(super) fn cell_of(&self, y: usize, x: usize) -> usize {
        y / self.cell * self.width + x / self.cell
    }

    /// Number of pixels of a cell: those at the right and the bottom may be cut.
    pub(super) fn pixels(&self, at: usize) -> usize {
        let side = |at: usize, side: usize| self.cell.min(side - at * self.cell);
        side(at / self.width, self.image[0]) * side(at % self.width, self.image[1])
    }
}

/// The probability of a class all over an image.
#[derive(Clone, Debug)]
pub(super) struct HeatMap {
    pub(super) grid: CellGrid,
    /// The probability of each cell, `[height, width]`.
    pub(super) values: Vec<f32>,
    /// The image with a pixel per cell.
    pub(super) thumbnail: Image,
    /// Number of patches.
    pub(super) patches: usize,
    /// Those of them that are white, and that the network did not see.
    pub(super) white: usize,
}

impl HeatMap {
    /// Slides the classifier over the image; `progress` hears of the patches that are done and of all.
    pub(super) fn new(
        model: &ImageClassifier,
        image: &mut LargeImage,
        scan: &Scan,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TaskError> {
        let (height, width) = (image.height(), image.width());
        let tiles = Tiles::new(height, width, scan.patch, scan.overlap);
        let mut map = Self::empty(CellGrid::new(height, width), model.spec().input.channels);
        map.patches = tiles.len();
        let mut thumbnail = Thumbnail::new(&map);
        let batch = ImageEnsemble::batch_size(model.spec().shape());
        let mut done = 0;
        for row in 0..tiles.rows() {
            let row: Vec<Tile<'_>> = tiles.row(row).collect();
            let rows = image.rows(row[0].rows()).map_err(TaskError::user)?;
            thumbnail.add(&rows, &mut map);
            for tiles in row.chunks(batch) {
                let values = map.classify(model, &rows, tiles, scan)?;
                let pairs = tiles.iter().zip(values);
                pairs.for_each(|(tile, value)| map.add(tile, value));
                done += tiles.len();
                progress(done, map.patches);
            }
        }
        Ok(map)
    }

    fn empty(grid: CellGrid, channels: usize) -> Self {
        Self {
            grid,
            values: vec![0.0; grid.len()],
            thumbnail: Image {
                height: grid.height,
                width: grid.width,
                channels,
                pixels: vec![0; grid.len() * channels],
            },
            patches: 0,
            white: 0,
        }
    }

    /// The probability of the class in each of some patches.
    fn classify(
        &mut self,
        model: &ImageClassifier,
        rows: &Rows<'_>,
        tiles: &[Tile<'_>],
        scan: &Scan,
    ) -> Result<Vec<f32>, TaskError> {
        let input = &model.spec().input;
        let patches: Vec<Option<Image>> = tiles
            .par_iter()
            .map(|tile| {
                let patch = rows.crop(tile.rows(), tile.columns());
                let skip = scan.skip_white && is_white(&patch);
                (!skip).then(|| fit_image(patch, input))
            })
            .collect();
        let seen: Vec<usize> = (0..tiles.len())
            .filter(|&at| patches[at].is_some())
            .collect();
        self.white += tiles.len() - seen.len();
        let mut values = vec![0.0; tiles.len()];
        if seen.is_empty() {
            return Ok(values);
        }
        let images: Vec<Image> = patches.into_iter().flatten().collect();
        let inputs: Tensor<4> = model.spec().normalize.batch(&images, model.device());
        let found = model.ensemble().probabilities(&inputs)?;
        let classes = model.labels().len();
        for (at, row) in seen.into_iter().zip(found.chunks_exact(classes)) {
            let value = row[scan.class];
            if !value.is_finite() {
                let reason = "the network gives a value that is not finite";
                return Err(PredictError::device(reason).into());
            }
            values[at] = value;
        }
        Ok(values)
    }

    /// Adds the value of a patch to the cells whose centers it covers.
    fn add(&mut self, tile: &Tile<'_>, value: f32) {
        let CellGrid {
            image: [height, width],
            cell,
            ..
        } = self.grid;
        let columns = covered(tile.columns(), cell, width);
        for (row, y) in covered(tile.rows(), cell, height) {
            let row_weight = tile.row_weights[y];
            for &(column, x) in &columns {
                let weight = row_weight * tile.column_weights[x];
                self.values[row * self.grid.width + column] += weight * value;
            }
        }
    }
}

/// The cells along an axis of `side` pixels whose centers lie in `range`, with the place of the center in
/// it. The last cell may be cut: its center is then its last pixel at most.
fn covered(range: Range<usize>, cell: usize, side: usize) -> Vec<(usize, usize)> {
    let center = |at: usize| (at * cell + cell / 2).min(side - 1);
    let first = range.start / cell;
    (first..side.div_ceil(cell))
        .map(|at| (at, center(at)))
        .filter(|(_, center)| *center >= range.start)
        .take_while(|(_, center)| *center < range.end)
        .map(|(at, center)| (at, center - range.start))
        .collect()
}

/// The image in cells, from rows that come from top to bottom.
struct Thumbnail {
    /// Sums of the cells of one row of cells, `[width, channels]`.
    sums: Vec<u32>,
    /// Rows of pixels that were added.
    rows: usize,
    /// Pixels in each cell of the current row of cells, `[width]`.
    counts: Vec<u32>,
}

impl Thumbnail {
    fn new(map: &HeatMap) -> Self {
        Self {
            sums: vec![0; map.grid.width * map.thumbnail.channels],
            counts: vec![0; map.grid.width],
            rows: 0,
        }
    }

    /// Adds the rows that were not added before.
    fn add(&mut self, rows: &Rows<'_>, map: &mut HeatMap) {
        let channels = rows.channels;
        let lines = rows.pixels.chunks_exact(rows.width * channels);
        for (at, line) in lines.enumerate() {
            if rows.top + at < self.rows {
                continue;
            }
            for (x, pixel) in line.chunks_exact(channels).enumerate() {
                let column = x / map.grid.cell;
                self.counts[column] += 1;
                let sums = &mut self.sums[column * channels..(column + 1) * channels];
                let pairs = sums.iter_mut().zip(pixel);
                pairs.for_each(|(sum, &value)| *sum += u32::from(value));
            }
            self.rows += 1;
            // The last row of cells may be of fewer rows: it is written again and again.
            self.write(map, (self.rows - 1) / map.grid.cell);
            if self.rows.is_multiple_of(map.grid.cell) {
                self.sums.fill(0);
                self.counts.fill(0);
            }
        }
    }

    /// Writes the means to a row of the thumbnail, where that row may be complete.
    fn write(&self, map: &mut HeatMap, row: usize) {
        let channels = map.thumbnail.channels;
        let complete = self.rows.is_multiple_of(map.grid.cell) || row + 1 == map.grid.height;
        if !complete {
            return;
        }
        let length = map.grid.width * channels;
        let into = &mut map.thumbnail.pixels[row * length..(row + 1) * length];
        for (at, (into, sum)) in into.iter_mut().zip(&self.sums).enumerate() {
            *into = (sum / self.counts[at / channels].max(1)) as u8;
        }
    }
}

/// Whether a patch shows nothing but white background.
fn is_white(patch: &Image) -> bool {
    let pixels = patch.pixels.chunks_exact(patch.channels);
    let total = pixels.len();
    let white = pixels.filter(|pixel| pixel.iter().all(|&value| value > WHITE));
    white.count() as f64 >= WHITE_SHARE * total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile_values(height: usize, width: usize, patch: usize, value: f32) -> HeatMap {
        let mut map = HeatMap::empty(CellGrid::new(height, width), 1);
        let tiles = Tiles::new(height, width, patch, patch / 2);
        tiles.iter().for_each(|tile| map.add(&tile, value));
        map
    }

    #[test]
    fn equal_patches_give_an_even_map() {
        // Also with cells of three pixels.
        // The cells of the last have 11 pixels, of which that in the corner keeps 8 by 10.
        for (height, width, patch) in [(50, 70, 20), (5, 6000, 224), (1, 1, 8), (41, 20_481, 64)] {
            let map = tile_values(height, width, patch, 0.75);
            assert_eq!(map.values.len(), map.grid.height * map.grid.width);
            let off = map.values.iter().map(|value| (value - 0.75).abs());
            assert!(off.fold(0.0, f32::max) < 1e-5, "{height} x {width}");
        }
    }

    #[test]
    fn a_patch_is_added_where_it_lies() {
        let mut map = HeatMap::empty(CellGrid::new(40, 40), 1);
        let tiles = Tiles::new(40, 40, 20, 10);
        // The last of three rows and the first of three columns.
        let tile = tiles.row(2).next().unwrap();
        map.add(&tile, 1.0);
        assert!(map.values[39 * 40] > 0.99 && map.values[0].abs() < 1e-9);
        assert!(map.values[39 * 40 + 39].abs() < 1e-9);
    }

    #[test]
    fn the_thumbnail_is_the_mean_of_its_cells_and_rows_count_once() {
        let (height, width) = (5, 4100);
        let mut map = HeatMap::empty(CellGrid::new(height, width), 1);
        assert_eq!(
            (map.grid.cell, map.grid.height, map.grid.width),
            (3, 2, 1367)
        );
        let pixels: Vec<u8> = (0..height * width)
            .map(|at| (at / width * 10) as u8)
            .collect();
        let rows = |top: usize, end: usize| Rows {
            top,
            width,
            channels: 1,
            pixels: &pixels[top * width..end * width],
        };
        let mut thumbnail = Thumbnail::new(&map);
        thumbnail.add(&rows(0, 4), &mut map);
        thumbnail.add(&rows(2, 5), &mut map);
        assert_eq!(map.thumbnail.pixels[..2], [10, 10]);
        assert_eq!(map.thumbnail.pixels[1367..1369], [35, 35]);
    }

    #[test]
    fn a_patch_with_a_little_color_is_not_white() {
        let patch = |dark: usize| Image {
            height: 10,
            width: 10,
            channels: 1,
            pixels: (0..100)
                .map(|at| if at < dark { 90 } else { 240 })
                .collect(),
        };
        assert!(is_white(&patch(5)) && !is_white(&patch(6)));
    }
}
