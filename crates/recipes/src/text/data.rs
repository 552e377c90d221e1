//! The texts of a recipe with their targets and splits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tinderbox_datasets::download;
use tinderbox_datasets::sets::{self, Answer, Nda};
use tinderbox_datasets::text::{
    SplitPaths, TextOptions, TextReport, TextSet, find_split_paths, read_corpus_with_report,
};
use tinderbox_datasets::{
    Fold, SplitError, count_duplicates, count_overlap, folds_by_content, grouped_folds,
    grouped_indices, split_indices, split_indices_by_content, stratified_folds_by_content,
    stratified_indices_by_content,
};
use tinderbox_predict::text::{TextInput, TextTask};
use tinderbox_train::{SharedItems, Split, Splits};

use super::contents::{content, loose_content};
use super::error::DataError;
use super::own::{Set, read_set};
use super::source::Data;

/// The target of each text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// One class.
    Classes(Vec<usize>),
    /// A flag for each label.
    Labels(Vec<Vec<bool>>),
    /// A tag for each word.
    Tags(Vec<Vec<usize>>),
}

/// Texts with their targets.
#[derive(Clone, Debug)]
pub struct LabeledTexts {
    /// The texts.
    pub inputs: Vec<TextInput>,
    /// Their targets.
    pub targets: Targets,
    /// Names of the classes, labels or tags.
    pub labels: Vec<String>,
    /// The splits of the final training.
    pub splits: Splits,
    /// Those of the folds of a cross-validation.
    pub folds: Vec<Splits>,
    /// Agreements whose lines the texts are, for `ContractNLI`.
    pub agreements: Vec<Agreement>,
    /// The files and folders of the splits, for the user's own data.
    pub located: Option<SplitPaths>,
    /// Notes and warnings of the reader.
    pub report: TextReport,
}

impl LabeledTexts {
    /// Number of texts that are equal to an earlier one.
    pub fn duplicates(&self) -> usize {
        let contents: Vec<u64> = self.inputs.iter().map(content).collect();
        count_duplicates(&contents)
    }

    /// Texts shared between splits: exact copies, if the data set defines its splits, and texts that differ only in case,
    /// spacing or punctuation.
    pub fn shared(&self) -> SharedItems {
        let of = |rows: &[usize], hash: fn(&TextInput) -> u64| -> Vec<u64> {
            rows.iter().map(|&row| hash(&self.inputs[row])).collect()
        };
        let Splits { train, valid, test } = &self.splits;
        let known = |hash: fn(&TextInput) -> u64| [of(train, hash), of(valid, hash)].concat();
        let copies = count_overlap(of(test, content), known(content));
        // A copy is similar to its original.
        let similar = count_overlap(of(test, loose_content), known(loose_content));
        SharedItems {
            test: copies,
            valid: count_overlap(of(valid, content), of(train, content)),
            test_similar: similar.saturating_sub(copies),
        }
    }
}

/// An agreement, whose lines are texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Its name.
    pub name: String,
    /// Its texts.
    pub rows: std::ops::Range<usize>,
    /// For each hypothesis: whether the agreement entails it, contradicts it, or does not mention it.
    pub answers: Vec<Answer>,
}

/// Plain text in its splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainText {
    /// The training split.
    pub train: String,
    /// The validation split.
    pub valid: String,
    /// The test split.
    pub test: String,
    /// Notes and warnings of the reader.
    pub report: TextReport,
}

/// The data of a recipe.
#[derive(Clone, Debug)]
pub enum Corpus {
    /// Texts with their targets.
    Labeled(LabeledTexts),
    /// Plain text, for a language model.
    Plain(PlainText),
}

impl Corpus {
    /// Notes and warnings of the reader.
    pub fn report(&self) -> &TextReport {
        match self {
            Self::Labeled(texts) => &texts.report,
            Self::Plain(text) => &text.report,
        }
    }

    /// The task.
    pub fn task(&self) -> TextTask {
        match self {
            Self::Plain(_) => TextTask::LanguageModeling,
            Self::Labeled(texts) => match texts.targets {
                Targets::Classes(_) => TextTask::Classification,
                Targets::Labels(_) => TextTask::MultiLabel,
                Targets::Tags(_) => TextTask::TokenClassification,
            },
        }
    }

    /// Names of the classes, labels or tags; none for a language model.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Labeled(texts) => &texts.labels,
            Self::Plain(_) => &[],
        }
    }

    /// The splits of the final training; empty for plain text, which has its own.
    pub fn splits(&self) -> Splits {
        match self {
            Self::Labeled(texts) => texts.splits.clone(),
            Self::Plain(_) => Splits::default(),
        }
    }
}

/// Reads the data of a recipe.
///
/// # Errors
///
/// If no file is named, it cannot be used, or it is too small to be split.
pub fn open(data: &Data, split: &Split) -> Result<Corpus, DataError> {
    let corpus = open_known(data, split, None);
    match data {
        Data::Texts { .. } | Data::Pairs { .. } | Data::MultiLabel { .. } => corpus,
        // Without the keys for the format of a file.
        _ => corpus.map_err(DataError::without_keys),
    }
}

/// As [`open`], for a trained model with its labels: a file may lack some, and may have no others.
pub(crate) fn open_known(
    data: &Data,
    split: &Split,
    known: Option<&[String]>,
) -> Result<Corpus, DataError> {
    // Without a folder, AG's news are downloaded.
    let mut named = data.clone();
    let is_nameless = named.path_mut().is_some_and(|path| path.is_empty());
    if is_nameless && !matches!(data, Data::AgNews { .. }) {
        return Err(DataError::NoPath);
    }
    if let Data::PlainText { path } = data {
        let (text, report) = read_corpus_with_report(Path::new(path))?;
        return Ok(Corpus::Plain(PlainText {
            report,
            ..split_plain(&text, split)
        }));
    }
    open_labeled(data, split, known).map(Corpus::Labeled)
}

/// The folder of a public set: the user's, or that of the cache.
fn downloaded(name: &str, path: &str) -> Result<PathBuf, DataError> {
    if path.is_empty() {
        return Ok(download::fetch(name)?);
    }
    Ok(PathBuf::from(path))
}

fn open_labeled(
    data: &Data,
    split: &Split,
    known: Option<&[String]>,
) -> Result<LabeledTexts, DataError> {
    let classes = known.map(<[String]>::to_vec);
    match data {
        Data::Requests { seed } => {
            let sets::Requests { train, valid, test } = sets::requests(*seed);
            given_splits(&[train, valid, test], split)
        }
        Data::AgNews { path } => {
            let (train, test) = sets::ag_news(&downloaded("ag-news", path)?)?;
            with_test(&train, &test, split)
        }
        Data::SmsSpam { path } => all_of(&sets::sms_spam(Path::new(path))?, split),
        Data::Sst2 { path } => {
            let (train, dev, test) = sets::sst2(Path::new(path))?;
            given_splits(&[train, dev, test], split)
        }
        Data::Reviews { path } => {
            let (set, fold) = sets::movie_reviews(Path::new(path))?;
            reviews(&set, &fold, split)
        }
        Data::Cuad { path } => {
            let (set, contracts) = sets::cuad(Path::new(path))?;
            in_groups(&set, &contracts, split)
        }
        Data::ContractNli { path } => {
            let (train, test) = sets::contract_nli(Path::new(path))?;
            agreements(&train, &test, split)
        }
        Data::PlainText { .. } => Err(DataError::NoPath),
        Data::Texts { .. } | Data::Pairs { .. } | Data::MultiLabel { .. } | Data::Tagged { .. } => {
            own(data, split, classes)
        }
    }
}

/// The user's own files: with their own splits, and the others held out of the training texts.
fn own(
    data: &Data,
    split: &Split,
    classes: Option<Vec<String>>,
) -> Result<LabeledTexts, DataError> {
    let (located, [train, valid, test]) = read_own(data, classes)?;
    // `locate` always finds training texts.
    let train = train.ok_or(DataError::NoPath)?;
    Ok(LabeledTexts {
        located: Some(located),
        ..in_splits(train, valid, test, split)?
    })
}

/// The train, validation and test texts of the user's own files.
fn read_own(
    data: &Data,
    classes: Option<Vec<String>>,
) -> Result<(SplitPaths, [Option<Set>; 3]), DataError> {
    let options = data.options()?.unwrap_or_default();
    let mut named = data.clone();
    let path = named.path_mut().cloned().unwrap_or_default();
    if path.is_empty() {
        return Err(DataError::NoPath);
    }
    let mut located = find_split_paths(Path::new(&path))?;
    if let Data::Texts { test, .. } = data
        && !test.is_empty()
    {
        located.test = Some(PathBuf::from(test));
    }
    let known = TextOptions {
        classes,
        ..options.clone()
    };
    let train = read_set(data, &located.train, &known)?;
    let known = TextOptions {
        classes: Some(train.labels.clone()),
        ..options
    };
    let read = |path: &Option<PathBuf>| {
        let path = path.as_ref();
        path.map(|path| read_set(data, path, &known)).transpose()
    };
    let (valid, test) = (read(&located.valid)?, read(&located.test)?);
    Ok((located, [Some(train), valid, test]))
}

/// All texts of the user's own files, or of a file of messages, for a trained model with its labels. The
/// splits are those of the files; nothing is held out.
pub(super) fn open_all(data: &Data, known: &[String]) -> Result<LabeledTexts, DataError> {
    if let Data::SmsSpam { path } = data {
        let set = Set::of(&sets::sms_spam(Path::new(path))?);
        return Ok(set.into_texts(Splits::default(), Vec::new()));
    }
    let (located, sets) = read_own(data, Some(known.to_vec()))?;
    let mut all: Option<Set> = None;
    let [train, valid, test] = sets.map(|set| {
        let Some(set) = set else {
            return Vec::new();
        };
        let from = all.as_ref().map_or(0, |all| all.inputs.len());
        let rows = (from..from + set.inputs.len()).collect();
        match &mut all {
            Some(all) => all.append(set),
            None => all = Some(set),
        }
        rows
    });
    let all = all.ok_or(DataError::NoPath)?;
    Ok(LabeledTexts {
        located: Some(located),
        ..all.into_texts(Splits { train, valid, test }, Vec::new())
    })
}

/// Splits plain text in three, at the ends of lines where there are some.
fn split_plain(text: &str, split: &Split) -> PlainText {
    let at = |share: f64| {
        let at = (text.len() as f64 * share) as usize;
        let at = (0..=at).rev().find(|&at| text.is_char_boundary(at));
        let at = at.unwrap_or(0);
        text[at..]
            .find('\n')
            .filter(|&line| line < 4096)
            .map_or(at, |line| at + line + 1)
    };
    // The test split is the last part, as in published results.
    let test = at(1.0 - split.test_fraction);
    let valid = at((1.0 - split.test_fraction) * (1.0 - split.valid_fraction)).min(test);
    PlainText {
        train: text[..valid].to_owned(),
        valid: text[valid..test].to_owned(),
        test: text[test..].to_owned(),
        report: TextReport::default(),
    }
}

/// Three splits that the data has itself.
fn given_splits(
    [train, valid, test]: &[TextSet; 3],
    split: &Split,
) -> Result<LabeledTexts, DataError> {
    let [valid, test] = [valid, test].map(|set| Some(Set::of(set)));
    in_splits(Set::of(train), valid, test, split)
}

/// A test split that the data has itself, and validation texts held out of the rest.
fn with_test(train: &TextSet, test: &TextSet, split: &Split) -> Result<LabeledTexts, DataError> {
    in_splits(Set::of(train), None, Some(Set::of(test)), split)
}

fn all_of(set: &TextSet, split: &Split) -> Result<LabeledTexts, DataError> {
    in_splits(Set::of(set), None, None, split)
}

/// The splits that are given, and the others held out of the training texts.
fn in_splits(
    train: Set,
    valid: Option<Set>,
    test: Option<Set>,
    split: &Split,
) -> Result<LabeledTexts, DataError> {
    let all: Vec<usize> = (0..train.inputs.len()).collect();
    let mut set = train;
    let mut append = |more: Option<Set>| {
        let more = more?;
        let from = set.inputs.len();
        set.append(more);
        Some((from..set.inputs.len()).collect::<Vec<usize>>())
    };
    let (given_valid, given_test) = (append(valid), append(test));
    let own = &set;
    let (rest, test) = match given_test {
        Some(test) => (all.clone(), test),
        None => own.hold_out(&all, split.test_fraction, split.seed)?,
    };
    let train_and_valid = |rest: &[usize]| match &given_valid {
        Some(valid) => Ok((rest.to_vec(), valid.clone())),
        None => own.hold_out(rest, split.valid_fraction, split.seed),
    };
    let (train, valid) = train_and_valid(&rest)?;
    let mut folds = Vec::new();
    if split.folds > 0 {
        for (rest, test) in own.folds(&all, split)? {
            let (train, valid) = train_and_valid(&rest)?;
            folds.push(Splits { train, valid, test });
        }
    }
    Ok(set.into_texts(Splits { train, valid, test }, folds))
}

impl Set {
    /// Splits `rest` into the rows that stay and those that are held out, each class in proportion.
    fn hold_out(
        &self,
        rest: &[usize],
        share: f64,
        seed: u64,
    ) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let contents = self.contents_of(rest);
        let (kept, out) = match self.labels_of(rest) {
            Some(labels) => stratified_indices_by_content(&labels, &contents, share, seed)
                .map_err(|error| self.cannot_split(error, &labels))?,
            None => split_indices_by_content(&contents, share, seed)?,
        };
        let rows = |of: Vec<usize>| of.into_iter().map(|at| rest[at]).collect();
        Ok((rows(kept), rows(out)))
    }

    /// The cause of a split without texts: too many classes for so few texts, or too few texts.
    fn cannot_split(&self, error: SplitError, labels: &[u16]) -> DataError {
        let used: BTreeSet<u16> = labels.iter().copied().collect();
        let example = labels
            .first()
            .and_then(|&label| self.labels.get(usize::from(label)));
        match (error, example) {
            (SplitError::Empty { .. }, Some(example))
                if used.len() > 2 && used.len() * 2 > labels.len() =>
            {
                DataError::TooManyClassesToSplit {
                    classes: used.len(),
                    texts: labels.len(),
                    example: example.clone(),
                }
            }
            (error, _) => error.into(),
        }
    }

    fn folds(&self, rest: &[usize], split: &Split) -> Result<Vec<Fold>, DataError> {
        let contents = self.contents_of(rest);
        let folds = match self.labels_of(rest) {
            Some(labels) => {
                let (names, k) = (&self.labels, split.folds);
                stratified_folds_by_content(&labels, &contents, names, k, split.seed)?
            }
            None => folds_by_content(&contents, split.folds, split.seed)?,
        };
        Ok(folds)
    }

    /// Hashes of these texts: copies stay in one split.
    fn contents_of(&self, rows: &[usize]) -> Vec<u64> {
        rows.iter().map(|&row| content(&self.inputs[row])).collect()
    }

    /// The classes of these texts, where each has one.
    fn labels_of(&self, rows: &[usize]) -> Option<Vec<u16>> {
        match &self.targets {
            Targets::Classes(labels) => Some(rows.iter().map(|&row| labels[row] as u16).collect()),
            Targets::Labels(_) | Targets::Tags(_) => None,
        }
    }

    fn into_texts(self, splits: Splits, folds: Vec<Splits>) -> LabeledTexts {
        LabeledTexts {
            inputs: self.inputs,
            targets: self.targets,
            labels: self.labels,
            splits,
            folds,
            agreements: Vec::new(),
            located: None,
            report: self.report,
        }
    }
}

/// The authors' folds; the last of them is the test split of the final training.
fn reviews(set: &TextSet, fold: &[usize], split: &Split) -> Result<LabeledTexts, DataError> {
    let own = Set::of(set);
    let part = |number: usize| {
        let (mut rest, mut test) = (Vec::new(), Vec::new());
        for (row, &own) in fold.iter().enumerate() {
            if own == number {
                test.push(row);
            } else {
                rest.push(row);
            }
        }
        let (train, valid) = own.hold_out(&rest, split.valid_fraction, split.seed)?;
        Ok::<Splits, DataError>(Splits { train, valid, test })
    };
    let count = fold.iter().max().map_or(0, |last| last + 1);
    let folds = (0..split.folds.min(count)).map(part);
    let folds = folds.collect::<Result<_, _>>()?;
    let splits = part(count.saturating_sub(1))?;
    Ok(own.into_texts(splits, folds))
}

/// All clauses of a contract in one split.
fn in_groups(set: &TextSet, groups: &[usize], split: &Split) -> Result<LabeledTexts, DataError> {
    let groups: Vec<u32> = groups.iter().map(|&group| group as u32).collect();
    let take = |rest: &[usize], share: f64| -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let own: Vec<u32> = rest.iter().map(|&row| groups[row]).collect();
        let (kept, out) = grouped_indices(&own, share, split.seed)?;
        let rows = |of: Vec<usize>| of.into_iter().map(|at| rest[at]).collect();
        Ok((rows(kept), rows(out)))
    };
    let all: Vec<usize> = (0..groups.len()).collect();
    let (rest, test) = take(&all, split.test_fraction)?;
    let (train, valid) = take(&rest, split.valid_fraction)?;
    let mut folds = Vec::new();
    if split.folds > 0 {
        for (train, test) in grouped_folds(&groups, split.folds, split.seed)? {
            let (train, valid) = take(&train, split.valid_fraction)?;
            folds.push(Splits { train, valid, test });
        }
    }
    Ok(Set::of(set).into_texts(Splits { train, valid, test }, folds))
}

/// Every line of every agreement, with a label for each hypothesis that it is evidence for, and one for
/// each that it is evidence against.
fn agreements(train: &[Nda], test: &[Nda], split: &Split) -> Result<LabeledTexts, DataError> {
    let claims = train.first().map_or(&[][..], |nda| &nda.claims);
    let (mut inputs, mut flags, mut agreements) = (Vec::new(), Vec::new(), Vec::new());
    for nda in train.iter().chain(test) {
        let from = inputs.len();
        for (line, text) in nda.spans.iter().enumerate() {
            inputs.push(TextInput::Single(text.clone()));
            flags.push(evidence(nda, line));
        }
        agreements.push(Agreement {
            name: nda.name.clone(),
            rows: from..inputs.len(),
            answers: nda.claims.iter().map(|claim| claim.answer).collect(),
        });
    }
    let (kept, valid) = split_indices(train.len(), split.valid_fraction, split.seed)?;
    let tested: Vec<usize> = (train.len()..agreements.len()).collect();
    let [train, valid, test] = [kept, valid, tested].map(|of| {
        let rows = of.iter().flat_map(|&at| agreements[at].rows.clone());
        rows.collect()
    });
    let named = |prefix: &'static str| {
        let names = claims.iter();
        names.map(move |claim| format!("{prefix}: {}", claim.title))
    };
    Ok(LabeledTexts {
        inputs,
        targets: Targets::Labels(flags),
        labels: named("for").chain(named("against")).collect(),
        splits: Splits { train, valid, test },
        folds: Vec::new(),
        agreements,
        located: None,
        report: TextReport::default(),
    })
}

/// Flags for the hypotheses that a line is evidence for, and then for those that it is evidence against.
fn evidence(nda: &Nda, line: usize) -> Vec<bool> {
    let is_evidence = |answer: Answer| {
        let claims = nda.claims.iter();
        claims.map(move |claim| claim.answer == answer && claim.evidence.contains(&line))
    };
    let all = is_evidence(Answer::Entailment).chain(is_evidence(Answer::Contradiction));
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_for_each_text_is_named_where_a_split_would_be_empty() {
        let set = Set {
            inputs: (0..40)
                .map(|at| TextInput::Single(format!("text {at}")))
                .collect(),
            targets: Targets::Classes((0..40).collect()),
            labels: (0..40).map(|at| format!("label {at}")).collect(),
            report: TextReport::default(),
        };
        let error = in_splits(set, None, None, &Split::default());
        let error = error.err().map(|error| error.to_string());
        assert!(
            error.is_some_and(|error| error.starts_with("40 classes in 40 texts, such as `label 0`")),
            "no such error"
        );
    }

    #[test]
    fn another_file_of_messages_is_evaluated_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages.csv");
        std::fs::write(&path, "text,label\nhello there,ham\nwin cash,spam\n").unwrap();
        let data = Data::SmsSpam {
            path: path.display().to_string(),
        };
        let texts = open_all(&data, &["ham".to_owned(), "spam".to_owned()]).unwrap();
        assert_eq!((texts.inputs.len(), texts.labels.len()), (2, 2));
        assert!(!data.has_official_splits());
    }

    #[test]
    fn texts_in_two_splits_are_counted() {
        let texts = [
            "Hello you",
            "a",
            "b",
            "c",
            "a",
            "hello, you!",
            "A!",
            "b",
            "d",
        ];
        let texts = LabeledTexts {
            inputs: texts
                .map(|text| TextInput::Single(text.to_owned()))
                .to_vec(),
            targets: Targets::Classes(vec![0; 9]),
            labels: vec!["x".to_owned()],
            splits: Splits {
                train: vec![0, 1, 2],
                valid: vec![3, 4],
                test: vec![5, 6, 7, 8],
            },
            folds: Vec::new(),
            agreements: Vec::new(),
            located: None,
            report: TextReport::default(),
        };
        let expected = SharedItems {
            test: 1,
            valid: 1,
            test_similar: 2,
        };
        assert_eq!(texts.shared(), expected);
    }
}
