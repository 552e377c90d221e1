//! CSV: a row per face.

use std::io;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{LandmarkError, RawFace};
use crate::files::is_image_name;

/// Reads the faces of a table. The first row is a header if its first cell names no image.
pub(super) fn read(path: &Path) -> Result<Vec<RawFace>, LandmarkError> {
    let failed = |error: csv::Error| LandmarkError::Read {
        path: path.to_owned(),
        source: io::Error::other(error),
    };
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).trim(Trim::All);
    let mut reader = builder.from_path(path).map_err(failed)?;
    let mut faces = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(failed)?;
        let image = record.get(0).unwrap_or_default();
        if row == 0 && !is_image_name(image) {
            continue;
        }
        faces.push(face(path, &record));
    }
    Ok(faces)
}

/// Whether the first rows are those of a table of landmarks: names of images, then an even number of numbers.
pub(super) fn is_landmarks(path: &Path) -> bool {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).trim(Trim::All);
    let Ok(mut reader) = builder.from_path(path) else {
        return false;
    };
    let rows = reader.records().take(2).filter_map(Result::ok);
    let is_face = |record: &StringRecord| {
        let numbers = record
            .iter()
            .skip(1)
            .filter(|cell| cell.parse::<f32>().is_ok());
        is_image_name(record.get(0).unwrap_or_default()) && numbers.count() >= 4
    };
    rows.into_iter().any(|record| is_face(&record))
}

fn face(path: &Path, record: &StringRecord) -> RawFace {
    let mut problem = None;
    let numbers = record.iter().skip(1).map(|cell| {
        cell.parse::<f32>().unwrap_or_else(|_| {
            problem.get_or_insert_with(|| format!("`{cell}` is not a number"));
            f32::NAN
        })
    });
    let numbers: Vec<f32> = numbers.collect();
    if !numbers.len().is_multiple_of(2) {
        let detail = format!("{} numbers are not x and y of points", numbers.len());
        problem.get_or_insert(detail);
    }
    RawFace {
        image: record.get(0).unwrap_or_default().to_owned(),
        points: numbers.chunks_exact(2).map(|xy| [xy[0], xy[1]]).collect(),
        file: path.to_owned(),
        line: record.position().map_or(0, csv::Position::line),
        problem,
    }
}
