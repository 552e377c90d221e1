//! Sentences about truncated texts.

use tinderbox_predict::text::{TextPredictor, Truncation};
use tinderbox_train::format::thousands;

/// A sentence such as `402 training texts (4.1%) were truncated to 64 tokens`; `None` without any.
pub(super) fn sentence(counted: Truncation, noun: &str, max_len: usize) -> Option<String> {
    let (s, were) = if counted.truncated == 1 {
        ("", "was")
    } else {
        ("s", "were")
    };
    let percent = 100.0 * counted.fraction();
    let percent = if percent < 0.1 {
        "less than 0.1".to_owned()
    } else {
        format!("{percent:.1}")
    };
    (counted.truncated > 0).then(|| {
        format!(
            "{} {noun}{s} ({percent}%) {were} truncated to {} tokens",
            thousands(counted.truncated),
            thousands(max_len)
        )
    })
}

/// A warning about truncated texts among those that a model has predicted so far.
pub fn truncation_warning(model: &TextPredictor) -> Option<String> {
    let sentence = sentence(model.truncation(), "text", model.max_len())?;
    Some(format!(
        "warning: {sentence}; train with a larger `tokenizer.max_len` to read more"
    ))
}
