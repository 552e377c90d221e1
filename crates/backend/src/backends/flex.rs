//! Flex, Burn's CPU backend in pure Rust.

use burn::tensor::Device;

use super::{Backend, Found};
use crate::spec::DeviceSpec;

pub(super) const BACKEND: Backend = Backend {
    device: "cpu",
    open: |_| Device::flex(),
    find: || vec![Found::processor(DeviceSpec::Cpu)],
};
