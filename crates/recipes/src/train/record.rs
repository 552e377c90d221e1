//! The weights of a module as bytes, exact to the bit, for checkpoints.

use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;

/// Writes every parameter.
///
/// # Errors
///
/// If one cannot be read from its device.
pub fn weights_to_bytes<M: Module>(model: &M) -> Result<Vec<u8>, RecordError> {
    Ok(model.clone().into_record().into_bytes()?.to_vec())
}

/// Fills a model with what [`weights_to_bytes`] wrote of one with the same layers.
///
/// # Errors
///
/// If they do not fit it.
pub fn weights_from_bytes<M: Module>(model: M, bytes: Vec<u8>) -> Result<M, RecordError> {
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes))?;
    model.try_load_record(record)
}
