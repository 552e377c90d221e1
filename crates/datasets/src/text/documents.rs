//! Texts in a file each: in a folder per class, packed into an archive or not, or without classes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::TextOptions;
use super::error::{Place, TextError};
use super::rows::{Labels, TextReport, TextRow, TextSink, gather};
use super::set::TextSet;
use crate::archive::{self, ArchiveError, Limits};
use crate::files::{SplitName, WalkError, walk};
use crate::table::Encoding;

/// Extensions of text files, in any case; files without an extension are read as well.
const EXTENSIONS: [&str; 7] = ["txt", "text", "md", "markdown", "rst", "eml", "log"];

/// Files that describe a data set, in lower case, without their extension.
const DESCRIPTIONS: [&str; 4] = ["readme", "license", "licence", "changelog"];

/// Opens a file, with errors that name it.
pub(crate) fn open(path: &Path) -> Result<File, TextError> {
    File::open(path).map_err(|source| read_error(&path.display().to_string(), source))
}

pub(super) fn read_error(file: &str, source: std::io::Error) -> TextError {
    let file = file.to_owned();
    match source.kind() {
        ErrorKind::NotFound => TextError::Missing { file },
        _ => TextError::Read { file, source },
    }
}

/// Whether a file is a text, by its name.
pub(super) fn is_text(path: &Path) -> bool {
    path.extension().is_none_or(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Why a file is no text, for a count.
fn not_text(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    format!("not a text file (.{})", extension.to_lowercase())
}

/// Reads a folder that has a folder for each class, with text files in it and in its sub-folders. Files
/// are taken in the order of their names.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), and if a text file lies outside the folders.
pub fn read_folder(folder: &Path, options: &TextOptions) -> Result<TextSet, TextError> {
    let (rows, _) = rows_in_folder(folder, options)?;
    TextSet::of_rows(&folder.display().to_string(), rows, options)
}

/// The texts of [`read_folder`], each with its file.
pub(crate) fn rows_in_folder(
    folder: &Path,
    options: &TextOptions,
) -> Result<(Vec<TextRow>, TextReport), TextError> {
    gather(
        |sink| each_in_folder(folder, Labels::One, options, sink),
        options,
    )
}

/// Hands the text of every file in a folder and its sub-folders to `sink`. With labels, the folders
/// directly in it are the classes.
pub(super) fn each_in_folder(
    folder: &Path,
    labels: Labels,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    let mut report = TextReport {
        documents: true,
        ..TextReport::default()
    };
    for path in walk(folder).map_err(walk_error)? {
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let class = (inside.iter().count() > 1)
            .then(|| inside.iter().next())
            .flatten();
        let row = match class.filter(|_| labels != Labels::None) {
            _ if !is_text(&path) => {
                report.left_out.add(not_text(&path));
                continue;
            }
            None if labels != Labels::None && is_description(&path) => {
                report.left_out.add("outside the class folders");
                continue;
            }
            None if labels != Labels::None => Err(TextError::NoClass {
                file: path.display().to_string(),
            }),
            class => {
                let class = class.map(|class| class.to_string_lossy().into_owned());
                let name = path.display().to_string();
                match open(&path).and_then(|file| document(file, &name, class, options)) {
                    Ok(None) => {
                        report.left_out.add("not text");
                        continue;
                    }
                    Ok(Some(row)) => Ok(row),
                    Err(error) => Err(error),
                }
            }
        };
        if sink(row).is_break() {
            break;
        }
    }
    Ok(report)
}

/// Whether a file describes the data and is not part of it.
fn is_description(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    DESCRIPTIONS.contains(&stem.to_lowercase().as_str())
}

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
            report.left_out.add(not_text(&path));
            return Ok(());
        }
        if labels != Labels::None && !is_class_file && is_description(&path) {
            report.left_out.add("outside the class folders");
            return Ok(());
        }
        let file = format!("{name}:{}", path.display());
        let class = (labels != Labels::None).then(String::new);
        let row = match document(member.content, &file, class, options) {
            Ok(None) => {
                report.left_out.add("not text");
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
    let labelled = rows.map(|((path, row), parts)| {
        if parts.len() < depth + 2 {
            let file = format!("{name}:{}", path.display());
            return Err(TextError::NoClass { file });
        }
        row.map(|row| TextRow {
            labels: vec![parts[depth].clone()],
            ..row
        })
    });
    Ok(labelled.collect())
}

/// Hands a file to `sink` as one text.
pub(super) fn whole(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> TextReport {
    let row = document(reader, name, None, options).and_then(|row| {
        row.ok_or_else(|| TextError::Encoding {
            place: Place::File(name.to_owned()),
            encoding: Encoding::UTF_8.name(),
        })
    });
    let _: ControlFlow<()> = sink(row);
    TextReport {
        documents: true,
        ..TextReport::default()
    }
}

/// Reads one text, or nothing if a file without an extension is none.
fn document(
    reader: impl Read,
    name: &str,
    class: Option<String>,
    options: &TextOptions,
) -> Result<Option<TextRow>, TextError> {
    let place = || Place::File(name.to_owned());
    let mut bytes = Vec::new();
    // White space at the ends does not count as text, but is read.
    let limit = options.max_bytes.saturating_add(1 << 16) as u64;
    reader
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| read_error(name, source))?;
    if bytes.len() as u64 == limit {
        return Err(TextError::TooLong {
            place: place(),
            limit: options.max_bytes,
        });
    }
    if Path::new(name).extension().is_none() && options.encoding.is_none() && bytes.contains(&0) {
        return Ok(None);
    }
    let encoding = options.encoding.unwrap_or(Encoding::UTF_8);
    let (text, encoding, damaged) = encoding.decode(&bytes);
    if damaged || text.contains('\0') {
        return Err(TextError::Encoding {
            place: place(),
            encoding: encoding.name(),
        });
    }
    let labels = class.into_iter().collect();
    TextRow::new(&[text], labels, false, place(), options).map(Some)
}

/// The files of a folder that hold texts, in it and in its sub-folders; the others are counted.
pub(super) fn text_files(
    folder: &Path,
    report: &mut TextReport,
) -> Result<Vec<PathBuf>, TextError> {
    let mut files = walk(folder).map_err(walk_error)?;
    files.retain(|path| {
        let kept = is_text(path);
        if !kept {
            report.left_out.add(not_text(path));
        }
        kept
    });
    Ok(files)
}

fn walk_error(error: WalkError) -> TextError {
    read_error(&error.path.display().to_string(), error.source)
}
