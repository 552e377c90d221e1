//! A table of image paths and labels: CSV with the columns `path`, `label` and maybe `split`.

use std::path::Path;

use super::FolderError;
use super::listing::ImageFile;
use crate::files::SplitName;

/// Names of the column with the path of the image, in lower case.
const PATHS: [&str; 13] = [
    "path",
    "image",
    "images",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image_path",
    "img",
    "img_path",
    "image_file",
    "image_id",
];

/// Names of the column with the class.
const LABELS: [&str; 12] = [
    "label",
    "labels",
    "class",
    "classes",
    "class_name",
    "category",
    "target",
    "y",
    "tag",
    "species",
    "class_id",
    "class_index",
];

/// Names of the column with the split.
const SPLITS: [&str; 5] = ["split", "set", "subset", "partition", "fold_name"];

/// Most rows of the table.
const MAX_ROWS: usize = 10_000_000;

/// An image with its class and, where the table says so, its split.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) file: ImageFile,
    pub(super) class: String,
    pub(super) split: Option<SplitName>,
}

/// Reads a table on disk; relative paths start at its folder.
pub(super) fn read(table: &Path) -> Result<Vec<Row>, FolderError> {
    let content = std::fs::read(table).map_err(|source| FolderError::Read {
        dir: table.to_owned(),
        source,
    })?;
    let folder = table.parent().unwrap_or(Path::new(""));
    read_rows(table, &content, |name| {
        let found = folder.join(name);
        found
            .is_file()
            .then(|| ImageFile::on_disk(name.to_owned(), found))
    })
}

/// Whether the first line names a column of paths and one of labels.
pub(super) fn has_columns(content: &[u8]) -> bool {
    let mut reader = reader(content);
    reader.headers().is_ok_and(|header| {
        position(header, &PATHS).is_some() && position(header, &LABELS).is_some()
    })
}

fn reader(content: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter(content))
        .flexible(false)
        .trim(csv::Trim::All)
        .from_reader(content)
}

/// The first of some names that the header has.
fn position(header: &csv::StringRecord, names: &[&str]) -> Option<usize> {
    let named = |name: &&str| {
        let is = |cell: &str| {
            cell.trim_start_matches('\u{feff}')
                .eq_ignore_ascii_case(name)
        };
        header.iter().position(is)
    };
    names.iter().find_map(named)
}

/// Reads the rows of a table; `find` looks up the file at a path.
pub(super) fn read_rows(
    table: &Path,
    content: &[u8],
    find: impl Fn(&str) -> Option<ImageFile>,
) -> Result<Vec<Row>, FolderError> {
    let bad = |line: u64, reason: String| FolderError::Table {
        path: table.to_owned(),
        line,
        reason,
    };
    let mut reader = reader(content);
    let header = reader
        .headers()
        .map_err(|error| bad(1, error.to_string()))?
        .clone();
    let (Some(path_at), Some(label_at)) = (position(&header, &PATHS), position(&header, &LABELS))
    else {
        let found: Vec<String> = header.iter().map(|cell| format!("`{cell}`")).collect();
        return Err(bad(
            1,
            format!(
                "expected a header with the columns `path` and `label`, found {}",
                found.join(", ")
            ),
        ));
    };
    let split_at = position(&header, &SPLITS);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            bad(line, error.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: usize| record.get(at).unwrap_or_default();
        let (name, class) = (cell(path_at), cell(label_at));
        for (what, value) in [("path", name), ("label", class)] {
            if value.is_empty() {
                return Err(bad(line, format!("the {what} is empty")));
            }
        }
        // Tables from Windows have its separator.
        let file = find(name).or_else(|| find(&name.replace('\\', "/")));
        let Some(file) = file else {
            let path = table.with_file_name(name);
            return Err(bad(line, format!("there is no file `{}`", path.display())));
        };
        let split = match split_at.map(cell).filter(|cell| !cell.is_empty()) {
            None => None,
            Some(cell) => Some(SplitName::parse(cell).ok_or_else(|| {
                bad(
                    line,
                    format!("unknown split `{cell}`; expected train, valid or test"),
                )
            })?),
        };
        if rows.len() == MAX_ROWS {
            return Err(bad(line, format!("more than {MAX_ROWS} rows")));
        }
        rows.push(Row {
            file,
            class: class.to_owned(),
            split,
        });
    }
    let with_split = rows.iter().filter(|row| row.split.is_some()).count();
    if with_split > 0 && with_split < rows.len() {
        let reason = format!(
            "{} of {} rows have no split; fill in the column or remove it",
            rows.len() - with_split,
            rows.len()
        );
        return Err(bad(1, reason));
    }
    Ok(rows)
}

/// The delimiter that the first line has most of.
fn delimiter(content: &[u8]) -> u8 {
    let line = content.split(|&byte| byte == b'\n').next();
    let line = line.unwrap_or_default();
    let count = |delimiter: u8| {
        line.split(|&byte| byte == delimiter)
            .fold(0, |parts, _| parts + 1)
    };
    let best = [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|&byte| count(byte));
    best.unwrap_or(b',')
}
