//! What every analysis of photos needs: the class, the photos, and the files of the pictures.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::files::is_same_file;
use tinderbox_datasets::image::{ImageFile, find_images, has_image_extension, is_archive};
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_train::TaskError;

use crate::vision::data::DataError;
use crate::vision::pictures::Canvas;

/// The place of a class by its name.
pub(super) fn class_of(model: &ImageClassifier, name: &str) -> Result<usize, TaskError> {
    let place = model.labels().iter().position(|label| label == name);
    place.ok_or_else(|| {
        let known: Vec<String> = model
            .labels()
            .iter()
            .take(20)
            .map(|label| format!("`{label}`"))
            .collect();
        let more = if model.labels().len() > 20 {
            ", …"
        } else {
            ""
        };
        TaskError::user(format!(
            "the model has no class `{name}`; its classes are {}{more}",
            known.join(", ")
        ))
    })
}

/// The images of all inputs, and notes about files that are not images.
pub(super) fn files(inputs: &[PathBuf]) -> Result<(Vec<ImageFile>, Vec<String>), TaskError> {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    for input in inputs {
        if !input.is_dir() && !is_archive(input) {
            files.push(ImageFile::of_path(input));
            continue;
        }
        let (found, skipped) = find_images(input).map_err(DataError::Folder)?;
        if found.is_empty() {
            return Err(TaskError::user(format!(
                "`{}` has no image",
                input.display()
            )));
        }
        files.extend(found);
        if !skipped.is_empty() {
            notes.push(skipped.to_string());
        }
    }
    Ok((files, notes))
}

/// The PNG file next to another one whose name has a suffix.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}{suffix}.png"))
}

/// The files that pictures are written to.
#[derive(Clone)]
pub(super) struct OutputNames {
    file: Option<PathBuf>,
    folder: Option<PathBuf>,
    used: BTreeSet<String>,
}

impl OutputNames {
    fn new(out: Option<&Path>, count: usize) -> Result<Self, TaskError> {
        let mut names = Self {
            file: None,
            folder: None,
            used: BTreeSet::new(),
        };
        let Some(out) = out else {
            return Ok(names);
        };
        let is_png = out
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("png"));
        if !is_png || out.is_dir() {
            if !out.is_dir() && (out.exists() || has_image_extension(out)) {
                let message = format!(
                    "`--out {}` names a file that does not end in `.png`; name a PNG file or a folder",
                    out.display()
                );
                return Err(TaskError::user(message));
            }
            names.folder = Some(out.to_owned());
        } else if count == 1 {
            names.file = Some(out.to_owned());
        } else {
            let message = format!(
                "`--out {}` is one file, and there are {count} images; name a folder",
                out.display()
            );
            return Err(TaskError::user(message));
        }
        Ok(names)
    }

    /// The files for these images.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written to so, or an image would be overwritten: by its picture, or by one with
    /// `suffix` after its name.
    pub(super) fn of(
        out: Option<&Path>,
        files: &[ImageFile],
        suffix: &str,
    ) -> Result<Self, TaskError> {
        let names = Self::new(out, files.len())?;
        let mut each = Self {
            used: BTreeSet::new(),
            ..names.clone()
        };
        for picture in files.iter().filter_map(|file| each.next(file.path())) {
            let second = with_suffix(&picture, suffix);
            let overwritten = files
                .iter()
                .map(ImageFile::path)
                .find(|file| is_same_file(file, &picture) || is_same_file(file, &second));
            if let Some(file) = overwritten {
                return Err(TaskError::user(format!(
                    "`--out` would overwrite the input `{}`; name another file or folder",
                    file.display()
                )));
            }
        }
        Ok(names)
    }

    /// The file for an image; equal names are numbered.
    pub(super) fn next(&mut self, input: &Path) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            return Some(file.clone());
        }
        let folder = self.folder.clone()?;
        let stem = input
            .file_stem()
            .map_or("image".into(), |stem| stem.to_string_lossy());
        let mut name = format!("{stem}.png");
        let mut number = 2;
        while !self.used.insert(name.clone()) {
            name = format!("{stem}-{number}.png");
            number += 1;
        }
        Some(folder.join(name))
    }
}

/// Writes a picture, and the folder that it is in.
pub(super) fn write(picture: &Canvas, path: &Path) -> Result<(), TaskError> {
    let written = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let bytes = picture.to_png()?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        write_atomic(path, |file| file.write_all(&bytes))?;
        Ok(())
    };
    written()
        .map_err(|error| TaskError::user(format!("cannot write `{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_for_one_image_and_a_folder_for_any_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut names = OutputNames::new(Some(&dir.path().join("new")), 2).unwrap();
        for (input, name) in [
            ("a/x.jpg", "x.png"),
            ("b/x.png", "x-2.png"),
            ("c/y.jpg", "y.png"),
        ] {
            assert_eq!(
                names.next(Path::new(input)),
                Some(dir.path().join("new").join(name))
            );
        }
        let file = dir.path().join("why.png");
        assert_eq!(
            OutputNames::new(Some(&file), 1)
                .unwrap()
                .next(Path::new("x.jpg")),
            Some(file.clone())
        );
        assert!(OutputNames::new(Some(&file), 2).is_err());
        fs::write(dir.path().join("text"), "").unwrap();
        assert!(OutputNames::new(Some(&dir.path().join("text")), 1).is_err());
        // No folder gets the name of an image.
        for (name, is_refused) in [
            ("h.jpg", true),
            ("h.TIFF", true),
            ("v1.2", false),
            ("h.maps", false),
        ] {
            let names = OutputNames::new(Some(&dir.path().join(name)), 1);
            assert_eq!(names.is_err(), is_refused, "{name}");
        }
        fs::create_dir(dir.path().join("there.jpg")).unwrap();
        assert!(OutputNames::new(Some(&dir.path().join("there.jpg")), 1).is_ok());
        assert_eq!(
            OutputNames::new(None, 2).unwrap().next(Path::new("x.jpg")),
            None
        );
    }
}
