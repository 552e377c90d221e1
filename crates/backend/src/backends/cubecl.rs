//! Burn's own kernels, on every kind of GPU that they run on.

use burn::tensor::{Device, DeviceType};

use super::{Backend, Found};
use crate::spec::DeviceSpec;

#[cfg(feature = "wgpu")]
pub(super) const WGPU: Backend = Backend {
    device: "wgpu",
    open: |spec| open(DeviceType::Wgpu, spec),
    find: || find(DeviceType::Wgpu, DeviceSpec::Wgpu, adapters::describe),
};

#[cfg(feature = "vulkan")]
pub(super) const VULKAN: Backend = Backend {
    device: "vulkan",
    open: |spec| open(DeviceType::Vulkan, spec),
    find: || find(DeviceType::Vulkan, DeviceSpec::Vulkan, adapters::describe),
};

#[cfg(feature = "metal")]
pub(super) const METAL: Backend = Backend {
    device: "metal",
    open: |spec| open(DeviceType::Metal, spec),
    find: || find(DeviceType::Metal, DeviceSpec::Metal, adapters::describe),
};

#[cfg(feature = "cubecl-cuda")]
pub(super) const CUDA: Backend = Backend {
    device: "cubecl-cuda",
    open: |spec| open(DeviceType::Cuda, spec),
    find: || find(DeviceType::Cuda, DeviceSpec::CubeclCuda, no_more),
};

#[cfg(feature = "rocm")]
pub(super) const ROCM: Backend = Backend {
    device: "rocm",
    open: |spec| open(DeviceType::Rocm, spec),
    find: || find(DeviceType::Rocm, DeviceSpec::Rocm, no_more),
};

/// The device of a number that [`find`] gave out.
fn open(kind: DeviceType, spec: DeviceSpec) -> Device {
    let devices = Device::enumerate(kind).into_vec();
    let first = devices.first().cloned();
    let chosen = devices.into_iter().nth(spec.index().unwrap_or(0)).or(first);
    chosen.unwrap_or_default()
}

/// Only the name is known.
#[cfg(any(feature = "cubecl-cuda", feature = "rocm"))]
fn no_more(_name: &str) -> String {
    String::new()
}

fn find(kind: DeviceType, spec: fn(usize) -> DeviceSpec, more: fn(&str) -> String) -> Vec<Found> {
    let devices = Device::enumerate(kind).into_vec();
    let found = |(index, device): (usize, Device)| {
        let identity = device.identity();
        // A software renderer is no card.
        let accelerator = identity
            .as_ref()
            .is_some_and(|identity| identity.physical.is_some());
        let name = identity.map_or_else(|| "an unnamed device".to_owned(), |found| found.name);
        let mut description = name.clone() + &more(&name);
        if !accelerator {
            description += ", in software";
        }
        Found {
            spec: spec(index),
            description,
            accelerator,
        }
    };
    devices.into_iter().enumerate().map(found).collect()
}

/// What the graphics driver says of its devices, which Burn does not pass on.
#[cfg(feature = "adapters")]
mod adapters {
    use std::sync::OnceLock;

    use wgpu::{Adapter, Backends, Instance, InstanceDescriptor};

    /// Its driver and its largest tensor: graphics interfaces do not tell of memory.
    pub(super) fn describe(name: &str) -> String {
        static ADAPTERS: OnceLock<Vec<(String, String)>> = OnceLock::new();
        let known = ADAPTERS.get_or_init(|| {
            let instance = Instance::new(InstanceDescriptor {
                backends: Backends::PRIMARY,
                ..InstanceDescriptor::new_without_display_handle()
            });
            let adapters = instance.enumerate_adapters(Backends::PRIMARY);
            let adapters = futures_lite::future::block_on(adapters);
            adapters.iter().map(facts).collect()
        });
        let found = known.iter().find(|(known, _)| known == name);
        found.map_or_else(String::new, |(_, facts)| facts.clone())
    }

    fn facts(adapter: &Adapter) -> (String, String) {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let largest = limits
            .max_buffer_size
            .min(limits.max_storage_buffer_binding_size);
        let mib = largest >> 20;
        let mut facts = format!(", {}", info.backend);
        let driver = [info.driver, info.driver_info].join(" ");
        if !driver.trim().is_empty() {
            facts += &format!(", driver {}", driver.trim());
        }
        facts += &format!(", tensors of up to {mib} MiB");
        (info.name, facts)
    }
}
