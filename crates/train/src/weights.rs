//! The weights of a module: drawn, and as bytes that are exact to the bit.

use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Device, Tensor};

/// Burn has one generator per device, for all threads.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Makes a module with weights that follow from `seed`.
///
/// Burn draws weights when they are first used; here they are drawn in a known order.
///
/// # Errors
///
/// Whatever `init` says.
pub fn init_seeded<M: Module, E>(
    seed: u64,
    device: &Device,
    init: impl FnOnce() -> Result<M, E>,
) -> Result<M, E> {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let model = init()?;
    model.visit(&mut Draw);
    Ok(model)
}

struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let _ = param.val();
    }
}

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
