//! `config.json` of published weights, as timm writes it.

use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

use super::PublishedError;
use crate::FileError;

/// The part of `config.json` that matters here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PublishedConfig {
    /// Name of the network, as in `efficientnet_lite0`; a tag may follow a dot.
    pub(super) architecture: String,
    /// Names of the classes.
    #[serde(default)]
    pub(super) label_names: Option<Vec<String>>,
    /// How images are prepared.
    #[serde(default, alias = "default_cfg")]
    pub(super) pretrained_cfg: Preprocessing,
}

/// How images are prepared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Preprocessing {
    /// Channels, height and width.
    pub(super) input_size: Option<[usize; 3]>,
    pub(super) interpolation: Option<String>,
    pub(super) crop_pct: Option<f64>,
    pub(super) crop_mode: Option<String>,
    pub(super) mean: Option<[f32; 3]>,
    pub(super) std: Option<[f32; 3]>,
}

impl PublishedConfig {
    /// Reads the file; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, PublishedError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(FileError::new("read", path))?,
        };
        let config = serde_json::from_str(&text).map_err(|error| PublishedError::Config {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Some(config))
    }

    /// Name of the network, without its tag.
    pub(super) fn name(&self) -> &str {
        let name = self.architecture.split('.').next();
        name.unwrap_or(&self.architecture)
    }
}
