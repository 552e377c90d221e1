//! Text generation with its speed.

use std::time::Instant;

use serde_json::json;
use tinderbox_predict::text::{Sampling, TextPredictor};
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::section::Analysis;

/// Continues a prompt by some tokens and gives the text to `each` as it grows.
///
/// # Errors
///
/// If the model is not a language model, the prompt does not fit the context, or the device fails.
pub fn generate<E: From<TaskError>>(
    model: &TextPredictor,
    prompt: &str,
    sampling: Sampling,
    tokens: u32,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<Analysis, E> {
    let started = Instant::now();
    let mut generator = model.generate(prompt, sampling).map_err(TaskError::from)?;
    for _ in 0..tokens {
        each(&generator.next_text().map_err(TaskError::from)?)?;
    }
    each(&generator.rest().map_err(TaskError::from)?)?;
    let seconds = started.elapsed().as_secs_f64();
    let text = generator.text().map_err(TaskError::from)?;
    let line = json!({ "prompt": prompt, "text": text, "tokens": tokens, "seconds": seconds });
    let rate = f64::from(tokens) / seconds.max(f64::MIN_POSITIVE);
    Ok(Analysis {
        sections: Vec::new(),
        lines: vec![line],
        notes: vec![format!("{} tokens/s", thousands(rate as usize))],
    })
}
