//! Readers of labeled texts.
//!
//! The content of a file decides how it is read:
//!
//! | file | what is read |
//! |---|---|
//! | CSV, TSV, packed with gzip or not | a column of text and one of labels; without a header, the column with fewer different cells holds the labels |
//! | JSON lines, a JSON array of objects | a key for the text and one for the label |
//! | a folder | a folder per class with text files in it, and in its sub-folders |
//! | a tar archive, packed with gzip or not | the same, packed |
//!
//! Other tasks have readers of their own: [`read_pairs`] two texts with a class, [`read_multi_label`] a
//! text with several, [`read_tagged`] words with a tag each, [`read_corpus`] plain text. [`for_each_text`]
//! hands on one text after the other, with or without labels.
//!
//! Texts stay as they are but for white space at both ends. Reading checks what a model would stumble
//! over: an empty text, one class only, bytes that are not text, a text too long to be one.
//!
//! ```
//! use burn::data::dataset::Dataset;
//! use tinderbox_datasets::text::{TextOptions, read_delimited};
//!
//! let csv = "label,text\nspam,win a prize\nham,see you at five\n";
//! let set = read_delimited(csv.as_bytes(), "mail.csv", &TextOptions::default())?;
//! assert_eq!(set.class_names(), ["ham", "spam"]);
//! assert_eq!(set.get(0)?.text, "win a prize");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "archive")]
mod archive;
mod corpus;
mod delimited;
mod documents;
mod error;
mod json;
mod lines;
mod multi_label;
mod pairs;
mod rows;
mod set;
mod source;
mod split_paths;
mod tagged;
mod words;

use std::path::Path;

#[cfg(feature = "archive")]
pub use archive::read_tar;
#[cfg(feature = "sets")]
pub(crate) use archive::rows_in_tar;
pub use corpus::{MAX_CORPUS_BYTES, read_corpus, read_corpus_with_report};
#[cfg(feature = "sets")]
pub(crate) use delimited::{cells, open as open_delimited, position, read_with_or_without_header};
pub use delimited::{read_columns, read_delimited};
pub use documents::read_folder;
#[cfg(feature = "sets")]
pub(crate) use documents::{open, rows_in_folder};
pub use error::{Location, TextError};
pub use json::read_json_lines;
pub use multi_label::{
    MultiLabelSet, MultiLabelText, read_multi_label, read_multi_label_with_report,
};
pub use pairs::{LabeledPair, PairSet, read_pairs, read_pairs_with_report};
pub use rows::{Labels, PlainText, RowOptions, TextReport, TextRow, TextSink, for_each_text};
pub use set::{LabeledText, TextSet};
pub use source::TextFormat;
pub use split_paths::{SplitPaths, find_split_paths};
pub use tagged::{
    SentenceSink, TaggedSentence, TaggedSet, for_each_sentence, is_invisible, read_tagged,
    read_tagged_with_report,
};
pub use words::{Word, segments, words};

use crate::table::Encoding;

/// Most bytes of one text, 16 MiB, unless set otherwise.
const MAX_BYTES: usize = 16 << 20;

/// Options for reading texts and labels.
#[derive(Debug, Clone, PartialEq)]
pub struct TextOptions {
    /// The column or key of the text; several are joined by a space.
    pub text: Vec<String>,
    /// The columns of the text in a table without a header, such as `column_2`; those in `text`, or of
    /// two columns the one that does not look like labels, if not given.
    pub headerless: Vec<String>,
    /// The column or key of the label.
    pub label: String,
    /// The classes, in their order; found in the file if not given. A label that is none of them is an
    /// error.
    pub classes: Option<Vec<String>>,
    /// Whether the first line of a CSV or TSV file holds the names of the columns; found out if not
    /// given.
    pub header: Option<bool>,
    /// The character between the cells of a table; found out if not given.
    pub delimiter: Option<char>,
    /// Whether quotes enclose the cells of a table. If not given, they do; but where tabs separate the
    /// cells, only if every cell of the first line is in quotes, or they evidently do.
    pub quoting: Option<bool>,
    /// The encoding; UTF-8 unless a byte order mark says otherwise.
    pub encoding: Option<Encoding>,
    /// Whether rows with an empty text or without their label are skipped and counted; otherwise the first
    /// one is an error.
    pub skip_empty: bool,
    /// Most bytes of one text.
    pub max_bytes: usize,
}

impl Default for TextOptions {
    /// Columns called `text` and `label`.
    fn default() -> Self {
        Self {
            text: vec!["text".to_owned()],
            headerless: Vec::new(),
            label: "label".to_owned(),
            classes: None,
            header: None,
            delimiter: None,
            quoting: None,
            encoding: None,
            skip_empty: false,
            max_bytes: MAX_BYTES,
        }
    }
}

/// Reads labeled texts; the content of the file decides how, as in the table of the [module](self).
///
/// # Errors
///
/// If the file is missing, empty, damaged or not text, a column is missing, a text or label is empty,
/// a text is too long, there is one class only, or a label is none of those given. Every error names
/// the file, and the line where there is one.
pub fn read_texts(path: &Path, options: &TextOptions) -> Result<TextSet, TextError> {
    Ok(read_texts_with_report(path, options)?.0)
}

/// As [`read_texts`], with what was found out about the file.
///
/// # Errors
///
/// As [`read_texts`].
pub fn read_texts_with_report(
    path: &Path,
    options: &TextOptions,
) -> Result<(TextSet, TextReport), TextError> {
    let (rows, report) = rows::read_rows(path, Labels::One, false, options)?;
    let set = TextSet::of_rows(&path.display().to_string(), rows, options)?;
    Ok((set, report))
}

/// Whether the name of a file ends in one of `endings`, without regard to case.
fn ends(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}
