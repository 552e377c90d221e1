//! Flex, Burn's CPU backend in pure Rust.

use std::thread::available_parallelism;

use burn::tensor::Device;

use super::Backend;
use crate::spec::DeviceSpec;

pub(super) const BACKEND: Backend = Backend {
    device: "cpu",
    open: |_| Device::flex(),
    find,
};

/// There is always one CPU.
fn find() -> Vec<(DeviceSpec, String)> {
    let threads = match available_parallelism() {
        Ok(threads) if threads.get() == 1 => "1 thread".to_owned(),
        Ok(threads) => format!("{threads} threads"),
        Err(_) => "an unknown number of threads".to_owned(),
    };
    vec![(DeviceSpec::Cpu, threads)]
}
