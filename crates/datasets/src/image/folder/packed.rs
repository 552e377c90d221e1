//! Archives in a folder, such as the `train.zip` and `test.zip` of a download.

use std::collections::HashMap;
use std::path::Path;

use super::FolderError;
use super::listing::{ImageFile, Listing};
use crate::archive;
use crate::files::SplitName;

/// Extensions of files that may be archives.
const EXTENSIONS: [&str; 4] = ["zip", "tar", "tgz", "gz"];

/// Whether a file of this name may be an archive.
pub(super) fn is_packed(key: &str) -> bool {
    let extension = Path::new(key).extension();
    extension.is_some_and(|end| EXTENSIONS.iter().any(|own| end.eq_ignore_ascii_case(own)))
}

impl Listing {
    /// Adds the files of archives as if they were unpacked next to these. Those of an archive that is
    /// named after a split, as in `photos-train.zip`, belong to it, unless they are in folders of splits
    /// themselves.
    ///
    /// A folder that has images outside of archives keeps these for some other purpose: then they are
    /// counted as skipped.
    pub(super) fn add_packed(mut self, files: Vec<ImageFile>) -> Result<Self, FolderError> {
        let mut archives = Vec::new();
        for file in files {
            let read = |source| FolderError::Read {
                dir: file.path().to_owned(),
                source,
            };
            let is_archive = archive::detect(file.path()).map_err(read)?.is_some();
            match (is_archive, self.files.is_empty()) {
                (true, true) => archives.push(file),
                (true, false) => self.skipped_files.add("an archive next to images"),
                (false, _) => self.add(file)?,
            }
        }
        let mut held = 0;
        for archive in archives {
            let mut inner = Self::of_archive_after(archive.path(), held)?;
            let images = inner.files.iter().chain(&inner.tables);
            held += images.map(ImageFile::held_bytes).sum::<u64>();
            inner = inner.in_split(archive.key());
            if let Some((parent, _)) = archive.key().rsplit_once('/') {
                inner.prefix(parent);
            }
            self.files.append(&mut inner.files);
            self.tables.append(&mut inner.tables);
            self.skipped_files.merge(&inner.skipped_files);
            self.archives.push(archive.key);
        }
        self.files
            .sort_by(|a, b| Path::new(&a.key).cmp(Path::new(&b.key)));
        self.check_names()
    }

    /// Two files of one name would be one if the archives were unpacked.
    fn check_names(self) -> Result<Self, FolderError> {
        let mut by_key: HashMap<&str, &ImageFile> = HashMap::new();
        for file in &self.files {
            if let Some(first) = by_key.insert(&file.key, file) {
                return Err(FolderError::SameName {
                    first: first.path().to_owned(),
                    second: file.path().to_owned(),
                });
            }
        }
        Ok(self)
    }

    /// Strips what is around the folders of splits; without such folders, puts the files in the split
    /// that the archive is named after.
    fn in_split(mut self, archive: &str) -> Self {
        if let Some(around) = self.around_splits() {
            for file in self.files.iter_mut().chain(&mut self.tables) {
                if file.key.starts_with(&around) {
                    file.key.drain(..around.len());
                }
            }
            return self;
        }
        match split_of_name(archive) {
            None => self,
            Some(split) => {
                let mut inner = self.unwrap(None);
                inner.prefix(split.as_str());
                inner
            }
        }
    }

    /// The folders around those of splits, if every file is in a split.
    fn around_splits(&self) -> Option<String> {
        let first = &self.files.first()?.key;
        let folders = first.rsplit_once('/')?.0;
        let at = folders
            .split('/')
            .position(|part| SplitName::parse(part).is_some())?;
        let around: String = folders.split_inclusive('/').take(at).collect();
        let in_split = |file: &ImageFile| {
            let rest = file.key.strip_prefix(&around);
            let top = rest.and_then(|rest| rest.split_once('/'));
            top.is_some_and(|(top, _)| SplitName::parse(top).is_some())
        };
        self.files.iter().all(in_split).then_some(around)
    }

    fn prefix(&mut self, folder: &str) {
        for file in self.files.iter_mut().chain(&mut self.tables) {
            file.key.insert_str(0, &format!("{folder}/"));
        }
    }
}

/// The only split among the words of a file's name.
fn split_of_name(key: &str) -> Option<SplitName> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let words = name.split(|c: char| !c.is_alphabetic());
    let mut splits: Vec<SplitName> = words.filter_map(SplitName::parse).collect();
    splits.dedup();
    match splits[..] {
        [split] => Some(split),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_a_word_of_the_name() {
        for (name, split) in [
            ("train.zip", Some(SplitName::Train)),
            ("pets/Photos_TRAIN2.tar.gz", Some(SplitName::Train)),
            ("cifar10-test.tar.gz", Some(SplitName::Test)),
            ("train-and-test.zip", None),
            ("trains.zip", None),
        ] {
            assert_eq!(split_of_name(name), split, "{name}");
        }
    }
}
