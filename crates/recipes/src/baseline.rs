//! Classical methods that networks are compared with.

use tinderbox_train::TaskError;

/// Fits a classical method, if it is wanted, on a part of a run: a fold with its name, or all of it with none.
///
/// If it fails, it is left out with a warning: the network is trained already. Warnings begin with the name.
pub(crate) fn baseline<T>(
    wanted: bool,
    part: &str,
    warnings: &mut Vec<String>,
    fit: impl FnOnce(&mut Vec<String>) -> Result<T, TaskError>,
) -> Option<T> {
    if !wanted {
        return None;
    }
    let mut own = Vec::new();
    let fitted = fit(&mut own);
    let failure = fitted.as_ref().err();
    own.extend(failure.map(|error| format!("cannot fit the baseline: {error}")));
    warnings.extend(own.into_iter().map(|warning| match part {
        "" => warning,
        part => format!("{part}: {warning}"),
    }));
    fitted.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_that_fails_is_a_warning() {
        let mut warnings = Vec::new();
        let fitted = baseline(true, "", &mut warnings, |_| Ok(3));
        assert_eq!((fitted, warnings.len()), (Some(3), 0));
        let fail = |_: &mut Vec<String>| Err::<u8, _>(TaskError::user("there are no rows"));
        assert_eq!(baseline(false, "", &mut warnings, fail), None);
        assert!(warnings.is_empty());
        assert_eq!(baseline(true, "", &mut warnings, fail), None);
        assert_eq!(warnings, ["cannot fit the baseline: there are no rows"]);
    }

    #[test]
    fn warnings_of_a_fold_name_it() {
        let mut warnings = Vec::new();
        let fitted = baseline(true, "fold 2 of 5", &mut warnings, |own| {
            own.push("only 3 of 4 rows are used".to_owned());
            Err::<(), _>(TaskError::user("there are no rows"))
        });
        assert!(fitted.is_none());
        assert_eq!(
            warnings,
            [
                "fold 2 of 5: only 3 of 4 rows are used",
                "fold 2 of 5: cannot fit the baseline: there are no rows"
            ]
        );
    }
}
