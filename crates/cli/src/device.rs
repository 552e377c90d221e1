//! From `--device` to a device.

use tinderbox_backend::{DeviceSpec, Opened};

use crate::{Failure, Output};

/// Opens a device, and says which command of the package `app` has it if this one has not.
///
/// # Errors
///
/// If it is not compiled in or not there.
pub fn open_device(device: DeviceSpec, app: &str) -> Result<Opened, Failure> {
    tinderbox_backend::open(device).map_err(|error| match error.fix(app) {
        Some(fix) => Failure::user(format!("{error}: {fix}")),
        None => Failure::UserError(error.into()),
    })
}

/// Prints what was compiled in and what is there.
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
