//! `config.json` of published weights, as timm writes it.

use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

use super::PublishedError;
use crate::FileError;

/// The part of `config.json` that matters here.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::vision) struct PublishedConfig {
    /// Name of the network, as in `efficientnet_lite0`; a tag may follow a dot.
    pub(in crate::vision) architecture: String,
    /// Names of the classes.
    #[serde(default)]
    pub(in crate::vision) label_names: Option<Vec<String>>,
    /// Number of classes of the published classifier.
    #[serde(default)]
    num_classes: Option<usize>,
    /// How images are prepared.
    #[serde(default, alias = "default_cfg")]
    pub(in crate::vision) pretrained_cfg: Preprocessing,
    /// The same keys outside of `pretrained_cfg`, where older files have them.
    #[serde(flatten)]
    outer: Preprocessing,
}

/// How images are prepared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::vision) struct Preprocessing {
    /// Channels, height and width.
    pub(in crate::vision) input_size: Option<[usize; 3]>,
    pub(in crate::vision) interpolation: Option<String>,
    pub(in crate::vision) crop_pct: Option<f64>,
    pub(in crate::vision) crop_mode: Option<String>,
    pub(in crate::vision) mean: Option<[f32; 3]>,
    pub(in crate::vision) std: Option<[f32; 3]>,
}

impl PublishedConfig {
    /// Reads the file; `None` if there is none.
    pub(in crate::vision) fn read(path: &Path) -> Result<Option<Self>, PublishedError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(FileError::new("read", path))?,
        };
        let config = Self::parse(&text).map_err(|error| PublishedError::Config {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Some(config))
    }

    fn parse(text: &str) -> serde_json::Result<Self> {
        let mut config: Self = serde_json::from_str(text)?;
        config.pretrained_cfg = config.pretrained_cfg.or(config.outer.clone());
        Ok(config)
    }

    /// Checks that the weights have as many classes as the file says.
    pub(in crate::vision) fn check_classes(
        &self,
        path: &Path,
        classes: usize,
    ) -> Result<(), PublishedError> {
        match self.num_classes {
            Some(expected) if expected != classes => Err(PublishedError::Config {
                path: path.to_owned(),
                reason: format!(
                    "`num_classes` is {expected}, but the classifier of the weights has {classes}"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Name of the network, without its tag.
    pub(in crate::vision) fn name(&self) -> &str {
        let name = self.architecture.split('.').next();
        name.unwrap_or(&self.architecture)
    }
}

impl Preprocessing {
    /// These values, and where one is missing that of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            input_size: self.input_size.or(other.input_size),
            interpolation: self.interpolation.or(other.interpolation),
            crop_pct: self.crop_pct.or(other.crop_pct),
            crop_mode: self.crop_mode.or(other.crop_mode),
            mean: self.mean.or(other.mean),
            std: self.std.or(other.std),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preprocessing_outside_of_its_table_counts_where_the_table_is_silent() {
        let text = r#"{"architecture": "resnet18", "interpolation": "bicubic", "crop_pct": 0.95,
            "mean": [0.5, 0.5, 0.5], "pretrained_cfg": {"crop_pct": 0.9}}"#;
        let found = PublishedConfig::parse(text).unwrap().pretrained_cfg;
        assert_eq!(found.interpolation.as_deref(), Some("bicubic"));
        assert_eq!(found.mean, Some([0.5; 3]));
        assert_eq!((found.crop_pct, found.std), (Some(0.9), None));
    }

    #[test]
    fn a_wrong_number_of_classes_is_refused() {
        let text = r#"{"architecture": "resnet18", "num_classes": 21843}"#;
        let config = PublishedConfig::parse(text).unwrap();
        let path = Path::new("config.json");
        assert!(config.check_classes(path, 21_843).is_ok());
        let error = config.check_classes(path, 1_000).unwrap_err().to_string();
        assert!(error.contains("21843") && error.contains("1000"), "{error}");
    }
}
