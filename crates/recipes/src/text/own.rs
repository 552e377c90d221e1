//! The user's own files of texts, each with what is true of it.

use std::path::Path;

use tinderbox_datasets::text::{
    TextOptions, TextReport, TextSet, read_multi_label_with_report, read_pairs_with_report,
    read_tagged_with_report, read_texts_with_report,
};

use super::data::Truth;
use super::error::DataError;
use super::recipe::Data;
use super::tokenizer::Input;

/// Texts with what is true of them.
pub(super) struct Set {
    pub(super) inputs: Vec<Input>,
    pub(super) truth: Truth,
    /// Names of the classes, labels or tags.
    pub(super) names: Vec<String>,
    pub(super) report: TextReport,
}

impl Set {
    /// Texts of one class each.
    pub(super) fn of(set: &TextSet) -> Self {
        let labels = set.labels().iter();
        Self {
            inputs: set.texts().iter().cloned().map(Input::One).collect(),
            truth: Truth::Classes(labels.copied().map(usize::from).collect()),
            names: set.class_names().to_vec(),
            report: TextReport::default(),
        }
    }

    /// Adds texts with the same names.
    pub(super) fn append(&mut self, more: Self) {
        self.inputs.extend(more.inputs);
        match (&mut self.truth, more.truth) {
            (Truth::Classes(all), Truth::Classes(more)) => all.extend(more),
            (Truth::Labels(all), Truth::Labels(more)) => all.extend(more),
            (Truth::Tags(all), Truth::Tags(more)) => all.extend(more),
            _ => {}
        }
        self.report.merge(more.report);
    }
}

/// Reads a file or folder as the recipe's data says.
pub(super) fn read_set(data: &Data, path: &Path, options: &TextOptions) -> Result<Set, DataError> {
    match data {
        Data::Pairs { .. } => {
            let (set, report) = read_pairs_with_report(path, options)?;
            let pairs = set.pairs().iter();
            let inputs = pairs.map(|pair| Input::Two(pair.first.clone(), pair.second.clone()));
            let labels = set.pairs().iter().map(|pair| usize::from(pair.label));
            Ok(Set {
                inputs: inputs.collect(),
                truth: Truth::Classes(labels.collect()),
                names: set.class_names().to_vec(),
                report,
            })
        }
        Data::MultiLabel { .. } => {
            let (set, report) = read_multi_label_with_report(path, options)?;
            let names = set.label_names().to_vec();
            let inputs = set.items().iter().map(|item| Input::One(item.text.clone()));
            let has = |own: &[u16], label: usize| own.iter().any(|&l| usize::from(l) == label);
            let flags = set.items().iter().map(|item| {
                let labels = 0..names.len();
                labels.map(|label| has(&item.labels, label)).collect()
            });
            Ok(Set {
                inputs: inputs.collect(),
                truth: Truth::Labels(flags.collect()),
                names,
                report,
            })
        }
        Data::Tagged { .. } => {
            let (set, report) = read_tagged_with_report(path, options)?;
            let sentences = set.sentences().iter();
            let inputs = sentences
                .clone()
                .map(|one| Input::Words(one.tokens.clone()));
            let tags = |tags: &[u16]| tags.iter().copied().map(usize::from).collect();
            Ok(Set {
                inputs: inputs.collect(),
                truth: Truth::Tags(sentences.map(|one| tags(&one.tags)).collect()),
                names: set.tag_names().to_vec(),
                report,
            })
        }
        _ => {
            let (set, report) = read_texts_with_report(path, options)?;
            Ok(Set {
                report,
                ..Set::of(&set)
            })
        }
    }
}
