//! The files of a data set by split, from its folders, its archive or its table.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::error::quoted;
use super::listing::{ImageFile, Listing, reason};
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
        let mut listing = Listing::of_folder(path)?;
        let note = archives_note(&listing.archives);
        let mut parts = if let Some(parts) = by_inner_table(path, &mut listing, classes)? {
            parts
        } else {
            let parts = by_folders(path, listing.unwrap(classes))?;
            if classes.is_none() {
                check_empty_classes(path, &parts)?;
            }
            parts
        };
        parts.notes.extend(note);
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
        let mut listing = Listing::of_archive(path)?;
        return match by_inner_table(path, &mut listing, classes)? {
            Some(parts) => Ok(parts),
            None => by_folders(path, listing.unwrap(classes)),
        };
    }
    if is_text(path)? {
        return by_table(path);
    }
    Err(FolderError::Kind {
        path: path.to_owned(),
    })
}

fn archives_note(archives: &[String]) -> Option<String> {
    let named = quoted(archives);
    Some(match archives.len() {
        0 => return None,
        1 => format!("the images are those of the archive {named}"),
        count => format!("the images are those of {count} archives: {named}"),
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

fn by_folders(path: &Path, mut listing: Listing) -> Result<Parts, FolderError> {
    let mut skipped_files = std::mem::take(&mut listing.skipped_files);
    let mut sources = Vec::new();
    let splits = find_splits(&listing.top_folders())?;
    let Some(splits) = splits else {
        let train = part("the dataset".to_owned(), listing.files, &mut skipped_files);
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
    let classes: BTreeSet<&String> = [Some(&train), valid.as_ref(), test.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|part| part.items.iter().map(|(_, class)| class))
        .collect();
    for file in &listing.files {
        let top = file.key.split_once('/').map(|(top, _)| top);
        if let Some(top) = top.filter(|&top| classes.iter().any(|&class| class == top)) {
            return Err(FolderError::Mixed {
                path: path.to_owned(),
                first: format!("split folders such as `{}`", sources[0].1),
                second: format!("the class folder `{top}/` next to them"),
                advice: "move its images into a split".to_owned(),
            });
        }
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

/// The images of the table that a folder or an archive has next to them, if it has one.
fn by_inner_table(
    path: &Path,
    listing: &mut Listing,
    classes: Option<&[String]>,
) -> Result<Option<Parts>, FolderError> {
    let mut tables = Vec::new();
    for table in std::mem::take(&mut listing.tables) {
        if paths::has_columns(&table.bytes()?) {
            tables.push(table);
        } else if let Some(reason) = reason(&table)? {
            listing.skipped_files.add(reason);
        }
    }
    let [table, others @ ..] = &tables[..] else {
        return Ok(None);
    };
    let mixed = |second: String, advice: String| FolderError::Mixed {
        path: path.to_owned(),
        first: format!("the table `{}`", table.key),
        second,
        advice,
    };
    if let [other, ..] = others {
        let advice = "keep one, with a column `split` if there are several".to_owned();
        return Err(mixed(format!("the table `{}`", other.key), advice));
    }
    let folders = by_folders(path, listing.clone().unwrap(classes))?;
    let own: BTreeSet<&String> = folders.train.items.iter().map(|(_, name)| name).collect();
    if own.len() < 2 {
        return by_rows_of(table, listing).map(Some);
    }
    // Images are known by their place in memory or on disk: keys were shortened.
    let rows = rows_of(table, &listing.files);
    let labels: HashMap<&Path, &str> = rows
        .iter()
        .flatten()
        .map(|row| (row.file.path(), row.class.as_str()))
        .collect();
    let parts = [
        Some(&folders.train),
        folders.valid.as_ref(),
        folders.test.as_ref(),
    ];
    let items = parts.into_iter().flatten().flat_map(|part| &part.items);
    let both = items.filter_map(|(file, class)| {
        let label = *labels.get(file.path())?;
        Some((file, class.as_str(), label))
    });
    if let Some((file, class, label)) = contradiction(both) {
        let second = format!(
            "folders of other classes: `{}` has the label `{label}` and is in `{class}/`",
            file.key
        );
        let advice = "remove the table to use the folders, or name the table itself with `--data`";
        return Err(mixed(second, advice.to_owned()));
    }
    let note = format!(
        "the class folders are used and not the table `{}`",
        table.key
    );
    Ok(Some(Parts {
        notes: vec![note],
        ..folders
    }))
}

/// The first image whose label contradicts its folder: names may differ, but not the groups.
fn contradiction<'a>(
    items: impl Iterator<Item = (&'a ImageFile, &'a str, &'a str)>,
) -> Option<(&'a ImageFile, &'a str, &'a str)> {
    let (mut label_of, mut class_of) = (HashMap::new(), HashMap::new());
    let mut items = items;
    items.find(|(_, class, label)| {
        *label_of.entry(*class).or_insert(*label) != *label
            || *class_of.entry(*label).or_insert(*class) != *class
    })
}

/// The rows of a table, whose paths start at its folder.
fn rows_of(table: &ImageFile, files: &[ImageFile]) -> Result<Vec<paths::Row>, FolderError> {
    let folder = table.key.rsplit_once('/').map_or("", |(folder, _)| folder);
    let by_key: HashMap<&str, &ImageFile> =
        files.iter().map(|file| (file.key.as_str(), file)).collect();
    paths::read_rows(table.path(), &table.bytes()?, |name| {
        let name = name.trim_start_matches("./");
        let key = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        by_key.get(key.as_str()).map(|&file| file.clone())
    })
}

/// The images that a table in a listing names; the others are counted.
fn by_rows_of(table: &ImageFile, listing: &mut Listing) -> Result<Parts, FolderError> {
    let rows = rows_of(table, &listing.files)?;
    let mut skipped_files = std::mem::take(&mut listing.skipped_files);
    let used: BTreeSet<&str> = rows.iter().map(|row| row.file.key.as_str()).collect();
    for _ in listing
        .files
        .iter()
        .filter(|file| !used.contains(file.key.as_str()))
    {
        skipped_files.add(format!("not in the table `{}`", table.key));
    }
    let note = format!("images and labels are those of the table `{}`", table.key);
    let parts = by_rows(table.path(), rows)?;
    Ok(Parts {
        skipped_files,
        notes: vec![note],
        ..parts
    })
}

fn by_table(table: &Path) -> Result<Parts, FolderError> {
    by_rows(table, paths::read(table)?)
}

fn by_rows(table: &Path, rows: Vec<paths::Row>) -> Result<Parts, FolderError> {
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
