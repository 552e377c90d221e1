//! The weights of a run on disk: the best ones so far, and the final ones.

use serde::Serialize;
use tinderbox_predict::model_dir::{self, ModelError, WeightsError};
use tinderbox_train::run::Part;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::{BestListener, TaskError};

/// Keeps the best weights so far of a network of the final training, with the `model.json` of it; none of other parts
/// of a run.
pub(super) fn keep_best<M: 'static>(
    part: &Part,
    member: usize,
    spec: &(impl Serialize + Clone + Send + 'static),
    to_bytes: impl Fn(&M) -> Result<Vec<u8>, WeightsError> + Send + 'static,
) -> Option<Box<BestListener<M>>> {
    let (dir, spec) = (part.best_dir()?, spec.clone());
    Some(Box::new(move |model: &M| {
        let weights = to_bytes(model)?;
        model_dir::save_best(&dir, member, &weights, &spec, &[])
    }))
}

/// Writes the weights of all networks of a run with their `model.json`.
pub(super) fn save(
    run: &RunDir,
    weights: impl IntoIterator<Item = Result<Vec<u8>, WeightsError>>,
    spec: &impl Serialize,
) -> Result<(), TaskError> {
    let weights: Result<Vec<Vec<u8>>, WeightsError> = weights.into_iter().collect();
    let weights = weights.map_err(ModelError::from)?;
    Ok(model_dir::save_all(&run.model_dir(), &weights, spec)?)
}
