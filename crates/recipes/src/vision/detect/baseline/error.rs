//! Why the windows could not be fitted.

/// Why the windows could not be fitted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HogError {
    #[error("no class has both objects and background to learn from")]
    NoClass,
    #[error("too many images and classes for the baseline")]
    TooMany,
}
