//! The instruction set that all kernels use.

use std::sync::LazyLock;

use pulp::Arch;

/// Environment variable that forces a smaller instruction set than the processor's best.
const VARIABLE: &str = "TINDERBOX_SIMD";

static ARCH: LazyLock<Arch> = LazyLock::new(|| {
    let forced = std::env::var(VARIABLE).ok();
    forced.as_deref().and_then(named).unwrap_or_default()
});

/// The instruction set, chosen once per process: the best that the processor has, or the one that
/// the environment variable `TINDERBOX_SIMD` names.
///
/// | value | registers |
/// |---|---|
/// | `scalar` | those that every processor of the target has (SSE2 on x86-64), without `pulp` |
/// | `avx2` | 256 bits, with FMA |
/// | `avx512` | 512 bits |
///
/// A value that is unknown, or names what the processor lacks, is ignored.
#[inline]
pub(crate) fn arch() -> Arch {
    *ARCH
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn named(name: &str) -> Option<Arch> {
    match name {
        "scalar" => Some(Arch::Scalar),
        "avx2" => pulp::x86::V3::try_new().map(Arch::V3),
        "avx512" => pulp::x86::V4::try_new().map(Arch::V4),
        _ => None,
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn named(name: &str) -> Option<Arch> {
    (name == "scalar").then_some(Arch::Scalar)
}
