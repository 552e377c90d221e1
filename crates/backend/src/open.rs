//! From a device's name to a Burn device.

use burn::tensor::Device;

use crate::backends::{Backend, COMPILED, Found};
use crate::error::DeviceError;
use crate::spec::DeviceSpec;

/// An open device, and what to call it in a summary.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Opened {
    /// The device by name; never [`DeviceSpec::Auto`].
    pub spec: DeviceSpec,
    /// Name of the backend behind it, as in `flex`.
    pub backend: &'static str,
    /// The device itself, without autodiff.
    pub device: Device,
}

/// Opens a device by name.
///
/// # Errors
///
/// If the device is not compiled in, or not on this machine. There is no fallback.
pub fn open(spec: DeviceSpec) -> Result<Opened, DeviceError> {
    let spec = resolve(spec)?;
    let backend = backend_of(spec)?;
    let found: Vec<_> = (backend.find)()
        .into_iter()
        .map(|found| found.spec)
        .collect();
    if !found.contains(&spec) {
        return Err(DeviceError::NotFound {
            device: spec,
            found,
            needs: spec.info().map_or("", |info| info.needs),
        });
    }
    Ok(Opened {
        spec,
        backend: backend_name(spec),
        device: (backend.open)(spec),
    })
}

/// Names the backend behind a device, compiled in or not; for `auto`, that of its choice.
///
/// It is `none` only for `auto` in a binary without any backend.
///
/// ```
/// use tinderbox_backend::{DeviceSpec, backend_name};
///
/// assert_eq!(backend_name(DeviceSpec::Cpu), "flex");
/// ```
pub fn backend_name(spec: DeviceSpec) -> &'static str {
    let info = resolve(spec).ok().and_then(DeviceSpec::info);
    info.map_or("none", |info| info.backend)
}

/// Replaces `auto` by its choice: the first accelerator, else the first device of any backend.
pub(crate) fn resolve(spec: DeviceSpec) -> Result<DeviceSpec, DeviceError> {
    if spec != DeviceSpec::Auto {
        return Ok(spec);
    }
    let found: Vec<Found> = COMPILED
        .iter()
        .flat_map(|backend| (backend.find)())
        .collect();
    let accelerator = found.iter().find(|found| found.accelerator);
    accelerator
        .or(found.first())
        .map(|found| found.spec)
        .ok_or(DeviceError::NothingCompiled)
}

fn backend_of(spec: DeviceSpec) -> Result<&'static Backend, DeviceError> {
    let info = spec.info().ok_or(DeviceError::NothingCompiled)?;
    let (device, feature) = (spec, info.feature);
    info.compiled()
        .ok_or(DeviceError::NotCompiled { device, feature })
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "flex")]
    use burn::tensor::Tensor;

    use super::*;

    #[test]
    #[cfg(feature = "flex")]
    fn cpu_and_auto_open_a_device_that_computes() {
        for spec in [DeviceSpec::Cpu, DeviceSpec::Auto] {
            let opened = open(spec).unwrap();
            assert_ne!(opened.spec, DeviceSpec::Auto);
            let [a, b] = [1.5, 2.0].map(|x| Tensor::<1>::from_floats([x], &opened.device));
            let sum: f32 = (a + b).into_scalar();
            assert!((sum - 3.5).abs() < 1e-6, "{sum}");
        }
        assert_eq!(backend_name(DeviceSpec::Cpu), "flex");
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_device_that_is_not_compiled_in_says_which_command_has_it() {
        let error = open(DeviceSpec::Cuda(0)).unwrap_err();
        let expected = "`cuda` is not compiled into this binary, it needs `--features cuda`";
        assert_eq!(error.to_string(), expected);
        let fix = "cargo run -p vision --features cuda -- train --device cuda";
        assert_eq!(error.fix("vision").as_deref(), Some(fix));
    }

    #[test]
    #[cfg(not(feature = "flex"))]
    fn a_binary_without_backends_says_so() {
        assert_eq!(
            open(DeviceSpec::Auto).unwrap_err(),
            DeviceError::NothingCompiled
        );
        let feature = "flex";
        let expected = DeviceError::NotCompiled {
            device: DeviceSpec::Cpu,
            feature,
        };
        assert_eq!(open(DeviceSpec::Cpu).unwrap_err(), expected);
    }
}
