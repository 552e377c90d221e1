//! Texts with a class each, from the files that people keep them in.
//!
//! | file | what is read |
//! |---|---|
//! | CSV, also packed with gzip | a column of text and one of labels |
//! | TSV, `.tsv`, `.txt` or without an ending | the same; without a header, the column with fewer different cells holds the labels |
//! | JSON lines, `.jsonl`, `.ndjson` | an object per line, with a key for the text and one for the label |
//! | a folder | a folder per class with `.txt` files in it |
//! | `.tar`, `.tar.gz`, `.tgz` | the same, packed |
//!
//! Other tasks have readers of their own: [`read_pairs`] two texts with a class, [`read_multi_label`] a
//! text with several, [`read_tagged`] words with a tag each, [`read_corpus`] plain text.
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

mod corpus;
mod delimited;
mod documents;
mod error;
mod json_lines;
mod multi_label;
mod pairs;
mod rows;
mod set;
mod tagged;

use std::path::Path;

pub use corpus::{MAX_CORPUS, read_corpus};
pub(crate) use delimited::{cells, open as open_delimited, position};
pub use delimited::{read_columns, read_delimited};
pub(crate) use documents::{find_in_folder, find_in_tar, open};
pub use documents::{read_folder, read_tar};
pub use error::{Place, TextError};
pub use json_lines::read_json_lines;
pub use multi_label::{MultiLabelSet, TextWithLabels, read_multi_label};
pub use pairs::{LabelledPair, PairSet, read_pairs};
pub(crate) use set::Found;
pub use set::{LabelledText, TextSet};
pub use tagged::{TaggedSentence, TaggedSet, read_tagged};

use crate::table::Encoding;

/// Most bytes of one text, 16 MiB, unless set otherwise.
const MAX_BYTES: usize = 16 << 20;

/// Endings of files with a JSON object per line.
const JSON_LINES: [&str; 4] = [".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"];

/// Where texts and labels are found in a file, and what is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct TextOptions {
    /// The column or key of the text; several are joined by a space.
    pub text: Vec<String>,
    /// The column or key of the label.
    pub label: String,
    /// The classes, in their order; found in the file if not given. A label that is none of them is an
    /// error.
    pub classes: Option<Vec<String>>,
    /// Whether the first line of a CSV or TSV file holds the names of the columns; found out if not
    /// given.
    pub header: Option<bool>,
    /// The encoding; UTF-8 unless a byte order mark says otherwise.
    pub encoding: Option<Encoding>,
    /// Most bytes of one text.
    pub max_bytes: usize,
}

impl Default for TextOptions {
    /// Columns called `text` and `label`.
    fn default() -> Self {
        Self {
            text: vec!["text".to_owned()],
            label: "label".to_owned(),
            classes: None,
            header: None,
            encoding: None,
            max_bytes: MAX_BYTES,
        }
    }
}

/// Reads labelled texts; the name of `path` says how, as in the table of the [module](self).
///
/// # Errors
///
/// If the file is missing, empty, damaged or not text, a column is missing, a text or label is empty,
/// a text is too long, there is one class only, or a label is none of those given. Every error names
/// the file, and the line where there is one.
pub fn read_texts(path: &Path, options: &TextOptions) -> Result<TextSet, TextError> {
    if path.is_dir() {
        return read_folder(path, options);
    }
    let file = documents::open(path)?;
    let source = path.display().to_string();
    if ends(path, &[".tar", ".tar.gz", ".tgz"]) {
        read_tar(file, &source, options)
    } else if ends(path, &JSON_LINES) {
        read_json_lines(file, &source, options)
    } else {
        read_delimited(file, &source, options)
    }
}

/// Whether the name of a file ends in one of `endings`, without regard to case.
fn ends(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}
