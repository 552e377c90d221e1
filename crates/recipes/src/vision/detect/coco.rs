//! The detections of all inputs of a call in one file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tinderbox_datasets::atomic_file::AtomicFile;
use tinderbox_datasets::image::{BoundingBox, Detection};
use tinderbox_predict::Prediction;
use tinderbox_predict::vision::{CocoResult, write_coco_results};
use tinderbox_train::TaskError;
use tinderbox_train::task::InputItem;

/// The file for the detections of all inputs of a call, in the results format of COCO.
///
/// It appears when [`finish_inputs`](tinderbox_train::Task::finish_inputs) is called, and not at all without that.
#[derive(Clone, Debug)]
pub struct CocoFile {
    path: PathBuf,
    /// None once it is written.
    content: Arc<Mutex<Option<Content>>>,
}

#[derive(Debug)]
struct Content {
    file: AtomicFile,
    /// Images so far, with detections or without.
    images: u64,
    results: Vec<CocoResult>,
}

impl CocoFile {
    /// Starts the file, so that one that cannot be written is found before anything is predicted.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn create(path: &Path) -> Result<Self, TaskError> {
        let file = AtomicFile::create(path).map_err(|error| failed(path, &error))?;
        let content = Content {
            file,
            images: 0,
            results: Vec::new(),
        };
        Ok(Self {
            path: path.to_owned(),
            content: Arc::new(Mutex::new(Some(content))),
        })
    }

    /// Adds the detections of images, under their numbers in the call from 1.
    pub(super) fn add(&self, predicted: &[(InputItem, Prediction)], labels: &[String]) {
        let mut content = self.content();
        let Some(content) = content.as_mut() else {
            return;
        };
        for (item, prediction) in predicted {
            let Prediction::Objects { objects, .. } = prediction else {
                continue;
            };
            content.images += 1;
            let image = (content.images, item.name.as_str());
            content.results.extend(objects.iter().map(|object| {
                let class = labels.iter().position(|label| *label == object.label);
                let class = class.unwrap_or_default();
                let [x_min, y_min, x_max, y_max] = object.bounds;
                let bounds = BoundingBox {
                    x_min,
                    y_min,
                    x_max,
                    y_max,
                    class: class as u16,
                };
                let one = Detection {
                    bounds,
                    score: object.score,
                };
                CocoResult::new(&one, image, labels, class as u64 + 1)
            }));
        }
    }

    /// Writes the file.
    pub(in crate::vision) fn finish(&self) -> Result<(), TaskError> {
        let Some(Content {
            mut file, results, ..
        }) = self.content().take()
        else {
            return Ok(());
        };
        let written = write_coco_results(&mut file, results).and_then(|()| file.commit());
        written.map_err(|error| failed(&self.path, &error))
    }

    fn content(&self) -> MutexGuard<'_, Option<Content>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for CocoFile {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.content, &other.content)
    }
}

impl Eq for CocoFile {}

fn failed(path: &Path, error: &io::Error) -> TaskError {
    TaskError::user(format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;
    use tinderbox_predict::FoundObject;

    use super::*;

    fn predicted(name: &str, scores: &[f32]) -> (InputItem, Prediction) {
        let objects = scores.iter().map(|score| FoundObject {
            label: "b".to_owned(),
            score: *score,
            bounds: [1.0, 2.0, 4.0, 8.0],
        });
        let item = InputItem {
            name: name.to_owned(),
            ..InputItem::default()
        };
        let prediction = Prediction::Objects {
            height: 10,
            width: 10,
            objects: objects.collect(),
            output: None,
        };
        (item, prediction)
    }

    #[test]
    fn detections_of_several_inputs_are_in_one_file_with_running_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("found.json");
        let labels = ["a", "b"].map(str::to_owned);
        let file = CocoFile::create(&path).unwrap();
        file.add(&[predicted("a/x.jpg", &[0.5, 0.25])], &labels);
        file.add(
            &[predicted("b/x.jpg", &[]), predicted("b/y.jpg", &[0.75])],
            &labels,
        );
        assert!(!path.exists(), "a call that stops leaves nothing");
        file.finish().unwrap();
        let found: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let images: Vec<_> = found
            .iter()
            .map(|one| (one["image_id"].as_u64(), one["file_name"].as_str()))
            .collect();
        let first = (Some(1), Some("a/x.jpg"));
        assert_eq!(images, [first, first, (Some(3), Some("b/y.jpg"))]);
        assert_eq!(found[0]["category_id"], 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no/found.json");
        let error = CocoFile::create(&path).unwrap_err();
        assert!(error.is_user());
        let message = error.to_string();
        let start = format!("cannot write `{}`: ", path.display());
        assert!(message.starts_with(&start), "{message}");
        assert!(!message.contains(".tinderbox-"), "{message}");
    }
}
