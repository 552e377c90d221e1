//! The sentences of a text that matter to a model, in their order.

use std::ops::Range;

use serde::Serialize;

use super::answers::Task;
use super::error::TextRecipeError;
use super::predict::Predictor;
use super::recipe::Data;
use super::tokenizer::Input;
use tinderbox_predict::decision::argmax;

/// A sentence with what it says to the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sentence {
    /// Its number in the text, from 1.
    pub number: usize,
    /// The sentence.
    pub text: String,
    /// The class or label that it speaks for most.
    pub label: String,
    /// How much it matters, in `[0, 1]`.
    pub score: f32,
}

/// Signs that end a sentence whatever follows: of Chinese and Japanese, Hindi and its neighbors,
/// Khmer, Burmese, Ethiopic, Arabic and Urdu.
const ENDS: [char; 12] = [
    '。', '｡', '！', '？', '।', '॥', '។', '။', '።', '፧', '؟', '۔',
];

/// Quotes and brackets that close behind such a sign.
const CLOSES: [char; 5] = ['」', '』', '）', '”', '’'];

impl Predictor {
    /// The `count` sentences that matter most, in the order of the text.
    ///
    /// Of a model with labels, or of types of clauses, a sentence matters as much as its likeliest
    /// one. Of another model with classes, as much as it alone speaks for the class of the whole text:
    /// an extract in the sense of Luhn, *The automatic creation of literature abstracts*, 1958,
    /// <https://doi.org/10.1147/rd.22.0159>, by a trained model in place of counts of words.
    ///
    /// # Errors
    ///
    /// If the model does not classify single texts, the text has no sentence, or the device fails.
    pub fn summarise(&self, text: &str, count: usize) -> Result<Vec<Sentence>, TextRecipeError> {
        let refuse = |message: &str| Err(TextRecipeError::Asked(message.to_owned()));
        if !matches!(self.task(), Task::Classes | Task::Labels) {
            return refuse("only a model that classifies texts can say which sentences matter");
        }
        let places = sentences(text);
        if places.is_empty() {
            return refuse("the text is empty");
        }
        let inputs = places.iter();
        let inputs: Vec<Input> = inputs
            .map(|at| Input::One(text[at.clone()].to_owned()))
            .collect();
        let said = self.probabilities(&inputs)?;
        let class = match self.task() {
            // A contract is no clause and has no type of its own.
            Task::Classes if !matches!(self.data(), Data::Cuad { .. }) => {
                let whole = self.probabilities(&[Input::One(text.to_owned())])?;
                Some(argmax(&whole[0]))
            }
            _ => None,
        };
        let mut found: Vec<Sentence> = places
            .into_iter()
            .zip(&said)
            .enumerate()
            .map(|(at, (place, said))| {
                let label = class.unwrap_or_else(|| argmax(said));
                Sentence {
                    number: at + 1,
                    text: text[place].to_owned(),
                    label: self.labels()[label].clone(),
                    score: said[label],
                }
            })
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.number.cmp(&b.number)));
        found.truncate(count);
        found.sort_by_key(|sentence| sentence.number);
        Ok(found)
    }
}

/// Where the sentences of a text lie, in bytes: they end at `.`, `!` or `?` in front of white space
/// and a capital letter, a digit or a quote, at the signs of other scripts that mean nothing else, and
/// at empty lines.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut found = Vec::new();
    let mut from = 0;
    let mut add = |from: usize, to: usize| {
        let part = &text[from..to];
        let start = from + part.len() - part.trim_start().len();
        let end = start + part.trim().len();
        if part.chars().any(char::is_alphanumeric) {
            found.push(start..end);
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
    found
}

fn ends_sentence(before: &str, rest: impl Iterator<Item = char> + Clone) -> bool {
    let mut spaces = rest.clone().take_while(|letter| letter.is_whitespace());
    if rest.clone().next().is_some() && spaces.next().is_none() {
        return false;
    }
    let last = before
        .rsplit(|letter: char| letter.is_whitespace() || letter == '(')
        .next();
    // `Mr.`, `No.`, `e.g.` and initials end no sentence.
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
        let found: Vec<&str> = sentences(text).into_iter().map(|at| &text[at]).collect();
        assert_eq!(
            found,
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
    fn sentences_of_scripts_without_spaces_end_at_their_signs() {
        for (text, expected) in [
            ("今天下雨。我們走吧！好嗎？", "今天下雨。|我們走吧！|好嗎？"),
            (
                "彼は「行く。」と言った。終わり",
                "彼は「行く。」|と言った。|終わり",
            ),
            ("यह एक है। वह दो", "यह एक है।|वह दो"),
            ("ما اسمك؟ أنا علي", "ما اسمك؟|أنا علي"),
        ] {
            let found: Vec<&str> = sentences(text).into_iter().map(|at| &text[at]).collect();
            assert_eq!(found.join("|"), expected);
        }
    }
}
