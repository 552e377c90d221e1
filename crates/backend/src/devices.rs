//! What the `devices` command prints.

use std::fmt;

use crate::backends::{BackendInfo, Found, KNOWN};
use crate::open::resolve;
use crate::spec::DeviceSpec;

/// One known device: whether this binary has it and what this machine has of it.
///
/// It prints as a line:
///
/// ```text
/// cpu         flex        2 threads; chosen by `auto`
/// wgpu        wgpu        not compiled in, needs `--features wgpu`: GPUs through Vulkan, Metal or DirectX 12
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceStatus {
    /// Row of the table of backends.
    pub info: BackendInfo,
    /// Devices on this machine; empty if the backend is not compiled in.
    pub found: Vec<Found>,
    /// What `auto` chooses, if it is one of [`found`](Self::found).
    pub auto: Option<DeviceSpec>,
}

/// Lists every known device, compiled in or not.
pub fn devices() -> Vec<DeviceStatus> {
    let auto = resolve(DeviceSpec::Auto).ok();
    KNOWN.into_iter().map(|info| status(info, auto)).collect()
}

fn status(info: BackendInfo, auto: Option<DeviceSpec>) -> DeviceStatus {
    let found = info
        .compiled()
        .map_or_else(Vec::new, |backend| (backend.find)());
    let auto = auto.filter(|auto| found.iter().any(|found| found.spec == *auto));
    DeviceStatus { info, found, auto }
}

impl DeviceStatus {
    /// Says in one phrase what is there, or what is missing.
    fn state(&self) -> String {
        let BackendInfo {
            feature,
            about,
            needs,
            ..
        } = self.info;
        if !self.info.is_compiled() {
            return format!("not compiled in, needs `--features {feature}`: {about}");
        }
        if self.found.is_empty() {
            return format!("compiled in, none found; it needs {needs}");
        }
        let found: Vec<_> = self
            .found
            .iter()
            .map(|found| self.describe(found))
            .collect();
        found.join(", ")
    }

    fn describe(&self, found: &Found) -> String {
        let Found {
            spec, description, ..
        } = found;
        let index = if self.info.indexed {
            format!("{spec} ")
        } else {
            String::new()
        };
        let choice = if self.auto == Some(*spec) {
            "; chosen by `auto`"
        } else {
            ""
        };
        format!("{index}{description}{choice}")
    }
}

impl fmt::Display for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<11} {:<11} {}",
            self.info.device,
            self.info.backend,
            self.state()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_device_has_a_line() {
        let lines: Vec<_> = devices().iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), KNOWN.len());
        assert!(lines.iter().all(|line| line.len() > 30), "{lines:?}");
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn what_is_not_compiled_in_says_how_to_have_it() {
        let start = "cuda        libtorch    not compiled in, needs `--features cuda`: NVIDIA";
        let mut lines = devices().into_iter().map(|status| status.to_string());
        assert!(lines.any(|line| line.starts_with(start)));
    }

    #[test]
    #[cfg(feature = "flex")]
    fn the_processor_is_found() {
        let statuses = devices();
        let cpu = statuses.iter().find(|status| status.info.device == "cpu");
        let line = cpu.unwrap().to_string();
        assert!(line.contains(" thread"), "{line}");
    }

    #[test]
    fn at_most_one_device_is_chosen() {
        let chosen = devices()
            .iter()
            .filter(|status| status.auto.is_some())
            .count();
        assert_eq!(chosen, usize::from(!crate::compiled().is_empty()));
    }

    #[test]
    #[cfg(not(feature = "flex"))]
    fn a_missing_feature_is_named() {
        let cpu = devices().remove(0).to_string();
        assert!(
            cpu.starts_with("cpu         flex        not compiled in, needs `--features flex`:"),
            "{cpu}"
        );
    }
}
