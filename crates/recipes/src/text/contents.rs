//! Hashes of texts, to keep copies in one split and to recognize the texts of a run.

use tinderbox_datasets::{ContentHasher, content_hash};

use tinderbox_predict::text::TextInput;
use tinderbox_train::splits::{Item, SplitList};

use super::data::{Corpus, LabeledTexts, PlainText, Targets};

/// A hash of an input, without its target.
pub(super) fn content(input: &TextInput) -> u64 {
    let mut hasher = ContentHasher::default();
    for text in input.texts() {
        hasher.bytes(text.as_bytes());
    }
    hasher.finish()
}

/// The same without case, spaces and punctuation; as it is, where nothing else is in it.
pub(super) fn loose_content(input: &TextInput) -> u64 {
    let mut hasher = ContentHasher::default();
    let mut is_empty = true;
    for text in input.texts() {
        let letters = text.chars().filter(|letter| letter.is_alphanumeric());
        let letters: String = letters.flat_map(char::to_lowercase).collect();
        is_empty &= letters.is_empty();
        hasher.bytes(letters.as_bytes());
    }
    if is_empty {
        content(input)
    } else {
        hasher.finish()
    }
}

/// The texts of a run with their splits; of plain text, each split as one item.
pub(super) fn split_list(corpus: &Corpus) -> SplitList {
    match corpus {
        Corpus::Labeled(texts) => {
            let splits = &texts.splits;
            let splits = [&splits.train[..], &splits.valid, &splits.test];
            SplitList::new(items(texts), splits)
        }
        Corpus::Plain(PlainText {
            train, valid, test, ..
        }) => {
            let item = |text: &String| [Item::new(content_hash(text.as_bytes()), "")];
            SplitList::of_sets([&item(train), &item(valid), &item(test)])
        }
    }
}

/// The texts as items of a split list. A label counts by its name, because its number depends on
/// the other labels.
pub(super) fn items(texts: &LabeledTexts) -> Vec<Item> {
    let name = |label: usize| texts.labels.get(label).map_or("", String::as_str);
    let target = |row: usize| match &texts.targets {
        Targets::Classes(labels) => name(labels[row]).to_owned(),
        Targets::Labels(flags) => {
            let own = (0..flags[row].len()).filter(|&label| flags[row][label]);
            own.map(name).collect::<Vec<_>>().join("\n")
        }
        Targets::Tags(tags) => {
            let names = tags[row].iter().map(|&tag| name(tag));
            names.collect::<Vec<_>>().join("\n")
        }
    };
    let inputs = texts.inputs.iter().enumerate();
    let item = |(row, input): (usize, &TextInput)| Item::new(content(input), target(row));
    inputs.map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_train::Splits;

    #[test]
    fn case_spaces_and_punctuation_do_not_count_for_similar_texts() {
        let one = |text: &str| loose_content(&TextInput::Single(text.to_owned()));
        assert_eq!(one("Call me, NOW!"), one("call  me now"));
        assert_eq!(one("Größe: 7"), one("GRÖßE 7"));
        assert_ne!(one("order 123"), one("order 124"));
        assert_ne!(one(":-)"), one(":-("));
        let pair = |a: &str, b: &str| loose_content(&TextInput::Pair(a.to_owned(), b.to_owned()));
        assert_eq!(pair("A b", "c."), pair("a b", "C"));
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        let words = |words: &[&str]| {
            let words = words.iter().map(|&word| word.to_owned());
            loose_content(&TextInput::Words(words.collect()))
        };
        assert_eq!(words(&["A", "b"]), words(&["a", "B"]));
    }

    #[test]
    fn a_text_is_identified_by_its_content_and_its_label_by_its_name() {
        let one = |text: &str| TextInput::Single(text.to_owned());
        let texts = |inputs: Vec<TextInput>, labels: [&str; 2], classes: Vec<usize>| LabeledTexts {
            inputs,
            targets: Targets::Classes(classes),
            labels: labels.map(str::to_owned).to_vec(),
            splits: Splits::default(),
            folds: Vec::new(),
            agreements: Vec::new(),
            located: None,
            report: tinderbox_datasets::text::TextReport::default(),
        };
        let first = items(&texts(
            vec![one("a"), one("b")],
            ["ham", "spam"],
            vec![0, 1],
        ));
        let second = items(&texts(
            vec![one("a"), one("b")],
            ["spam", "ham"],
            vec![1, 0],
        ));
        assert_eq!(first, second);
        let flipped = items(&texts(
            vec![one("a"), one("b")],
            ["ham", "spam"],
            vec![1, 1],
        ));
        assert_eq!(first[0].content, flipped[0].content);
        assert_ne!(first[0].target, flipped[0].target);
        let pair = |a: &str, b: &str| content(&TextInput::Pair(a.to_owned(), b.to_owned()));
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
    }
}
