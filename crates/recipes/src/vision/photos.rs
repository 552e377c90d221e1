//! Photos that go through a model one after another, and the images that are written for them.
//!
//! Reading the next photos and writing the last ones go on while the network computes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

use tinderbox_datasets::atomic_file::AtomicFile;
use tinderbox_datasets::files::is_same_file;
use tinderbox_datasets::image::{Image, has_image_extension};
use tinderbox_datasets::{InputRange, Shard, parallel_map};
use tinderbox_predict::{PredictError, Prediction};
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{
    InputItem, InputOptions, InputReport, Position, Predicted, PredictionListener,
};

use super::inputs::{Source, find, find_inputs, numbered, position, range};
use super::{Background, CocoFile};

/// How `predict` treats photos and writes images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhotoOptions {
    /// What takes the place of the background, for segmentation.
    pub background: Background,
    /// Whether edges stay as the network gives them, for segmentation.
    pub no_refine: bool,
    /// Whether images that are there already are made again.
    pub overwrite: bool,
    /// The file for the detections of all inputs, for object detection.
    pub coco: Option<CocoFile>,
    /// The run of object detection that finds the faces, for landmarks.
    pub detector: Option<PathBuf>,
}

impl PhotoOptions {
    /// The photos of a path that a shard is.
    pub(super) fn range(&self, path: &Path, shard: Shard) -> Result<InputRange, TaskError> {
        if self.coco.is_some() {
            return Err(TaskError::user(
                "`--coco` does not apply to a part of the images: predict all of them, or make the file of the \
                 merged predictions",
            ));
        }
        range(path, shard)
    }
}

/// Photos that are in memory at a time, in each of three steps.
const BATCH: usize = 8;

/// A model whose predictions can be drawn.
pub(super) trait PhotoModel: Sync {
    /// What the network finds in a photo.
    type Found: Send;
    /// What is made of it, on all cores.
    type Result;

    /// Decodes a photo at its own size; `name` is its name in an error.
    fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError>;

    /// What is in each photo.
    fn find(&self, photos: &[Image]) -> Result<Vec<Self::Found>, TaskError>;

    /// What is made of it.
    fn finish(&self, photo: &Image, found: Self::Found) -> Self::Result;

    /// The prediction for a photo; `output` is the file that [`draw`](Self::draw) was written to, if any.
    fn prediction(
        &self,
        photo: &Image,
        result: &Self::Result,
        output: Option<String>,
    ) -> Prediction;

    /// The bytes of the PNG that is written for a photo.
    fn draw(&self, photo: &Image, result: &Self::Result) -> io::Result<Vec<u8>>;
}

/// Predicts the photos of a file, folder or archive, or of stdin, and writes an image for each where the options
/// name a folder.
pub(super) fn predict<M: PhotoModel>(
    model: &M,
    path: &Path,
    options: &InputOptions<PhotoOptions>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    let own = &options.own;
    if options.out.is_none() && (own.background != Background::Transparent || own.overwrite) {
        return Err(TaskError::user(
            "`--background` and `--overwrite` are for the images that `--out` writes; add `--out DIR`",
        ));
    }
    let (sources, skipped_files) = find_inputs(path, options)?;
    let total = sources.len();
    let mut works = plan(&sources, path, options.out.as_deref(), &mut Outputs::new())?;
    let mut notes = Vec::new();
    if !skipped_files.is_empty() {
        notes.push(skipped_files.to_string());
    }
    // A file of all results must have those of images that are drawn already.
    if !own.overwrite && own.coco.is_none() {
        works.retain(|work| !is_done(work));
    }
    let done = total - works.len();
    if done > 0 {
        notes.push(format!(
            "{} of {} images skipped: their output exists, perhaps from another model or other flags; `--overwrite` \
             makes it again",
            thousands(done),
            thousands(total)
        ));
    }
    Run { model, total }.run(&works, each)?;
    Ok(InputReport {
        notes,
        already_done: done,
    })
}

/// A photo with its place in the output.
struct Work<'a> {
    source: &'a Source,
    /// The file to write; none without a folder.
    output: Option<PathBuf>,
    /// Its number among all inputs, from 1.
    number: usize,
}

/// A photo that was read, with what was found in it.
type Found<F> = Result<(Image, F), TaskError>;

/// The prediction for a photo, or why its image could not be written.
type Written = Result<(Predicted, Position), TaskError>;

struct Run<'a, M> {
    model: &'a M,
    total: usize,
}

impl<M: PhotoModel> Run<'_, M> {
    fn run(&self, works: &[Work<'_>], each: &mut PredictionListener<'_>) -> Result<(), TaskError> {
        let mut chunks = works.chunks(BATCH);
        let mut now = chunks.next().unwrap_or_default();
        let mut read = self.read(now);
        let mut last: (&[Work<'_>], Vec<Found<M::Found>>) = (&[], Vec::new());
        while !now.is_empty() {
            let next = chunks.next().unwrap_or_default();
            let (found, (read_next, written)) = rayon::join(
                || self.find(read),
                || rayon::join(|| self.read(next), || self.write(last.0, last.1)),
            );
            if tell(written, each)?.is_break() {
                return Ok(());
            }
            (last, read, now) = ((now, found?), read_next, next);
        }
        let written = self.write(last.0, last.1);
        // Nothing is left to do where the listener stops.
        let _ = tell(written, each)?;
        Ok(())
    }

    fn read(&self, works: &[Work<'_>]) -> Vec<Result<Image, TaskError>> {
        parallel_map(works, |work| {
            let photo = work.source.read().and_then(|bytes| {
                let name = work.source.path();
                Ok(self.model.decode(&bytes, name)?)
            });
            photo.map_err(|error| numbered(error, work.number, self.total))
        })
    }

    fn find(
        &self,
        photos: Vec<Result<Image, TaskError>>,
    ) -> Result<Vec<Found<M::Found>>, TaskError> {
        let (mut images, mut failed) = (Vec::new(), Vec::new());
        for photo in photos {
            match photo {
                Ok(image) => {
                    images.push(image);
                    failed.push(None);
                }
                Err(error) => failed.push(Some(error)),
            }
        }
        let found = self.model.find(&images)?;
        let mut good = images.into_iter().zip(found);
        let all = failed.into_iter().filter_map(|failed| match failed {
            Some(error) => Some(Err(error)),
            None => good.next().map(Ok),
        });
        Ok(all.collect())
    }

    fn write(&self, works: &[Work<'_>], found: Vec<Found<M::Found>>) -> Vec<Written> {
        let pairs = works.iter().zip(found);
        parallel_map(pairs, |(work, found)| {
            let predicted = match found {
                Ok((photo, found)) => self.finish(work, &photo, found)?,
                Err(error) => return Ok((Err(error), position(work.number, self.total))),
            };
            Ok((Ok(vec![predicted]), position(work.number, self.total)))
        })
    }

    fn finish(
        &self,
        work: &Work<'_>,
        photo: &Image,
        found: M::Found,
    ) -> Result<(InputItem, Prediction), TaskError> {
        let result = self.model.finish(photo, found);
        if let Some(path) = &work.output {
            let written = self.model.draw(photo, &result);
            let written = written.and_then(|bytes| write(path, &bytes));
            written.map_err(|error| {
                TaskError::user(format!(
                    "cannot write `{}`: {error}; stopped at image {} of {}: the images before it are \
                     finished, and the same command continues",
                    path.display(),
                    thousands(work.number),
                    thousands(self.total)
                ))
            })?;
        }
        let output = work.output.as_ref().map(|path| path.display().to_string());
        let item = InputItem {
            name: work.source.name(),
            ..InputItem::default()
        };
        Ok((item, self.model.prediction(photo, &result, output)))
    }
}

fn tell(
    written: Vec<Written>,
    each: &mut PredictionListener<'_>,
) -> Result<ControlFlow<()>, TaskError> {
    for written in written {
        let (predicted, position) = written?;
        if each(predicted, position).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The photo of each output file.
type Outputs = BTreeMap<PathBuf, PathBuf>;

/// Checks the folder for the images of all inputs before the first of them is predicted.
///
/// # Errors
///
/// If its name is that of an image, or photos of several inputs would be written to one file.
pub(super) fn check_outputs(
    inputs: &[PathBuf],
    options: &InputOptions<PhotoOptions>,
) -> Result<(), TaskError> {
    let Some(out) = options.out.as_deref() else {
        return Ok(());
    };
    if has_image_extension(out) && !out.is_dir() {
        return Err(TaskError::user(format!(
            "`--out {}` has the name of an image, but must be a folder: this model writes one image for each input",
            out.display()
        )));
    }
    if let [_] = inputs {
        // The photos of one input are checked when it is predicted.
        return Ok(());
    }
    let mut outputs = Outputs::new();
    for input in inputs {
        let (sources, _) = find(input)?;
        plan(&sources, input, Some(out), &mut outputs)?;
    }
    Ok(())
}

/// The output file of each photo: below the folder `out` as the photo is below the input. They are added to `outputs`.
fn plan<'a>(
    sources: &'a [Source],
    input: &Path,
    out: Option<&Path>,
    outputs: &mut Outputs,
) -> Result<Vec<Work<'a>>, TaskError> {
    let mut works = Vec::with_capacity(sources.len());
    for (source, number) in sources.iter().zip(1..) {
        let photo = source.path();
        let output = out.map(|out| out.join(below(source, input)).with_extension("png"));
        if let Some(path) = output.as_deref().filter(|path| is_same_file(path, photo)) {
            return Err(TaskError::user(format!(
                "`--out` would overwrite the input `{}`; name another folder",
                path.display()
            )));
        }
        if let Some(path) = &output
            && let Some(other) = outputs.insert(path.clone(), photo.to_owned())
            // A photo that is named twice has the same image.
            && !is_same_file(&other, photo)
        {
            return Err(TaskError::user(format!(
                "`{}` and `{}` would both be written to `{}`: rename one, or predict them into two folders",
                other.display(),
                photo.display(),
                path.display()
            )));
        }
        works.push(Work {
            source,
            output,
            number,
        });
    }
    Ok(works)
}

/// The path of a photo below the input, or its name.
fn below(source: &Source, input: &Path) -> PathBuf {
    let path = source.path();
    let name = path
        .file_name()
        .map_or_else(|| PathBuf::from("stdin"), PathBuf::from);
    match path.strip_prefix(input) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        // The path of a file inside an archive must not lead out of the folder.
        _ if input.is_file() && path.is_relative() && path != input => path
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect(),
        _ => name,
    }
}

/// Whether the output is there and not older than the photo.
fn is_done(work: &Work<'_>) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let Some(output) = work.output.as_deref().and_then(modified) else {
        return false;
    };
    modified(work.source.path()).is_none_or(|photo| photo <= output)
}

/// Writes a file that appears only when it is complete.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit_unsynced()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inputs: &[PathBuf], out: &Path) -> Result<(), String> {
        let options = InputOptions {
            out: Some(out.to_owned()),
            ..InputOptions::default()
        };
        check_outputs(inputs, &options).map_err(|error| error.to_string())
    }

    #[test]
    fn photos_of_several_inputs_do_not_take_the_place_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for folder in ["a", "b"] {
            fs::create_dir(path(folder)).unwrap();
            fs::write(path(folder).join("x.jpg"), "").unwrap();
        }
        fs::write(path("b/y.jpg"), "").unwrap();
        let out = path("out");
        for inputs in [
            &["a/x.jpg", "b/x.jpg"][..],
            &["a", "b"],
            &["a", "b/y.jpg", "b/x.jpg"],
        ] {
            let inputs: Vec<PathBuf> = inputs.iter().map(|name| path(name)).collect();
            let message = check(&inputs, &out).unwrap_err();
            let words = format!("would both be written to `{}`", out.join("x.png").display());
            assert!(message.contains(&words), "{message}");
        }
        for inputs in [&["a/x.jpg", "b/y.jpg"][..], &["b", "b/x.jpg"], &["b"]] {
            let inputs: Vec<PathBuf> = inputs.iter().map(|name| path(name)).collect();
            assert_eq!(check(&inputs, &out), Ok(()));
        }
    }

    #[test]
    fn a_folder_does_not_have_the_name_of_an_image() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = [PathBuf::from("x.jpg")];
        for name in ["out.png", "out.JPG", "out.tiff"] {
            let out = dir.path().join(name);
            let message = check(&inputs, &out).unwrap_err();
            assert!(message.contains("but must be a folder"), "{message}");
            // One that is there already is used.
            fs::create_dir(&out).unwrap();
            assert_eq!(check(&inputs, &out), Ok(()));
        }
        for name in ["out", "v1.2", "out.d"] {
            assert_eq!(check(&inputs, &dir.path().join(name)), Ok(()));
        }
    }
}
