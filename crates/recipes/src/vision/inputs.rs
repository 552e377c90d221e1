//! Image files to predict: single files, folders, archives and stdin.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use tinderbox_datasets::files::SkippedFiles;
use tinderbox_datasets::image::{ImageFile, find_images, is_archive, warn_if_animated};
use tinderbox_datasets::{FileHash, InputRange, Shard};
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{InputOptions, Position};

use super::data::DataError;

/// Most bytes of an image that is read from stdin, 1 GiB.
const MAX_STDIN: u64 = 1 << 30;

/// An image of several that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("input {number} of {}", thousands(*.total))]
struct InputError {
    number: usize,
    total: usize,
    source: TaskError,
}

/// Where an image comes from.
pub(super) enum Source {
    Stdin,
    File(ImageFile),
}

impl Source {
    /// Its name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(file) => file.path().to_string_lossy().into_owned(),
        }
    }

    /// The path of the file, `-` for stdin.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Stdin => Path::new("-"),
            Self::File(file) => file.path(),
        }
    }

    /// The bytes of the image.
    pub(super) fn read(&self) -> Result<Cow<'_, [u8]>, TaskError> {
        let Self::File(file) = self else {
            let mut bytes = Vec::new();
            let mut stdin = std::io::stdin().take(MAX_STDIN);
            let read = stdin.read_to_end(&mut bytes);
            read.map_err(|error| TaskError::from(error).context("cannot read stdin"))?;
            return Ok(Cow::Owned(bytes));
        };
        let bytes = file.bytes().map_err(TaskError::user)?;
        warn_if_animated(&bytes, file.path());
        Ok(bytes)
    }
}

/// How much has been read.
pub(super) fn position(done: usize, total: usize) -> Position {
    Position {
        done: done.min(total) as u64,
        total: Some(total as u64),
    }
}

/// An error with the number of its input, where there are several.
pub(super) fn numbered(error: TaskError, number: usize, total: usize) -> TaskError {
    if total == 1 {
        return error;
    }
    TaskError::new(
        error.kind(),
        InputError {
            number,
            total,
            source: error,
        },
    )
}

/// Images that parts of an input begin at multiples of: those that any task computes together.
const MULTIPLE: u64 = 64;

/// The images of a path that a shard is, by their names.
pub(super) fn range(path: &Path, shard: Shard) -> Result<InputRange, TaskError> {
    if path.as_os_str() == "-" {
        return Err(TaskError::user(
            "standard input cannot be read in parts: save the image as a file",
        ));
    }
    let (sources, _) = find(path)?;
    let mut hash = FileHash::new();
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    if path.is_file() {
        hash.update(format!("{}\n", size(path)).as_bytes());
    }
    for source in &sources {
        let file = source.path();
        hash.update(format!("{} {}\n", size(file), file.display()).as_bytes());
    }
    let total = sources.len() as u64;
    Ok(InputRange::of_whole(
        shard.items(total, MULTIPLE),
        total,
        hash.finish(),
    ))
}

/// The images of a path that `predict` reads: all, or a part of them.
pub(super) fn find_inputs<T>(
    path: &Path,
    options: &InputOptions<T>,
) -> Result<(Vec<Source>, SkippedFiles), TaskError> {
    if options.all_columns || !options.columns.is_empty() {
        return Err(TaskError::user(
            "`--id` and `--keep` do not apply to images, which have no columns",
        ));
    }
    let (mut sources, mut skipped) = find(path)?;
    if let Some(range) = &options.range {
        if sources.len() as u64 != range.total {
            return Err(TaskError::user(format!(
                "`{}` has changed while it was read: it has other images now",
                path.display()
            )));
        }
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(sources.len());
        let (start, end) = (place(range.start), place(range.end));
        sources = sources.drain(start..end).collect();
        if start > 0 {
            // The first part reports them.
            skipped = SkippedFiles::default();
        }
    }
    Ok((sources, skipped))
}

/// The images of a path: itself, or those in a folder or archive by name.
pub(super) fn find(path: &Path) -> Result<(Vec<Source>, SkippedFiles), TaskError> {
    if path.as_os_str() == "-" {
        return Ok((vec![Source::Stdin], SkippedFiles::default()));
    }
    if !path.is_dir() && !is_archive(path) {
        let file = ImageFile::of_path(path);
        return Ok((vec![Source::File(file)], SkippedFiles::default()));
    }
    let (files, skipped_files) = find_images(path).map_err(DataError::Folder)?;
    if files.is_empty() {
        let skipped = if skipped_files.is_empty() {
            String::new()
        } else {
            format!(" ({skipped_files})")
        };
        return Err(TaskError::user(format!(
            "`{}` has no image{skipped}",
            path.display()
        )));
    }
    Ok((files.into_iter().map(Source::File).collect(), skipped_files))
}
