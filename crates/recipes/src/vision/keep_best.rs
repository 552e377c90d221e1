//! The best weights of a training so far, on disk.

use std::path::PathBuf;

use serde::Serialize;
use tinderbox_predict::model_dir::{self, WeightsError};
use tinderbox_train::BestListener;

/// Keeps the best weights so far of a network of a run, with the `model.json` of it.
pub(super) fn keep_best<M: 'static>(
    dir: PathBuf,
    member: usize,
    spec: impl Serialize + Send + 'static,
    to_bytes: impl Fn(&M) -> Result<Vec<u8>, WeightsError> + Send + 'static,
) -> Box<BestListener<M>> {
    Box::new(move |model| {
        let weights = to_bytes(model)?;
        model_dir::save_best(&dir, member, &weights, &spec, &[])
    })
}
