//! The table of backends.
//!
//! To add one: its feature in `Cargo.toml`, a row in [`KNOWN`], a file in this folder, and a row in
//! [`COMPILED`].

#[cfg(feature = "cubecl")]
mod cubecl;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "libtorch")]
mod libtorch;
#[cfg(feature = "ndarray")]
mod ndarray;

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
    /// What this machine lacks if the backend is compiled in and finds no device.
    pub needs: &'static str,
    /// Whether the device takes an index, as in `cuda:1`.
    pub indexed: bool,
}

const fn row(
    [device, backend, feature]: [&'static str; 3],
    indexed: bool,
    about: &'static str,
    needs: &'static str,
) -> BackendInfo {
    BackendInfo {
        device,
        backend,
        feature,
        about,
        needs,
        indexed,
    }
}

/// Every device there is a name for, in the order in which people read them.
pub(crate) const KNOWN: [BackendInfo; 9] = [
    row(
        ["cpu", "flex", "flex"],
        false,
        "Burn's CPU backend, pure Rust with SIMD and threads",
        "a processor",
    ),
    row(
        ["ndarray", "ndarray", "ndarray"],
        false,
        "Burn's older CPU backend on the ndarray crate (deprecated in Burn 0.22: use `cpu`)",
        "a processor",
    ),
    row(
        ["libtorch", "libtorch", "libtorch"],
        false,
        "PyTorch's C++ library on the CPU (deprecated in Burn 0.22: use `cpu`)",
        "LibTorch",
    ),
    row(
        ["cuda", "libtorch", "cuda"],
        true,
        "NVIDIA GPUs through LibTorch (deprecated in Burn 0.22: use `cubecl-cuda`)",
        "an NVIDIA driver, and a LibTorch that was built for CUDA: unset LIBTORCH and \
         LIBTORCH_USE_PYTORCH, then `cargo clean -p torch-sys` and build again",
    ),
    row(
        ["wgpu", "wgpu", "wgpu"],
        true,
        "GPUs through Vulkan, Metal or DirectX 12",
        "a graphics driver; on Debian without a GPU: `apt install mesa-vulkan-drivers`",
    ),
    row(
        ["vulkan", "vulkan", "vulkan"],
        true,
        "GPUs through Vulkan",
        "a Vulkan driver; on Debian without a GPU: `apt install mesa-vulkan-drivers`",
    ),
    row(
        ["metal", "metal", "metal"],
        true,
        "GPUs of Apple computers through Metal",
        "an Apple computer",
    ),
    row(
        ["cubecl-cuda", "cubecl-cuda", "cubecl-cuda"],
        true,
        "NVIDIA GPUs through Burn's own kernels",
        "an NVIDIA driver and the CUDA toolkit's libraries (NVRTC)",
    ),
    row(
        ["rocm", "rocm", "rocm"],
        true,
        "AMD GPUs through Burn's own kernels",
        "an AMD GPU with ROCm",
    ),
];

/// A backend in this binary.
pub(crate) struct Backend {
    /// Name of its device.
    pub(crate) device: &'static str,
    /// Opens what [`find`](Self::find) found.
    pub(crate) open: fn(DeviceSpec) -> Device,
    /// Lists the devices of this machine.
    pub(crate) find: fn() -> Vec<Found>,
}

/// A device of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// What `--device` calls it.
    pub spec: DeviceSpec,
    /// What it is, for people.
    pub description: String,
    /// Whether it is a GPU, and not the processor under another name.
    pub accelerator: bool,
}

#[cfg(any(feature = "flex", feature = "libtorch", feature = "ndarray"))]
impl Found {
    /// The processor; there is always one.
    fn processor(spec: DeviceSpec) -> Self {
        let description = match std::thread::available_parallelism() {
            Ok(threads) if threads.get() == 1 => "1 thread".to_owned(),
            Ok(threads) => format!("{threads} threads"),
            Err(_) => "an unknown number of threads".to_owned(),
        };
        Self {
            spec,
            description,
            accelerator: false,
        }
    }
}

/// The backends in this binary, best first; Flex, which is always there, last: whoever compiles
/// another in wants it.
pub(crate) const COMPILED: &[Backend] = &[
    #[cfg(feature = "cuda")]
    libtorch::CUDA,
    #[cfg(feature = "cubecl-cuda")]
    cubecl::CUDA,
    #[cfg(feature = "rocm")]
    cubecl::ROCM,
    #[cfg(feature = "libtorch")]
    libtorch::CPU,
    #[cfg(feature = "ndarray")]
    ndarray::BACKEND,
    #[cfg(feature = "metal")]
    cubecl::METAL,
    #[cfg(feature = "vulkan")]
    cubecl::VULKAN,
    #[cfg(feature = "wgpu")]
    cubecl::WGPU,
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
    fn every_row_has_its_feature_in_the_manifest() {
        let manifest = include_str!("../../Cargo.toml");
        for info in KNOWN {
            let declared = manifest.contains(&format!("\n{} = [", info.feature));
            assert!(declared, "{}", info.feature);
        }
    }

    #[test]
    fn every_compiled_backend_is_known() {
        assert_eq!(compiled().len(), COMPILED.len());
    }
}
