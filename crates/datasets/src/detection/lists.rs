//! Files that list the images of a split.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::files::stem;
use crate::files::{SplitName, file_name, is_image_name, read_text};

/// The lines of all lists, by the names of the images in lower case, without extension.
pub(super) struct SplitLists {
    lines: HashMap<String, Vec<Line>>,
}

/// An image in the list of a split.
struct Line {
    split: &'static str,
    /// The list, for people.
    source: String,
    /// The image as the list names it: a path, or a name without extension as in Pascal VOC.
    image: PathBuf,
}

impl SplitLists {
    /// Reads the lists of a data set in `dir`.
    pub(super) fn read(dir: &Path, lists: &[(&'static str, PathBuf)]) -> Self {
        let mut lines: HashMap<String, Vec<Line>> = HashMap::new();
        for (split, path) in lists {
            let text = read_text(path).unwrap_or_default();
            let below = path.strip_prefix(dir).unwrap_or(path);
            for name in text.lines().filter_map(listed_name) {
                let image = PathBuf::from(name.replace('\\', "/"));
                let key = if is_image_name(name) {
                    stem(&image)
                } else {
                    file_name(&image).to_lowercase()
                };
                lines.entry(key).or_default().push(Line {
                    split,
                    source: format!("`{}`", below.display()),
                    image,
                });
            }
        }
        Self { lines }
    }

    /// The split of an image, the list that says so, and whether another list says another split: then the
    /// test split has it, or else the validation split, so that it is not trained on.
    ///
    /// `is_only` says that no other image has its name, so that folders on another machine do not matter.
    pub(super) fn split_of(
        &self,
        image: &Path,
        is_only: bool,
    ) -> Option<(&'static str, &str, bool)> {
        let folder = |path: &Path| path.parent().map(file_name).unwrap_or_default();
        let is_named = |line: &&Line| {
            is_only || folder(&line.image).is_empty() || folder(&line.image) == folder(image)
        };
        let lines = self.lines.get(&stem(image))?;
        let lines: Vec<&Line> = lines.iter().filter(is_named).collect();
        let splits: HashSet<&str> = lines.iter().map(|line| line.split).collect();
        let mut order = ["test", "valid", "train"].into_iter();
        let split = order.find(|split| splits.contains(split))?;
        let line = lines.iter().find(|line| line.split == split)?;
        Some((split, &line.source, splits.len() > 1))
    }
}

/// The image in a line of a list: a path that may have spaces, or the first word.
fn listed_name(line: &str) -> Option<&str> {
    let line = line.trim();
    if is_image_name(line) {
        Some(line)
    } else {
        line.split_whitespace().next()
    }
}

/// The split that a text file lists: one of the lists of Pascal VOC, of which `trainval` is the sum of two, or
/// a file named after a split with the paths of images, as Darknet has.
pub(super) fn listed_split(path: &Path) -> Option<&'static str> {
    let split = SplitName::parse(&stem(path))?;
    let is_voc = path
        .parent()
        .is_some_and(|parent| parent.ends_with("ImageSets/Main"));
    let has_paths = || {
        let text = read_text(path).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines
            .find(|line| !line.is_empty())
            .is_some_and(is_image_name)
    };
    (is_voc || has_paths()).then_some(split.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_and_of_paths_say_the_split() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let train = write("train.txt", "/home/a/images/x 1.JPG\nimages\\b.png\n");
        let test = write("test.txt", "images/b.png\nother/c.png\n");
        assert_eq!(listed_split(&train), Some("train"));
        assert_eq!(listed_split(&write("val.txt", "0 0.5 0.5 1 1\n")), None);
        let lists = SplitLists::read(dir.path(), &[("train", train), ("test", test)]);
        let of = |name: &str, is_only| lists.split_of(Path::new(name), is_only);
        assert_eq!(
            of("d/images/x 1.jpg", false),
            Some(("train", "`train.txt`", false))
        );
        assert_eq!(
            of("d/images/b.png", true),
            Some(("test", "`test.txt`", true))
        );
        assert_eq!(of("d/images/c.png", false), None);
        assert_eq!(
            of("d/images/c.png", true),
            Some(("test", "`test.txt`", false))
        );
    }
}
