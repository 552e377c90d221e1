//! Event files for `TensorBoard`, next to `metrics.jsonl`.
//!
//! A run that has a folder [`TENSORBOARD_DIR`] writes there what it writes to `metrics.jsonl`, one folder for each
//! split, as it is measured. A resumed run writes the values again that its checkpoint knows, so that no step is
//! there twice. `metrics.jsonl` decides; event files can be deleted at any time.
//!
//! | folder | contents |
//! |---|---|
//! | `train`, `valid`, `test` | the values of `metrics.jsonl` |
//! | `weights` | the norm of the gradient before clipping and, if asked for, histograms of the weights of each epoch |
//! | itself | the recipe as text and as hyperparameters, images, and the metrics of the test split |

mod file;
mod histogram;
mod hparams;
mod lines;
mod message;
mod weights;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::file::{EventFile, now};
pub(crate) use self::lines::LineEvents;
use self::message::{Data, Dim, Image, Metadata, Plugin, Shape, Tensor};
pub(crate) use self::weights::WeightEvents;
use crate::log::Metrics;

/// Name of the folder in a run directory.
pub const TENSORBOARD_DIR: &str = "tensorboard";

/// Folder of what is measured at a step of the optimizer.
const WEIGHTS_DIR: &str = "weights";

/// File that asks for histograms.
const HISTOGRAMS: &str = ".histograms";

/// Which events a run writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventOptions {
    /// Whether there are histograms of the weights at the end of each epoch, besides scalars.
    pub histograms: bool,
}

/// Makes a run write event files, also when it is resumed.
///
/// # Errors
///
/// If the folder cannot be created.
pub fn enable(run: &Path, options: EventOptions) -> io::Result<()> {
    let dir = run.join(TENSORBOARD_DIR);
    fs::create_dir_all(&dir)?;
    if options.histograms {
        fs::write(dir.join(HISTOGRAMS), "")?;
    }
    Ok(())
}

/// Adds what is known at the end of a run: its recipe, the metrics of the test split at a step, and images in PNG.
/// Nothing happens where [`enable`] was not called.
///
/// # Errors
///
/// If a file cannot be read or written.
pub fn finish(
    run: &Path,
    recipe: &toml::Table,
    test: &Metrics,
    step: usize,
    images: &[PathBuf],
) -> io::Result<()> {
    let dir = run.join(TENSORBOARD_DIR);
    if !dir.is_dir() {
        return Ok(());
    }
    let mut file = EventFile::create(&dir)?;
    let time = now();
    for (tag, content) in hparams::summaries(recipe, test, time) {
        let data = Data::Tensor(Tensor {
            dtype: 1,
            ..Tensor::default()
        });
        file.write(time, 0, tag, data, Some(metadata("hparams", content)))?;
    }
    let text = format!("```toml\n{recipe}```");
    let data = Data::Tensor(Tensor {
        dtype: 7,
        shape: Some(Shape {
            dims: vec![Dim { size: 1 }],
        }),
        texts: vec![text.into_bytes()],
    });
    file.write(time, 0, "recipe", data, Some(metadata("text", Vec::new())))?;
    for (name, value) in test {
        let data = Data::Scalar(*value as f32);
        file.write(time, step, &hparams::tag_of(name), data, None)?;
    }
    for path in images {
        let encoded = fs::read(path)?;
        let Some([width, height]) = png_size(&encoded) else {
            continue;
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let image = Image {
            height,
            width,
            colorspace: 3,
            encoded,
        };
        file.write(time, step, &name, Data::Image(image), None)?;
    }
    file.flush()
}

fn metadata(plugin: &str, content: Vec<u8>) -> Metadata {
    Metadata {
        plugin: Some(Plugin {
            name: plugin.to_owned(),
            content,
        }),
        data_class: 2,
    }
}

/// Width and height of a PNG.
fn png_size(bytes: &[u8]) -> Option<[i32; 2]> {
    let side = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        i32::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    };
    bytes.starts_with(b"\x89PNG").then_some(())?;
    Some([side(16)?, side(20)?])
}

/// The scalars of a folder of event files, with their tags and steps, for tests.
#[cfg(test)]
pub(crate) fn scalars(dir: &Path) -> Vec<(String, i64, f32)> {
    let mut found = Vec::new();
    for path in file::own_files(dir).unwrap() {
        for event in file::read(&fs::read(path).unwrap()) {
            let Some(message::Content::Summary(summary)) = event.content else {
                continue;
            };
            for value in summary.values {
                if let Some(Data::Scalar(scalar)) = value.data {
                    found.push((value.tag, event.step, scalar));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_run_has_its_recipe_and_its_result() {
        let dir = tempfile::tempdir().unwrap();
        let recipe: toml::Table = "name = \"a\"\n[train]\nepochs = 3\n".parse().unwrap();
        let test = Metrics::from([("accuracy".to_owned(), 0.5)]);
        finish(dir.path(), &recipe, &test, 7, &[]).unwrap();
        assert!(!dir.path().join(TENSORBOARD_DIR).exists(), "not asked for");
        enable(dir.path(), EventOptions::default()).unwrap();
        for _ in 0..2 {
            finish(dir.path(), &recipe, &test, 7, &[]).unwrap();
        }
        let found = scalars(&dir.path().join(TENSORBOARD_DIR));
        assert_eq!(found, [("test/accuracy".to_owned(), 7, 0.5)]);
    }

    #[test]
    fn events_after_a_step_are_dropped_and_a_cut_record_ends_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(dir.path()).unwrap();
        for step in 1..=3 {
            let data = Data::Scalar(step as f32);
            file.write(0.0, step, "norm", data, None).unwrap();
        }
        file.flush().unwrap();
        let path = file::own_files(dir.path()).unwrap().remove(0);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(scalars(dir.path()).len(), 2);
        drop(EventFile::resume(dir.path(), 1).unwrap());
        assert_eq!(scalars(dir.path()), [("norm".to_owned(), 1, 1.0)]);
    }
}
