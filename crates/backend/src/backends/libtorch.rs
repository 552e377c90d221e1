//! LibTorch, on the CPU and with CUDA. When Burn drops it, this file and its rows go, and `cpu` and
//! `cubecl-cuda` replace it.
#![expect(deprecated, reason = "the one place that names this backend")]

use burn::tensor::Device;
#[cfg(feature = "cuda")]
use burn::tensor::DeviceType;

use super::{Backend, Found};
use crate::spec::DeviceSpec;

pub(super) const CPU: Backend = Backend {
    device: "libtorch",
    open: |_| Device::libtorch(),
    find: || {
        let mut found = Found::processor(DeviceSpec::LibTorch);
        found.description = format!("{}, LibTorch {}", found.description, version());
        vec![found]
    },
};

#[cfg(feature = "cuda")]
pub(super) const CUDA: Backend = Backend {
    device: "cuda",
    open: |spec| Device::libtorch_cuda(spec.index().unwrap_or(0)),
    find: || {
        let count = Device::enumerate(DeviceType::LibTorch).into_vec().len();
        let found = |index| Found {
            spec: DeviceSpec::Cuda(index),
            description: format!("{}, LibTorch {}", crate::nvidia::describe(index), version()),
            accelerator: true,
        };
        (0..count).map(found).collect()
    },
};

/// The version that this binary was linked to.
fn version() -> &'static str {
    option_env!("TINDERBOX_LIBTORCH").unwrap_or("of an unknown version")
}
