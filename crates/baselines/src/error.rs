/// A method could not be fitted or used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BaselineError {
    /// There is nothing to learn from.
    #[error("the baseline needs rows to learn from, and there are none")]
    NoRows,
    /// Every training row has the same class.
    #[error("the training rows have a single class, {class}: a classifier needs at least two")]
    SingleClass {
        /// The class that all rows have.
        class: usize,
    },
    /// A class is not one of the classes.
    #[error("row {row} has class {label}, but there are {classes} classes, counted from 0")]
    Label {
        /// The row, counted from 0.
        row: usize,
        /// Its class.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A feature or a target is not a number that the method can use.
    #[error("row {row}, column {column} is {value}: replace missing values and infinities first")]
    NotFinite {
        /// The row, counted from 0.
        row: usize,
        /// The column, counted from 0.
        column: usize,
        /// What stands there.
        value: f64,
    },
    /// A target is not a number.
    #[error(
        "the target of row {row} is {value}: only rows with a finite target can be learnt from"
    )]
    Target {
        /// The row, counted from 0.
        row: usize,
        /// What stands there.
        value: f64,
    },
    /// Rows and targets do not belong together.
    #[error("there are {targets} targets for {rows} rows")]
    Count {
        /// Number of rows.
        rows: usize,
        /// Number of targets.
        targets: usize,
    },
    /// The rows are not as wide as those that the method was fitted on.
    #[error("the rows have {found} columns, expected {expected}")]
    Width {
        /// Columns of the rows.
        found: usize,
        /// Columns expected.
        expected: usize,
    },
    /// No text has a term that is frequent enough.
    #[error(
        "no term occurs in at least {min_texts} of the {texts} texts: \
        lower `min_texts`, or check that the texts are not empty"
    )]
    NoTerms {
        /// Texts that a term must occur in.
        min_texts: usize,
        /// Number of texts.
        texts: usize,
    },
    /// No word-window feature is frequent enough.
    #[error(
        "no feature occurs in at least {min_words} of the {words} words: \
        lower `min_words`, or check that the sentences are not empty"
    )]
    NoFeatures {
        /// Words that must have a feature.
        min_words: usize,
        /// Number of words.
        words: usize,
    },
    /// There are too few tokens for a language model.
    #[error(
        "an n-gram model needs at least 2 training tokens and 1 validation token (got {train} and {valid})"
    )]
    NoTokens {
        /// Training tokens.
        train: usize,
        /// Validation tokens that are predicted.
        valid: usize,
    },
    /// A token is not in the vocabulary.
    #[error("token id {token} must be below the vocabulary size {vocab_size}")]
    Token {
        /// The token.
        token: u32,
        /// Number of tokens of the vocabulary.
        vocab_size: usize,
    },
    /// A setting is out of its range.
    #[error("`{name}` must lie in {range}, is {value}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        value: f64,
    },
    /// The library that does the work gave up.
    #[error("the baseline could not be fitted: {0}")]
    Library(String),
}

/// Checks that there are rows, and as many targets as rows.
pub(crate) fn check_counts(rows: usize, targets: usize) -> Result<(), BaselineError> {
    if rows != targets {
        return Err(BaselineError::Count { rows, targets });
    }
    if rows == 0 {
        return Err(BaselineError::NoRows);
    }
    Ok(())
}

/// Checks the classes, and gives those that occur, in ascending order: at least two.
pub(crate) fn present_classes(
    labels: &[usize],
    classes: usize,
) -> Result<Vec<usize>, BaselineError> {
    let mut seen = vec![false; classes];
    for (row, &label) in labels.iter().enumerate() {
        *seen.get_mut(label).ok_or(BaselineError::Label {
            row,
            label,
            classes,
        })? = true;
    }
    let present: Vec<usize> = (0..classes).filter(|&class| seen[class]).collect();
    match present[..] {
        [] => Err(BaselineError::NoRows),
        [class] => Err(BaselineError::SingleClass { class }),
        _ => Ok(present),
    }
}

/// Checks that every target of a regression is a number.
pub(crate) fn check_targets(targets: &[f64]) -> Result<(), BaselineError> {
    match targets.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(BaselineError::Target {
            row,
            value: targets[row],
        }),
        None => Ok(()),
    }
}

/// Checks that a setting lies in its range.
pub(crate) fn check_setting(
    name: &'static str,
    value: f64,
    allowed: std::ops::RangeInclusive<f64>,
    range: &'static str,
) -> Result<(), BaselineError> {
    if allowed.contains(&value) {
        Ok(())
    } else {
        Err(BaselineError::Setting { name, range, value })
    }
}
