//! Burn's own kernels, on every kind of GPU that they run on.

use burn::tensor::{Device, DeviceType};

use super::{Backend, Found};
use crate::spec::DeviceSpec;

#[cfg(feature = "wgpu")]
pub(super) const WGPU: Backend = Backend {
    device: "wgpu",
    open: |spec| open(DeviceType::Wgpu, spec),
    find: || find(DeviceType::Wgpu, DeviceSpec::Wgpu),
};

#[cfg(feature = "vulkan")]
pub(super) const VULKAN: Backend = Backend {
    device: "vulkan",
    open: |spec| open(DeviceType::Vulkan, spec),
    find: || find(DeviceType::Vulkan, DeviceSpec::Vulkan),
};

#[cfg(feature = "metal")]
pub(super) const METAL: Backend = Backend {
    device: "metal",
    open: |spec| open(DeviceType::Metal, spec),
    find: || find(DeviceType::Metal, DeviceSpec::Metal),
};

#[cfg(feature = "cubecl-cuda")]
pub(super) const CUDA: Backend = Backend {
    device: "cubecl-cuda",
    open: |spec| open(DeviceType::Cuda, spec),
    find: || find(DeviceType::Cuda, DeviceSpec::CubeclCuda),
};

#[cfg(feature = "rocm")]
pub(super) const ROCM: Backend = Backend {
    device: "rocm",
    open: |spec| open(DeviceType::Rocm, spec),
    find: || find(DeviceType::Rocm, DeviceSpec::Rocm),
};

/// The device of a number that [`find`] gave out.
fn open(kind: DeviceType, spec: DeviceSpec) -> Device {
    let devices = Device::enumerate(kind).into_vec();
    let first = devices.first().cloned();
    let chosen = devices.into_iter().nth(spec.index().unwrap_or(0)).or(first);
    chosen.unwrap_or_default()
}

fn find(kind: DeviceType, spec: fn(usize) -> DeviceSpec) -> Vec<Found> {
    let devices = Device::enumerate(kind).into_vec();
    let found = |(index, device): (usize, Device)| {
        let identity = device.identity();
        // A software renderer is no card.
        let accelerator = identity
            .as_ref()
            .is_some_and(|identity| identity.physical.is_some());
        let name = identity.map_or_else(|| "an unnamed device".to_owned(), |found| found.name);
        Found {
            spec: spec(index),
            description: if accelerator {
                name
            } else {
                format!("{name}, in software")
            },
            accelerator,
        }
    };
    devices.into_iter().enumerate().map(found).collect()
}
