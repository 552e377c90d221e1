//! Classical methods that networks are compared with.

use tinderbox_train::TaskError;

/// Fits a classical method, if it is wanted.
///
/// If it fails, it is left out with a warning: the network is trained already.
pub(crate) fn baseline<T>(
    wanted: bool,
    warnings: &mut Vec<String>,
    fit: impl FnOnce() -> Result<T, TaskError>,
) -> Option<T> {
    if !wanted {
        return None;
    }
    match fit() {
        Ok(baseline) => Some(baseline),
        Err(error) => {
            warnings.push(format!("cannot fit the baseline: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_that_fails_is_a_warning() {
        let mut warnings = Vec::new();
        let fitted = baseline(true, &mut warnings, || Ok(3));
        assert_eq!((fitted, warnings.len()), (Some(3), 0));
        let fail = || Err::<u8, _>(TaskError::user("there are no rows"));
        assert_eq!(baseline(false, &mut warnings, fail), None);
        assert!(warnings.is_empty());
        assert_eq!(baseline(true, &mut warnings, fail), None);
        assert_eq!(warnings, ["cannot fit the baseline: there are no rows"]);
    }
}
