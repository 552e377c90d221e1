//! Cargo features to Burn devices: the one place that names a backend.
//!
//! A device is what `--device` takes, a [`DeviceSpec`]; a backend is the code behind it. [`open()`]
//! turns the first into a [`Device`](burn::tensor::Device), [`devices()`] tells what this binary and
//! this machine have. A backend is one row of a table, one Cargo feature and one file.
//!
//! ```
//! use burn::tensor::Tensor;
//! use tinderbox_backend::{DeviceSpec, open};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec: DeviceSpec = "cpu".parse()?;
//! let opened = open(spec)?;
//! assert_eq!((opened.spec, opened.backend), (DeviceSpec::Cpu, "flex"));
//! let sum = Tensor::<1>::from_floats([1.0, 2.0], &opened.device).sum();
//! assert_eq!(sum.into_scalar::<f32>(), 3.0);
//! # Ok(())
//! # }
//! ```
//!
//! What this crate refuses to do:
//!
//! - It never falls back: a device that was asked for by name is opened or is an error. Only `auto`
//!   chooses, and [`Opened`] says what it chose.
//! - It reads no environment variable: `Device::default()` panics on an unknown `BURN_DEVICE`.
//! - It turns no autodiff on, sets no precision and no seed: the training does.
//! - No other crate needs it but apps, tests and benches: the rest takes a `&Device`.

mod backends;
mod devices;
mod error;
#[cfg(feature = "cuda")]
mod nvidia;
mod open;
mod spec;

pub use backends::{BackendInfo, Found, compiled, known};
pub use devices::{DeviceStatus, devices};
pub use error::DeviceError;
pub use open::{Opened, backend_name, open};
pub use spec::{DeviceSpec, ParseDeviceError};
