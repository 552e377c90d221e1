//! From the data section of a recipe to texts with what is true of them, in parts.

use std::path::{Path, PathBuf};

use tinderbox_datasets::download;
use tinderbox_datasets::sets::{self, Answer, Nda};
use tinderbox_datasets::text::{
    TextOptions, TextSet, read_corpus, read_multi_label, read_pairs, read_tagged, read_texts,
};
use tinderbox_datasets::{
    Fold, folds as plain_folds, grouped_folds, grouped_indices, split_indices, stratified_folds,
    stratified_indices,
};

use super::error::DataError;
use super::net::Scored;
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
        let text = read_corpus(Path::new(path))?;
        return Ok(Corpus::Running(cut(&text, split)));
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
            Ok(given(&[train, valid, test]))
        }
        Data::AgNews { path } => {
            let (train, test) = sets::ag_news(&fetched("ag-news", path)?)?;
            with_test(&train, &test, split)
        }
        Data::SmsSpam { path } => all_of(&sets::sms_spam(Path::new(path))?, split),
        Data::Sst2 { path } => {
            let (train, dev, test) = sets::sst2(Path::new(path))?;
            Ok(given(&[train, dev, test]))
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
        Data::Texts {
            path,
            test,
            text,
            label,
        } => {
            let mut options = TextOptions {
                text: text.clone(),
                label: label.clone(),
                classes,
                ..TextOptions::default()
            };
            let set = read_texts(Path::new(path), &options)?;
            if test.is_empty() {
                return all_of(&set, split);
            }
            options.classes = Some(set.class_names().to_vec());
            with_test(&set, &read_texts(Path::new(test), &options)?, split)
        }
        Data::Pairs {
            path,
            first,
            second,
            label,
        } => {
            let options = TextOptions {
                text: vec![first.clone(), second.clone()],
                label: label.clone(),
                classes,
                ..TextOptions::default()
            };
            let set = read_pairs(Path::new(path), &options)?;
            let pairs = set.pairs().iter();
            let inputs = pairs.map(|pair| Input::Two(pair.first.clone(), pair.second.clone()));
            let labels = set.pairs().iter().map(|pair| usize::from(pair.label));
            let names = set.class_names();
            by_class(inputs.collect(), labels.collect(), names, split)
        }
        Data::MultiLabel { path, text, label } => {
            let options = TextOptions {
                text: vec![text.clone()],
                label: label.clone(),
                classes,
                ..TextOptions::default()
            };
            let set = read_multi_label(Path::new(path), &options)?;
            let names = set.label_names().to_vec();
            let inputs = set.items().iter().map(|item| Input::One(item.text.clone()));
            let has = |own: &[u16], label: usize| own.iter().any(|&l| usize::from(l) == label);
            let flags = set.items().iter().map(|item| {
                let labels = 0..names.len();
                labels.map(|label| has(&item.labels, label)).collect()
            });
            let truth = Truth::Labels(flags.collect());
            at_random(inputs.collect(), truth, names, split)
        }
        Data::Tagged { path } => {
            let set = read_tagged(Path::new(path))?;
            let sentences = set.sentences().iter();
            let inputs = sentences
                .clone()
                .map(|one| Input::Words(one.tokens.clone()));
            let tags = |tags: &[u16]| tags.iter().copied().map(usize::from).collect();
            let truth = Truth::Tags(sentences.map(|one| tags(&one.tags)).collect());
            let names = set.tag_names().to_vec();
            at_random(inputs.collect(), truth, names, split)
        }
        Data::Running { .. } => Err(DataError::NoPath),
    }
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
    }
}

fn numbers(set: &TextSet) -> Vec<usize> {
    set.labels().iter().copied().map(usize::from).collect()
}

fn ones(sets: &[&TextSet]) -> Vec<Input> {
    let texts = sets.iter().flat_map(|set| set.texts());
    texts.cloned().map(Input::One).collect()
}

fn rows_of(sets: &[&TextSet], parts: Parts) -> Rows {
    Rows {
        inputs: ones(sets),
        truth: Truth::Classes(sets.iter().flat_map(|set| numbers(set)).collect()),
        names: sets[0].class_names().to_vec(),
        parts,
        folds: Vec::new(),
        agreements: Vec::new(),
    }
}

/// Three parts that the data has itself.
fn given([train, valid, test]: &[TextSet; 3]) -> Rows {
    let sets = [train, valid, test];
    let [a, b, c] = sets.map(|set| set.texts().len());
    let parts = Parts {
        train: (0..a).collect(),
        valid: (a..a + b).collect(),
        test: (a + b..a + b + c).collect(),
    };
    rows_of(&sets, parts)
}

/// A test that the data has itself, and validation texts held out of the rest.
fn with_test(train: &TextSet, test: &TextSet, split: &Split) -> Result<Rows, DataError> {
    let labels = numbers(train);
    let (kept, valid) = stratified(&labels, split.valid_fraction, split.seed)?;
    let from = labels.len();
    let parts = Parts {
        train: kept,
        valid,
        test: (from..from + test.texts().len()).collect(),
    };
    Ok(rows_of(&[train, test], parts))
}

fn all_of(set: &TextSet, split: &Split) -> Result<Rows, DataError> {
    by_class(ones(&[set]), numbers(set), set.class_names(), split)
}

fn by_class(
    inputs: Vec<Input>,
    labels: Vec<usize>,
    names: &[String],
    split: &Split,
) -> Result<Rows, DataError> {
    let (rest, test) = stratified(&labels, split.test_fraction, split.seed)?;
    let parts = hold_out(&rest, test, &labels, split)?;
    let folds = if split.folds > 0 {
        let short: Vec<u16> = labels.iter().map(|&label| label as u16).collect();
        let folds = stratified_folds(&short, names, split.folds, split.seed)?;
        folds_with_valid(folds, &labels, split)?
    } else {
        Vec::new()
    };
    Ok(Rows {
        inputs,
        truth: Truth::Classes(labels),
        names: names.to_vec(),
        parts,
        folds,
        agreements: Vec::new(),
    })
}

/// The rows that stay and those that are held out, each class in its share.
fn stratified(
    labels: &[usize],
    share: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let labels: Vec<u16> = labels.iter().map(|&label| label as u16).collect();
    Ok(stratified_indices(&labels, share, seed)?)
}

/// Holds validation rows out of `rest`.
fn hold_out(
    rest: &[usize],
    test: Vec<usize>,
    labels: &[usize],
    split: &Split,
) -> Result<Parts, DataError> {
    let own: Vec<usize> = rest.iter().map(|&row| labels[row]).collect();
    let (train, valid) = stratified(&own, split.valid_fraction, split.seed)?;
    let rows = |of: Vec<usize>| of.into_iter().map(|at| rest[at]).collect();
    Ok(Parts {
        train: rows(train),
        valid: rows(valid),
        test,
    })
}

fn folds_with_valid(
    folds: Vec<Fold>,
    labels: &[usize],
    split: &Split,
) -> Result<Vec<Parts>, DataError> {
    let part = |(train, test): Fold| hold_out(&train, test, labels, split);
    folds.into_iter().map(part).collect()
}

fn at_random(
    inputs: Vec<Input>,
    truth: Truth,
    names: Vec<String>,
    split: &Split,
) -> Result<Rows, DataError> {
    let random = |rest: &[usize], share: f64| -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let (kept, out) = split_indices(rest.len(), share, split.seed)?;
        let rows = |of: Vec<usize>| of.into_iter().map(|at| rest[at]).collect();
        Ok((rows(kept), rows(out)))
    };
    let all: Vec<usize> = (0..inputs.len()).collect();
    let (rest, test) = random(&all, split.test_fraction)?;
    let (train, valid) = random(&rest, split.valid_fraction)?;
    let mut folds = Vec::new();
    if split.folds > 0 {
        for (train, test) in plain_folds(inputs.len(), split.folds, split.seed)? {
            let (train, valid) = random(&train, split.valid_fraction)?;
            folds.push(Parts { train, valid, test });
        }
    }
    Ok(Rows {
        inputs,
        truth,
        names,
        parts: Parts { train, valid, test },
        folds,
        agreements: Vec::new(),
    })
}

/// The authors' folds; the last of them is the test of the training proper.
fn reviews(set: &TextSet, fold: &[usize], split: &Split) -> Result<Rows, DataError> {
    let labels = numbers(set);
    let part = |number: usize| {
        let (mut rest, mut test) = (Vec::new(), Vec::new());
        for (row, &own) in fold.iter().enumerate() {
            if own == number {
                test.push(row);
            } else {
                rest.push(row);
            }
        }
        hold_out(&rest, test, &labels, split)
    };
    let count = fold.iter().max().map_or(0, |last| last + 1);
    let folds = (0..split.folds.min(count)).map(part);
    Ok(Rows {
        folds: folds.collect::<Result<_, _>>()?,
        ..rows_of(&[set], part(count.saturating_sub(1))?)
    })
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
    Ok(Rows {
        folds,
        ..rows_of(&[set], Parts { train, valid, test })
    })
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
