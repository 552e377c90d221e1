//! Hashes of texts, to keep copies in one split and to recognize the texts of a run.

use tinderbox_datasets::{ContentHasher, content_hash};

use super::data::{Corpus, Rows, Running, Truth};
use super::tokenizer::Input;
use tinderbox_train::splits::{Item, SplitList};

/// A hash of an input, without what is true of it.
pub(super) fn content(input: &Input) -> u64 {
    let mut hasher = ContentHasher::default();
    for text in input.texts() {
        hasher.bytes(text.as_bytes());
    }
    hasher.finish()
}

/// The texts of a run with their splits; of plain text, the three parts as they are.
pub(super) fn split_list(corpus: &Corpus) -> SplitList {
    match corpus {
        Corpus::Rows(rows) => {
            let parts = [&rows.parts.train[..], &rows.parts.valid, &rows.parts.test];
            SplitList::new(items(rows), parts)
        }
        Corpus::Running(Running {
            train, valid, test, ..
        }) => {
            let part = |text: &String| [Item::new(content_hash(text.as_bytes()), "")];
            SplitList::of_sets([&part(train), &part(valid), &part(test)])
        }
    }
}

/// The rows as a split list holds them. A label counts by its name, because its number depends on
/// the other labels.
pub(super) fn items(rows: &Rows) -> Vec<Item> {
    let name = |label: usize| rows.names.get(label).map_or("", String::as_str);
    let target = |row: usize| match &rows.truth {
        Truth::Classes(labels) => name(labels[row]).to_owned(),
        Truth::Labels(flags) => {
            let own = (0..flags[row].len()).filter(|&label| flags[row][label]);
            own.map(name).collect::<Vec<_>>().join("\n")
        }
        Truth::Tags(tags) => {
            let names = tags[row].iter().map(|&tag| name(tag));
            names.collect::<Vec<_>>().join("\n")
        }
    };
    let inputs = rows.inputs.iter().enumerate();
    let item = |(row, input): (usize, &Input)| Item::new(content(input), target(row));
    inputs.map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::data::Parts;

    #[test]
    fn a_text_is_told_by_its_content_and_its_label_by_its_name() {
        let one = |text: &str| Input::One(text.to_owned());
        let rows = |inputs: Vec<Input>, names: [&str; 2], labels: Vec<usize>| Rows {
            inputs,
            truth: Truth::Classes(labels),
            names: names.map(str::to_owned).to_vec(),
            parts: Parts::default(),
            folds: Vec::new(),
            agreements: Vec::new(),
            located: None,
            report: tinderbox_datasets::text::TextReport::default(),
        };
        let first = items(&rows(vec![one("a"), one("b")], ["ham", "spam"], vec![0, 1]));
        let second = items(&rows(vec![one("a"), one("b")], ["spam", "ham"], vec![1, 0]));
        assert_eq!(first, second);
        let flipped = items(&rows(vec![one("a"), one("b")], ["ham", "spam"], vec![1, 1]));
        assert_eq!(first[0].content, flipped[0].content);
        assert_ne!(first[0].target, flipped[0].target);
        let pair = |a: &str, b: &str| content(&Input::Two(a.to_owned(), b.to_owned()));
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
    }
}
