//! Statistics of a data set of texts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tinderbox_datasets::text::{SplitPaths, TextReport};
use tinderbox_predict::text::TextInput;
use tinderbox_train::format::thousands;
use tinderbox_train::task::{Noun, Overview, SplitOverview};
use tinderbox_train::{Section, Splits, TaskError};

use crate::text::Recipe;
use crate::text::data::{Corpus, LabeledTexts, PlainText, Targets, open};

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
    /// Number of texts without a label that were skipped.
    pub unlabeled: usize,
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
    /// Number of texts; one of plain text, which is not split into texts.
    pub texts: usize,
    /// Number of characters of plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<usize>,
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
    let corpus = open(&data, &recipe.split)?;
    let mut inspection = Inspection::of(&corpus);
    if data != recipe.data {
        // A training with this recipe does not skip them.
        let read = TextReport {
            empty: 0,
            unlabeled: 0,
            ..corpus.report().clone()
        };
        inspection.warnings = read.messages();
        let stops = stops(&inspection);
        inspection.warnings.extend(stops);
    }
    if let Corpus::Plain(text) = &corpus {
        inspection.warnings.extend(too_short(text, recipe));
    }
    Ok(inspection)
}

/// Rows at which a training stops.
fn stops(inspection: &Inspection) -> Vec<String> {
    let warning = |count: usize, one: &str, many: &str| {
        let (what, them) = if count == 1 {
            (one, "it")
        } else {
            (many, "them")
        };
        let count_of = thousands(count);
        (count > 0).then(|| {
            format!(
                "{count_of} {what}: `train` stops there; to skip {them}, use `--set data.skip_empty=true`"
            )
        })
    };
    let empty = warning(inspection.empty, "text is empty", "texts are empty");
    let unlabeled = warning(
        inspection.unlabeled,
        "text has no label",
        "texts have no label",
    );
    empty.into_iter().chain(unlabeled).collect()
}

/// A warning about plain text that is too short to train on. Tokens are bytes, or there are fewer.
fn too_short(text: &PlainText, recipe: &Recipe) -> Option<String> {
    let max_len = recipe.tokenizer.max_len;
    let parts = [("training", &text.train), ("validation", &text.valid)];
    let (name, part) = parts.into_iter().find(|(_, part)| part.len() <= max_len)?;
    let bytes = part.len();
    Some(format!(
        "the {name} split has {} {}, too few for windows of {} tokens: `train` stops there; lower \
         `tokenizer.max_len` or provide more text",
        thousands(bytes),
        if bytes == 1 { "byte" } else { "bytes" },
        thousands(max_len)
    ))
}

impl Inspection {
    /// Statistics of texts; the lengths of plain text are those of its lines.
    pub fn of(corpus: &Corpus) -> Self {
        let report = corpus.report();
        let mut inspection = match corpus {
            Corpus::Labeled(texts) => of_labeled(texts),
            Corpus::Plain(text) => {
                let parts = [&text.train, &text.valid, &text.test];
                let split = |(name, part): (&'static str, &&String)| SplitInspection {
                    name,
                    source: String::new(),
                    texts: usize::from(!part.is_empty()),
                    characters: Some(part.chars().count()),
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
        inspection.unlabeled = report.unlabeled;
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
        let count = |split: &SplitInspection| split.characters.unwrap_or(split.texts);
        let is_plain = self.splits.iter().any(|split| split.characters.is_some());
        let item = if is_plain {
            Noun("character", "characters")
        } else {
            Noun("text", "texts")
        };
        let items: usize = self.splits.iter().map(count).sum();
        let splits = self.splits.iter().map(|split| SplitOverview {
            name: split.name.to_owned(),
            count: count(split),
            source: split.source.clone(),
            classes: Vec::new(),
        });
        let classes = class_rows(&self.splits);
        let mut sections = Vec::new();
        if classes.len() > 1 {
            sections.push(Section::table("", classes));
        }
        let of = if is_plain { "line length" } else { "length" };
        sections.push(Section::table("", self.length_rows(of)));
        Overview {
            summary: format!("{name}: {} {}", thousands(items), item.of(items)),
            splits: splits.collect(),
            item: Some(item),
            warnings: self.problems(items),
            sections,
            ..Overview::default()
        }
    }

    fn length_rows(&self, of: &str) -> Vec<Vec<String>> {
        let head = [of, "min", "median", "95%", "max"];
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
                "{} of {} {} of another text",
                thousands(self.copies),
                items(texts),
                if self.copies == 1 {
                    "is a copy"
                } else {
                    "are copies"
                },
            ));
        }
        if self.contradictory > 0 {
            let (texts, occur) = if self.contradictory == 1 {
                ("text", "occurs")
            } else {
                ("different texts", "occur")
            };
            warnings.push(format!(
                "{} {texts} {occur} with more than one label",
                thousands(self.contradictory)
            ));
        }
        if self.shared > 0 {
            warnings.push(format!(
                "{} of the test split also {} in the training split: the test score will be too good",
                items(self.shared),
                if self.shared == 1 { "occurs" } else { "occur" }
            ));
        }
        warnings.extend(self.splits.first().and_then(|train| {
            let names = train.classes.iter().map(|(name, _)| name.as_str());
            alike_classes(names)
        }));
        warnings.extend(self.splits.first().and_then(few));
        warnings
    }
}

/// A number of texts, as in `1 text`.
fn items(count: usize) -> String {
    let noun = if count == 1 { "text" } else { "texts" };
    format!("{} {noun}", thousands(count))
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

/// A warning about classes whose names differ only in case or white space.
pub(in crate::text) fn alike_classes<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut first: HashMap<String, &str> = HashMap::new();
    let mut pairs = Vec::new();
    for name in names {
        let words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
        match first.entry(words.join(" ")) {
            Entry::Occupied(known) => pairs.push((*known.get(), name)),
            Entry::Vacant(free) => {
                free.insert(name);
            }
        }
    }
    let (one, other) = *pairs.first()?;
    let more = match pairs.len() - 1 {
        0 => String::new(),
        1 => ", and so does 1 more pair".to_owned(),
        more => format!(", and so do {} more pairs", thousands(more)),
    };
    Some(format!(
        "the classes `{one}` and `{other}` differ only in case or spaces{more}: if they are the same class, \
         give them one name"
    ))
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
        // A line for one hidden class would save none.
        let is_long = order.len() > CLASSES + 1;
        if is_long && rank == CLASSES - 1 {
            let hidden = format!("... {} more", thousands(order.len() - CLASSES));
            rows.push(vec![hidden]);
        }
        if is_long && (CLASSES - 1..order.len() - 1).contains(&rank) {
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
        unlabeled: 0,
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
                characters: None,
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
            characters: None,
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
            report: TextReport::default(),
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

    #[test]
    fn one_more_class_than_fits_is_shown() {
        let train = SplitInspection {
            name: "train",
            source: String::new(),
            texts: 0,
            characters: None,
            classes: (0..=CLASSES).map(|at| (format!("c{at}"), at)).collect(),
        };
        assert_eq!(class_rows(&[train]).len(), CLASSES + 2);
    }

    #[test]
    fn classes_that_differ_only_in_case_are_warned_of() {
        let warning = |names: &[&str]| alike_classes(names.iter().copied());
        assert_eq!(warning(&["a", "b"]), None);
        let expected = "the classes `Login` and `login` differ only in case or spaces: if";
        assert!(
            warning(&["Login", "a", "login"])
                .unwrap()
                .starts_with(expected)
        );
        let two = warning(&["Login", "login", "a b", "a  b"]).unwrap();
        assert!(two.contains("spaces, and so does 1 more pair:"), "{two}");
    }

    #[test]
    fn plain_text_is_counted_in_characters_and_may_be_too_short() {
        let text = PlainText {
            train: "é\nb\n".to_owned(),
            valid: "c\n".to_owned(),
            test: String::new(),
            report: TextReport::default(),
        };
        let found = Inspection::of(&Corpus::Plain(text.clone()));
        let overview = found.overview("a.txt");
        assert_eq!(overview.summary, "a.txt: 6 characters");
        assert_eq!(overview.splits[0].count, 4);
        let mut recipe = Recipe::builtin("language-model").unwrap();
        recipe.tokenizer.max_len = 4;
        let warning = too_short(&text, &recipe).unwrap();
        let expected = "the validation split has 2 bytes, too few for windows of 4 tokens";
        assert!(warning.starts_with(expected), "{warning}");
        recipe.tokenizer.max_len = 1;
        assert_eq!(too_short(&text, &recipe), None);
    }

    #[test]
    fn rows_that_stop_a_training_are_told() {
        let none: [&str; 0] = [];
        let mut found = of_texts(&none);
        assert!(stops(&found).is_empty());
        (found.empty, found.unlabeled) = (6, 1);
        let told = stops(&found);
        let [empty, unlabeled] = &told[..] else {
            panic!("two warnings");
        };
        assert!(empty.starts_with("6 texts are empty: `train` stops there; to skip them"));
        assert!(unlabeled.starts_with("1 text has no label: `train` stops there; to skip it"));
    }
}
