//! Image files to classify: single files, folders, archives and stdin.

use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::image::Image;
use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputItem, InputOptions, InputReport, Position, PredictionListener};

use crate::vision::PhotoOptions;
use crate::vision::inputs::{Source, find_inputs, numbered, position};

/// Images that are decoded at a time.
const BATCH: usize = 64;

/// Classifies the images of a file, folder or archive, or of stdin, in batches.
pub(in crate::vision) fn predict(
    model: &ImageClassifier,
    path: &Path,
    options: &InputOptions<PhotoOptions>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    if options.own != PhotoOptions::default() {
        return Err(TaskError::user(
            "`--background`, `--no-refine`, `--overwrite`, `--coco` and `--detector` are for models of \
             segmentation, object detection or landmarks",
        ));
    }
    let (sources, skipped_files) = find_inputs(path, options)?;
    let total = sources.len();
    'inputs: for (batch, chunk) in sources.chunks(BATCH).enumerate() {
        let mut pending = Pending::default();
        let images = parallel_map(chunk, |source| decode(source, model));
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
    Ok(InputReport {
        notes,
        already_done: 0,
    })
}

fn decode(source: &Source, model: &ImageClassifier) -> Result<Image, TaskError> {
    Ok(model.decode(&source.read()?, source.path())?)
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
