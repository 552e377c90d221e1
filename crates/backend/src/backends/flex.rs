//! Flex, Burn's CPU backend in pure Rust.

use std::hint::black_box;

use burn::tensor::Device;

use super::{Backend, Found};
use crate::spec::DeviceSpec;

pub(super) const BACKEND: Backend = Backend {
    device: "cpu",
    open: |_| {
        keep_freed_memory();
        Device::flex()
    },
    find: || vec![Found::processor(DeviceSpec::Cpu)],
};

/// Just below 32 MiB, the largest block that glibc can learn to keep.
const LARGE_BLOCK: usize = (32 << 20) - (64 << 10);

/// Lets the allocator keep the memory of freed tensors.
///
/// By default, glibc returns large blocks to the system when they are freed, and every page that a
/// later tensor writes is a page fault: that is up to half of a training step. It keeps blocks of the
/// sizes freed so far, so that freeing a large one, which is never written, is enough (the paragraph on
/// `M_MMAP_THRESHOLD` in mallopt(3)). With other allocators this has no effect.
fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(LARGE_BLOCK)));
}
