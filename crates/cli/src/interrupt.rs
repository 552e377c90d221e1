//! The interrupt signal.

use burn::train::Interrupter;

use crate::Failure;

/// Gives a handle that Ctrl-C, or a request to terminate, pulls. A second one ends the program on
/// the spot.
///
/// # Errors
///
/// If the system does not let signals be handled.
pub fn interrupter() -> Result<Interrupter, Failure> {
    let interrupter = Interrupter::new();
    let handle = interrupter.clone();
    ctrlc::set_handler(move || {
        if handle.should_stop() {
            std::process::exit(130);
        }
        handle.stop(Some("signal"));
    })?;
    Ok(interrupter)
}
