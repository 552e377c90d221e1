//! PTS files of iBUG: `version: 1`, `n_points: 68`, then the points between braces.

use std::path::Path;

use super::{LandmarkError, RawFace};
use crate::files::read_text;

/// Reads the face of a file.
pub(super) fn read(path: &Path) -> Result<RawFace, LandmarkError> {
    let text = read_text(path)?;
    let stem = path.file_stem().unwrap_or_default();
    let mut face = RawFace {
        image: stem.to_string_lossy().into_owned(),
        points: Vec::new(),
        file: path.to_owned(),
        line: 1,
        problem: None,
    };
    if let Err((line, problem)) = points(&text, &mut face.points) {
        (face.line, face.problem) = (line, Some(problem));
    }
    Ok(face)
}

/// Adds the points between the braces, or says what is wrong in which line.
fn points(text: &str, points: &mut Vec<[f32; 2]>) -> Result<(), (u64, String)> {
    let mut expected = None;
    let mut is_open = false;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if let Some(count) = line.strip_prefix("n_points:") {
            expected = count.trim().parse::<usize>().ok();
        } else if line == "{" {
            is_open = true;
        } else if line == "}" {
            return match expected {
                Some(expected) if expected != points.len() => {
                    let found = points.len();
                    Err((
                        number,
                        format!("{found} points, and `n_points` is {expected}"),
                    ))
                }
                _ => Ok(()),
            };
        } else if is_open && !line.is_empty() {
            points.push(point(line).ok_or_else(|| (number, format!("`{line}` is no point")))?);
        }
    }
    Err((
        text.lines().count().max(1) as u64,
        "no `}` at the end of the points".to_owned(),
    ))
}

fn point(line: &str) -> Option<[f32; 2]> {
    let mut numbers = line.split_whitespace().map(str::parse::<f32>);
    let (x, y) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    numbers.next().is_none().then_some([x, y])
}
