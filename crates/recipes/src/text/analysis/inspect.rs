//! Statistics of a data set of texts.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tinderbox_datasets::text::SplitPaths;
use tinderbox_predict::text::TextInput;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{Overview, SplitOverview};
use tinderbox_train::{Section, Splits, TaskError};

use crate::text::Recipe;
use crate::text::data::{Corpus, LabeledTexts, Targets, open};

/// Most classes that are listed; of more, the largest and the smallest.
const CLASSES: usize = 40;

/// Fewest training texts of a class without a warning.
const FEW: usize = 10;

/// Statistics of a data set of texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The splits of a training.
    pub splits: Vec<SplitInspection>,
    /// Lengths of the texts in words between white space.
    pub words: Quantiles,
    /// Lengths of the texts in characters.
    pub characters: Quantiles,
    /// Number of texts that are equal to an earlier one.
    pub copies: usize,
    /// Number of different texts that occur with different labels.
    pub contradictory: usize,
    /// Number of texts of the test split that also occur in the training split.
    pub shared: usize,
    /// Number of empty texts that were skipped.
    pub empty: usize,
    /// Problems that the reader found.
    pub warnings: Vec<String>,
}

/// Statistics of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitInspection {
    /// Its name: `train`, `valid` or `test`.
    pub name: &'static str,
    /// Its file or folder.
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
    /// The median.
    pub median: usize,
    /// The 95th percentile.
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

/// Reads the data of a recipe and computes its statistics.
///
/// # Errors
///
/// If the data cannot be read.
pub fn inspect(recipe: &Recipe) -> Result<Inspection, TaskError> {
    recipe.data.options()?;
    let mut data = recipe.data.clone();
    data.set_skip_empty();
    Ok(Inspection::of(&open(&data, &recipe.split)?))
}

impl Inspection {
    /// Statistics of texts; plain text counts line by line.
    pub fn of(corpus: &Corpus) -> Self {
        let report = corpus.report();
        let mut inspection = match corpus {
            Corpus::Labeled(texts) => of_labeled(texts),
            Corpus::Plain(text) => {
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

    /// The statistics by their keys.
    pub fn details(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(details) => details,
            _ => Map::new(),
        }
    }

    /// The statistics for people; `name` is that of the data.
    pub fn overview(&self, name: &str) -> Overview {
        let texts = self.splits.iter().map(|split| split.texts).sum();
        let splits = self.splits.iter().map(|split| SplitOverview {
            name: split.name.to_owned(),
            count: split.texts,
            source: split.source.clone(),
            classes: Vec::new(),
        });
        let classes = class_rows(&self.splits);
        let mut sections = Vec::new();
        if classes.len() > 1 {
            sections.push(Section::table("", classes));
        }
        sections.push(Section::table("", self.length_rows()));
        Overview {
            summary: format!("{name}: {} texts", thousands(texts)),
            splits: splits.collect(),
            warnings: self.problems(texts),
            sections,
            ..Overview::default()
        }
    }

    fn length_rows(&self) -> Vec<Vec<String>> {
        let head = ["length", "min", "median", "95%", "max"];
        let row = |name: &str, length: &Quantiles| {
            let Quantiles {
                min,
                median,
                p95,
                max,
            } = *length;
            let numbers = [min, median, p95, max].map(thousands).into_iter();
            std::iter::once(name.to_owned()).chain(numbers).collect()
        };
        vec![
            head.map(str::to_owned).to_vec(),
            row("words", &self.words),
            row("characters", &self.characters),
        ]
    }

    /// Everything that a user should check.
    fn problems(&self, texts: usize) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        if self.copies > 0 {
            warnings.push(format!(
                "{} of {} texts are copies of another text",
                thousands(self.copies),
                thousands(texts)
            ));
        }
        if self.contradictory > 0 {
            warnings.push(format!(
                "{} different texts occur with more than one label",
                thousands(self.contradictory)
            ));
        }
        if self.shared > 0 {
            warnings.push(format!(
                "{} texts of the test split also occur in the training split: the test score will be too \
                 good",
                thousands(self.shared)
            ));
        }
        warnings.extend(self.splits.first().and_then(few));
        warnings
    }
}

/// A warning about classes with few training texts.
fn few(train: &SplitInspection) -> Option<String> {
    let classes = train.classes.iter().filter(|(_, count)| *count < FEW);
    let few: Vec<String> = classes
        .map(|(name, count)| format!("`{name}` ({count})"))
        .collect();
    let shown = few.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    let more = if few.len() > 10 {
        format!(" and {} more", few.len() - 10)
    } else {
        String::new()
    };
    (!few.is_empty()).then(|| format!("few training texts of {shown}{more}"))
}

/// A row for each class, the largest first.
fn class_rows(splits: &[SplitInspection]) -> Vec<Vec<String>> {
    let head = std::iter::once("class").chain(splits.iter().map(|split| split.name));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    let names = splits.first().map_or(&[][..], |split| &split.classes);
    let count = |split: &SplitInspection, at: usize| split.classes.get(at).map_or(0, |(_, n)| *n);
    let total = |at: usize| splits.iter().map(|split| count(split, at)).sum::<usize>();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(total(at)));
    for (rank, &at) in order.iter().enumerate() {
        if order.len() > CLASSES && rank == CLASSES - 1 {
            let hidden = format!("... {} more", thousands(order.len() - CLASSES));
            rows.push(vec![hidden]);
        }
        if order.len() > CLASSES && (CLASSES - 1..order.len() - 1).contains(&rank) {
            continue;
        }
        let counts = splits.iter().map(|split| thousands(count(split, at)));
        rows.push(std::iter::once(names[at].0.clone()).chain(counts).collect());
    }
    rows
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

fn of_labeled(data: &LabeledTexts) -> Inspection {
    let texts: Vec<String> = data.inputs.iter().map(TextInput::joined).collect();
    let mut first: HashMap<&str, usize> = HashMap::new();
    let (mut copies, mut contradictory) = (0, std::collections::HashSet::new());
    for (row, text) in texts.iter().enumerate() {
        let earlier = *first.entry(text).or_insert(row);
        if earlier != row {
            copies += 1;
            if !same_target(&data.targets, earlier, row) {
                contradictory.insert(earlier);
            }
        }
    }
    let Splits { train, valid, test } = &data.splits;
    let trained: std::collections::HashSet<&str> =
        train.iter().map(|&row| texts[row].as_str()).collect();
    let shared = test
        .iter()
        .filter(|&&row| trained.contains(texts[row].as_str()));
    let sources = sources(data.located.as_ref());
    let splits = NAMES.into_iter().zip([train, valid, test]).zip(sources);
    Inspection {
        splits: splits
            .map(|((name, part), source)| SplitInspection {
                name,
                source,
                texts: part.len(),
                classes: counts(data, part),
            })
            .collect(),
        copies,
        contradictory: contradictory.len(),
        shared: shared.count(),
        ..of_texts(&texts)
    }
}

fn same_target(targets: &Targets, a: usize, b: usize) -> bool {
    match targets {
        Targets::Classes(labels) => labels[a] == labels[b],
        Targets::Labels(flags) => flags[a] == flags[b],
        Targets::Tags(tags) => tags[a] == tags[b],
    }
}

/// The file or folder of each split.
pub(in crate::text) fn sources(located: Option<&SplitPaths>) -> [String; 3] {
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

/// Number of texts of a split with each class or label, or of words with each tag.
pub(in crate::text) fn counts(texts: &LabeledTexts, rows: &[usize]) -> Vec<(String, usize)> {
    let mut counts = vec![0; texts.labels.len()];
    for &row in rows {
        match &texts.targets {
            Targets::Classes(labels) => counts[labels[row]] += 1,
            Targets::Labels(flags) => {
                for (count, &flag) in counts.iter_mut().zip(&flags[row]) {
                    *count += usize::from(flag);
                }
            }
            Targets::Tags(tags) => tags[row].iter().for_each(|&tag| counts[tag] += 1),
        }
    }
    texts.labels.iter().cloned().zip(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_the_largest_and_the_smallest_are_shown() {
        let split = |name| SplitInspection {
            name,
            source: String::new(),
            texts: 0,
            classes: (0..50).map(|at| (format!("c{at}"), 2_000 + at)).collect(),
        };
        let rows = class_rows(&[split("train"), split("test")]);
        assert_eq!(rows.len(), CLASSES + 2);
        assert_eq!(
            rows[1],
            ["c49".to_owned(), thousands(2_049), thousands(2_049)]
        );
        assert_eq!(rows[CLASSES], ["... 10 more"]);
        assert_eq!(rows[CLASSES + 1][0], "c0");
    }

    #[test]
    fn copies_contradictions_and_lengths_are_counted() {
        let texts = ["a b", "c", "a b", "a b", "d e f"];
        let data = LabeledTexts {
            inputs: texts
                .iter()
                .map(|text| TextInput::Single((*text).to_owned()))
                .collect(),
            targets: Targets::Classes(vec![0, 1, 0, 1, 1]),
            labels: ["x", "y"].map(str::to_owned).to_vec(),
            splits: Splits {
                train: vec![0, 1],
                valid: vec![2],
                test: vec![3, 4],
            },
            folds: Vec::new(),
            agreements: Vec::new(),
            located: None,
            report: tinderbox_datasets::text::TextReport::default(),
        };
        let found = Inspection::of(&Corpus::Labeled(data));
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
