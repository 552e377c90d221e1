//! The images of a data set with boxes, before their labels are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::{Files, stem};
use super::lists::SplitLists;
use super::{AnnotatedImage, Problem, ProblemKind};
use crate::files::{SplitName, file_name};
use crate::image::{ImageError, MAX_PIXELS, check_bytes, oriented_size, read_file};
use crate::parallel::parallel_map;

impl Files {
    /// The images by their paths, without boxes. An image that cannot be read is a problem.
    pub(super) fn annotated(
        &self,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<PathBuf, AnnotatedImage> {
        let lists = SplitLists::read(&self.dir, &self.lists);
        let mut paths: Vec<&PathBuf> = self.images.values().flatten().collect();
        paths.sort_unstable();
        let sizes = parallel_map(&paths, |path| sizes(path));
        let mut images = BTreeMap::new();
        for (path, sizes) in paths.into_iter().zip(sizes) {
            let place = || path.display().to_string();
            let [[height, width], oriented] = match sizes {
                Ok(sizes) => sizes,
                Err(error) => {
                    let kind = ProblemKind::BrokenImage;
                    problems.push(Problem::new(kind, place(), error.to_string()));
                    continue;
                }
            };
            let is_only = self.images[&stem(path)].len() == 1;
            let listed = lists.split_of(path, is_only);
            if let Some((split, _, true)) = listed {
                let detail = format!("listed in several splits; taken as {split}");
                problems.push(Problem::new(ProblemKind::SeveralSplits, place(), detail));
            }
            let listed = listed.map(|(split, source, _)| (split, source.to_owned()));
            let (split, split_source) = listed
                .or_else(|| self.split_of_folder(path))
                .unwrap_or_default();
            images.insert(
                path.clone(),
                AnnotatedImage {
                    path: path.clone(),
                    height,
                    width,
                    oriented,
                    labeled: None,
                    split,
                    split_source,
                    is_labeled: false,
                    is_mismatched: false,
                    objects: Vec::new(),
                },
            );
        }
        images
    }

    /// The split that the innermost of the folders is named after that are named after one, and this folder.
    fn split_of_folder(&self, path: &Path) -> Option<(&'static str, String)> {
        let below = path.strip_prefix(&self.dir).unwrap_or(path);
        let mut folders = below.ancestors().skip(1);
        folders.find_map(|folder| {
            let split = SplitName::parse(&file_name(folder))?;
            Some((split.as_str(), format!("`{}/`", folder.display())))
        })
    }
}

/// Height and width, as stored and as turned by the EXIF note.
fn sizes(path: &Path) -> Result<[[usize; 2]; 2], ImageError> {
    let bytes = read_file(path)?;
    let stored = check_bytes(&bytes, path, MAX_PIXELS)?;
    let oriented = oriented_size(&bytes, path, MAX_PIXELS)?;
    Ok([stored.into(), oriented.into()])
}
