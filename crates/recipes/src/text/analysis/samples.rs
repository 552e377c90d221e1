//! Sample outputs of a model after its training.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_predict::text::{Sampling, TextInput};
use tinderbox_train::{Section, Task as _, TaskError};

use crate::text::{Corpus, Data, TextModeling};

/// Requests that are not in the generated data.
const REQUESTS: [&str; 3] = [
    "hello, I still see two payments for the same order on my card",
    "the tracking page says delivered but nothing has arrived here",
    "I cannot sign in, it keeps telling me the password is wrong",
];

/// Number of tokens that a language model generates.
const TOKENS: usize = 200;

/// Predictions of the model in a folder for new requests, or text that a language model generates;
/// nothing for other data.
///
/// # Errors
///
/// If the model cannot be used, or the device fails.
pub(in crate::text) fn samples(
    task: &TextModeling,
    model_dir: &Path,
    device: &Device,
) -> Result<Option<Section>, TaskError> {
    let is_requests = matches!(task.recipe.data, Data::Requests { .. });
    if !is_requests && matches!(task.corpus, Corpus::Labeled(_)) {
        return Ok(None);
    }
    let model = TextModeling::load(model_dir, device)?;
    if is_requests {
        let inputs = REQUESTS.map(|text| TextInput::Single(text.to_owned()));
        let predictions = model.predict(&inputs)?;
        let lines = REQUESTS.iter().zip(&predictions);
        let lines = lines.map(|(text, prediction)| format!("{}  {text}", prediction.text()));
        let lines: Vec<String> = lines.collect();
        return Ok(Some(Section::text(lines.join("\n"))));
    }
    let Corpus::Plain(text) = &task.corpus else {
        return Ok(None);
    };
    // The beginning of a line of the test split.
    let line = text.test.lines().find(|line| line.trim().len() > 1);
    let length = (task.recipe.tokenizer.max_len / 4).clamp(1, 24);
    let prompt: String = line.unwrap_or("The").chars().take(length).collect();
    let mut generator = model.generate(&prompt, Sampling::default())?;
    for _ in 0..TOKENS {
        generator.step()?;
    }
    Ok(Some(Section::text(generator.text()?)))
}
