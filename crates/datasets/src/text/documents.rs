//! Texts in a file each, in a folder per class, packed into an archive or not.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tar::Archive;

use super::TextOptions;
use super::error::{Place, TextError};
use super::set::{Found, TextSet};
use crate::table::Encoding;

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

pub(super) fn is_text(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.to_string_lossy().starts_with('.'));
    !hidden
        && path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("txt"))
}

/// Reads a folder that has a folder for each class, with `.txt` files in it. Files are taken in the
/// order of their names, other files are passed over.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), and if a text file lies beside the folders.
pub fn read_folder(folder: &Path, options: &TextOptions) -> Result<TextSet, TextError> {
    let found = find_in_folder(folder, options)?;
    TextSet::gather(&folder.display().to_string(), found, options)
}

/// The texts of [`read_folder`], each with its file.
pub(crate) fn find_in_folder(
    folder: &Path,
    options: &TextOptions,
) -> Result<Vec<Found>, TextError> {
    let mut found = Vec::new();
    for path in list(folder)? {
        if path.is_dir() {
            let class = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for path in list(&path)?.into_iter().filter(|path| is_text(path)) {
                let name = path.display().to_string();
                found.push(document(open(&path)?, &name, &class, options)?);
            }
        } else if is_text(&path) {
            return Err(TextError::NoClass {
                file: path.display().to_string(),
            });
        }
    }
    Ok(found)
}

/// The files and folders of a folder, in the order of their names.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, TextError> {
    let failed = |source| read_error(&folder.display().to_string(), source);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths: Result<Vec<PathBuf>, _> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Reads a tar archive, packed with gzip or not, of `.txt` files; the folder that a file lies in is its
/// class. `name` stands for the archive in messages. Nothing is written to disk.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), and if a text file lies in no folder.
pub fn read_tar(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<TextSet, TextError> {
    TextSet::gather(name, find_in_tar(reader, name, options)?, options)
}

/// The texts of [`read_tar`], each with its file.
pub(crate) fn find_in_tar(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<Vec<Found>, TextError> {
    let failed = |source| read_error(name, source);
    let mut reader = BufReader::new(reader);
    let packed = reader
        .fill_buf()
        .map_err(failed)?
        .starts_with(&[0x1F, 0x8B]);
    let reader: Box<dyn Read + '_> = if packed {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    let mut found: Vec<(PathBuf, Found)> = Vec::new();
    for entry in Archive::new(reader).entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path().map_err(failed)?.into_owned();
        if !entry.header().entry_type().is_file() || !is_text(&path) {
            continue;
        }
        let file = format!("{name}:{}", path.display());
        let class = path.parent().and_then(Path::file_name);
        let Some(class) = class.map(|class| class.to_string_lossy().into_owned()) else {
            return Err(TextError::NoClass { file });
        };
        found.push((path, document(entry, &file, &class, options)?));
    }
    // As the folder would be read, whatever the order in the archive.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// Reads one text.
fn document(
    reader: impl Read,
    name: &str,
    class: &str,
    options: &TextOptions,
) -> Result<Found, TextError> {
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
    let encoding = options.encoding.unwrap_or(Encoding::UTF_8);
    let (text, encoding, damaged) = encoding.decode(&bytes);
    if damaged || text.contains('\0') {
        return Err(TextError::Encoding {
            place: place(),
            encoding: encoding.name(),
        });
    }
    Found::new(&text, class, place(), options)
}
