//! What `--device` takes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::backends::{BackendInfo, KNOWN};

/// A device by name, before anything is opened.
///
/// ```
/// use tinderbox_backend::DeviceSpec;
///
/// assert_eq!("cuda:1".parse(), Ok(DeviceSpec::Cuda(1)));
/// assert_eq!("cuda".parse(), Ok(DeviceSpec::Cuda(0)));
/// assert_eq!(DeviceSpec::Cuda(1).to_string(), "cuda:1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceSpec {
    /// The best device of those this binary was compiled for.
    #[default]
    Auto,
    /// The processor, through Flex.
    Cpu,
    /// The processor, through `ndarray`.
    NdArray,
    /// The processor, through LibTorch.
    LibTorch,
    /// The NVIDIA GPU of this index, through LibTorch.
    Cuda(usize),
    /// The GPU of this index, through whichever of Vulkan, Metal and DirectX 12 it has.
    Wgpu(usize),
    /// The GPU of this index, through Vulkan.
    Vulkan(usize),
    /// The GPU of this index, through Metal.
    Metal(usize),
    /// The NVIDIA GPU of this index, through Burn's own CUDA backend.
    CubeclCuda(usize),
    /// The AMD GPU of this index, through Burn's own ROCm backend.
    Rocm(usize),
}

/// Why a text names no device.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseDeviceError {
    /// The name is unknown.
    #[error(
        "`{given}` is not a device, expected {}{}",
        list(&names()),
        nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
    )]
    Unknown {
        /// What was given.
        given: String,
        /// The known name that is closest, if one is close.
        nearest: Option<&'static str>,
    },
    /// What follows the colon is not an index.
    #[error("`{given}` is not a device, expected a number after the colon, as in `{device}:0`")]
    Index {
        /// What was given.
        given: String,
        /// The device it names.
        device: &'static str,
    },
    /// The device has no index.
    #[error("`{given}` is not a device, `{device}` takes no index")]
    NoIndex {
        /// What was given.
        given: String,
        /// The device it names.
        device: &'static str,
    },
}

/// Words people use for a device that has another name here.
const SYNONYMS: [(&str, &str); 11] = [
    ("flex", "cpu"),
    ("gpu", "cuda"),
    ("nvidia", "cuda"),
    ("cubecl", "cubecl-cuda"),
    ("amd", "rocm"),
    ("hip", "rocm"),
    ("mps", "metal"),
    ("webgpu", "wgpu"),
    ("tch", "libtorch"),
    ("torch", "libtorch"),
    ("pytorch", "libtorch"),
];

impl DeviceSpec {
    /// Name without the index, as in `cuda`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::LibTorch => "libtorch",
            Self::Cuda(_) => "cuda",
            Self::Wgpu(_) => "wgpu",
            Self::Vulkan(_) => "vulkan",
            Self::Metal(_) => "metal",
            Self::CubeclCuda(_) => "cubecl-cuda",
            Self::Rocm(_) => "rocm",
        }
    }

    /// Builds the device of a name, with its index or 0; an unknown name is `None`.
    fn from_name(name: &str, index: usize) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            "ndarray" => Self::NdArray,
            "libtorch" => Self::LibTorch,
            "cuda" => Self::Cuda(index),
            "wgpu" => Self::Wgpu(index),
            "vulkan" => Self::Vulkan(index),
            "metal" => Self::Metal(index),
            "cubecl-cuda" => Self::CubeclCuda(index),
            "rocm" => Self::Rocm(index),
            _ => return None,
        })
    }

    /// Row of the table that serves the device; `auto` has none of its own.
    pub(crate) fn info(self) -> Option<BackendInfo> {
        KNOWN.into_iter().find(|info| info.device == self.name())
    }

    /// Number of the device among its kind, for the kinds that are counted.
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Self::Cuda(index)
            | Self::Wgpu(index)
            | Self::Vulkan(index)
            | Self::Metal(index)
            | Self::CubeclCuda(index)
            | Self::Rocm(index) => Some(index),
            Self::Auto | Self::Cpu | Self::NdArray | Self::LibTorch => None,
        }
    }
}

impl FromStr for DeviceSpec {
    type Err = ParseDeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let given = || text.to_owned();
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index)),
            None => (text, None),
        };
        let Some(spec) = Self::from_name(name, 0) else {
            return Err(ParseDeviceError::Unknown {
                given: given(),
                nearest: nearest(name),
            });
        };
        let device = spec.name();
        let Some(index) = index else { return Ok(spec) };
        if spec.index().is_none() {
            return Err(ParseDeviceError::NoIndex {
                given: given(),
                device,
            });
        }
        // `parse` alone would take `+1`.
        let digits = index.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.parse().ok().filter(|_| digits);
        index
            .and_then(|index| Self::from_name(name, index))
            .ok_or_else(|| ParseDeviceError::Index {
                given: given(),
                device,
            })
    }
}

impl fmt::Display for DeviceSpec {
    /// Prints what parses back: the index 0 is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index() {
            None | Some(0) => f.pad(self.name()),
            Some(index) => f.pad(&format!("{}:{index}", self.name())),
        }
    }
}

/// Every form `--device` takes.
fn names() -> Vec<String> {
    let form = |info: BackendInfo| {
        if info.indexed {
            format!("{}[:N]", info.device)
        } else {
            info.device.to_owned()
        }
    };
    std::iter::once("auto".to_owned())
        .chain(KNOWN.into_iter().map(form))
        .collect()
}

/// Writes names as in "`a`, `b` or `c`".
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Finds the known name someone most likely meant.
fn nearest(given: &str) -> Option<&'static str> {
    let given = given.to_lowercase();
    let synonym = SYNONYMS
        .iter()
        .find(|(word, _)| *word == given)
        .map(|(_, name)| *name);
    synonym.or_else(|| {
        let names = std::iter::once("auto").chain(KNOWN.iter().map(|info| info.device));
        // A word that shares less than two letters with a name is no slip of the hand.
        let near = names.map(|name| (distance(&given, name), name));
        let near = near.filter(|(distance, name)| *distance <= 2 && distance + 1 < name.len());
        near.min().map(|(_, name)| name)
    })
}

/// Counts the letters to insert, delete or replace to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replace = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        text.parse::<DeviceSpec>().unwrap_err().to_string()
    }

    #[test]
    fn parses_what_it_prints() {
        for spec in [
            DeviceSpec::Auto,
            DeviceSpec::Cpu,
            DeviceSpec::NdArray,
            DeviceSpec::LibTorch,
            DeviceSpec::Cuda(0),
            DeviceSpec::Cuda(3),
            DeviceSpec::Wgpu(0),
            DeviceSpec::Wgpu(12),
            DeviceSpec::Vulkan(0),
            DeviceSpec::Metal(1),
            DeviceSpec::CubeclCuda(2),
            DeviceSpec::Rocm(0),
        ] {
            assert_eq!(spec.to_string().parse(), Ok(spec));
        }
        assert_eq!("wgpu:0".parse(), Ok(DeviceSpec::Wgpu(0)));
        assert_eq!(DeviceSpec::default(), DeviceSpec::Auto);
    }

    #[test]
    fn every_row_of_the_table_is_a_device() {
        for info in KNOWN {
            let spec: DeviceSpec = info.device.parse().unwrap();
            assert_eq!(spec.info(), Some(info));
            assert_eq!(spec.index().is_some(), info.indexed);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let known = "expected `auto`, `cpu`, `ndarray`, `libtorch`, `cuda[:N]`, `wgpu[:N]`, \
                     `vulkan[:N]`, `metal[:N]`, `cubecl-cuda[:N]` or `rocm[:N]`";
        assert_eq!(
            message("toaster"),
            format!("`toaster` is not a device, {known}")
        );
        for (given, meant) in [
            ("CPU", "cpu"),
            ("cdua", "cuda"),
            ("gpu", "cuda"),
            ("gpu:1", "cuda"),
            ("libtroch", "libtorch"),
            ("pytorch", "libtorch"),
            ("nd-array", "ndarray"),
        ] {
            let expected = format!("`{given}` is not a device, {known}; did you mean `{meant}`?");
            assert_eq!(message(given), expected);
        }
        assert!(!message("").contains("did you mean"));
        assert!(!message("é").contains("did you mean"));
    }

    #[test]
    fn a_bad_index_is_refused() {
        for text in [
            "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "wgpu:1:2", "cuda: 1",
        ] {
            let message = message(text);
            assert!(
                message.contains("expected a number after the colon"),
                "{message}"
            );
        }
        let message_of_cpu = message("cpu:0");
        assert_eq!(
            message_of_cpu,
            "`cpu:0` is not a device, `cpu` takes no index"
        );
    }
}
