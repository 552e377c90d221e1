//! Errors of reading texts.

use std::fmt;

use thiserror::Error;

use crate::files::SplitFoldersError;
use crate::format::shorten;
use crate::table::TableError;

/// The location of a text, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a line of a file, counted from 1.
    Line {
        /// The file.
        file: String,
        /// The line that the text starts on.
        line: u64,
    },
    /// In an element of a JSON array.
    Element {
        /// The file.
        file: String,
        /// The element, counted from 1.
        number: u64,
    },
    /// In a file of its own.
    File(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "`{file}` line {line}"),
            Self::Element { file, number } => write!(f, "`{file}` element {number}"),
            Self::File(file) => write!(f, "`{file}`"),
        }
    }
}

/// Errors of reading texts.
#[derive(Debug, Error)]
pub enum TextError {
    /// An archive is damaged or beyond its bounds.
    #[cfg(feature = "archive")]
    #[error(transparent)]
    Archive(#[from] crate::archive::ArchiveError),
    /// The file is an archive, and this build does not read archives.
    #[error("cannot read the archive `{file}`: this build is without the feature `archive`")]
    NoArchives {
        /// The archive.
        file: String,
    },
    /// The file cannot be read as rows of text.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The file does not exist.
    #[error("there is no file `{file}`")]
    Missing {
        /// The file.
        file: String,
    },
    /// The file cannot be read.
    #[error("cannot read `{file}`")]
    Read {
        /// The file.
        file: String,
        /// The I/O error.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("`{file}` is empty")]
    Empty {
        /// The file or folder.
        file: String,
    },
    /// A folder has files, and none is read.
    #[error(
        "`{folder}` contains no texts ({skipped}); if one file holds them, name the file itself"
    )]
    NoTexts {
        /// The folder.
        folder: String,
        /// The files that were not read.
        skipped: String,
    },
    /// A text is empty.
    #[error("{location}: the text is empty")]
    EmptyText {
        /// Where.
        location: Location,
    },
    /// A word that nobody can see, which no tag belongs to.
    #[error(
        "{location}: token {number} is empty or invisible; remove it, and its tag if it has one"
    )]
    InvisibleWord {
        /// Where.
        location: Location,
        /// Which word of the sentence, counted from 1.
        number: usize,
    },
    /// A label is empty.
    #[error("{location}: the label is empty")]
    EmptyLabel {
        /// Where.
        location: Location,
    },
    /// A text is longer than is accepted.
    #[error("{location}: the text is longer than {limit} bytes")]
    TooLong {
        /// Where.
        location: Location,
        /// Most bytes of one text.
        limit: usize,
    },
    /// The bytes are not text.
    #[error("{location}: not {encoding}")]
    Encoding {
        /// Where.
        location: Location,
        /// The encoding expected.
        encoding: &'static str,
    },
    /// A line is no JSON object.
    #[error("{location}: not a JSON object: {reason}")]
    Json {
        /// Where.
        location: Location,
        /// The parser's message.
        reason: String,
    },
    /// An object lacks a key.
    #[error("{location}: no key `{key}`; the keys are {}", keys.join(", "))]
    NoKey {
        /// Where.
        location: Location,
        /// The key asked for.
        key: String,
        /// Those that are there.
        keys: Vec<String>,
    },
    /// The value of a key is a list or an object.
    #[error("{location}: the value of `{key}` is not a string, number or boolean{hint}")]
    Value {
        /// Where.
        location: Location,
        /// The key.
        key: String,
        /// What to do about it, or nothing.
        hint: &'static str,
    },
    /// No column of the file is called so.
    #[error("`{file}` has no column `{column}`; its columns are {}{hint}", columns.join(", "))]
    NoColumn {
        /// The file.
        file: String,
        /// The name asked for.
        column: String,
        /// Those that are there.
        columns: Vec<String>,
        /// The column that may be meant, or nothing.
        hint: String,
    },
    /// All texts are of one class.
    #[error("all texts of `{file}` have the class `{class}`; at least two classes are needed")]
    OneClass {
        /// The file or folder.
        file: String,
        /// The class.
        class: String,
    },
    /// There is no class at all.
    #[error("`{file}` has no label")]
    NoLabel {
        /// The file.
        file: String,
    },
    /// All words have one tag.
    #[error("all words of `{file}` have the tag `{tag}`; at least two tags are needed")]
    OneTag {
        /// The file.
        file: String,
        /// The tag.
        tag: String,
    },
    /// Pairs are asked for, but not two columns.
    #[error("text pairs need two text columns, such as `premise` and `hypothesis` (got {found})")]
    NotTwo {
        /// How many columns are named.
        found: usize,
    },
    /// There are more classes than can be numbered.
    #[error("`{file}` has {found} classes, more than 65536; check the label column")]
    TooManyClasses {
        /// The file or folder.
        file: String,
        /// How many there are.
        found: usize,
    },
    /// A label is none of the classes.
    #[error("{location}: unknown class `{label}`; the classes are {}", classes.join(", "))]
    UnknownClass {
        /// Where.
        location: Location,
        /// The label.
        label: String,
        /// The classes known.
        classes: Vec<String>,
    },
    /// A text file lies next to the folders of the classes.
    #[error("`{file}` is not in a class folder{hint}")]
    NoClass {
        /// The file.
        file: String,
        /// What to do about it, or nothing.
        hint: &'static str,
    },
    /// Two entries of a folder are named after one split.
    #[error(transparent)]
    Splits(#[from] SplitFoldersError),
    /// A folder has several tables, none named after a split.
    #[error(
        "`{folder}` has several text files ({}) and none is named `train`; name one of them",
        files.join(", ")
    )]
    SeveralFiles {
        /// The folder.
        folder: String,
        /// The files.
        files: Vec<String>,
    },
    /// Something in a file is not what its format asks for.
    #[error("{location}: `{found}` is not {expected}")]
    Malformed {
        /// Where.
        location: Location,
        /// What was found, shortened.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A JSON file is not laid out as it should be.
    #[error("`{file}` is not a valid {expected}: {reason}")]
    Layout {
        /// The file.
        file: String,
        /// What it should be.
        expected: &'static str,
        /// What was found.
        reason: String,
    },
    /// A text that is read whole has too many bytes.
    #[error(
        "`{file}` is larger than {limit} bytes; use a part of it, for example with `head -c {limit}`"
    )]
    TooLarge {
        /// The file or folder.
        file: String,
        /// Most bytes that are read.
        limit: u64,
    },
    /// There are more texts than labels, or fewer.
    #[error("{texts} texts but {labels} labels")]
    Lengths {
        /// Number of texts.
        texts: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label counts further than there are classes.
    #[error("row {row}: label {label} is out of range for {classes} classes")]
    LabelRange {
        /// The row, counted from 0.
        row: usize,
        /// Its label.
        label: u16,
        /// Number of classes.
        classes: usize,
    },
}

impl TextError {
    /// A thing that is not what was expected; of a long one the start is shown.
    pub(crate) fn malformed(location: Location, found: &str, expected: &'static str) -> Self {
        Self::Malformed {
            location,
            found: shorten(found, 61),
            expected,
        }
    }
}
