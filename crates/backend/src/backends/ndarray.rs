//! Burn's older CPU backend. When Burn drops it, this file and its rows go, and `cpu` replaces it.
#![expect(deprecated, reason = "the one place that names this backend")]

use burn::tensor::Device;

use super::{Backend, Found};
use crate::spec::DeviceSpec;

pub(super) const BACKEND: Backend = Backend {
    device: "ndarray",
    open: |_| Device::ndarray(),
    find: || vec![Found::processor(DeviceSpec::NdArray)],
};
