//! From `--device` to a device.

use tinderbox_backend::{DeviceSpec, Opened};

use crate::{Failure, Output};

/// Opens a device; if it is not compiled in, the error has the command of the package `app` that has
/// it.
///
/// # Errors
///
/// If it is not compiled in or does not exist.
pub fn open_device(device: impl Into<DeviceSpec>, app: &str) -> Result<Opened, Failure> {
    tinderbox_backend::open(device.into()).map_err(|error| match error.fix(app) {
        Some(fix) => Failure::user(format!("{error}: {fix}")),
        None => Failure::UserError(error.into()),
    })
}

/// Prints compiled backends and detected devices.
///
/// # Errors
///
/// If stdout cannot be written.
pub fn list_devices() -> Result<(), Failure> {
    for status in tinderbox_backend::devices() {
        Output::Stdout.line(&status.to_string())?;
    }
    Ok(())
}
