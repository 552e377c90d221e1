//! The words that decided a prediction.

use std::ops::Range;

use serde::Serialize;
use tinderbox_datasets::text::segments;

use super::error::unsupported;
use super::predictor::TextPredictor;
use super::task::TextTask;
use super::tokenizer::TextInput;
use crate::PredictError;
use crate::decision::argmax;

/// Largest number of pieces that are left out one by one; in a longer text a piece is several words.
const MAX_PIECES: usize = 256;

/// A piece of a text with its effect on the prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordEffect {
    /// The piece: a word, or several in a long text.
    pub text: String,
    /// Its position in the text, in bytes.
    pub at: Range<usize>,
    /// Decrease of the log-odds of the predicted class without it, in nats: unlike the probability,
    /// they differ between two words even where it is next to 1 without either.
    pub effect: f64,
}

impl TextPredictor {
    /// Leaves out each word once and measures how much less likely the most probable class gets
    /// (Zeiler and Fergus, *Visualizing and understanding convolutional networks*, 2014,
    /// <https://arxiv.org/abs/1311.2901>, for words). Returns the class and the words.
    ///
    /// # Errors
    ///
    /// If the model does not classify single texts, or the device fails.
    pub fn explain(&self, text: &str) -> Result<(String, Vec<WordEffect>), PredictError> {
        if !self.task().classifies_texts() {
            return unsupported("only predictions of models that classify texts can be explained");
        }
        let pieces = pieces(text);
        let without = |at: &Range<usize>| {
            let kept = [&text[..at.start], &text[at.end..]].concat();
            parse_pair(kept)
        };
        let mut inputs = vec![parse_pair(text.to_owned())];
        inputs.extend(pieces.iter().map(without));
        let probabilities = self.probabilities(&inputs)?;
        let tokens = self.tokenizer().encode(&inputs[..1], self.max_len())?;
        self.count_truncated(&tokens);
        let class = argmax(&probabilities[0]);
        let full = log_odds(&probabilities[0], class, self.task());
        let effects = pieces.into_iter().zip(&probabilities[1..]);
        let effects = effects.map(|(at, row)| WordEffect {
            text: text[at.clone()].to_owned(),
            effect: full - log_odds(row, class, self.task()),
            at,
        });
        let label = self.labels().get(class).cloned().unwrap_or_default();
        Ok((label, effects.collect()))
    }
}

/// Of classes by the sum of the others, which is exact where this one's probability rounds to 1.
fn log_odds(row: &[f32], class: usize, task: TextTask) -> f64 {
    let own = f64::from(row[class]);
    let others = if task == TextTask::MultiLabel {
        1.0 - own
    } else {
        let others = row.iter().enumerate().filter(|(at, _)| *at != class);
        others.map(|(_, &p)| f64::from(p)).sum()
    };
    let least = 1e-12;
    own.max(least).ln() - others.max(least).ln()
}

/// A text with a tab is a pair.
fn parse_pair(text: String) -> TextInput {
    match text.split_once('\t') {
        Some((first, second)) => TextInput::Pair(first.to_owned(), second.to_owned()),
        None => TextInput::Single(text),
    }
}

/// Words with their punctuation and characters of scripts without spaces; groups of words where there
/// are too many.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let words: Vec<Range<usize>> = segments(text).into_iter().map(|word| word.at).collect();
    let together = words.len().div_ceil(MAX_PIECES).max(1);
    let joined = words.chunks(together);
    // A tab separates two texts and belongs to neither.
    let joined = joined.flat_map(|group| {
        let whole = group[0].start..group[group.len() - 1].end;
        if text[whole.clone()].contains('\t') {
            group.to_vec()
        } else {
            vec![whole]
        }
    });
    joined.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_differ_between_certain_predictions() {
        let odds = |rest: f32| log_odds(&[1.0 - rest, rest], 0, TextTask::Classification);
        assert!((odds(0.5)).abs() < 1e-9);
        assert!((odds(1e-9) - odds(1e-6) - 1e3_f64.ln()).abs() < 1e-3);
        assert!((log_odds(&[0.75, 0.9], 0, TextTask::MultiLabel) - 3_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn pieces_are_words_and_groups_of_words_of_a_long_text() {
        let text = " win a  prize ";
        let words: Vec<&str> = pieces(text).into_iter().map(|at| &text[at]).collect();
        assert_eq!(words, ["win", "a", "prize"]);
        for (text, expected) in [
            ("我喜欢这部电影。", "我|喜|欢|这|部|电|影|。"),
            ("とてもタクシーは", "と|て|も|タクシー|は"),
            ("รักน้ำ ok", "รั|ก|น้ำ|ok"),
        ] {
            let words: Vec<&str> = pieces(text).into_iter().map(|at| &text[at]).collect();
            assert_eq!(words.join("|"), expected);
        }
        let long = "word ".repeat(1000);
        let pieces = pieces(&long);
        assert_eq!(pieces.len(), 250);
        assert_eq!(&long[pieces[0].clone()], "word word word word");
    }
}
