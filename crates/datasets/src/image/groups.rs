//! Images that belong together, such as those of a site, a person or a day.
//!
//! Photos of one scene are so alike that a split between them measures memory. Frames of a video, slices of a
//! scan and photos of one building site belong into one split.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{exif_time, file_name_time, read_file};
use crate::parallel::parallel_map;

/// What keeps images in one split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupBy {
    /// Nothing but copies: every image is on its own.
    #[default]
    Image,
    /// The folder that they are in.
    Folder,
    /// The folder and the name without its last number, as in `anna_001.jpg` and `anna_002.jpg`.
    Name,
    /// The day on which they were taken, according to the EXIF note or else the file name. Those without a date
    /// are grouped by their folders.
    Day,
}

/// The group of each of some images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageGroups {
    /// The number of the group of each image, counted from 0.
    pub of: Vec<u32>,
    /// The name of each group, for people.
    pub names: Vec<String>,
}

/// Images cannot be grouped.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GroupError {
    /// No image has a date.
    #[error(
        "images cannot be grouped by day: none of {images} has a date in its EXIF note or file name; group by \
         folder or name"
    )]
    NoDates {
        /// Number of images.
        images: usize,
    },
    /// All images are in one group.
    #[error(
        "images cannot be split by {by}: all {images} are in one group, `{name}`; group by something else"
    )]
    OneGroup {
        /// What they are grouped by.
        by: &'static str,
        /// Number of images.
        images: usize,
        /// The name of the group.
        name: String,
    },
}

impl GroupBy {
    /// Its name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Folder => "folder",
            Self::Name => "name",
            Self::Day => "day",
        }
    }
}

/// Groups images by their paths, of which `root` is the start that does not count.
///
/// Groups are numbered in the order in which they come.
///
/// # Errors
///
/// If there is only one group, or no image has a date where they are grouped by day.
pub fn groups_of(root: &Path, paths: &[&Path], by: GroupBy) -> Result<ImageGroups, GroupError> {
    let folder = |path: &Path| {
        let folder = path.parent().unwrap_or(root);
        let below = folder.strip_prefix(root).unwrap_or(folder);
        if below.as_os_str().is_empty() {
            "./".to_owned()
        } else {
            format!("{}/", below.display())
        }
    };
    let names: Vec<String> = match by {
        GroupBy::Image => paths
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        GroupBy::Folder => paths.iter().map(|path| folder(path)).collect(),
        GroupBy::Name => {
            let name = |path: &&Path| format!("{}{}*", folder(path), without_number(path));
            paths.iter().map(name).collect()
        }
        GroupBy::Day => {
            let days = parallel_map(paths, |path| day(path));
            if days.iter().all(Option::is_none) {
                let images = paths.len();
                return Err(GroupError::NoDates { images });
            }
            let named = days.into_iter().zip(paths);
            let named = named.map(|(day, path)| {
                day.unwrap_or_else(|| format!("{} without a date", folder(path)))
            });
            named.collect()
        }
    };
    let groups = ImageGroups::of_names(names);
    match &groups.names[..] {
        [name] if paths.len() > 1 => Err(GroupError::OneGroup {
            by: by.name(),
            images: paths.len(),
            name: name.clone(),
        }),
        _ => Ok(groups),
    }
}

impl ImageGroups {
    fn of_names(names: Vec<String>) -> Self {
        let mut numbers = HashMap::new();
        let mut groups = Self {
            of: Vec::with_capacity(names.len()),
            names: Vec::new(),
        };
        for name in names {
            let next = groups.names.len() as u32;
            let number = *numbers.entry(name.clone()).or_insert(next);
            if number == next {
                groups.names.push(name);
            }
            groups.of.push(number);
        }
        groups
    }

    /// The groups, of which those that have copies of the same image are one. `contents` has a hash of each image.
    ///
    /// # Panics
    ///
    /// If there is not one hash per image.
    #[must_use]
    pub fn joined_by(&self, contents: &[u64]) -> Self {
        assert_eq!(self.of.len(), contents.len(), "one hash per image");
        let mut parents: Vec<u32> = (0..self.names.len() as u32).collect();
        let mut first_of: HashMap<u64, u32> = HashMap::new();
        for (&group, &content) in self.of.iter().zip(contents) {
            let other = *first_of.entry(content).or_insert(group);
            let (a, b) = (root_of(&parents, group), root_of(&parents, other));
            parents[a.max(b) as usize] = a.min(b);
        }
        let mut names: Vec<Vec<&str>> = vec![Vec::new(); self.names.len()];
        for (group, name) in self.names.iter().enumerate() {
            names[root_of(&parents, group as u32) as usize].push(name);
        }
        let joined = self.of.iter().map(|&group| {
            let root = root_of(&parents, group) as usize;
            names[root].join(" + ")
        });
        Self::of_names(joined.collect())
    }

    /// The names of the groups of some images, each once.
    pub fn names_of(&self, rows: &[usize]) -> Vec<&str> {
        let mut groups: Vec<u32> = rows.iter().map(|&row| self.of[row]).collect();
        groups.sort_unstable();
        groups.dedup();
        let names = groups
            .iter()
            .map(|&group| self.names[group as usize].as_str());
        names.collect()
    }
}

fn root_of(parents: &[u32], mut group: u32) -> u32 {
    while parents[group as usize] != group {
        group = parents[group as usize];
    }
    group
}

/// The day on which an image was taken, if it says so.
fn day(path: &Path) -> Option<String> {
    let bytes = read_file(path).unwrap_or_default();
    let time = exif_time(&bytes, path).or_else(|| file_name_time(path))?;
    Some(time.date().to_string())
}

/// The name of a file without extension, without its last number and what separates it.
fn without_number(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let is_separator = |letter: char| !letter.is_alphanumeric();
    name.trim_end_matches(is_separator).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(paths: &[&str], by: GroupBy) -> Result<ImageGroups, GroupError> {
        let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
        groups_of(Path::new("/d"), &paths, by)
    }

    fn named(of: &[u32], names: &[&str]) -> ImageGroups {
        ImageGroups {
            of: of.to_vec(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn images_are_grouped_by_folder_name_or_day() {
        let paths = [
            "/d/hall/A_001.jpg",
            "/d/site/1600322784.jpg",
            "/d/hall/A_002.jpg",
            "/d/site/1601890910.jpg",
            "/d/site/1601890930.jpg",
        ];
        assert_eq!(
            groups(&paths, GroupBy::Folder).unwrap(),
            named(&[0, 1, 0, 1, 1], &["hall/", "site/"])
        );
        assert_eq!(
            groups(&paths, GroupBy::Day).unwrap(),
            named(
                &[0, 1, 0, 2, 2],
                &["hall/ without a date", "2020-09-17", "2020-10-05"]
            )
        );
        assert_eq!(groups(&paths, GroupBy::Image).unwrap().of, [0, 1, 2, 3, 4]);
        let people = [
            "/d/anna_01.jpg",
            "/d/ben-7.jpg",
            "/d/anna_12.jpg",
            "/d/ben2b-3.jpg",
        ];
        assert_eq!(
            groups(&people, GroupBy::Name).unwrap(),
            named(&[0, 1, 0, 2], &["./anna*", "./ben*", "./ben2b*"])
        );
    }

    #[test]
    fn one_group_and_no_dates_are_refused() {
        let paths = ["/d/a/1.jpg", "/d/a/2.jpg"];
        let error = groups(&paths, GroupBy::Folder).unwrap_err().to_string();
        assert!(
            error.contains("split by folder: all 2 are in one group, `a/`"),
            "{error}"
        );
        let error = groups(&paths, GroupBy::Day).unwrap_err();
        assert_eq!(error, GroupError::NoDates { images: 2 });
    }

    #[test]
    fn groups_with_copies_are_one() {
        let paths = [
            "/d/a/1.jpg",
            "/d/b/1.jpg",
            "/d/c/1.jpg",
            "/d/b/2.jpg",
            "/d/e/1.jpg",
        ];
        let paths = paths.map(Path::new);
        let groups = groups_of(Path::new("/d"), &paths, GroupBy::Folder).unwrap();
        let joined = groups.joined_by(&[5, 6, 7, 7, 8]);
        assert_eq!(joined.of, [0, 1, 1, 1, 2]);
        assert_eq!(joined.names, ["a/", "b/ + c/", "e/"]);
        assert_eq!(joined.names_of(&[4, 1, 2]), ["b/ + c/", "e/"]);
        // Through a third group.
        let chained = groups.joined_by(&[7, 6, 7, 6, 7]);
        assert_eq!(chained.names, ["a/ + c/ + e/", "b/"]);
    }
}
