//! Which words carried a decision.

use std::ops::Range;

use serde::Serialize;
use tinderbox_datasets::text::segments;

use super::answers::Task;
use super::error::TextRecipeError;
use super::predict::Predictor;
use super::tokenizer::Input;
use tinderbox_predict::decision::argmax;

/// Most pieces that are left out one by one; in a longer text a piece is several words.
const MAX_PIECES: usize = 256;

/// A piece of a text with what it does to the decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weighted {
    /// The piece, a word or some of a long text.
    pub text: String,
    /// Where it lies in the text, in bytes.
    pub at: Range<usize>,
    /// How much less likely the decision is without it: the difference in log-odds, in nats, which
    /// tells two words apart where the probability is next to 1 with either.
    pub effect: f64,
}

impl Predictor {
    /// Leaves out every word once and sees how much less likely the most probable class gets
    /// (Zeiler and Fergus, *Visualizing and understanding convolutional networks*, 2014,
    /// <https://arxiv.org/abs/1311.2901>, for words). Returns the class and the words.
    ///
    /// # Errors
    ///
    /// If the model does not classify single texts, or the device fails.
    pub fn explain(&self, text: &str) -> Result<(String, Vec<Weighted>), TextRecipeError> {
        if !matches!(self.task(), Task::Classes | Task::Labels) {
            let message = "only a model that classifies texts can be asked why";
            return Err(TextRecipeError::Asked(message.to_owned()));
        }
        let pieces = pieces(text);
        let without = |at: &Range<usize>| {
            let kept = [&text[..at.start], &text[at.end..]].concat();
            as_read(kept)
        };
        let mut inputs = vec![as_read(text.to_owned())];
        inputs.extend(pieces.iter().map(without));
        let said = self.probabilities(&inputs)?;
        self.count_truncated(&inputs[..1])?;
        let class = argmax(&said[0]);
        let full = log_odds(&said[0], class, self.task());
        let weighted = pieces.into_iter().zip(&said[1..]);
        let weighted = weighted.map(|(at, said)| Weighted {
            text: text[at.clone()].to_owned(),
            effect: full - log_odds(said, class, self.task()),
            at,
        });
        let label = self.labels().get(class).cloned().unwrap_or_default();
        Ok((label, weighted.collect()))
    }
}

/// Of classes by the sum of the others, which is exact where this one's probability rounds to 1.
fn log_odds(said: &[f32], class: usize, task: Task) -> f64 {
    let own = f64::from(said[class]);
    let others = if task == Task::Labels {
        1.0 - own
    } else {
        let others = said.iter().enumerate().filter(|(at, _)| *at != class);
        others.map(|(_, &p)| f64::from(p)).sum()
    };
    let least = 1e-12;
    own.max(least).ln() - others.max(least).ln()
}

/// A pair keeps its tab.
fn as_read(text: String) -> Input {
    match text.split_once('\t') {
        Some((first, second)) => Input::Two(first.to_owned(), second.to_owned()),
        None => Input::One(text),
    }
}

/// Words with their signs and characters of scripts without spaces, or as many together as there are
/// too many of.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let words: Vec<Range<usize>> = segments(text).into_iter().map(|word| word.at).collect();
    let together = words.len().div_ceil(MAX_PIECES).max(1);
    let joined = words.chunks(together);
    // A tab parts two texts and belongs to neither.
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
    fn log_odds_tell_sure_answers_apart() {
        let odds = |rest: f32| log_odds(&[1.0 - rest, rest], 0, Task::Classes);
        assert!((odds(0.5)).abs() < 1e-9);
        assert!((odds(1e-9) - odds(1e-6) - 1e3_f64.ln()).abs() < 1e-3);
        assert!((log_odds(&[0.75, 0.9], 0, Task::Labels) - 3_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn pieces_are_words_and_some_words_of_a_long_text() {
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
