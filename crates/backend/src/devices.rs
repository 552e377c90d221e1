//! What the `devices` command prints.

use std::fmt;

use crate::backends::{BackendInfo, KNOWN};
use crate::open::resolve;
use crate::spec::DeviceSpec;

/// One known device: whether this binary has it and what this machine has of it.
///
/// It prints as a line:
///
/// ```text
/// cpu       flex      2 threads; chosen by `auto`
/// cuda      cuda      not in this version of Tinderbox, needs the feature `cuda`
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceStatus {
    /// Row of the table of backends.
    pub info: BackendInfo,
    /// Devices on this machine, each with a description; empty if the backend is not compiled in.
    pub found: Vec<(DeviceSpec, String)>,
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
    let auto = auto.filter(|auto| found.iter().any(|(spec, _)| spec == auto));
    DeviceStatus { info, found, auto }
}

impl DeviceStatus {
    /// Says in one phrase what is there, or what is missing.
    fn state(&self) -> String {
        let BackendInfo { feature, .. } = self.info;
        if !self.info.in_this_version {
            return format!("not in this version of Tinderbox, needs the feature `{feature}`");
        }
        if !self.info.is_compiled() {
            return format!("not compiled in, needs `--features {feature}`");
        }
        if self.found.is_empty() {
            return "compiled in, none found on this machine".to_owned();
        }
        let found: Vec<_> = self
            .found
            .iter()
            .map(|found| self.describe(found))
            .collect();
        found.join(", ")
    }

    fn describe(&self, (spec, description): &(DeviceSpec, String)) -> String {
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
            "{:<9} {:<9} {}",
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
        let cuda = "cuda      cuda      not in this version of Tinderbox, needs the feature `cuda`";
        assert!(lines.iter().any(|line| line == cuda), "{lines:?}");
    }

    #[test]
    #[cfg(feature = "flex")]
    fn the_processor_is_found_and_chosen() {
        let cpu = devices()
            .into_iter()
            .find(|status| status.info.device == "cpu")
            .unwrap();
        assert_eq!(cpu.auto, Some(DeviceSpec::Cpu));
        let line = cpu.to_string();
        assert!(
            line.contains(" thread") && line.ends_with("chosen by `auto`"),
            "{line}"
        );
    }

    #[test]
    #[cfg(not(feature = "flex"))]
    fn a_missing_feature_is_named() {
        let cpu = devices().remove(0).to_string();
        assert_eq!(
            cpu,
            "cpu       flex      not compiled in, needs `--features flex`"
        );
    }
}
