//! Fitted baselines in the model folder.

use std::collections::BTreeMap;
use std::path::Path;

use tinderbox_predict::model_dir::ModelError;
use tinderbox_predict::tabular::{Encoder, Predictor, Target};

use super::inputs::tree_columns;
use super::{BaselineKind, Classical, FittedBaseline, Method};

/// Name of the file in `model/` with the fitted baselines, if they are kept.
pub(crate) const BASELINES_FILE: &str = "baselines.json";

/// The content of [`BASELINES_FILE`].
pub(crate) fn to_json(methods: &[Classical]) -> Result<Vec<u8>, serde_json::Error> {
    let by_kind: BTreeMap<BaselineKind, &FittedBaseline> = methods
        .iter()
        .map(|method| (method.kind, &method.fitted))
        .collect();
    serde_json::to_vec(&by_kind)
}

/// Reads a baseline from the folder of its model.
pub(crate) fn load_baseline(
    dir: &Path,
    kind: BaselineKind,
    model: &Predictor,
) -> Result<FittedBaseline, ModelError> {
    let path = dir.join(BASELINES_FILE);
    let refuse = |reason: String| ModelError::Spec {
        path: path.clone(),
        reason,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => refuse(
            "it does not exist; train with `--keep-baselines` to keep the baselines".to_owned(),
        ),
        _ => refuse(error.to_string()),
    })?;
    let mut kept: BTreeMap<BaselineKind, FittedBaseline> =
        serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    kept.remove(&kind)
        .filter(|baseline| baseline.fits(model.encoder(), model.target()))
        .ok_or_else(|| refuse("it does not fit `model.json`".to_owned()))
}

impl FittedBaseline {
    /// Whether the method fits the rows of an encoder and a target, which a stored one may not.
    fn fits(&self, encoder: &Encoder, target: &Target) -> bool {
        let outputs = target.d_output();
        let sound = match &self.method {
            Method::Logistic { inputs, model } => {
                let width = inputs.width(encoder);
                width.is_some_and(|width| model.is_sound(width)) && model.answers() == outputs
            }
            Method::Ridge { inputs, model } => {
                let width = inputs.width(encoder);
                width.is_some_and(|width| model.is_sound(width)) && outputs == 1
            }
            Method::Trees { model } => {
                model.is_sound(tree_columns(encoder).len()) && model.answers() == outputs
            }
        };
        sound && self.target.d_output() == outputs
    }
}
