//! The files of a data set by split, from its folders, its archive or its table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::listing::{ImageFile, Listing};
use super::{FolderError, paths};
use crate::archive;
use crate::files::{SkippedFiles, SplitName, find_splits, list};

/// The files of a split before they are checked: each with its class.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) items: Vec<(ImageFile, String)>,
}

/// The files of a data set by split.
pub(super) struct Parts {
    pub(super) train: Part,
    pub(super) valid: Option<Part>,
    pub(super) test: Option<Part>,
    pub(super) sources: Vec<(SplitName, String)>,
    pub(super) skipped_files: SkippedFiles,
    pub(super) notes: Vec<String>,
}

/// The files of a data set by split, from whatever it is kept in.
pub(super) fn find_parts(path: &Path, classes: Option<&[String]>) -> Result<Parts, FolderError> {
    if path.is_dir() {
        let listing = Listing::of_folder(path)?.unwrap(classes);
        let parts = by_folders(listing)?;
        if classes.is_none() {
            check_empty_classes(path, &parts)?;
        }
        return Ok(parts);
    }
    if !path.exists() {
        return Err(FolderError::Missing {
            dir: path.to_owned(),
        });
    }
    let read = |source| FolderError::Read {
        dir: path.to_owned(),
        source,
    };
    if archive::detect(path).map_err(read)?.is_some() {
        return by_folders(Listing::of_archive(path)?.unwrap(classes));
    }
    if is_text(path)? {
        return by_table(path);
    }
    Err(FolderError::Kind {
        path: path.to_owned(),
    })
}

/// Whether a file can be a table: text, as far as its beginning tells.
fn is_text(path: &Path) -> Result<bool, FolderError> {
    use std::io::Read as _;
    let read = |source| FolderError::Read {
        dir: path.to_owned(),
        source,
    };
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(read)?;
    file.take(4096).read_to_end(&mut start).map_err(read)?;
    let valid = match std::str::from_utf8(&start) {
        Ok(_) => true,
        // A letter may be cut at the end.
        Err(error) => error.error_len().is_none(),
    };
    Ok(valid && !start.is_empty() && !start.contains(&0))
}

fn by_folders(mut listing: Listing) -> Result<Parts, FolderError> {
    let mut skipped_files = std::mem::take(&mut listing.skipped_files);
    let mut sources = Vec::new();
    let splits = find_splits(&listing.top_folders())?;
    let Some(splits) = splits else {
        let train = part("the data set".to_owned(), listing.files, &mut skipped_files);
        return Ok(Parts {
            train,
            valid: None,
            test: None,
            sources,
            skipped_files,
            notes: Vec::new(),
        });
    };
    let mut of_split = |split: SplitName, folder: &Path| {
        let name = format!("{}/", folder.display());
        sources.push((split, name.clone()));
        part(
            format!("`{name}`"),
            listing.take(folder),
            &mut skipped_files,
        )
    };
    let train = of_split(SplitName::Train, &splits.train);
    let valid = splits.valid.map(|dir| of_split(SplitName::Valid, &dir));
    let test = splits.test.map(|dir| of_split(SplitName::Test, &dir));
    for file in &listing.files {
        let top = file.key.split_once('/').map(|(top, _)| top);
        skipped_files.add(match top {
            Some(top) => format!("in `{top}/`, which is not a split"),
            None => "outside the split folders".to_owned(),
        });
    }
    Ok(Parts {
        train,
        valid,
        test,
        sources,
        skipped_files,
        notes: Vec::new(),
    })
}

/// Gives every file the class of its folder.
fn part(name: String, files: Vec<ImageFile>, skipped_files: &mut SkippedFiles) -> Part {
    let mut items = Vec::with_capacity(files.len());
    for file in files {
        let inner = file
            .key
            .strip_prefix(name.trim_matches('`'))
            .unwrap_or(&file.key);
        match inner.split_once('/') {
            Some((class, _)) => {
                let class = class.to_owned();
                items.push((file, class));
            }
            None => skipped_files.add("not in a class folder"),
        }
    }
    Part { name, items }
}

/// A class whose folder has no image is more likely a mistake than meant.
fn check_empty_classes(path: &Path, parts: &Parts) -> Result<(), FolderError> {
    let root = |folder: Option<&str>| match folder {
        Some(folder) => path.join(folder.trim_end_matches('/')),
        None => path.to_owned(),
    };
    let has_images = |part: &Part, class: &str| part.items.iter().any(|(_, own)| own == class);
    let named = [
        &Some(&parts.train),
        &parts.valid.as_ref(),
        &parts.test.as_ref(),
    ];
    for part in named.into_iter().flatten() {
        let folder = parts.sources.iter().map(|(_, folder)| folder.as_str());
        let folder = folder
            .into_iter()
            .find(|folder| part.name == format!("`{folder}`"));
        if part.items.is_empty() {
            continue;
        }
        // The data set may be wrapped in folders: then its classes are not at the top.
        let root = root(folder);
        let Ok(entries) = list(&root) else { continue };
        let folders: Vec<PathBuf> = entries.into_iter().filter(|entry| entry.is_dir()).collect();
        let class = |dir: &PathBuf| crate::files::file_name(dir);
        if !folders.iter().any(|dir| has_images(part, &class(dir))) {
            continue;
        }
        if let Some(dir) = folders.iter().find(|dir| !has_images(part, &class(dir))) {
            return Err(FolderError::EmptyClass { dir: dir.clone() });
        }
    }
    Ok(())
}

fn by_table(table: &Path) -> Result<Parts, FolderError> {
    let rows = paths::read(table)?;
    let mut train = Vec::new();
    let (mut valid, mut test) = (Vec::new(), Vec::new());
    let mut sources = BTreeSet::new();
    for row in rows {
        let items = match row.split {
            None | Some(SplitName::Train) => &mut train,
            Some(SplitName::Valid) => &mut valid,
            Some(SplitName::Test) => &mut test,
        };
        items.push((row.file, row.class));
        sources.extend(row.split);
    }
    if train.is_empty() && !sources.is_empty() {
        return Err(FolderError::NoTrain {
            path: table.to_owned(),
        });
    }
    let part = |split: SplitName, items| Part {
        name: format!("the {split} split of `{}`", table.display()),
        items,
    };
    let named = |split: SplitName, items: Vec<_>| (!items.is_empty()).then(|| part(split, items));
    Ok(Parts {
        train: part(SplitName::Train, train),
        valid: named(SplitName::Valid, valid),
        test: named(SplitName::Test, test),
        sources: sources
            .into_iter()
            .map(|split| (split, format!("rows of split `{split}`")))
            .collect(),
        skipped_files: SkippedFiles::default(),
        notes: Vec::new(),
    })
}
