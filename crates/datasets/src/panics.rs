//! Panics of other people's code, turned into errors without a message on the terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is caught by [`catch_panic`], so that nothing is to be printed.
pub fn is_caught() -> bool {
    CATCHING.get()
}

/// Runs code that may panic on damaged input.
///
/// ```
/// use tinderbox_datasets::panics::catch_panic;
///
/// assert_eq!(catch_panic(|| 3).unwrap(), 3);
/// ```
///
/// # Errors
///
/// The message of the panic.
pub fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = CATCHING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CATCHING.set(before);
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
        let silent = catch_panic(is_caught).unwrap();
        assert!(silent && !is_caught());
        let error = catch_panic(|| -> usize { Vec::<usize>::new()[3] }).unwrap_err();
        assert!(error.contains("index"), "{error}");
        assert!(!is_caught());
    }
}
