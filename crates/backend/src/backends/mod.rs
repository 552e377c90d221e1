//! The table of backends.
//!
//! To add one: its feature in `Cargo.toml`, a file beside this one, a row in [`COMPILED`], and
//! `in_this_version` in its row of [`KNOWN`].

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Device;

use crate::spec::DeviceSpec;

/// One backend: the device it serves and the feature that compiles it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendInfo {
    /// Name of the device, as in `--device cuda`.
    pub device: &'static str,
    /// Name of the backend, as in `summary.json`.
    pub backend: &'static str,
    /// Cargo feature that compiles the backend in.
    pub feature: &'static str,
    /// What the backend is, in one phrase.
    pub about: &'static str,
    /// Whether the feature exists in this version of Tinderbox.
    pub in_this_version: bool,
    /// Whether the device takes an index, as in `cuda:1`.
    pub indexed: bool,
}

/// Every device there is a name for, in the order in which people read them.
pub(crate) const KNOWN: [BackendInfo; 5] = [
    BackendInfo {
        device: "cpu",
        backend: "flex",
        feature: "flex",
        about: "Burn's CPU backend, pure Rust with SIMD and threads",
        in_this_version: true,
        indexed: false,
    },
    BackendInfo {
        device: "ndarray",
        backend: "ndarray",
        feature: "ndarray",
        about: "Burn's older CPU backend on the ndarray crate",
        in_this_version: false,
        indexed: false,
    },
    BackendInfo {
        device: "libtorch",
        backend: "libtorch",
        feature: "libtorch",
        about: "PyTorch's C++ library on the CPU",
        in_this_version: false,
        indexed: false,
    },
    BackendInfo {
        device: "cuda",
        backend: "cuda",
        feature: "cuda",
        about: "NVIDIA GPUs",
        in_this_version: false,
        indexed: true,
    },
    BackendInfo {
        device: "wgpu",
        backend: "wgpu",
        feature: "wgpu",
        about: "GPUs through Vulkan, Metal or WebGPU",
        in_this_version: false,
        indexed: true,
    },
];

/// A backend in this binary.
pub(crate) struct Backend {
    /// Name of its device.
    pub(crate) device: &'static str,
    /// Opens what [`find`](Self::find) found.
    pub(crate) open: fn(DeviceSpec) -> Device,
    /// Lists the devices of this machine, each with a description.
    pub(crate) find: fn() -> Vec<(DeviceSpec, String)>,
}

/// The backends in this binary, best first: `auto` takes the first that finds a device.
pub(crate) const COMPILED: &[Backend] = &[
    #[cfg(feature = "flex")]
    flex::BACKEND,
];

/// Lists every backend this version of Tinderbox has a device name for.
pub fn known() -> Vec<BackendInfo> {
    KNOWN.to_vec()
}

/// Lists the backends in this binary.
pub fn compiled() -> Vec<BackendInfo> {
    KNOWN.into_iter().filter(BackendInfo::is_compiled).collect()
}

impl BackendInfo {
    /// Whether this binary has the backend.
    pub fn is_compiled(&self) -> bool {
        self.compiled().is_some()
    }

    pub(crate) fn compiled(&self) -> Option<&'static Backend> {
        COMPILED
            .iter()
            .find(|backend| backend.device == self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_in_this_version_are_those_of_the_manifest() {
        let manifest = include_str!("../../Cargo.toml");
        for info in KNOWN {
            let declared = manifest.contains(&format!("\n{} = [", info.feature));
            assert_eq!(info.in_this_version, declared, "{}", info.feature);
        }
    }

    #[test]
    fn every_compiled_backend_is_known() {
        assert_eq!(compiled().len(), COMPILED.len());
        assert!(compiled().iter().all(|info| info.in_this_version));
    }
}
