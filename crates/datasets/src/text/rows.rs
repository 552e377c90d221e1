//! Rows of texts and labels, one after the other, from every kind of file.

use std::ops::ControlFlow;
use std::path::Path;

use super::TextOptions;
use super::delimited::each_delimited;
use super::documents::{each_in_folder, whole};
use super::error::{Location, TextError};
use super::json::each_json_row;
use super::lines::each_plain_line;
use super::source::{Opened, TextFormat, binary, is_binary};
use crate::files::SkippedFiles;

/// A row as it was found, without white space around its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// The texts: one, or the two of a pair.
    pub texts: Vec<String>,
    /// The labels; empty where none were asked for.
    pub labels: Vec<String>,
    /// All columns or keys with their values, where they were asked for.
    pub cells: Vec<(String, String)>,
    /// Where the row is.
    pub location: Location,
}

/// How many labels a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// None are read.
    None,
    /// One.
    One,
    /// Any number, in a list or separated by `|` or `;`.
    Many,
}

/// What to read of every row.
#[derive(Debug, Clone, Copy)]
pub struct RowOptions {
    /// How many labels there are.
    pub labels: Labels,
    /// Whether the columns in [`TextOptions::text`] stay apart, as the two texts of a pair do;
    /// otherwise they are joined by a space.
    pub pair: bool,
    /// Whether [`TextRow::cells`] is filled.
    pub cells: bool,
    /// How plain text is read; a file that is neither JSON nor an archive.
    pub plain: PlainText,
}

/// How a file that is neither JSON nor an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainText {
    /// As a table.
    Table,
    /// As a table if its name ends in `.csv` or `.tsv`, or if its first line holds the name of a text
    /// column, or if nearly every line is one of [`TextOptions::classes`], a tab and a text as in
    /// [`TextOptions::headerless`]; otherwise each line is a text.
    TableOrLines,
    /// As a table by its name or its first line; otherwise the file is one text.
    TableOrWhole,
    /// The file is one text, whatever its format.
    Whole,
}

/// What was found out about a file or folder of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextReport {
    /// The columns or keys that the texts are in; empty for files of one text each, and for lines.
    pub text_columns: Vec<String>,
    /// Whether every text is a file of its own.
    pub documents: bool,
    /// Whether every line is a text.
    pub lines: bool,
    /// Whether plain text was read as a table without a header, because its lines are a class, a tab and
    /// a text.
    pub labeled_lines: bool,
    /// Files that were not read.
    pub skipped_files: SkippedFiles,
    /// Empty texts that were skipped.
    pub empty: usize,
    /// Texts that were skipped because their label is empty.
    pub unlabeled: usize,
    /// What the user should check.
    pub warnings: Vec<String>,
}

impl TextReport {
    /// Adds what was found out about another part of the data.
    pub fn merge(&mut self, other: Self) {
        if self.text_columns.is_empty() {
            self.text_columns = other.text_columns;
        }
        self.documents |= other.documents;
        self.lines |= other.lines;
        self.labeled_lines |= other.labeled_lines;
        self.skipped_files.merge(&other.skipped_files);
        self.empty += other.empty;
        self.unlabeled += other.unlabeled;
        self.warnings.extend(other.warnings);
    }

    /// A line for everything that was dropped or assumed.
    pub fn messages(&self) -> Vec<String> {
        let mut messages = self.warnings.clone();
        if !self.skipped_files.is_empty() {
            messages.push(self.skipped_files.to_string());
        }
        match self.empty {
            0 => {}
            1 => messages.push("1 empty text skipped".to_owned()),
            empty => messages.push(format!("{empty} empty texts skipped")),
        }
        match self.unlabeled {
            0 => {}
            1 => messages.push("1 text without a label skipped".to_owned()),
            unlabeled => messages.push(format!("{unlabeled} texts without a label skipped")),
        }
        messages
    }
}

/// Takes each row, or the reason why one cannot be used, and decides whether to continue.
pub type TextSink<'s> = dyn FnMut(Result<TextRow, TextError>) -> ControlFlow<()> + 's;

/// Hands every row of a file, a folder, an archive or standard input (`-`) to `sink`, in order. Memory
/// does not grow with the file.
///
/// # Errors
///
/// If the file cannot be read any further. An error of one row goes to `sink`, which may continue.
pub fn for_each_text(
    path: &Path,
    rows: RowOptions,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    if path.is_dir() {
        return each_in_folder(path, rows.labels, options, sink);
    }
    each_opened(Opened::open(path)?, rows, options, sink)
}

pub(super) fn each_opened(
    opened: Opened<'_>,
    rows: RowOptions,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    let format = match rows.plain {
        PlainText::Whole => TextFormat::Plain,
        _ => opened.format,
    };
    let is_table = opened.is_table || names_a_column(&opened.head, options);
    let is_plain = match rows.plain {
        PlainText::Table => false,
        PlainText::TableOrLines | PlainText::TableOrWhole => !is_table,
        PlainText::Whole => true,
    };
    // Tables report the line of a NUL character.
    let is_text = is_plain && format != TextFormat::Tar && options.encoding.is_none();
    if is_text && is_binary(&opened.head) {
        return Err(binary(&opened.name));
    }
    if matches!(format, TextFormat::JsonLines | TextFormat::JsonArray) {
        return each_json_row(opened, rows, options, sink);
    }
    let Opened {
        name, reader, head, ..
    } = opened;
    if format == TextFormat::Tar {
        #[cfg(feature = "archive")]
        return super::archive::each_in_tar(reader, &name, rows.labels, options, sink);
        #[cfg(not(feature = "archive"))]
        return Err(TextError::NoArchives { file: name });
    }
    match rows.plain {
        PlainText::Table => each_delimited(reader, &name, rows, options, sink),
        PlainText::TableOrLines | PlainText::TableOrWhole if is_table => {
            each_delimited(reader, &name, rows, options, sink)
        }
        PlainText::TableOrLines if are_labeled(&head, options) => {
            let tabs = TextOptions {
                delimiter: Some('\t'),
                header: Some(false),
                ..options.clone()
            };
            let report = each_delimited(reader, &name, rows, &tabs, sink)?;
            Ok(TextReport {
                labeled_lines: true,
                ..report
            })
        }
        PlainText::TableOrLines => each_plain_line(reader, &name, options, sink),
        PlainText::TableOrWhole | PlainText::Whole => Ok(whole(reader, &name, options, sink)),
    }
}

/// Whether the first line holds the name of a text column, and the second line as many cells.
fn names_a_column(head: &[u8], options: &TextOptions) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (first, second) = (line().trim_start_matches('\u{FEFF}').trim(), line());
    let is_name = |cell: &str| {
        let cell = cell.trim().trim_matches('"');
        options.text.iter().any(|name| name == cell)
    };
    [',', '\t', ';', '|'].iter().any(|&delimiter| {
        let cells = |line: &str| line.split(delimiter).count();
        first.split(delimiter).any(is_name) && cells(second) >= cells(first)
    })
}

/// Whether nearly every line is a known class and the texts, with tabs between them, as in a table
/// without a header.
fn are_labeled(head: &[u8], options: &TextOptions) -> bool {
    let Some(classes) = &options.classes else {
        return false;
    };
    if options.headerless.is_empty() {
        return false;
    }
    let is_text = |at: usize| {
        let name = format!("column_{}", at + 1);
        options.headerless.contains(&name)
    };
    let is_labeled = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let has_class =
            |(at, cell): (usize, &&str)| !is_text(at) && classes.iter().any(|class| class == cell);
        cells.len() > options.headerless.len() && cells.iter().enumerate().any(has_class)
    };
    // The last line may be cut off.
    let whole = head.iter().rposition(|&byte| byte == b'\n');
    let lines = head[..whole.unwrap_or(head.len())].split(|&byte| byte == b'\n');
    let (mut all, mut labeled) = (0, 0);
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        all += 1;
        labeled += usize::from(is_labeled(line));
    }
    all > 0 && (all - labeled) * 20 <= all
}

/// All rows of a file; the first error of one ends the reading, but for empty texts that are to be
/// skipped.
pub(super) fn gather(
    read: impl FnOnce(&mut TextSink<'_>) -> Result<TextReport, TextError>,
    options: &TextOptions,
) -> Result<(Vec<TextRow>, TextReport), TextError> {
    let (mut rows, mut empty, mut failed) = (Vec::new(), 0, None);
    let mut report = read(&mut |row| match row {
        Ok(row) => {
            rows.push(row);
            ControlFlow::Continue(())
        }
        Err(TextError::EmptyText { .. }) if options.skip_empty => {
            empty += 1;
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    report.empty += empty;
    match failed {
        Some(error) => Err(error),
        None => Ok((rows, report)),
    }
}

/// All rows of a file with labels.
pub(super) fn read_rows(
    path: &Path,
    labels: Labels,
    pair: bool,
    options: &TextOptions,
) -> Result<(Vec<TextRow>, TextReport), TextError> {
    let wanted = RowOptions {
        labels,
        pair,
        cells: false,
        plain: PlainText::Table,
    };
    let (mut rows, mut report) =
        gather(|sink| for_each_text(path, wanted, options, sink), options)?;
    // A text may have no label where it may have several.
    if options.skip_empty && labels == Labels::One {
        let before = rows.len();
        rows.retain(|row| !row.lacks_label());
        report.unlabeled = before - rows.len();
    }
    if rows.is_empty() {
        let file = path.display().to_string();
        return Err(if path.is_dir() && !report.skipped_files.is_empty() {
            TextError::NoTexts {
                folder: file,
                skipped: report.skipped_files.to_string(),
            }
        } else {
            TextError::Empty { file }
        });
    }
    Ok((rows, report))
}

impl Labels {
    /// The labels in a cell.
    pub(super) fn split(self, cell: &str) -> Vec<String> {
        let cell = cell.trim();
        match self {
            Self::None => Vec::new(),
            Self::One => vec![cell.to_owned()],
            Self::Many => {
                let list = serde_json::from_str::<Vec<serde_json::Value>>(cell).ok();
                list.and_then(|list| list.iter().map(super::json::word).collect())
                    .unwrap_or_else(|| cell.split(['|', ';']).map(str::to_owned).collect())
            }
        }
    }
}

impl TextRow {
    /// Takes white space off, and refuses what is empty or too long.
    pub(super) fn new(
        texts: &[impl AsRef<str>],
        labels: Vec<String>,
        pair: bool,
        location: Location,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        let texts: Vec<&str> = texts.iter().map(|text| text.as_ref().trim()).collect();
        let texts: Vec<String> = if pair {
            texts.into_iter().map(str::to_owned).collect()
        } else {
            vec![texts.join(" ").trim().to_owned()]
        };
        let limit = options.max_bytes;
        if texts.iter().any(|text| text.chars().all(is_blank)) {
            return Err(TextError::EmptyText { location });
        }
        if texts.iter().any(|text| text.len() > limit) {
            return Err(TextError::TooLong { location, limit });
        }
        let labels = labels.into_iter().map(|label| label.trim().to_owned());
        Ok(Self {
            texts,
            labels: labels.collect(),
            cells: Vec::new(),
            location,
        })
    }

    /// Whether the one label of the row is empty or missing.
    pub(super) fn lacks_label(&self) -> bool {
        self.labels.first().is_none_or(String::is_empty)
    }

    /// The texts joined by a space.
    pub fn text(&self) -> String {
        self.texts.join(" ")
    }
}

/// White space, and signs without width: a text of nothing else is an empty one.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_with_the_name_of_a_text_column_makes_a_table() {
        let options = TextOptions::default();
        for (text, expected) in [
            ("id,label,text\n1,a,one, two\n", true),
            ("text\none\ntwo\n", true),
            ("\u{FEFF}\"label\"\t\"text\"\r\n\"a\"\t\"b\"\r\n", true),
            ("a text, and more\nanother\n", false),
            // A sentence that has the name between its commas.
            ("call, text, or write\nor do not\n", false),
            ("one\ntwo\n", false),
            ("", false),
        ] {
            assert_eq!(
                names_a_column(text.as_bytes(), &options),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn lines_of_a_class_and_a_text_are_a_table() {
        let options = TextOptions {
            headerless: vec!["column_2".to_owned()],
            classes: Some(["ham", "spam"].map(str::to_owned).to_vec()),
            ..TextOptions::default()
        };
        let labeled = |text: &str| are_labeled(text.as_bytes(), &options);
        assert!(labeled("ham\tOk \"lar\r\nspam\tWin\r\n\n"));
        assert!(labeled("ham\tOk"));
        assert!(!labeled("ham and eggs\nham\tOk\n"));
        assert!(!labeled("Ok\tham\nWin\tspam\n"));
        assert!(!labeled("eggs\tOk\n"));
        assert!(!labeled(""));
        // Of a model that was trained on a table with a header.
        assert!(!are_labeled(
            b"ham\tOk\n",
            &TextOptions {
                headerless: Vec::new(),
                ..options.clone()
            }
        ));
        let opened = Opened::new(&b"ham\tOk, \"lar\nspam\tWin\n"[..], "a.txt").unwrap();
        let rows = RowOptions {
            labels: Labels::None,
            pair: false,
            cells: false,
            plain: PlainText::TableOrLines,
        };
        let mut texts = Vec::new();
        let report = each_opened(opened, rows, &options, &mut |row| {
            texts.push(row.unwrap().text());
            ControlFlow::Continue(())
        });
        assert_eq!(texts, ["Ok, \"lar", "Win"]);
        assert!(report.unwrap().labeled_lines);
    }

    #[test]
    fn signs_without_width_are_no_text() {
        let row = |text: &str| {
            let location = Location::File("a".to_owned());
            TextRow::new(
                &[text],
                Vec::new(),
                false,
                location,
                &TextOptions::default(),
            )
        };
        assert!(matches!(
            row("\u{200B} \u{FEFF}"),
            Err(TextError::EmptyText { .. })
        ));
        assert_eq!(row(" a\u{200D}b ").unwrap().texts, ["a\u{200D}b"]);
    }

    #[test]
    fn what_was_dropped_is_counted() {
        let mut report = TextReport {
            empty: 1,
            unlabeled: 2,
            ..TextReport::default()
        };
        assert_eq!(
            report.messages(),
            ["1 empty text skipped", "2 texts without a label skipped"]
        );
        report.skipped_files.add("not text (.pdf)");
        report.merge(report.clone());
        assert_eq!(
            report.messages(),
            [
                "2 files skipped: 2 not text (.pdf)",
                "2 empty texts skipped",
                "4 texts without a label skipped"
            ]
        );
    }
}
