//! The user's own files of texts with their targets.

use std::path::Path;

use tinderbox_datasets::text::{
    TextOptions, TextReport, TextSet, read_multi_label_with_report, read_pairs_with_report,
    read_tagged_with_report, read_texts_with_report,
};

use tinderbox_predict::text::TextInput;

use super::data::Targets;
use super::error::DataError;
use super::source::Data;

/// Texts with their targets.
pub(super) struct Set {
    pub(super) inputs: Vec<TextInput>,
    pub(super) targets: Targets,
    /// Names of the classes, labels or tags.
    pub(super) labels: Vec<String>,
    pub(super) report: TextReport,
}

impl Set {
    /// Texts of one class each.
    pub(super) fn of(set: &TextSet) -> Self {
        let labels = set.labels().iter();
        Self {
            inputs: set.texts().iter().cloned().map(TextInput::Single).collect(),
            targets: Targets::Classes(labels.copied().map(usize::from).collect()),
            labels: set.class_names().to_vec(),
            report: TextReport::default(),
        }
    }

    /// Adds texts with the same labels.
    pub(super) fn append(&mut self, more: Self) {
        self.inputs.extend(more.inputs);
        match (&mut self.targets, more.targets) {
            (Targets::Classes(all), Targets::Classes(more)) => all.extend(more),
            (Targets::Labels(all), Targets::Labels(more)) => all.extend(more),
            (Targets::Tags(all), Targets::Tags(more)) => all.extend(more),
            _ => {}
        }
        self.report.merge(more.report);
    }
}

/// Reads a file or folder of the kind of the recipe's data.
pub(super) fn read_set(data: &Data, path: &Path, options: &TextOptions) -> Result<Set, DataError> {
    match data {
        Data::Pairs { .. } => {
            let (set, report) = read_pairs_with_report(path, options)?;
            let pairs = set.pairs().iter();
            let inputs = pairs.map(|pair| TextInput::Pair(pair.first.clone(), pair.second.clone()));
            let labels = set.pairs().iter().map(|pair| usize::from(pair.label));
            Ok(Set {
                inputs: inputs.collect(),
                targets: Targets::Classes(labels.collect()),
                labels: set.class_names().to_vec(),
                report,
            })
        }
        Data::MultiLabel { .. } => {
            let (set, report) = read_multi_label_with_report(path, options)?;
            let names = set.label_names().to_vec();
            let inputs = set
                .items()
                .iter()
                .map(|item| TextInput::Single(item.text.clone()));
            let has = |own: &[u16], label: usize| own.iter().any(|&l| usize::from(l) == label);
            let flags = set.items().iter().map(|item| {
                let labels = 0..names.len();
                labels.map(|label| has(&item.labels, label)).collect()
            });
            Ok(Set {
                inputs: inputs.collect(),
                targets: Targets::Labels(flags.collect()),
                labels: names,
                report,
            })
        }
        Data::Tagged { .. } => {
            let (set, report) = read_tagged_with_report(path, options)?;
            let sentences = set.sentences().iter();
            let inputs = sentences
                .clone()
                .map(|one| TextInput::Words(one.tokens.clone()));
            let tags = |tags: &[u16]| tags.iter().copied().map(usize::from).collect();
            Ok(Set {
                inputs: inputs.collect(),
                targets: Targets::Tags(sentences.map(|one| tags(&one.tags)).collect()),
                labels: set.tag_names().to_vec(),
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
