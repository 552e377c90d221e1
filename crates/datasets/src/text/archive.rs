//! Texts in a file each, in an archive of a folder per class.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;

use super::TextOptions;
use super::documents::{document, is_description, is_text, not_text, read_error};
use super::error::TextError;
use super::rows::{Labels, TextReport, TextRow, TextSink, gather};
use super::set::TextSet;
use crate::archive::{self, ArchiveError, Limits};
use crate::files::SplitName;

/// Reads a tar archive, packed with gzip or not, of text files in a folder per class; a folder around
/// them all does not count. `name` stands for the archive in messages. Nothing is written to disk.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), and if a text file lies in no folder.
pub fn read_tar(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<TextSet, TextError> {
    let (rows, _) = rows_in_tar(reader, name, options)?;
    TextSet::of_rows(name, rows, options)
}

/// The texts of [`read_tar`], each with its file.
pub(crate) fn rows_in_tar(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<(Vec<TextRow>, TextReport), TextError> {
    let mut reader = BufReader::new(reader);
    let start = reader
        .fill_buf()
        .map_err(|source| read_error(name, source))?;
    let packed = start.starts_with(&[0x1F, 0x8B]);
    let reader: Box<dyn Read + '_> = if packed {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    gather(
        |sink| each_in_tar(reader, name, Labels::One, options, sink),
        options,
    )
}

/// Hands the text of every file of an archive to `sink`: with labels in the order of their names, as the
/// folder would be read, else in the order of the archive.
pub(super) fn each_in_tar(
    reader: impl Read,
    name: &str,
    labels: Labels,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    let mut report = TextReport {
        documents: true,
        ..TextReport::default()
    };
    let mut found: Vec<(PathBuf, Result<TextRow, TextError>)> = Vec::new();
    let read = archive::read_tar(reader, name, &Limits::default(), |member| {
        let path = member.path;
        let is_class_file = path
            .parent()
            .is_some_and(|parent| parent.iter().next().is_some());
        if !is_text(&path) {
            report.skipped_files.add(not_text(&path));
            return Ok(());
        }
        if labels != Labels::None && !is_class_file && is_description(&path) {
            report.skipped_files.add("outside the class folders");
            return Ok(());
        }
        let file = format!("{name}:{}", path.display());
        let class = (labels != Labels::None).then(String::new);
        let row = match document(member.content, &file, class, options) {
            Ok(None) => {
                report.skipped_files.add("not text");
                return Ok(());
            }
            Ok(Some(row)) => Ok(row),
            Err(error) => Err(error),
        };
        if labels != Labels::None {
            found.push((path, row));
        } else if sink(row).is_break() {
            return Err(Stop::Enough);
        }
        Ok(())
    });
    match read {
        Ok(()) => {}
        Err(Stop::Enough) => return Ok(report),
        Err(Stop::Archive(error)) => return Err(error.into()),
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    for row in with_classes(found, name)? {
        if sink(row).is_break() {
            break;
        }
    }
    Ok(report)
}

/// Why an archive is not read to its end.
enum Stop {
    Enough,
    Archive(ArchiveError),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// Labels the files of an archive by the folders that they lie in.
fn with_classes(
    found: Vec<(PathBuf, Result<TextRow, TextError>)>,
    name: &str,
) -> Result<Vec<Result<TextRow, TextError>>, TextError> {
    let paths: Vec<Vec<String>> = found
        .iter()
        .map(|(path, _)| {
            path.iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect()
        })
        .collect();
    // Folders around all of the classes.
    let mut depth = 0;
    while paths
        .iter()
        .all(|path| path.len() > depth + 2 && path[depth] == paths[0][depth])
        && !paths.is_empty()
    {
        depth += 1;
    }
    let folders = paths.iter().filter(|path| path.len() > depth + 1);
    let folders: BTreeSet<&str> = folders.map(|path| path[depth].as_str()).collect();
    let splits = folders
        .iter()
        .filter(|name| SplitName::parse(name).is_some());
    if splits.count() > 1 {
        return Err(TextError::Layout {
            file: name.to_owned(),
            expected: "archive of class folders",
            reason: "it holds folders for splits; unpack it, and name the folder".to_owned(),
        });
    }
    let rows = found.into_iter().zip(&paths);
    let labeled = rows.map(|((path, row), parts)| {
        if parts.len() < depth + 2 {
            let file = format!("{name}:{}", path.display());
            return Err(TextError::NoClass { file, hint: "" });
        }
        row.map(|row| TextRow {
            labels: vec![parts[depth].clone()],
            ..row
        })
    });
    Ok(labeled.collect())
}
