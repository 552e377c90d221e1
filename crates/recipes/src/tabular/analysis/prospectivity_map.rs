//! The prospectivity map as a picture.

use std::io::{Cursor, Write as _};
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::sets::Prospect;
use tinderbox_train::TaskError;
use tinderbox_train::run_dir::RunError;

/// Pixels of a cell's side.
const CELL: u32 = 5;

/// From the lowest rank to the highest.
const COLORS: [[u8; 3]; 5] = [
    [49, 54, 149],
    [116, 173, 209],
    [255, 255, 191],
    [253, 174, 97],
    [165, 0, 38],
];
const OUTSIDE: Rgb<u8> = Rgb([235, 235, 235]);
const DEPOSIT: Rgb<u8> = Rgb([0, 0, 0]);

/// Draws the rank of every cell of the area, with the known deposits as dots.
pub(super) fn draw_map(prospect: &Prospect, scores: &[f32], path: &Path) -> Result<(), TaskError> {
    let mut bytes = Cursor::new(Vec::new());
    picture(prospect, scores)
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(TaskError::internal)?;
    write_atomic(path, |file| file.write_all(bytes.get_ref()))
        .map_err(RunError::io("write", path))?;
    Ok(())
}

fn picture(prospect: &Prospect, scores: &[f32]) -> RgbImage {
    let (columns, rows) = (prospect.grid.columns as u32, prospect.grid.rows as u32);
    let mut picture = RgbImage::from_pixel(columns * CELL, rows * CELL, OUTSIDE);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| scores[left].total_cmp(&scores[right]));
    let last = order.len().saturating_sub(1).max(1) as f32;
    for (rank, row) in order.into_iter().enumerate() {
        square(
            &mut picture,
            position(prospect, row),
            CELL,
            color(rank as f32 / last),
        );
    }
    for site in &prospect.deposits {
        square(
            &mut picture,
            position(prospect, site.row),
            CELL - 1,
            DEPOSIT,
        );
    }
    picture
}

/// Column and row of a cell.
fn position(prospect: &Prospect, row: usize) -> [u32; 2] {
    let cell = prospect.cells[row];
    let columns = prospect.grid.columns;
    [(cell % columns) as u32, (cell / columns) as u32]
}

fn square(picture: &mut RgbImage, [column, row]: [u32; 2], side: u32, color: Rgb<u8>) {
    for y in 0..side {
        for x in 0..side {
            picture.put_pixel(column * CELL + x, row * CELL + y, color);
        }
    }
}

/// `share` of the way through the colors, in `[0, 1]`.
fn color(share: f32) -> Rgb<u8> {
    let at = share.clamp(0.0, 1.0) * (COLORS.len() - 1) as f32;
    let low = (at as usize).min(COLORS.len() - 2);
    let (from, to, part) = (COLORS[low], COLORS[low + 1], at - low as f32);
    let mix = |from: u8, to: u8| (f32::from(from) * (1.0 - part) + f32::from(to) * part) as u8;
    Rgb([
        mix(from[0], to[0]),
        mix(from[1], to[1]),
        mix(from[2], to[2]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_go_from_the_first_to_the_last() {
        assert_eq!(color(0.0), Rgb(COLORS[0]));
        assert_eq!(color(1.0), Rgb(COLORS[4]));
        assert_eq!(color(0.5), Rgb(COLORS[2]));
    }
}
