//! Maps with known deposits, brought onto one grid as a table of its cells.
//!
//! The set that is known by name is the lithium of South China: 18 maps of elements in stream
//! sediment, interpolated to cells of 4.2 km, three maps of faults, granite and strata with cells of
//! 1 km, and two maps that mark 23 known deposits and 23 places chosen as barren. Source:
//! <https://github.com/kiritonfan/An-interpretable-DCN-Transformer-hybrid-model-with-attribution-for-mineral-prospectivity-mapping>,
//! MIT. Its readers should know:
//!
//! - the maps of rocks are 0 wherever they were not drawn, two thirds of the rectangle, and all
//!   deposits lie where they were: only that third, 123,284 km², is the area searched. Counting the
//!   rest would make every capture curve look three times as good;
//! - the maps of labels lie half a cell off those of rocks, so on the fine grid a mark is on a corner
//!   that four cells share; one of them gets it;
//! - the maps of longitude and latitude that come with the elements are left out: they are the place
//!   of a cell and no property of its ground.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::raster::{Grid, Raster, RasterError, Sampling};
use crate::table::{Column, Table, TableError};

/// Errors of combining maps.
#[derive(Debug, Error)]
pub enum ProspectError {
    /// A map cannot be read.
    #[error(transparent)]
    Raster(#[from] RasterError),
    /// The folder cannot be listed.
    #[error("cannot list `{}`", folder.display())]
    List {
        /// The folder.
        folder: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// There is no such map.
    #[error("`{}` has no map `{name}.tif`", folder.display())]
    NoMap {
        /// The folder.
        folder: PathBuf,
        /// The name of the map.
        name: String,
    },
    /// Two maps are in different reference systems.
    #[error(
        "the maps `{first}` and `{second}` are in different reference systems; bring them into one"
    )]
    Systems {
        /// One map.
        first: String,
        /// The other.
        second: String,
    },
    /// No cell has all values.
    #[error("the maps in `{}` have no cell in common", folder.display())]
    Apart {
        /// The folder.
        folder: PathBuf,
    },
    /// The cells make no table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Which maps there are and what they mean.
#[derive(Debug, Clone, PartialEq)]
pub struct LabeledMaps {
    /// Name of the map whose grid the table has, without `.tif`.
    pub grid: String,
    /// Name of the map of deposits, and the value that marks one.
    pub deposits: (String, f32),
    /// Name of the map of places without a deposit, and the value that marks one.
    pub barren: (String, f32),
    /// Names of maps that are 0 where nothing was drawn; where all of them are, the cell is no part
    /// of the area.
    pub drawn: Vec<String>,
    /// Names of maps that are no features.
    pub skipped_files: Vec<String>,
}

impl LabeledMaps {
    /// The lithium of South China, on the coarse grid of the elements: about 7,000 cells.
    pub fn lithium() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            grid: "Idw_Li".to_owned(),
            deposits: ("Li_deposits0".to_owned(), 1.0),
            barren: ("non_deposits".to_owned(), 0.0),
            drawn: names(&["Faults", "Granite", "Strata"]),
            skipped_files: names(&["Idw_xx", "Idw_yy"]),
        }
    }
}

/// A known place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Site {
    /// Its place on the map.
    pub x: f64,
    /// Its place on the map.
    pub y: f64,
    /// The row of the table whose cell it lies in.
    pub row: usize,
}

/// The cells of a map as a table.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// A row for each cell of the area: a column for each feature map, `x` and `y`, and the target
    /// `deposit`, 1 with a deposit in the cell, 0 with a barren place, missing where nothing is known.
    pub table: Table,
    /// The grid that the cells are of.
    pub grid: Grid,
    /// The cell of each row, to draw a map with.
    pub cells: Vec<usize>,
    /// The deposits; several may lie in one cell.
    pub deposits: Vec<Site>,
    /// The barren places.
    pub barren: Vec<Site>,
    /// Marked places outside of the area.
    pub outside: usize,
}

impl Prospect {
    /// Reads all maps in `folder`.
    ///
    /// Maps with finer cells than the grid are averaged over its cells, others are interpolated
    /// between the middles of theirs. Rows are the cells, from the north-west, in which every feature
    /// has a value and, if `drawn` is not empty, something was drawn.
    ///
    /// # Errors
    ///
    /// If a map is missing or damaged, reference systems differ, or no cell has all values.
    pub fn read(folder: &Path, maps: &LabeledMaps) -> Result<Self, ProspectError> {
        let named = read_maps(folder)?;
        check_systems(&named)?;
        let get = |name: &str| find(&named, folder, name);
        let grid = get(&maps.grid)?.grid.clone();
        let (deposits, barren) = (get(&maps.deposits.0)?, get(&maps.barren.0)?);
        let is_feature = |name: &&str| {
            *name != maps.deposits.0
                && *name != maps.barren.0
                && !maps.skipped_files.iter().any(|left| left == name)
        };
        let features: Vec<(String, Vec<f32>)> = named
            .iter()
            .filter(|(name, _)| is_feature(&name.as_str()))
            .map(|(name, raster)| {
                (
                    name.clone(),
                    raster.resample(&grid, sampling(&raster.grid, &grid)),
                )
            })
            .collect();
        for name in &maps.drawn {
            get(name)?;
        }
        let cells = area(&features, &grid, &maps.drawn);
        if cells.is_empty() {
            return Err(ProspectError::Apart {
                folder: folder.to_owned(),
            });
        }
        let (deposits, lost) = sites(deposits, maps.deposits.1, &grid, &cells);
        let (barren, also_lost) = sites(barren, maps.barren.1, &grid, &cells);
        let table = table(folder, features, &grid, &cells, [&barren, &deposits])?;
        Ok(Self {
            table,
            grid,
            cells,
            deposits,
            barren,
            outside: lost + also_lost,
        })
    }
}

fn read_maps(folder: &Path) -> Result<Vec<(String, Raster)>, ProspectError> {
    let list = |source| ProspectError::List {
        folder: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(list)? {
        let path = entry.map_err(list)?.path();
        let is_map = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("tif") || end.eq_ignore_ascii_case("tiff"));
        if is_map {
            paths.push(path);
        }
    }
    paths.sort();
    let name = |path: &Path| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    paths
        .iter()
        .map(|path| Ok((name(path), Raster::read(path)?)))
        .collect()
}

fn check_systems(maps: &[(String, Raster)]) -> Result<(), ProspectError> {
    let Some((first, rest)) = maps.split_first() else {
        return Ok(());
    };
    match rest
        .iter()
        .find(|(_, raster)| raster.grid.system != first.1.grid.system)
    {
        Some((second, _)) => Err(ProspectError::Systems {
            first: first.0.clone(),
            second: second.clone(),
        }),
        None => Ok(()),
    }
}

fn find<'a>(
    maps: &'a [(String, Raster)],
    folder: &Path,
    name: &str,
) -> Result<&'a Raster, ProspectError> {
    let found = maps.iter().find(|(other, _)| other == name);
    found
        .map(|(_, raster)| raster)
        .ok_or_else(|| ProspectError::NoMap {
            folder: folder.to_owned(),
            name: name.to_owned(),
        })
}

fn sampling(from: &Grid, to: &Grid) -> Sampling {
    if from.cell_x < to.cell_x && from.cell_y < to.cell_y {
        Sampling::Mean
    } else {
        Sampling::Bilinear
    }
}

/// The cells with all values.
fn area(features: &[(String, Vec<f32>)], grid: &Grid, drawn: &[String]) -> Vec<usize> {
    let is_drawn = |name: &String| drawn.contains(name);
    let inside = |&cell: &usize| {
        let present = features.iter().all(|(_, values)| !values[cell].is_nan());
        let mut drawn_here = features.iter().filter(|(name, _)| is_drawn(name));
        present && (drawn.is_empty() || drawn_here.any(|(_, values)| values[cell] != 0.0))
    };
    (0..grid.len()).filter(inside).collect()
}

/// Places with the value `mark`, and how many of them lie outside of `cells`.
fn sites(map: &Raster, mark: f32, grid: &Grid, cells: &[usize]) -> (Vec<Site>, usize) {
    let marked = map
        .values
        .iter()
        .enumerate()
        .filter(|(_, value)| **value == mark);
    let places: Vec<(f64, f64)> = marked.map(|(at, _)| map.grid.center(at)).collect();
    let site = |&(x, y): &(f64, f64)| {
        let row = cells.binary_search(&grid.cell(x, y)?).ok()?;
        Some(Site { x, y, row })
    };
    let sites: Vec<Site> = places.iter().filter_map(site).collect();
    let lost = places.len() - sites.len();
    (sites, lost)
}

fn table(
    folder: &Path,
    features: Vec<(String, Vec<f32>)>,
    grid: &Grid,
    cells: &[usize],
    [barren, deposits]: [&Vec<Site>; 2],
) -> Result<Table, TableError> {
    let mut columns: Vec<Column> = features
        .into_iter()
        .map(|(name, values)| {
            let values = cells.iter().map(|&cell| f64::from(values[cell])).collect();
            Column::numeric(name.strip_prefix("Idw_").unwrap_or(&name), values)
        })
        .collect();
    let center = |&cell: &usize| grid.center(cell);
    columns.push(Column::numeric(
        "x",
        cells.iter().map(|cell| center(cell).0).collect(),
    ));
    columns.push(Column::numeric(
        "y",
        cells.iter().map(|cell| center(cell).1).collect(),
    ));
    let mut labels = vec![f64::NAN; cells.len()];
    // A deposit and a barren place in a cell make a cell one with a deposit.
    for (sites, label) in [(barren, 0.0), (deposits, 1.0)] {
        for site in sites {
            labels[site.row] = label;
        }
    }
    columns.push(Column::boolean("deposit", labels));
    Table::new(folder.display().to_string(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::tests::write_map;

    /// A fine map of rocks drawn in its left half, a coarse map of an element, and two of labels.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(format!("{name}.tif"));
        let fine: Vec<f32> = (0..16)
            .map(|cell| if cell % 4 < 2 { 1.0 + cell as f32 } else { 0.0 })
            .collect();
        write_map(&path("Rock"), &fine, 4, [0.0, 40.0, 10.0], "-1");
        write_map(
            &path("Idw_Li"),
            &[1.0, 2.0, 3.0, -1.0],
            2,
            [0.0, 40.0, 20.0],
            "-1",
        );
        write_map(&path("Place"), &[0.0; 4], 2, [0.0, 40.0, 20.0], "-1");
        let mut labels = vec![0.0; 16];
        labels[0] = 1.0;
        labels[3] = 1.0;
        write_map(&path("Found"), &labels, 4, [0.0, 40.0, 10.0], "3");
        labels = vec![1.0; 16];
        labels[13] = 0.0;
        write_map(&path("None"), &labels, 4, [0.0, 40.0, 10.0], "3");
        dir
    }

    fn maps(grid: &str) -> LabeledMaps {
        LabeledMaps {
            grid: grid.to_owned(),
            deposits: ("Found".to_owned(), 1.0),
            barren: ("None".to_owned(), 0.0),
            drawn: vec!["Rock".to_owned()],
            skipped_files: vec!["Place".to_owned()],
        }
    }

    #[test]
    fn cells_that_were_drawn_become_rows_of_the_coarse_grid() {
        let dir = folder();
        let prospect = Prospect::read(dir.path(), &maps("Idw_Li")).unwrap();
        let table = &prospect.table;
        let names: Vec<&str> = table.columns().iter().map(Column::name).collect();
        assert_eq!(names, ["Li", "Rock", "x", "y", "deposit"]);
        assert_eq!(prospect.cells, [0, 2]);
        let numbers = |name| [0, 1].map(|row| table.column(name).unwrap().number(row));
        assert_eq!(numbers("Li"), [1.0, 3.0]);
        assert_eq!(numbers("Rock"), [3.5, 11.5]);
        assert_eq!((numbers("x"), numbers("y")), ([10.0, 10.0], [30.0, 10.0]));
        assert_eq!(numbers("deposit"), [1.0, 0.0]);
        assert_eq!(
            prospect.deposits,
            [Site {
                x: 5.0,
                y: 35.0,
                row: 0
            }]
        );
        assert_eq!((prospect.barren[0].row, prospect.outside), (1, 1));
    }

    #[test]
    fn the_fine_grid_keeps_its_cells() {
        let dir = folder();
        let prospect = Prospect::read(dir.path(), &maps("Rock")).unwrap();
        assert_eq!(prospect.cells, [0, 1, 4, 5, 8, 9, 12, 13]);
        assert_eq!(prospect.table.column("deposit").unwrap().missing(), 6);
        assert_eq!(prospect.table.column("Rock").unwrap().number(7), 14.0);
    }

    #[test]
    fn missing_maps_and_other_systems_are_named() {
        let dir = folder();
        let message = Prospect::read(dir.path(), &maps("Gold"))
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("has no map `Gold.tif`"), "{message}");
        let nowhere = Prospect::read(&dir.path().join("nowhere"), &maps("Rock"));
        assert!(matches!(nowhere, Err(ProspectError::List { .. })));
        std::fs::write(dir.path().join("bad.tif"), b"bad").unwrap();
        assert!(matches!(
            Prospect::read(dir.path(), &maps("Rock")),
            Err(ProspectError::Raster(_))
        ));
    }
}
