//! What a person drops on the page: the files of a folder, or a ZIP file of one.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tinderbox_datasets::archive::{ArchiveError, Limits, read_zip};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::model_dir::SPEC_FILE;

/// What is unpacked of a ZIP file: a page has 4 GB of memory, and needs the weights more than once.
const LIMITS: Limits = Limits {
    members: 10_000,
    name_bytes: 4096,
    total_bytes: 1 << 30,
};

/// Why no model is in what was dropped.
#[derive(Debug, Error)]
pub enum DroppedError {
    /// The ZIP file cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A member of the ZIP file cannot be unpacked.
    #[error("cannot unpack `{}`", member.display())]
    Member {
        /// The member.
        member: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no model.
    #[error(
        "there is no `{SPEC_FILE}`: drop the folder `model` of a finished run, or a ZIP file of it"
    )]
    NoModel,
    /// There are several models.
    #[error("there are several models, in `{}` and `{}`: drop one", first.display(), second.display())]
    Several {
        /// A folder with a model.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
}

/// The model in dropped files, by their paths: in the folder itself, such as `model`, or below it, as in a
/// run directory. ZIP files are unpacked.
///
/// # Errors
///
/// If there is no model or more than one, or a ZIP file is damaged or too large.
pub fn model_files(dropped: Vec<(String, Vec<u8>)>) -> Result<ModelFiles, DroppedError> {
    let mut files = BTreeMap::new();
    for (path, content) in dropped {
        if content.starts_with(b"PK\x03\x04") {
            unpack(&path, &content, &mut files)?;
        } else {
            files.insert(PathBuf::from(path), content);
        }
    }
    let folder = model_folder(files.keys().map(PathBuf::as_path))?.to_owned();
    let own = files.into_iter().filter_map(|(path, content)| {
        let name = path.file_name()?.to_str()?.to_owned();
        (path.parent() == Some(&folder)).then_some((name, content))
    });
    Ok(ModelFiles::from_memory(own.collect()))
}

fn unpack(
    name: &str,
    zip: &[u8],
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), DroppedError> {
    read_zip(Cursor::new(zip), name, &LIMITS, |member| {
        // A run directory also has checkpoints and images.
        let is_model_file = |ending| ["json", "safetensors"].iter().any(|model| ending == *model);
        if !member.path.extension().is_some_and(is_model_file) {
            return Ok(());
        }
        let mut content = Vec::new();
        if let Err(source) = member.content.read_to_end(&mut content) {
            let member = member.path;
            return Err(DroppedError::Member { member, source });
        }
        files.insert(member.path, content);
        Ok(())
    })
}

/// The folder nearest to the top with a model.
fn model_folder<'a>(files: impl Iterator<Item = &'a Path>) -> Result<&'a Path, DroppedError> {
    let mut folders: Vec<&Path> = files
        .filter(|path| path.file_name().is_some_and(|name| name == SPEC_FILE))
        .filter_map(Path::parent)
        .collect();
    folders.sort_by_key(|folder| folder.components().count());
    match folders[..] {
        [] => Err(DroppedError::NoModel),
        [first, second, ..] if first.components().count() == second.components().count() => {
            Err(DroppedError::Several {
                first: first.to_owned(),
                second: second.to_owned(),
            })
        }
        [first, ..] => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(paths: &[&str]) -> Result<ModelFiles, DroppedError> {
        let files = paths.iter();
        model_files(
            files
                .map(|path| ((*path).to_owned(), b"{}".to_vec()))
                .collect(),
        )
    }

    #[test]
    fn a_model_is_found_in_a_folder_and_in_a_run_directory() {
        for (paths, extra) in [
            (&["model.json", "weights.safetensors"][..], None),
            (&["model/model.json", "model/weights.safetensors"], None),
            (
                &[
                    "run/summary.json",
                    "run/model/model.json",
                    "run/model/weights.safetensors",
                ],
                Some("summary.json"),
            ),
        ] {
            let files = dropped(paths).unwrap();
            assert!(files.contains("model.json") && files.contains("weights.safetensors"));
            assert!(
                extra.is_none_or(|extra| !files.contains(extra)),
                "{paths:?}"
            );
        }
    }

    #[test]
    fn no_model_and_two_models_are_refused() {
        let error = dropped(&["photo.png"]).unwrap_err().to_string();
        assert!(error.contains("no `model.json`"), "{error}");
        let error = dropped(&["a/model.json", "b/model.json"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("`a`") && error.contains("`b`"), "{error}");
        // That of an ensemble of runs has the first say.
        assert!(dropped(&["model.json", "old/model.json"]).is_ok());
    }

    #[test]
    fn a_damaged_zip_file_is_named() {
        let zip = vec![(
            "model.zip".to_owned(),
            b"PK\x03\x04 and nothing more".to_vec(),
        )];
        let error = model_files(zip).unwrap_err().to_string();
        assert!(error.contains("`model.zip` is damaged"), "{error}");
    }
}
