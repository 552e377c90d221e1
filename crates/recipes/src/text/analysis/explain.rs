//! The words that decided predictions.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use tinderbox_predict::PredictError;
use tinderbox_predict::text::{ReadOptions, TextInput, TextPredictor, WordEffect};
use tinderbox_train::section::{Analysis, Body};
use tinderbox_train::{Section, TaskError};

use crate::text::inputs::{TextInputOptions, for_each_text};
use crate::text::truncation_warning;

/// A text with its predicted class and the effects of its words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The text; a tab separates the texts of a pair.
    pub input: String,
    /// The predicted class or label.
    pub label: String,
    /// The words with their effects on the prediction.
    pub words: Vec<WordEffect>,
}

impl Explanation {
    pub(super) fn new(model: &TextPredictor, input: &TextInput) -> Result<Self, PredictError> {
        let input = match input {
            TextInput::Pair(first, second) => format!("{first}\t{second}"),
            other => other.joined(),
        };
        let (label, words) = model.explain(&input)?;
        Ok(Self {
            input,
            label,
            words,
        })
    }

    /// The text with the effect of each word.
    pub fn section(&self) -> Section {
        let (mut parts, mut at) = (Vec::new(), 0);
        for word in &self.words {
            parts.push((self.input[at..word.at.start].to_owned(), 0.0));
            parts.push((word.text.clone(), word.effect));
            at = word.at.end;
        }
        parts.push((self.input[at..].to_owned(), 0.0));
        parts.retain(|(part, _)| !part.is_empty());
        Section {
            title: self.label.clone(),
            body: Body::Highlights { parts },
        }
    }
}

/// Explains the prediction of every text of some inputs; see [`TextPredictor::explain`].
///
/// # Errors
///
/// If a text cannot be read, there is none, the model does not classify texts, or the device fails.
pub fn explain(
    model: &TextPredictor,
    inputs: &[PathBuf],
    options: &TextInputOptions,
) -> Result<Analysis, TaskError> {
    let mut analysis = Analysis::default();
    for input in inputs {
        for explanation in explain_input(model, input, options)? {
            analysis.lines.push(json!(explanation));
            analysis.sections.push(explanation.section());
        }
    }
    analysis.notes.extend(truncation_warning(model));
    Ok(analysis)
}

fn explain_input(
    model: &TextPredictor,
    input: &Path,
    options: &TextInputOptions,
) -> Result<Vec<Explanation>, TaskError> {
    let options = ReadOptions {
        text: options.text.clone(),
        whole: options.whole,
        cells: false,
    };
    let (mut explanations, mut failed) = (Vec::new(), None);
    for_each_text(model, input, &options, &mut |text| match text
        .and_then(|text| Explanation::new(model, &text.input))
    {
        Ok(explanation) => {
            explanations.push(explanation);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None if explanations.is_empty() => Err(TaskError::user(format!(
            "`{}` is empty: there is no text in it",
            input.display()
        ))),
        None => Ok(explanations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_the_whole_text_with_the_effects_of_its_words() {
        let word = |text: &str, start: usize, effect| WordEffect {
            text: text.to_owned(),
            at: start..start + text.len(),
            effect,
        };
        let explanation = Explanation {
            input: " win a prize!".to_owned(),
            label: "spam".to_owned(),
            words: vec![word("win", 1, 2.0), word("prize!", 7, 1.0)],
        };
        let section = explanation.section();
        assert_eq!(section.title, "spam");
        let Body::Highlights { parts } = section.body else {
            panic!("no highlights");
        };
        let text: String = parts.iter().map(|(part, _)| part.as_str()).collect();
        assert_eq!(text, explanation.input);
        assert_eq!(parts[1], ("win".to_owned(), 2.0));
    }
}
