//! Panics of other people's code, turned into errors without a message on the terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is caught by [`contained`], so that nothing is to be printed.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

/// Runs code that may panic on damaged input.
///
/// ```
/// use tinderbox_datasets::contain::contained;
///
/// assert_eq!(contained(|| 3).unwrap(), 3);
/// ```
///
/// # Errors
///
/// The message of the panic.
pub fn contained<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CONTAINED.set(before);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "it failed without a message".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_mark_is_taken_back() {
        let silent = contained(is_contained).unwrap();
        assert!(silent && !is_contained());
        let error = contained(|| -> usize { Vec::<usize>::new()[3] }).unwrap_err();
        assert!(error.contains("index"), "{error}");
        assert!(!is_contained());
    }
}
