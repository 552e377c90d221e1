//! The most confident mistakes on the test split, with the words that led to them.

use burn::tensor::Device;
use tinderbox_predict::text::TextInput;
use tinderbox_train::format::percent;
use tinderbox_train::metrics::{Evaluation, Mistake};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::section::Body;
use tinderbox_train::{Section, Task as _, TaskError};

use super::Explanation;
use crate::text::{Corpus, TextModeling};

/// Mistakes that are stored.
const MISTAKES: usize = 6;

/// Most characters of a text.
const MAX_CHARACTERS: usize = 1_500;

/// Most multiplications for all explanations: a text is predicted once without each of its words, which takes a
/// large network minutes on a CPU. The texts are then shown without colors.
const MAX_WORK: f64 = 4e10;

/// The most confident mistakes of the model of a run; nothing unless texts have one class each.
///
/// # Errors
///
/// If the model cannot be used, or the device fails.
pub(in crate::text) fn mistakes(
    task: &TextModeling,
    run: &RunDir,
    evaluation: &Evaluation,
    parameters: usize,
    device: &Device,
) -> Result<Vec<Section>, TaskError> {
    let (Corpus::Labeled(texts), Evaluation::Classes(predictions)) = (&task.corpus, evaluation)
    else {
        return Ok(Vec::new());
    };
    let wrong = predictions.mistakes();
    if wrong.is_empty() {
        return Ok(Vec::new());
    }
    let model = TextModeling::load(&run.model_dir(), device)?;
    let rows = &texts.splits.test;
    let mut left = MAX_WORK;
    let mut sections = Vec::new();
    for mistake in wrong.iter().take(MISTAKES) {
        let input = &texts.inputs[rows[mistake.item]];
        let text = input.joined();
        let words = text.split_whitespace().count() as f64;
        let work = words * words * parameters as f64;
        let is_short = text.chars().count() <= MAX_CHARACTERS;
        let body = if is_short && work <= left {
            left -= work;
            Explanation::new(&model, input)?.section().body
        } else {
            plain(input)
        };
        sections.push(Section {
            title: title(mistake, &texts.labels),
            body,
        });
    }
    Ok(sections)
}

fn title(mistake: &Mistake, labels: &[String]) -> String {
    format!(
        "Mistake: predicted {} with {}, true class {}",
        labels[mistake.predicted],
        percent(f64::from(mistake.probability)),
        labels[mistake.actual]
    )
}

/// A text without colors.
fn plain(input: &TextInput) -> Body {
    let text: String = input.joined().chars().take(MAX_CHARACTERS).collect();
    Body::Highlights {
        parts: vec![(text, 0.0)],
    }
}
