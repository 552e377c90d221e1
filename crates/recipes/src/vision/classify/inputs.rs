//! Image files to classify: single files, folders, archives and stdin.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::files::SkippedFiles;
use tinderbox_datasets::image::{Image, ImageFile, find_images, is_archive};
use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{InputItem, InputReport, Position, PredictionListener};

use crate::vision::data::DataError;

/// Images that are decoded at a time.
const BATCH: usize = 64;

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

enum Source {
    Stdin,
    File(ImageFile),
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(file) => file.path().to_string_lossy().into_owned(),
        }
    }

    fn decode(&self, model: &ImageClassifier) -> Result<Image, TaskError> {
        Ok(match self {
            Self::Stdin => {
                let mut bytes = Vec::new();
                let mut stdin = std::io::stdin().take(MAX_STDIN);
                let read = stdin.read_to_end(&mut bytes);
                read.map_err(|error| TaskError::from(error).context("cannot read stdin"))?;
                model.decode(&bytes, Path::new("-"))?
            }
            Self::File(file) => {
                let bytes = file.bytes().map_err(TaskError::user)?;
                model.decode(&bytes, file.path())?
            }
        })
    }
}

/// Classifies the images of a file, folder or archive, or of stdin, in batches.
pub(super) fn predict(
    model: &ImageClassifier,
    path: &Path,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    let (sources, skipped_files) = find(path)?;
    let total = sources.len();
    'inputs: for (batch, chunk) in sources.chunks(BATCH).enumerate() {
        let mut pending = Pending::default();
        let images = parallel_map(chunk, |source| source.decode(model));
        for (at, (source, image)) in chunk.iter().zip(images).enumerate() {
            let number = batch * BATCH + at + 1;
            let error = match image {
                Ok(image) => {
                    pending.add(source, image);
                    continue;
                }
                Err(error) => numbered(error, number, total),
            };
            let before = position(number - 1, total);
            if pending.flush(model, before, each)?.is_break()
                || each(Err(error), position(number, total)).is_break()
            {
                break 'inputs;
            }
        }
        let done = position((batch + 1) * BATCH, total);
        if pending.flush(model, done, each)?.is_break() {
            break;
        }
    }
    let notes = if skipped_files.is_empty() {
        Vec::new()
    } else {
        vec![skipped_files.to_string()]
    };
    Ok(InputReport { notes })
}

/// Decoded images that wait to be classified together.
#[derive(Default)]
struct Pending {
    names: Vec<String>,
    images: Vec<Image>,
}

impl Pending {
    fn add(&mut self, source: &Source, image: Image) {
        self.names.push(source.name());
        self.images.push(image);
    }

    fn flush(
        &mut self,
        model: &ImageClassifier,
        position: Position,
        each: &mut PredictionListener<'_>,
    ) -> Result<ControlFlow<()>, TaskError> {
        if self.images.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let predictions = model.predict(&std::mem::take(&mut self.images))?;
        let items = self.names.drain(..).map(|name| InputItem {
            name,
            ..InputItem::default()
        });
        Ok(each(Ok(items.zip(predictions).collect()), position))
    }
}

fn position(done: usize, total: usize) -> Position {
    Position {
        done: done.min(total) as u64,
        total: Some(total as u64),
    }
}

fn numbered(error: TaskError, number: usize, total: usize) -> TaskError {
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

/// The images of a path: itself, or those in a folder or archive by name.
fn find(path: &Path) -> Result<(Vec<Source>, SkippedFiles), TaskError> {
    if path.as_os_str() == "-" {
        return Ok((vec![Source::Stdin], SkippedFiles::default()));
    }
    if !path.is_dir() && !is_archive(path) {
        let file = ImageFile::of_path(path);
        return Ok((vec![Source::File(file)], SkippedFiles::default()));
    }
    let (files, skipped_files) = find_images(path).map_err(DataError::Folder)?;
    if files.is_empty() {
        return Err(TaskError::user(format!(
            "`{}` has no image",
            path.display()
        )));
    }
    Ok((files.into_iter().map(Source::File).collect(), skipped_files))
}
