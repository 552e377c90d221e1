//! The files of a data set with landmarks: images, labels, and what belongs together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{LandmarkError, LandmarkFormat, RawFace, csv, dlib, pts};
use crate::files::{SkippedFiles, SplitName, file_name, is_image_name, walk_counting};

/// The files below a folder.
pub(super) struct Files {
    /// The images by their names, and by their names without extension.
    images: HashMap<String, Vec<PathBuf>>,
    labels: Vec<(LandmarkFormat, PathBuf)>,
    pub(super) left_out: SkippedFiles,
}

impl Files {
    pub(super) fn list(dir: &Path) -> Result<Self, LandmarkError> {
        let mut files = Self {
            images: HashMap::new(),
            labels: Vec::new(),
            left_out: SkippedFiles::default(),
        };
        for path in walk_counting(dir, &mut files.left_out)? {
            let name = file_name(&path);
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            match extension.to_lowercase().as_str() {
                "csv" if csv::is_landmarks(&path) => files.labels.push((LandmarkFormat::Csv, path)),
                "pts" => files.labels.push((LandmarkFormat::Pts, path)),
                "xml" if dlib::is_dlib(&path) => files.labels.push((LandmarkFormat::Dlib, path)),
                _ if is_image_name(&name) => {
                    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                    for key in [stem.into_owned(), name] {
                        files.images.entry(key).or_default().push(path.clone());
                    }
                }
                _ => {}
            }
        }
        Ok(files)
    }

    /// The one format of the labels.
    pub(super) fn format(&self, dir: &Path) -> Result<LandmarkFormat, LandmarkError> {
        let path = dir.to_owned();
        let Some((format, first)) = self.labels.first() else {
            return Err(LandmarkError::NoLabels { path });
        };
        match self.labels.iter().find(|(other, _)| other != format) {
            None => Ok(*format),
            Some((_, second)) => Err(LandmarkError::Mixed {
                path,
                first: first.clone(),
                second: second.clone(),
            }),
        }
    }

    /// All faces, in the order of the label files.
    pub(super) fn faces(&self) -> Result<Vec<RawFace>, LandmarkError> {
        let mut faces = Vec::new();
        for (format, path) in &self.labels {
            match format {
                LandmarkFormat::Csv => faces.extend(csv::read(path)?),
                LandmarkFormat::Pts => faces.push(pts::read(path)?),
                LandmarkFormat::Dlib => faces.extend(dlib::read(path)?),
            }
        }
        Ok(faces)
    }

    /// The image that a label file names: below the folder of the file, in a folder that the file is called after
    /// (`training/` for `training_frames.csv`), or anywhere if there is only one.
    pub(super) fn image_of(&self, face: &RawFace) -> Result<&Path, String> {
        let name = file_name(Path::new(&face.image));
        let Some(found) = self.images.get(&name) else {
            return Err(format!("there is no image `{}`", face.image));
        };
        let folder = face.file.parent().unwrap_or(Path::new(""));
        let exact = folder.join(&face.image);
        if let Some(path) = found.iter().find(|path| **path == exact) {
            return Ok(path);
        }
        let label = file_name(&face.file).to_lowercase();
        let ranks = found.iter().map(|path| {
            let parent = path.parent().unwrap_or(Path::new(""));
            let called = file_name(parent).to_lowercase();
            match () {
                () if parent == folder => 0,
                () if !called.is_empty() && label.starts_with(&called) => 1,
                () => 2,
            }
        });
        let ranks: Vec<u8> = ranks.collect();
        let best = ranks.iter().min().copied().unwrap_or_default();
        let mut best = found.iter().zip(&ranks).filter(|(_, rank)| **rank == best);
        match (best.next(), best.next()) {
            (Some((path, _)), None) => Ok(path),
            _ => Err(format!("{} images have the name `{name}`", found.len())),
        }
    }
}

/// The split that a word of the name of the label file says, or a folder of the image below `dir`.
pub(super) fn split_of(dir: &Path, label: &Path, image: &Path) -> Option<(SplitName, String)> {
    let stem = label.file_stem().unwrap_or_default().to_string_lossy();
    if let Some(split) = SplitName::of_words(&stem) {
        return Some((split, format!("`{}`", label.display())));
    }
    let below = image.strip_prefix(dir).unwrap_or(image);
    below.ancestors().skip(1).find_map(|folder| {
        let split = SplitName::parse(&file_name(folder))?;
        Some((split, format!("`{}/`", dir.join(folder).display())))
    })
}

/// The format of the landmarks in a folder; none if it has none, or several.
pub fn landmark_format(dir: &Path) -> Option<LandmarkFormat> {
    Files::list(dir).ok()?.format(dir).ok()
}
