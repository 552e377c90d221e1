//! The files of a model folder, on a disk or in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tinderbox_datasets::format::hex_digits;

use crate::model_dir::{FORMAT, ModelError, SPEC_FILE, WeightsError, weights_file};

/// The files of a model folder.
///
/// ```
/// use std::collections::BTreeMap;
/// use tinderbox_predict::ModelFiles;
///
/// let json = br#"{"format": 2, "kind": "image-classifier", "versions": {"tinderbox": "0.1.0"}}"#;
/// let files = BTreeMap::from([("model.json".to_owned(), json.to_vec())]);
/// let files = ModelFiles::from_memory(files);
/// assert_eq!(files.kind()?, "image-classifier");
/// # Ok::<(), tinderbox_predict::model_dir::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The folder, or a name for messages.
    folder: PathBuf,
    memory: Option<BTreeMap<String, Vec<u8>>>,
}

impl ModelFiles {
    /// The files in a folder, which are read when they are asked for.
    pub fn open(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            memory: None,
        }
    }

    /// Files in memory by their names, as in a browser.
    pub fn from_memory(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            folder: PathBuf::from("model"),
            memory: Some(files),
        }
    }

    /// Where a file is, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// An error about `model.json`.
    pub fn refuse(&self, reason: impl std::fmt::Display) -> ModelError {
        ModelError::spec(&self.folder, reason)
    }

    /// The content of a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ModelError> {
        let path = self.path(name);
        let Some(files) = &self.memory else {
            return fs::read(&path).map_err(ModelError::io("read", &path));
        };
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let file = files.get(name).cloned().ok_or_else(missing);
        file.map_err(ModelError::io("read", &path))
    }

    /// Whether there is a file of this name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.memory {
            Some(files) => files.contains_key(name),
            None => self.path(name).is_file(),
        }
    }

    /// The kind of the model, as in `image-classifier`.
    ///
    /// # Errors
    ///
    /// If `model.json` is missing, damaged or of another version.
    pub fn kind(&self) -> Result<String, ModelError> {
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
        }
        let Kind { kind } = self.parse(self.document()?)?;
        Ok(kind)
    }

    /// Versions of the programs that wrote the model, by their names.
    ///
    /// # Errors
    ///
    /// If `model.json` is missing, damaged or of another version.
    pub fn versions(&self) -> Result<Value, ModelError> {
        let mut document = self.document()?;
        Ok(document
            .get_mut("versions")
            .map_or(Value::Null, Value::take))
    }

    /// SHA-256 of the weights of all networks, one after another, in hexadecimal.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn weights_sha256(&self) -> Result<String, ModelError> {
        let mut hash = Sha256::new();
        let mut member = 0;
        while member == 0 || self.contains(&weights_file(member)) {
            hash.update(self.read(&weights_file(member))?);
            member += 1;
        }
        Ok(hex_digits(&hash.finalize()))
    }

    /// The specification of a model of a kind.
    ///
    /// # Errors
    ///
    /// If `model.json` is missing, damaged, of another version or of another kind.
    pub fn spec<S: DeserializeOwned>(&self, kind: &str) -> Result<S, ModelError> {
        let document = self.document()?;
        match document.get("kind").and_then(Value::as_str) {
            Some(found) if found == kind => self.parse(document),
            Some(found) => Err(self.refuse(format!("its kind is `{found}`, not `{kind}`"))),
            None => Err(self.refuse("it has no `kind`")),
        }
    }

    /// Hands the weights of network `member`, from 0, to `fill`, which is
    /// [`from_bytes`](crate::model_dir::from_bytes) with a model.
    ///
    /// # Errors
    ///
    /// If they are missing, damaged, or do not fit the model.
    pub fn weights<M>(
        &self,
        member: usize,
        fill: impl FnOnce(Vec<u8>) -> Result<M, WeightsError>,
    ) -> Result<M, ModelError> {
        let name = weights_file(member);
        let path = self.path(&name);
        fill(self.read(&name)?).map_err(|error| ModelError::Weights {
            path,
            reason: error.reason().to_owned(),
        })
    }

    fn document(&self) -> Result<Value, ModelError> {
        let text = self.read(SPEC_FILE)?;
        let document: Value = serde_json::from_slice(&text).map_err(|error| self.refuse(error))?;
        let format = document.get("format").and_then(Value::as_u64);
        if format == Some(u64::from(FORMAT)) {
            return Ok(document);
        }
        let found = format.map_or("none".to_owned(), |format| format.to_string());
        let version = document
            .get("versions")
            .and_then(|versions| versions.get("tinderbox"))
            .and_then(Value::as_str)
            .unwrap_or("unknown");
        let advice = match format {
            Some(format) if format > u64::from(FORMAT) => "update this program",
            _ => "train the model again",
        };
        Err(self.refuse(format!(
            "its format is {found} (Tinderbox {version}), and this version, {}, reads format \
             {FORMAT}; {advice}",
            env!("CARGO_PKG_VERSION")
        )))
    }

    fn parse<S: DeserializeOwned>(&self, document: Value) -> Result<S, ModelError> {
        serde_json::from_value(document).map_err(|error| self.refuse(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(json: &str) -> ModelFiles {
        let json = json.as_bytes().to_vec();
        ModelFiles::from_memory(BTreeMap::from([(SPEC_FILE.to_owned(), json)]))
    }

    #[test]
    fn folders_of_other_versions_and_kinds_are_refused_by_name() {
        for (json, words) in [
            (r#"{"kind": "a"}"#, "its format is none (Tinderbox unknown)"),
            (
                r#"{"format": 1, "kind": "a", "versions": {"tinderbox": "0.0.9"}}"#,
                "its format is 1 (Tinderbox 0.0.9), and this version, 0.1.0, reads format 2; train",
            ),
            (
                r#"{"format": 3, "kind": "a", "versions": {"tinderbox": "0.2.0"}}"#,
                "reads format 2; update this program",
            ),
            (r#"{"format": 2, "kind": "b"}"#, "its kind is `b`, not `a`"),
            (r#"{"format": 2}"#, "it has no `kind`"),
            ("{", "EOF"),
        ] {
            let error = files(json).spec::<Value>("a").unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(files(r#"{"format": 2, "kind": "b"}"#).kind().unwrap(), "b");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = files("{}").read("weights.safetensors").unwrap_err();
        assert!(error.to_string().contains("weights.safetensors"), "{error}");
        assert!(!files("{}").contains("tokenizer.json"));
    }
}
