//! Why a device cannot be opened.

use thiserror::Error;

use crate::spec::{DeviceSpec, list};

/// Why a device cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The binary was built without the feature; [`fix`](DeviceError::fix) prints the command.
    #[error("`{device}` is not compiled into this binary, it needs `--features {feature}`")]
    NotCompiled {
        /// Device that was asked for.
        device: DeviceSpec,
        /// Feature that compiles it in.
        feature: &'static str,
    },
    /// This machine has no such device.
    #[error("`{device}` was not found on this machine, {}", instead(found, needs))]
    NotFound {
        /// Device that was asked for.
        device: DeviceSpec,
        /// Devices of the same backend that were found.
        found: Vec<DeviceSpec>,
        /// What a machine with such a device has.
        needs: &'static str,
    },
    /// There is nothing `auto` could choose.
    #[error("no device is compiled into this binary, it needs a feature, as in `--features flex`")]
    NothingCompiled,
}

impl DeviceError {
    /// Completes the message with the command that has the device, for the app of this name.
    ///
    /// There is none when no other build would help.
    ///
    /// ```
    /// use tinderbox_backend::{DeviceError, DeviceSpec};
    ///
    /// let error = DeviceError::NotCompiled { device: DeviceSpec::Cpu, feature: "flex" };
    /// let fix = "cargo run -p vision --features flex -- train --device cpu";
    /// assert_eq!(error.fix("vision").as_deref(), Some(fix));
    /// ```
    pub fn fix(&self, app: &str) -> Option<String> {
        let (feature, device) = match self {
            Self::NotCompiled { device, feature } => (*feature, *device),
            Self::NothingCompiled => ("flex", DeviceSpec::Cpu),
            Self::NotFound { .. } => return None,
        };
        Some(format!(
            "cargo run -p {app} --features {feature} -- train --device {device}"
        ))
    }
}

/// What can be asked for, or what has to be there first.
fn instead(found: &[DeviceSpec], needs: &str) -> String {
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        format!("it needs {needs}")
    } else {
        format!("expected {}", list(&names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do() {
        let (device, feature) = (DeviceSpec::Cuda(1), "cuda");
        let error = DeviceError::NotCompiled { device, feature };
        let expected = "`cuda:1` is not compiled into this binary, it needs `--features cuda`";
        assert_eq!(error.to_string(), expected);
        let fix = "cargo run -p text --features cuda -- train --device cuda:1";
        assert_eq!(error.fix("text").as_deref(), Some(fix));

        let error = DeviceError::NotFound {
            device,
            found: vec![DeviceSpec::Cuda(0)],
            needs: "a driver",
        };
        let expected = "`cuda:1` was not found on this machine, expected `cuda`";
        assert_eq!(
            (error.to_string().as_str(), error.fix("text")),
            (expected, None)
        );

        let error = DeviceError::NotFound {
            device,
            found: Vec::new(),
            needs: "a driver",
        };
        let expected = "`cuda:1` was not found on this machine, it needs a driver";
        assert_eq!(error.to_string(), expected);
    }
}
