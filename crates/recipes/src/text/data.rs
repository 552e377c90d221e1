//! From the data section of a recipe to texts with what is true of them, in parts.

use std::path::{Path, PathBuf};

use tinderbox_datasets::download;
use tinderbox_datasets::sets::{self, Answer, Nda};
use tinderbox_datasets::text::{
    SplitPaths, TextOptions, TextReport, TextSet, find_split_paths, read_corpus_with_report,
};
use tinderbox_datasets::{
    Fold, count_duplicates, count_overlap, folds_by_content, grouped_folds, grouped_indices,
    split_indices, split_indices_by_content, stratified_folds_by_content,
    stratified_indices_by_content,
};

use super::contents::content;
use super::error::DataError;
use super::net::Scored;
use super::own::{Set, read_set};
use super::recipe::{Data, Split};
use super::tokenizer::Input;

/// Rows of a part, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Learned from.
    pub train: Vec<usize>,
    /// Chosen by.
    pub valid: Vec<usize>,
    /// Measured on, once.
    pub test: Vec<usize>,
}

impl Parts {
    /// A part by its name.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn get(&self, name: &str) -> Result<&[usize], DataError> {
        match name {
            "train" => Ok(&self.train),
            "valid" => Ok(&self.valid),
            "test" => Ok(&self.test),
            _ => Err(DataError::NoSplit(name.to_owned())),
        }
    }
}

/// What is true of each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// One class.
    Classes(Vec<usize>),
    /// Any number of labels: a flag for each.
    Labels(Vec<Vec<bool>>),
    /// A tag for each word.
    Tags(Vec<Vec<usize>>),
}

/// Texts with what is true of them.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The texts.
    pub inputs: Vec<Input>,
    /// What is true of each.
    pub truth: Truth,
    /// Names of the classes, labels or tags.
    pub names: Vec<String>,
    /// Which are for what.
    pub parts: Parts,
    /// Parts of a cross-validation.
    pub folds: Vec<Parts>,
    /// Agreements that the rows are lines of, for `ContractNLI`.
    pub agreements: Vec<Agreement>,
    /// The files and folders that the splits are from, for the user's own data.
    pub located: Option<SplitPaths>,
    /// What was found out while reading.
    pub report: TextReport,
}

impl Rows {
    /// Texts that are equal to an earlier one.
    pub fn copies(&self) -> usize {
        let contents: Vec<u64> = self.inputs.iter().map(content).collect();
        count_duplicates(&contents)
    }

    /// Texts of the test split that are also in the train or validation split, as only given splits have
    /// them.
    pub fn shared(&self) -> usize {
        let contents = |rows: &[usize]| -> Vec<u64> {
            rows.iter().map(|&row| content(&self.inputs[row])).collect()
        };
        let Parts { train, valid, test } = &self.parts;
        count_overlap(contents(test), [contents(train), contents(valid)].concat())
    }
}

/// The rows of an agreement, with what is true of it as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Its name.
    pub name: String,
    /// Its first row and the one behind its last.
    pub rows: std::ops::Range<usize>,
    /// For each hypothesis: whether the agreement entails it, contradicts it, or says nothing.
    pub answers: Vec<Answer>,
}

/// A running text in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Learned from.
    pub train: String,
    /// Chosen by.
    pub valid: String,
    /// Measured on, once.
    pub test: String,
    /// What was found out while reading.
    pub report: TextReport,
}

/// What a recipe learns from.
#[derive(Clone, Debug)]
pub enum Corpus {
    /// Texts with what is true of them.
    Rows(Rows),
    /// A text to be gone on with.
    Running(Running),
}

impl Corpus {
    /// What was found out while reading.
    pub fn report(&self) -> &TextReport {
        match self {
            Self::Rows(rows) => &rows.report,
            Self::Running(text) => &text.report,
        }
    }

    /// What a network is to score.
    pub fn scored(&self) -> Scored {
        match self {
            Self::Running(_) => Scored::Next,
            Self::Rows(rows) => match rows.truth {
                Truth::Tags(_) => Scored::Words,
                Truth::Classes(_) | Truth::Labels(_) => Scored::Texts,
            },
        }
    }
}

/// Opens what a recipe learns from.
///
/// # Errors
///
/// If no file is named, it cannot be used, or it is too small to be split.
pub fn open(data: &Data, split: &Split) -> Result<Corpus, DataError> {
    open_known(data, split, None)
}

/// As [`open`], for a model that knows its classes: a file may lack some, and may have no others.
pub(crate) fn open_known(
    data: &Data,
    split: &Split,
    known: Option<&[String]>,
) -> Result<Corpus, DataError> {
    // Without a folder, AG's news are fetched.
    let mut named = data.clone();
    let is_nameless = named.path_mut().is_some_and(|path| path.is_empty());
    if is_nameless && !matches!(data, Data::AgNews { .. }) {
        return Err(DataError::NoPath);
    }
    if let Data::Running { path } = data {
        let (text, report) = read_corpus_with_report(Path::new(path))?;
        return Ok(Corpus::Running(Running {
            report,
            ..cut(&text, split)
        }));
    }
    open_rows(data, split, known).map(Corpus::Rows)
}

/// The folder of a public set: the user's, or that of the cache.
fn fetched(name: &str, path: &str) -> Result<PathBuf, DataError> {
    if path.is_empty() {
        return Ok(download::fetch(name)?);
    }
    Ok(PathBuf::from(path))
}

fn open_rows(data: &Data, split: &Split, known: Option<&[String]>) -> Result<Rows, DataError> {
    let classes = known.map(<[String]>::to_vec);
    match data {
        Data::Requests { seed } => {
            let sets::Requests { train, valid, test } = sets::requests(*seed);
            given(&[train, valid, test], split)
        }
        Data::AgNews { path } => {
            let (train, test) = sets::ag_news(&fetched("ag-news", path)?)?;
            with_test(&train, &test, split)
        }
        Data::SmsSpam { path } => all_of(&sets::sms_spam(Path::new(path))?, split),
        Data::Sst2 { path } => {
            let (train, dev, test) = sets::sst2(Path::new(path))?;
            given(&[train, dev, test], split)
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
        Data::Running { .. } => Err(DataError::NoPath),
        Data::Texts { .. } | Data::Pairs { .. } | Data::MultiLabel { .. } | Data::Tagged { .. } => {
            own(data, split, classes)
        }
    }
}

/// The user's own files: with the splits that they have, and the others held out of the training texts.
fn own(data: &Data, split: &Split, classes: Option<Vec<String>>) -> Result<Rows, DataError> {
    let (located, [train, valid, test]) = read_own(data, classes)?;
    // There is always something to train on.
    let train = train.ok_or(DataError::NoPath)?;
    Ok(Rows {
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
        classes: Some(train.names.clone()),
        ..options
    };
    let read = |path: &Option<PathBuf>| {
        let path = path.as_ref();
        path.map(|path| read_set(data, path, &known)).transpose()
    };
    let (valid, test) = (read(&located.valid)?, read(&located.test)?);
    Ok((located, [Some(train), valid, test]))
}

/// All texts of the user's own files, for a model that knows its classes. Its parts are the splits that
/// the files have; nothing is held out.
pub(super) fn open_all(data: &Data, known: &[String]) -> Result<Rows, DataError> {
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
    Ok(Rows {
        located: Some(located),
        ..all.into_rows(Parts { train, valid, test }, Vec::new())
    })
}

/// Cuts a running text in three, at the ends of lines where there are some.
fn cut(text: &str, split: &Split) -> Running {
    let at = |share: f64| {
        let wanted = (text.len() as f64 * share) as usize;
        let wanted = (0..=wanted).rev().find(|&at| text.is_char_boundary(at));
        let wanted = wanted.unwrap_or(0);
        text[wanted..]
            .find('\n')
            .filter(|&line| line < 4096)
            .map_or(wanted, |line| wanted + line + 1)
    };
    // The last part is the test, as those who publish figures of this kind cut.
    let test = at(1.0 - split.test_fraction);
    let valid = at((1.0 - split.test_fraction) * (1.0 - split.valid_fraction)).min(test);
    Running {
        train: text[..valid].to_owned(),
        valid: text[valid..test].to_owned(),
        test: text[test..].to_owned(),
        report: TextReport::default(),
    }
}

/// Three parts that the data has itself.
fn given([train, valid, test]: &[TextSet; 3], split: &Split) -> Result<Rows, DataError> {
    let [valid, test] = [valid, test].map(|set| Some(Set::of(set)));
    in_splits(Set::of(train), valid, test, split)
}

/// A test that the data has itself, and validation texts held out of the rest.
fn with_test(train: &TextSet, test: &TextSet, split: &Split) -> Result<Rows, DataError> {
    in_splits(Set::of(train), None, Some(Set::of(test)), split)
}

fn all_of(set: &TextSet, split: &Split) -> Result<Rows, DataError> {
    in_splits(Set::of(set), None, None, split)
}

/// The splits that are given, and the others held out of the training texts.
fn in_splits(
    train: Set,
    valid: Option<Set>,
    test: Option<Set>,
    split: &Split,
) -> Result<Rows, DataError> {
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
            folds.push(Parts { train, valid, test });
        }
    }
    Ok(set.into_rows(Parts { train, valid, test }, folds))
}

impl Set {
    /// The rows that stay and those that are held out, of `rest`; each class in its share.
    fn hold_out(
        &self,
        rest: &[usize],
        share: f64,
        seed: u64,
    ) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let contents = self.contents_of(rest);
        let (kept, out) = match self.labels_of(rest) {
            Some(labels) => stratified_indices_by_content(&labels, &contents, share, seed)?,
            None => split_indices_by_content(&contents, share, seed)?,
        };
        let rows = |of: Vec<usize>| of.into_iter().map(|at| rest[at]).collect();
        Ok((rows(kept), rows(out)))
    }

    fn folds(&self, rest: &[usize], split: &Split) -> Result<Vec<Fold>, DataError> {
        let contents = self.contents_of(rest);
        let folds = match self.labels_of(rest) {
            Some(labels) => {
                let (names, k) = (&self.names, split.folds);
                stratified_folds_by_content(&labels, &contents, names, k, split.seed)?
            }
            None => folds_by_content(&contents, split.folds, split.seed)?,
        };
        Ok(folds)
    }

    /// Hashes of those texts: copies stay in one split.
    fn contents_of(&self, rows: &[usize]) -> Vec<u64> {
        rows.iter().map(|&row| content(&self.inputs[row])).collect()
    }

    /// The classes of those rows, where each has one.
    fn labels_of(&self, rows: &[usize]) -> Option<Vec<u16>> {
        match &self.truth {
            Truth::Classes(labels) => Some(rows.iter().map(|&row| labels[row] as u16).collect()),
            Truth::Labels(_) | Truth::Tags(_) => None,
        }
    }

    fn into_rows(self, parts: Parts, folds: Vec<Parts>) -> Rows {
        Rows {
            inputs: self.inputs,
            truth: self.truth,
            names: self.names,
            parts,
            folds,
            agreements: Vec::new(),
            located: None,
            report: self.report,
        }
    }
}

/// The authors' folds; the last of them is the test of the training proper.
fn reviews(set: &TextSet, fold: &[usize], split: &Split) -> Result<Rows, DataError> {
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
        Ok::<Parts, DataError>(Parts { train, valid, test })
    };
    let count = fold.iter().max().map_or(0, |last| last + 1);
    let folds = (0..split.folds.min(count)).map(part);
    let folds = folds.collect::<Result<_, _>>()?;
    let parts = part(count.saturating_sub(1))?;
    Ok(own.into_rows(parts, folds))
}

/// All clauses of a contract in one part.
fn in_groups(set: &TextSet, groups: &[usize], split: &Split) -> Result<Rows, DataError> {
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
            folds.push(Parts { train, valid, test });
        }
    }
    Ok(Set::of(set).into_rows(Parts { train, valid, test }, folds))
}

/// Every line of every agreement, with a label for each claim that it speaks for and one for each
/// that it speaks against.
fn agreements(train: &[Nda], test: &[Nda], split: &Split) -> Result<Rows, DataError> {
    let claims = train.first().map_or(&[][..], |nda| &nda.claims);
    let (mut inputs, mut flags, mut agreements) = (Vec::new(), Vec::new(), Vec::new());
    for nda in train.iter().chain(test) {
        let from = inputs.len();
        for (line, text) in nda.spans.iter().enumerate() {
            inputs.push(Input::One(text.clone()));
            flags.push(spoken(nda, line));
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
    Ok(Rows {
        inputs,
        truth: Truth::Labels(flags),
        names: named("for").chain(named("against")).collect(),
        parts: Parts { train, valid, test },
        folds: Vec::new(),
        agreements,
        located: None,
        report: TextReport::default(),
    })
}

/// For which claims a line is evidence, and then against which.
fn spoken(nda: &Nda, line: usize) -> Vec<bool> {
    let speaks = |wanted: Answer| {
        let claims = nda.claims.iter();
        claims.map(move |claim| claim.answer == wanted && claim.evidence.contains(&line))
    };
    let all = speaks(Answer::Entailment).chain(speaks(Answer::Contradiction));
    all.collect()
}
