//! Why published weights cannot be used.

use std::path::PathBuf;

use tinderbox_datasets::image::ImageError;
use tinderbox_models::ConfigError;
use tinderbox_models::pretrained::SafeTensorsError;

use super::architecture::known;
use crate::FileError;

/// Why published weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There are no weights.
    #[error(
        "`{}` has no `model.safetensors`: name a folder in the layout of the Hugging Face hub, with \
         `model.safetensors` and, if there is one, `config.json`", .0.display()
    )]
    NoWeights(PathBuf),
    /// The weights are a Python pickle, which could run any code.
    #[error(
        "`{0}` is a Python pickle, which can run any code when it is read, and is refused; if you trust it, \
         convert it once: python3 -c \"import sys, torch; from safetensors.torch import save_file; \
         w = torch.load(sys.argv[1], map_location='cpu', weights_only=True); w = w.get('state_dict', w.get('model', w)); \
         save_file({{k: v.contiguous() for k, v in w.items()}}, sys.argv[2])\" '{0}' '{1}'",
        path.display(),
        path.with_file_name("model.safetensors").display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// `config.json` cannot be read.
    #[error("`{}` is not valid: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights are damaged.
    #[error(transparent)]
    SafeTensors(#[from] SafeTensorsError),
    /// The network is not one of those that can be used.
    #[error("`{}` is of the network `{name}`; known are {}", path.display(), known())]
    Unknown {
        /// The weights or `config.json`.
        path: PathBuf,
        /// Name of the network.
        name: String,
    },
    /// No network has such tensors.
    #[error(
        "`{}` fits none of the known networks, {}; it has tensors such as {tensors}",
        path.display(), known()
    )]
    NoneFits {
        /// The weights.
        path: PathBuf,
        /// The first few tensors with their shapes.
        tensors: String,
    },
    /// `config.json` names another network than that of the weights.
    #[error("the weights are not of `{name}`, which `config.json` names: {difference}; {fits}")]
    Other {
        /// The network of `config.json`.
        name: String,
        /// The first difference.
        difference: SafeTensorsError,
        /// Which networks fit.
        fits: String,
    },
    /// The configuration of the network cannot be used.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// The preprocessing cannot be used.
    #[error(transparent)]
    Preprocessing(#[from] ImageError),
}
