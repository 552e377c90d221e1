//! Maps: `GeoTIFF` files of one band whose grid lies along the axes of the map.
//!
//! Format: *OGC `GeoTIFF` Standard 1.1*, 2019, <https://docs.ogc.org/is/19-008r4/19-008r4.html>, with
//! GDAL's tag for cells without data. A map that is turned or sheared is refused, and coordinates are
//! taken as they are: maps are compared only if they are in one reference system.

#![expect(
    clippy::float_cmp,
    reason = "the mark of a hole is one of the values, to the bit"
)]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tiff::decoder::ifd::Value;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use crate::panics::catch_panic;

/// Errors of reading a map.
#[derive(Debug, Error)]
pub enum RasterError {
    /// The file cannot be opened.
    #[error("cannot read `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file is no TIFF, is damaged, or of a kind that is not supported.
    #[error("`{}` is damaged or not a supported TIFF", path.display())]
    Tiff {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: TiffError,
    },
    /// The decoder gives up on the file.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        reason: String,
    },
    /// There are several bands.
    #[error("`{}` has {found}, expected one band of numbers", path.display())]
    Bands {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// The file does not say where its cells lie.
    #[error("`{}` is not georeferenced: the tags `ModelPixelScale` and `ModelTiepoint` are missing", path.display())]
    NoPlace {
        /// The file.
        path: PathBuf,
    },
    /// The georeferencing is invalid.
    #[error("`{}` has cells of {cell_x} by {cell_y} at {x}, {y}", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// Width of a cell.
        cell_x: f64,
        /// Height of a cell.
        cell_y: f64,
        /// Left edge.
        x: f64,
        /// Upper edge.
        y: f64,
    },
}

/// Where the cells of a map lie. Row 0 is in the north, `y` grows to the north.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Number of columns.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// Left edge, in units of the map, mostly m.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width of a cell.
    pub cell_x: f64,
    /// Height of a cell.
    pub cell_y: f64,
    /// The reference system as the file describes it.
    pub system: String,
}

impl Grid {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.columns * self.rows
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The middle of a cell, which is a number in `0..len`, row by row.
    pub fn center(&self, cell: usize) -> (f64, f64) {
        let (row, column) = (cell / self.columns, cell % self.columns);
        let x = self.x + (column as f64 + 0.5) * self.cell_x;
        (x, self.y - (row as f64 + 0.5) * self.cell_y)
    }

    /// The cell that a place lies in.
    pub fn cell(&self, x: f64, y: f64) -> Option<usize> {
        let (column, row) = ((x - self.x) / self.cell_x, (self.y - y) / self.cell_y);
        let inside =
            column >= 0.0 && row >= 0.0 && column < self.columns as f64 && row < self.rows as f64;
        inside.then(|| row as usize * self.columns + column as usize)
    }
}

/// How a map gives a value at a place or for a cell of another grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// The value of the cell that the place lies in: for classes.
    Nearest,
    /// Between the middles of the four cells around: for a finer grid.
    Bilinear,
    /// The mean of the cells whose middle lies in the cell asked for; of none, as bilinear: for a
    /// coarser grid.
    Mean,
}

/// A map: a number for every cell, NaN where there is none.
#[derive(Debug, Clone)]
pub struct Raster {
    /// Where the cells lie.
    pub grid: Grid,
    /// Their values, row by row from the north.
    pub values: Vec<f32>,
}

impl Raster {
    /// Reads a `GeoTIFF` file.
    ///
    /// # Errors
    ///
    /// If the file is missing, damaged, has more than one band, or does not say where it lies.
    pub fn read(path: &Path) -> Result<Self, RasterError> {
        // The decoder panics on some damaged files, as where the list of sample formats is empty.
        catch_panic(|| Self::decode(path)).unwrap_or_else(|reason| {
            Err(RasterError::Damaged {
                path: path.to_owned(),
                reason,
            })
        })
    }

    fn decode(path: &Path) -> Result<Self, RasterError> {
        let open = |source| RasterError::Open {
            path: path.to_owned(),
            source,
        };
        let tiff = |source| RasterError::Tiff {
            path: path.to_owned(),
            source,
        };
        let file = BufReader::new(File::open(path).map_err(open)?);
        let mut decoder = Decoder::new(file).map_err(tiff)?;
        let grid = read_grid(&mut decoder, path)?;
        let color = decoder.colortype().map_err(tiff)?;
        if !matches!(color, ColorType::Gray(_)) {
            let found = format!("{color:?}");
            return Err(RasterError::Bands {
                path: path.to_owned(),
                found,
            });
        }
        let no_data = decoder.find_tag(Tag::GdalNodata).map_err(tiff)?;
        let no_data = no_data.and_then(|value| value.into_string().ok());
        let no_data = no_data.and_then(|text| text.trim_matches(['\0', ' ']).parse::<f64>().ok());
        let mut values = numbers(decoder.read_image().map_err(tiff)?);
        if let Some(hole) = no_data {
            let is_hole = |value: &&mut f32| **value == hole as f32;
            values
                .iter_mut()
                .filter(is_hole)
                .for_each(|value| *value = f32::NAN);
        }
        Ok(Self { grid, values })
    }

    /// The value at a place, NaN outside of the map and in cells without data.
    pub fn at(&self, x: f64, y: f64, sampling: Sampling) -> f32 {
        let Some(cell) = self.grid.cell(x, y) else {
            return f32::NAN;
        };
        match sampling {
            Sampling::Nearest => self.values[cell],
            Sampling::Bilinear | Sampling::Mean => self.between(cell, x, y),
        }
    }

    /// Weighs the four cells whose middles are around a place in `cell`; those without data, or
    /// outside of the map, do not count. Without data in `cell` itself there is none here.
    fn between(&self, cell: usize, x: f64, y: f64) -> f32 {
        let (middle_x, middle_y) = self.grid.center(cell);
        let (dx, dy) = (
            (x - middle_x) / self.grid.cell_x,
            (middle_y - y) / self.grid.cell_y,
        );
        let (row, column) = (cell / self.grid.columns, cell % self.grid.columns);
        if self.values[cell].is_nan() {
            return f32::NAN;
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for (down, weight_y) in [(0.0, 1.0 - dy.abs()), (dy.signum(), dy.abs())] {
            for (right, weight_x) in [(0.0, 1.0 - dx.abs()), (dx.signum(), dx.abs())] {
                let value = self.get(row as f64 + down, column as f64 + right);
                if !value.is_nan() {
                    sum += f64::from(value) * weight_x * weight_y;
                    weights += weight_x * weight_y;
                }
            }
        }
        (sum / weights) as f32
    }

    fn get(&self, row: f64, column: f64) -> f32 {
        let inside = (0.0..self.grid.rows as f64).contains(&row)
            && (0.0..self.grid.columns as f64).contains(&column);
        if inside {
            self.values[row as usize * self.grid.columns + column as usize]
        } else {
            f32::NAN
        }
    }

    /// A value for every cell of `grid`.
    pub fn resample(&self, grid: &Grid, sampling: Sampling) -> Vec<f32> {
        let point = |cell| {
            let (x, y) = grid.center(cell);
            self.at(x, y, sampling)
        };
        if sampling != Sampling::Mean {
            return (0..grid.len()).map(point).collect();
        }
        let (mut sums, mut counts) = (vec![0.0; grid.len()], vec![0_u32; grid.len()]);
        for (at, &value) in self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| !value.is_nan())
        {
            let (x, y) = self.grid.center(at);
            if let Some(cell) = grid.cell(x, y) {
                sums[cell] += f64::from(value);
                counts[cell] += 1;
            }
        }
        let mean = |cell: usize| match counts[cell] {
            0 => point(cell),
            count => (sums[cell] / f64::from(count)) as f32,
        };
        (0..grid.len()).map(mean).collect()
    }
}

fn read_grid(decoder: &mut Decoder<BufReader<File>>, path: &Path) -> Result<Grid, RasterError> {
    let tiff = |source| RasterError::Tiff {
        path: path.to_owned(),
        source,
    };
    let (columns, rows) = decoder.dimensions().map_err(tiff)?;
    let mut tag = |tag| {
        let value = decoder.find_tag(tag)?;
        value.map_or(Ok(Vec::new()), Value::into_f64_vec)
    };
    let scale = tag(Tag::ModelPixelScaleTag).map_err(tiff)?;
    let tie = tag(Tag::ModelTiepointTag).map_err(tiff)?;
    let keys = decoder.find_tag(Tag::GeoKeyDirectoryTag).map_err(tiff)?;
    let keys = keys
        .map_or(Ok(Vec::new()), Value::into_u32_vec)
        .map_err(tiff)?;
    let (&[cell_x, cell_y, ..], &[column, row, _, x, y, ..]) = (scale.as_slice(), tie.as_slice())
    else {
        return Err(RasterError::NoPlace {
            path: path.to_owned(),
        });
    };
    // Key 1025 is 2 where the tie is the middle of a cell, not its corner.
    let middle = keys.chunks(4).any(|key| matches!(key, [1025, _, _, 2]));
    let half = if middle { 0.5 } else { 0.0 };
    let (x, y) = (x - (column + half) * cell_x, y + (row + half) * cell_y);
    let good = cell_x > 0.0 && cell_y > 0.0 && [x, y, cell_x, cell_y].iter().all(|v| v.is_finite());
    if !good {
        return Err(RasterError::Place {
            path: path.to_owned(),
            cell_x,
            cell_y,
            x,
            y,
        });
    }
    let system = decoder.find_tag(Tag::GeoAsciiParamsTag).map_err(tiff)?;
    let system = system
        .and_then(|value| value.into_string().ok())
        .unwrap_or_default();
    Ok(Grid {
        columns: columns as usize,
        rows: rows as usize,
        x,
        y,
        cell_x,
        cell_y,
        system: system.trim_matches(['\0', '|']).to_owned(),
    })
}

fn numbers(image: DecodingResult) -> Vec<f32> {
    match image {
        DecodingResult::U8(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::I8(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::U16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::I16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::U32(values) => values.into_iter().map(|v| v as f32).collect(),
        DecodingResult::I32(values) => values.into_iter().map(|v| v as f32).collect(),
        DecodingResult::U64(values) => values.into_iter().map(|v| v as f32).collect(),
        DecodingResult::I64(values) => values.into_iter().map(|v| v as f32).collect(),
        DecodingResult::F16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|v| v as f32).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tiff::encoder::TiffEncoder;
    use tiff::encoder::colortype::{Gray32Float, RGB8};

    use super::*;

    /// Writes a map whose upper left corner is at `x`, `y`.
    pub(crate) fn write_map(
        path: &Path,
        values: &[f32],
        columns: u32,
        place: [f64; 3],
        no_data: &str,
    ) {
        write_tied(path, values, columns, place, no_data, 1);
    }

    /// As [`write_map`]; a `tie` of 2 says that `x`, `y` is the middle of the first cell.
    fn write_tied(
        path: &Path,
        values: &[f32],
        columns: u32,
        place: [f64; 3],
        no_data: &str,
        tie: u16,
    ) {
        let [x, y, cell] = place;
        let mut encoder = TiffEncoder::new(File::create(path).unwrap()).unwrap();
        let rows = values.len() as u32 / columns;
        let mut image = encoder.new_image::<Gray32Float>(columns, rows).unwrap();
        let tags = image.encoder();
        tags.write_tag(Tag::ModelPixelScaleTag, &[cell, cell, 0.0][..])
            .unwrap();
        tags.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, x, y, 0.0][..])
            .unwrap();
        let keys = [1, 1, 0, 1, 1025, 0, 1, tie];
        tags.write_tag(Tag::GeoKeyDirectoryTag, &keys[..]).unwrap();
        tags.write_tag(Tag::GdalNodata, no_data).unwrap();
        tags.write_tag(Tag::GeoAsciiParamsTag, "UTM zone 50N|")
            .unwrap();
        image.write_data(values).unwrap();
    }

    fn map(values: &[f32], columns: u32) -> Raster {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.tif");
        write_map(&path, values, columns, [100.0, 50.0, 10.0], "-1");
        Raster::read(&path).unwrap()
    }

    #[test]
    fn cells_lie_where_the_tags_say() {
        let raster = map(&[1.0, 2.0, 3.0, 4.0, 5.0, -1.0], 3);
        let grid = &raster.grid;
        assert_eq!(
            (grid.columns, grid.rows, grid.system.as_str()),
            (3, 2, "UTM zone 50N")
        );
        assert_eq!(grid.center(4), (115.0, 35.0));
        assert_eq!(
            (grid.cell(115.0, 35.0), grid.cell(100.0, 50.0)),
            (Some(4), Some(0))
        );
        for (x, y) in [(99.9, 35.0), (130.0, 35.0), (115.0, 50.1), (115.0, 30.0)] {
            assert_eq!(grid.cell(x, y), None, "{x} {y}");
        }
        assert!(raster.values[5].is_nan() && raster.at(125.0, 35.0, Sampling::Nearest).is_nan());
        assert_eq!(raster.at(129.0, 49.0, Sampling::Nearest), 3.0);
    }

    #[test]
    fn a_tie_may_be_the_middle_of_a_cell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.tif");
        write_tied(&path, &[1.0, 2.0], 2, [100.0, 50.0, 10.0], "nan", 2);
        assert_eq!(Raster::read(&path).unwrap().grid.center(1), (110.0, 50.0));
    }

    #[test]
    fn values_between_cells_are_weighed_and_holes_are_not() {
        let raster = map(&[0.0, 10.0, 20.0, 40.0, 50.0, -1.0], 3);
        let at = |x, y| raster.at(x, y, Sampling::Bilinear);
        assert_eq!(at(105.0, 45.0), 0.0);
        assert_eq!(at(110.0, 45.0), 5.0);
        assert_eq!(at(110.0, 40.0), 25.0);
        // At the edge of the map there is nothing beyond.
        assert_eq!(at(101.0, 45.0), 0.0);
        // Of the four cells around, one is a hole: (10 * 4 + 20 * 4 + 50 * 4) / 12, about.
        assert!((at(119.999, 40.001) - 80.0 / 3.0).abs() < 0.01);
        assert!(at(125.0, 35.0).is_nan() && at(0.0, 0.0).is_nan());
    }

    #[test]
    fn a_coarser_grid_gets_means() {
        let raster = map(&[0.0, 10.0, 20.0, 40.0, 50.0, -1.0, 1.0, 1.0], 4);
        let coarse = Grid {
            columns: 2,
            rows: 1,
            cell_x: 20.0,
            cell_y: 20.0,
            ..raster.grid.clone()
        };
        let means = raster.resample(&coarse, Sampling::Mean);
        assert_eq!(means[0], 20.0);
        assert_eq!(means[1], 15.5);
    }

    #[test]
    fn files_that_are_no_maps_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("map.tif");
        assert!(matches!(Raster::read(&path), Err(RasterError::Open { .. })));
        std::fs::write(&path, b"no map").unwrap();
        assert!(matches!(Raster::read(&path), Err(RasterError::Tiff { .. })));
        let mut encoder = TiffEncoder::new(File::create(&path).unwrap()).unwrap();
        encoder.write_image::<RGB8>(1, 1, &[0, 0, 0]).unwrap();
        assert!(matches!(
            Raster::read(&path),
            Err(RasterError::NoPlace { .. })
        ));
        write_map(&path, &[1.0], 1, [0.0, 0.0, -10.0], "");
        assert!(matches!(
            Raster::read(&path),
            Err(RasterError::Place { .. })
        ));
    }
}
