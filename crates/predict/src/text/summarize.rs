//! Extractive summaries: the most important sentences of a text, in their order.

use std::ops::Range;

use serde::Serialize;

use super::error::unsupported;
use super::predictor::TextPredictor;
use super::task::TextTask;
use super::tokenizer::TextInput;
use crate::PredictError;
use crate::decision::argmax;

/// A sentence with its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sentence {
    /// Its number in the text, from 1.
    pub number: usize,
    /// The sentence.
    pub text: String,
    /// The class or label of the score.
    pub label: String,
    /// Its probability of that class or label, in `[0, 1]`.
    pub score: f32,
}

/// Punctuation that always ends a sentence: of Chinese and Japanese, Hindi and its neighbors, Khmer,
/// Burmese, Ethiopic, Arabic and Urdu.
const ENDS: [char; 12] = [
    '。', '｡', '！', '？', '।', '॥', '។', '။', '።', '፧', '؟', '۔',
];

/// Quotes and brackets that close behind such punctuation.
const CLOSES: [char; 5] = ['」', '』', '）', '”', '’'];

impl TextPredictor {
    /// The `count` sentences with the highest scores, in the order of the text.
    ///
    /// With labels, or classes of clauses, the score of a sentence is that of its most probable one.
    /// With other classes, it is its probability of the class of the whole text: an extract in the
    /// sense of Luhn, *The automatic creation of literature abstracts*, 1958,
    /// <https://doi.org/10.1147/rd.22.0159>, by a trained model in place of word counts.
    ///
    /// # Errors
    ///
    /// If the model does not classify single texts, the text has no sentence, or the device fails.
    pub fn summarize(&self, text: &str, count: usize) -> Result<Vec<Sentence>, PredictError> {
        if !self.task().classifies_texts() {
            return unsupported("only a model that classifies texts can summarize");
        }
        let ranges = sentences(text);
        if ranges.is_empty() {
            return unsupported("the text is empty");
        }
        let inputs = ranges.iter();
        let inputs: Vec<TextInput> = inputs
            .map(|at| TextInput::Single(text[at.clone()].to_owned()))
            .collect();
        let probabilities = self.probabilities(&inputs)?;
        let class = match self.task() {
            TextTask::Classification if !self.spec().input.clauses => {
                let whole = self.probabilities(&[TextInput::Single(text.to_owned())])?;
                Some(argmax(&whole[0]))
            }
            _ => None,
        };
        let mut picked: Vec<Sentence> = ranges
            .into_iter()
            .zip(&probabilities)
            .enumerate()
            .map(|(at, (range, row))| {
                let label = class.unwrap_or_else(|| argmax(row));
                Sentence {
                    number: at + 1,
                    text: text[range].to_owned(),
                    label: self.labels()[label].clone(),
                    score: row[label],
                }
            })
            .collect();
        picked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.number.cmp(&b.number)));
        picked.truncate(count);
        picked.sort_by_key(|sentence| sentence.number);
        Ok(picked)
    }
}

/// Ranges of the sentences of a text, in bytes: they end at `.`, `!` or `?` in front of white space
/// and a capital letter, a digit or a quote, at the full stops of other scripts, and at
/// empty lines.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut ranges = Vec::new();
    let mut from = 0;
    let mut add = |from: usize, to: usize| {
        let part = &text[from..to];
        let start = from + part.len() - part.trim_start().len();
        let end = start + part.trim().len();
        if part.chars().any(char::is_alphanumeric) {
            ranges.push(start..end);
        }
    };
    for (index, &(at, letter)) in letters.iter().enumerate() {
        let rest = letters[index + 1..].iter().map(|&(_, letter)| letter);
        let ends = match letter {
            '.' | '!' | '?' => ends_sentence(&text[from..at], rest),
            _ if ENDS.contains(&letter) => rest
                .clone()
                .next()
                .is_none_or(|next| !CLOSES.contains(&next)),
            _ if CLOSES.contains(&letter) => text[from..at].ends_with(ENDS),
            '\n' => rest
                .clone()
                .take_while(|l| l.is_whitespace())
                .any(|l| l == '\n'),
            _ => false,
        };
        if ends {
            let end = at + letter.len_utf8();
            add(from, end);
            from = end;
        }
    }
    add(from, text.len());
    ranges
}

fn ends_sentence(before: &str, rest: impl Iterator<Item = char> + Clone) -> bool {
    let mut spaces = rest.clone().take_while(|letter| letter.is_whitespace());
    if rest.clone().next().is_some() && spaces.next().is_none() {
        return false;
    }
    let last = before
        .rsplit(|letter: char| letter.is_whitespace() || letter == '(')
        .next();
    // `Mr.`, `No.`, `e.g.` and initials do not end a sentence.
    let short = last.is_some_and(|word| {
        (word.contains('.')
            && word
                .chars()
                .all(|letter| letter.is_alphabetic() || letter == '.'))
            || (word.chars().count() == 1 && word.chars().all(char::is_uppercase))
            || [
                "Mr", "Mrs", "Ms", "Dr", "No", "Inc", "Ltd", "Co", "Corp", "St", "Sec", "Art",
                "vs", "cf",
            ]
            .contains(&word)
    });
    let next = rest.into_iter().find(|letter| !letter.is_whitespace());
    !short && next.is_none_or(|letter| !letter.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_should() {
        let text = "Acme Inc. agrees, e.g. in No. 5, to pay $2.50. The fee is due.\n\nNotices!  \
                    \"Either party may end it.\" J. Smith signs";
        let parts: Vec<&str> = sentences(text).into_iter().map(|at| &text[at]).collect();
        assert_eq!(
            parts,
            [
                "Acme Inc. agrees, e.g. in No. 5, to pay $2.50.",
                "The fee is due.",
                "Notices!",
                "\"Either party may end it.\" J. Smith signs",
            ]
        );
        assert_eq!(sentences(" \n ...").len(), 0);
    }

    #[test]
    fn sentences_of_scripts_without_spaces_end_at_their_punctuation() {
        for (text, expected) in [
            ("今天下雨。我們走吧！好嗎？", "今天下雨。|我們走吧！|好嗎？"),
            (
                "彼は「行く。」と言った。終わり",
                "彼は「行く。」|と言った。|終わり",
            ),
            ("यह एक है। वह दो", "यह एक है।|वह दो"),
            ("ما اسمك؟ أنا علي", "ما اسمك؟|أنا علي"),
        ] {
            let parts: Vec<&str> = sentences(text).into_iter().map(|at| &text[at]).collect();
            assert_eq!(parts.join("|"), expected);
        }
    }
}
