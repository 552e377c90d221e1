//! Statistics of a data set of texts.

use std::collections::HashMap;

use serde::Serialize;
use tinderbox_datasets::text::Located;

use super::data::{Corpus, Parts, Rows, Truth};

/// Statistics of a data set of texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The splits that training would use.
    pub splits: Vec<SplitInspection>,
    /// Lengths of the texts in words between white space.
    pub words: Quantiles,
    /// Lengths of the texts in characters.
    pub characters: Quantiles,
    /// Texts that are equal to an earlier one.
    pub copies: usize,
    /// Different texts that occur with different labels.
    pub contradictory: usize,
    /// Texts of the test split that are also in the train split.
    pub shared: usize,
    /// Empty texts that were skipped.
    pub empty: usize,
    /// What the user should check.
    pub warnings: Vec<String>,
}

/// Statistics of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitInspection {
    /// Its name: `train`, `valid` or `test`.
    pub name: &'static str,
    /// The file or folder, or how it was made.
    pub source: String,
    /// Number of texts.
    pub texts: usize,
    /// Number of texts, or of words for tags, of each class, label or tag.
    pub classes: Vec<(String, usize)>,
}

/// Quantiles of a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// The shortest.
    pub min: usize,
    /// Half are at most that long.
    pub median: usize,
    /// 95% are at most that long.
    pub p95: usize,
    /// The longest.
    pub max: usize,
}

impl Quantiles {
    fn of(mut lengths: Vec<usize>) -> Self {
        lengths.sort_unstable();
        let at = |share: f64| {
            let last = lengths.len().saturating_sub(1);
            let index = (share * last as f64).round() as usize;
            lengths.get(index).copied().unwrap_or(0)
        };
        Self {
            min: at(0.0),
            median: at(0.5),
            p95: at(0.95),
            max: at(1.0),
        }
    }
}

/// Statistics of what a recipe learns from; plain text counts line by line.
pub fn inspect(corpus: &Corpus) -> Inspection {
    let report = corpus.report();
    let mut inspection = match corpus {
        Corpus::Rows(rows) => of_rows(rows),
        Corpus::Running(text) => {
            let parts = [&text.train, &text.valid, &text.test];
            let lines = |text: &str| text.lines().count();
            let split = |(name, part): (&'static str, &&String)| SplitInspection {
                name,
                source: String::new(),
                texts: lines(part),
                classes: Vec::new(),
            };
            let all: Vec<&str> = parts.iter().flat_map(|part| part.lines()).collect();
            Inspection {
                splits: NAMES.into_iter().zip(&parts).map(split).collect(),
                ..of_texts(&all)
            }
        }
    };
    inspection.empty = report.empty;
    inspection.warnings = report.messages();
    inspection
}

const NAMES: [&str; 3] = ["train", "valid", "test"];

fn of_texts(texts: &[impl AsRef<str>]) -> Inspection {
    let lengths = |length: &dyn Fn(&str) -> usize| {
        Quantiles::of(texts.iter().map(|text| length(text.as_ref())).collect())
    };
    Inspection {
        splits: Vec::new(),
        words: lengths(&|text| text.split_whitespace().count()),
        characters: lengths(&|text| text.chars().count()),
        copies: 0,
        contradictory: 0,
        shared: 0,
        empty: 0,
        warnings: Vec::new(),
    }
}

impl Rows {
    /// Statistics of the texts.
    pub fn inspect(&self) -> Inspection {
        of_rows(self)
    }
}

fn of_rows(rows: &Rows) -> Inspection {
    let texts: Vec<String> = rows.inputs.iter().map(super::Input::joined).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    let (mut copies, mut contradictory) = (0, std::collections::HashSet::new());
    for (row, text) in texts.iter().enumerate() {
        let earlier = *first.entry(text).or_insert(row);
        if earlier != row {
            copies += 1;
            if !same_target(&rows.truth, earlier, row) {
                contradictory.insert(earlier);
            }
        }
    }
    let Parts { train, valid, test } = &rows.parts;
    let trained: std::collections::HashSet<&str> =
        train.iter().map(|&row| texts[row].as_str()).collect();
    let shared = test
        .iter()
        .filter(|&&row| trained.contains(texts[row].as_str()));
    let sources = sources(rows.located.as_ref());
    let splits = NAMES.into_iter().zip([train, valid, test]).zip(sources);
    Inspection {
        splits: splits
            .map(|((name, part), source)| SplitInspection {
                name,
                source,
                texts: part.len(),
                classes: counts(rows, part),
            })
            .collect(),
        copies,
        contradictory: contradictory.len(),
        shared: shared.count(),
        ..of_texts(&texts)
    }
}

fn same_target(truth: &Truth, a: usize, b: usize) -> bool {
    match truth {
        Truth::Classes(labels) => labels[a] == labels[b],
        Truth::Labels(flags) => flags[a] == flags[b],
        Truth::Tags(tags) => tags[a] == tags[b],
    }
}

/// Where each split is from.
fn sources(located: Option<&Located>) -> [String; 3] {
    let Some(located) = located else {
        return [String::new(), String::new(), String::new()];
    };
    let train = located.train.display().to_string();
    let held_out = format!("{train}, held out");
    let path = |path: &Option<std::path::PathBuf>| {
        let path = path.as_ref().map(|path| path.display().to_string());
        path.unwrap_or_else(|| held_out.clone())
    };
    let (valid, test) = (path(&located.valid), path(&located.test));
    [train, valid, test]
}

/// How many texts of a split have each class or label, or how many words each tag.
pub(super) fn counts(rows: &Rows, part: &[usize]) -> Vec<(String, usize)> {
    let mut counts = vec![0; rows.names.len()];
    for &row in part {
        match &rows.truth {
            Truth::Classes(labels) => counts[labels[row]] += 1,
            Truth::Labels(flags) => {
                for (count, &flag) in counts.iter_mut().zip(&flags[row]) {
                    *count += usize::from(flag);
                }
            }
            Truth::Tags(tags) => tags[row].iter().for_each(|&tag| counts[tag] += 1),
        }
    }
    rows.names.iter().cloned().zip(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Input, Parts};

    #[test]
    fn copies_contradictions_and_lengths_are_counted() {
        let texts = ["a b", "c", "a b", "a b", "d e f"];
        let rows = Rows {
            inputs: texts
                .iter()
                .map(|text| Input::One((*text).to_owned()))
                .collect(),
            truth: Truth::Classes(vec![0, 1, 0, 1, 1]),
            names: ["x", "y"].map(str::to_owned).to_vec(),
            parts: Parts {
                train: vec![0, 1],
                valid: vec![2],
                test: vec![3, 4],
            },
            folds: Vec::new(),
            agreements: Vec::new(),
            located: None,
            report: tinderbox_datasets::text::TextReport::default(),
        };
        let found = inspect(&Corpus::Rows(rows));
        assert_eq!((found.copies, found.contradictory, found.shared), (2, 1, 1));
        let expected = Quantiles {
            min: 1,
            median: 2,
            p95: 3,
            max: 3,
        };
        assert_eq!(found.words, expected);
        assert_eq!(
            found.splits[0].classes,
            [("x".to_owned(), 1), ("y".to_owned(), 1)]
        );
        assert_eq!(
            found.splits[2].classes,
            [("x".to_owned(), 0), ("y".to_owned(), 2)]
        );
    }
}
