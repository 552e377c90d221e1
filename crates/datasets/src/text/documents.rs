//! Texts in a file each: in a folder per class, or without classes.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::TextOptions;
use super::error::{Location, TextError};
use super::rows::{Labels, TextReport, TextRow, TextSink, gather};
use super::set::TextSet;
use crate::files::{WalkError, walk_counting};
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
pub(super) fn not_text(path: &Path) -> String {
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
    for path in walk_counting(folder, &mut report.skipped_files).map_err(walk_error)? {
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let class = (inside.iter().count() > 1)
            .then(|| inside.iter().next())
            .flatten();
        let row = match class.filter(|_| labels != Labels::None) {
            _ if !is_text(&path) => {
                report.skipped_files.add(not_text(&path));
                continue;
            }
            None if labels != Labels::None && is_description(&path) => {
                report.skipped_files.add("outside the class folders");
                continue;
            }
            None if labels != Labels::None => Err(TextError::NoClass {
                file: path.display().to_string(),
                hint: "; if it holds all texts with their labels, name the file itself",
            }),
            class => {
                let class = class.map(|class| class.to_string_lossy().into_owned());
                let name = path.display().to_string();
                match open(&path).and_then(|file| document(file, &name, class, options)) {
                    Ok(None) => {
                        report.skipped_files.add("not text");
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
pub(super) fn is_description(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    DESCRIPTIONS.contains(&stem.to_lowercase().as_str())
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
            location: Location::File(name.to_owned()),
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
pub(super) fn document(
    reader: impl Read,
    name: &str,
    class: Option<String>,
    options: &TextOptions,
) -> Result<Option<TextRow>, TextError> {
    let location = || Location::File(name.to_owned());
    let mut bytes = Vec::new();
    // White space at the ends does not count as text, but is read.
    let limit = options.max_bytes.saturating_add(1 << 16) as u64;
    reader
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| read_error(name, source))?;
    if bytes.len() as u64 == limit {
        return Err(TextError::TooLong {
            location: location(),
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
            location: location(),
            encoding: encoding.name(),
        });
    }
    let labels = class.into_iter().collect();
    TextRow::new(&[text], labels, false, location(), options).map(Some)
}

/// The files of a folder that hold texts, in it and in its sub-folders; the others are counted.
pub(super) fn text_files(
    folder: &Path,
    report: &mut TextReport,
) -> Result<Vec<PathBuf>, TextError> {
    let mut files = walk_counting(folder, &mut report.skipped_files).map_err(walk_error)?;
    files.retain(|path| {
        let kept = is_text(path);
        if !kept {
            report.skipped_files.add(not_text(path));
        }
        kept
    });
    Ok(files)
}

fn walk_error(error: WalkError) -> TextError {
    read_error(&error.path.display().to_string(), error.source)
}
