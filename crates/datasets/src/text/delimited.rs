//! Texts in the columns of a CSV or TSV file.

use std::collections::HashSet;
use std::io::Read;

use super::TextOptions;
use super::error::{Location, TextError};
use super::rows::{
    Labels, PlainText, RowOptions, TextReport, TextRow, TextSink, each_opened, gather,
};
use super::set::TextSet;
use super::source::Opened;
use crate::table::{
    Gathered, Hints, ReadNote, ReadOptions, RowStream, Source, Stray, TableError, gather_with,
};

/// Reads labeled texts from a stream of CSV or TSV; `name` stands for it in messages.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts).
pub fn read_delimited(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<TextSet, TextError> {
    labeled(Opened::new(reader, name)?, name, options)
}

/// Reads labeled texts from a table without a header, or by the names of the columns if the first line
/// is the header `text` and `label`.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts).
#[cfg(feature = "sets")]
pub(crate) fn read_with_or_without_header(
    reader: impl Read,
    name: &str,
    numbered: &TextOptions,
) -> Result<TextSet, TextError> {
    let opened = Opened::new(reader, name)?;
    let named = TextOptions {
        classes: numbered.classes.clone(),
        header: Some(true),
        ..TextOptions::default()
    };
    let options = if has_header(&opened.head, &named) {
        &named
    } else {
        numbered
    };
    labeled(opened, name, options)
}

/// The labeled texts of a table.
fn labeled(opened: Opened<'_>, name: &str, options: &TextOptions) -> Result<TextSet, TextError> {
    let wanted = RowOptions {
        labels: Labels::One,
        pair: false,
        cells: false,
        plain: PlainText::Table,
    };
    let (rows, _) = gather(|sink| each_opened(opened, wanted, options, sink), options)?;
    TextSet::of_rows(name, rows, options)
}

/// Whether the first line has the names of the text and of the label, each in a cell.
#[cfg(feature = "sets")]
fn has_header(head: &[u8], options: &TextOptions) -> bool {
    let line = head.split(|&byte| byte == b'\n').next();
    let line = std::str::from_utf8(line.unwrap_or_default()).unwrap_or_default();
    let line = line.trim_start_matches('\u{FEFF}').trim().to_lowercase();
    [',', '\t', ';', '|'].iter().any(|&delimiter| {
        let cells = line.split(delimiter);
        let cells: Vec<&str> = cells.map(|cell| cell.trim().trim_matches('"')).collect();
        let has = |name: &String| cells.contains(&name.as_str());
        options.text.iter().chain([&options.label]).all(has)
    })
}

/// Reads columns of text by name, a list of cells for each: pairs of sentences, several labels, or
/// texts without one.
///
/// ```
/// use tinderbox_datasets::text::{TextOptions, read_columns};
///
/// let csv = "premise,hypothesis,label\nit rains,it is wet,yes\nit rains,it is dry,no\n";
/// let columns = read_columns(csv.as_bytes(), "pairs.csv", &["premise", "hypothesis"], &TextOptions::default())?;
/// assert_eq!(columns[1], ["it is wet", "it is dry"]);
/// # Ok::<(), tinderbox_datasets::text::TextError>(())
/// ```
///
/// # Errors
///
/// As [`read_texts`](super::read_texts), but a cell may be empty.
pub fn read_columns(
    reader: impl Read,
    name: &str,
    columns: &[&str],
    options: &TextOptions,
) -> Result<Vec<Vec<String>>, TextError> {
    let gathered = open(reader, name, options)?;
    let cells = cells(&gathered);
    let owned = |column: &&str| {
        let at = position(&gathered.names, column, name)?;
        Ok(cells[at].iter().map(|&cell| cell.to_owned()).collect())
    };
    columns.iter().map(owned).collect()
}

/// Hands every row of a table to `sink`.
pub(super) fn each_delimited(
    reader: impl Read,
    name: &str,
    wanted: RowOptions,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    let (read, hints) = how(options);
    let source = Source::new(Box::new(reader), name, &read)?;
    let mut rows = RowStream::open(source, &read, &hints)?;
    // The first rows decide which of two columns without a name holds the labels.
    let (mut held, mut bytes) = (Vec::new(), 0);
    while bytes < DECIDING
        && let Some((line, row)) = rows.next()?
    {
        bytes += row.as_ref().map_or(1, |row| row.as_slice().len());
        held.push((line, row.map(texts)));
    }
    if held.is_empty() {
        let (file, columns) = (name.to_owned(), rows.names().len());
        return Err(TableError::NoRows { file, columns }.into());
    }
    let columns = Columns::find(&rows, &held, wanted.labels, name, options)?;
    let mut report = TextReport {
        text_columns: columns
            .text
            .iter()
            .map(|&at| rows.names()[at].clone())
            .collect(),
        warnings: rows
            .notes()
            .iter()
            .filter(|note| !matches!(note, ReadNote::Named { .. }))
            .map(|note| format!("`{name}`: {note}"))
            .collect(),
        ..TextReport::default()
    };
    let names = rows.names().to_vec();
    let mut hand_on = |line, row: Result<Vec<String>, TableError>| {
        let location = Location::Line {
            file: name.to_owned(),
            line,
        };
        let row = row.map_err(TextError::from);
        sink(row.and_then(|cells| columns.row(cells, &names, location, wanted, options)))
    };
    for (line, row) in held {
        if hand_on(line, row).is_break() {
            return Ok(report);
        }
    }
    while let Some((line, row)) = rows.next()? {
        if hand_on(line, row.map(texts)).is_break() {
            break;
        }
    }
    match rows.stray() {
        // Answers would be fewer than rows.
        Some(Stray { line, lines }) if wanted.labels == Labels::None => {
            let file = name.to_owned();
            Err(TableError::StrayQuote { file, line, lines }.into())
        }
        Some(Stray { line, lines }) => {
            let note = ReadNote::StrayQuote { line, lines };
            report.warnings.push(format!("`{name}` {note}"));
            Ok(report)
        }
        None => Ok(report),
    }
}

/// Bytes of rows that decide which column is which where no name does.
const DECIDING: usize = 1 << 18;

fn texts(record: &csv::ByteRecord) -> Vec<String> {
    let text = |cell: &[u8]| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
    record.iter().map(text).collect()
}

/// How a table of texts is read.
fn how(options: &TextOptions) -> (ReadOptions, Hints) {
    let columns: Vec<String> = options
        .text
        .iter()
        .chain([&options.label])
        .cloned()
        .collect();
    let read = ReadOptions {
        columns: columns.clone(),
        delimiter: options.delimiter,
        header: options.header,
        encoding: options.encoding,
        missing: Vec::new(),
        ..ReadOptions::default()
    };
    let hints = Hints {
        columns,
        texts: true,
        quoting: options.quoting,
    };
    (read, hints)
}

/// Reads all cells.
pub(crate) fn open(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<Gathered, TextError> {
    let (read, hints) = how(options);
    let source = Source::new(Box::new(reader), name, &read)?;
    Ok(gather_with(source, &read, &hints, &|names, _| {
        Ok(vec![true; names.len()])
    })?)
}

/// The cells of every column.
pub(crate) fn cells(gathered: &Gathered) -> Vec<Vec<&str>> {
    let text = |cell| std::str::from_utf8(cell).unwrap_or_default();
    gathered
        .columns
        .iter()
        .map(|column| column.cells().map(text).collect())
        .collect()
}

/// The column of that name, or else the only one whose name differs in case alone.
pub(crate) fn position(names: &[String], column: &str, file: &str) -> Result<usize, TextError> {
    if let Some(at) = names.iter().position(|name| name == column) {
        return Ok(at);
    }
    let alike = |name: &String| name.to_lowercase() == column.to_lowercase();
    let mut alike = (0..names.len()).filter(|&at| alike(&names[at]));
    match (alike.next(), alike.next()) {
        (Some(at), None) => Ok(at),
        _ => Err(TextError::NoColumn {
            file: file.to_owned(),
            column: column.to_owned(),
            columns: names.iter().map(|name| format!("`{name}`")).collect(),
            hint: String::new(),
        }),
    }
}

/// Which columns hold what.
struct Columns {
    text: Vec<usize>,
    label: Option<usize>,
}

/// A row as it was read, with its line.
type Held = (u64, Result<Vec<String>, TableError>);

impl Columns {
    fn find(
        rows: &RowStream<'_>,
        held: &[Held],
        labels: Labels,
        file: &str,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        let names = rows.names();
        let with_labels = labels != Labels::None;
        let is_default = options.text == TextOptions::default().text
            && options.label == TextOptions::default().label;
        let only = |text: Vec<usize>, label| Ok(Self { text, label });
        if !rows.header() && !with_labels && names.len() == 1 {
            return only(vec![0], None);
        }
        if !rows.header() && !with_labels && !options.headerless.is_empty() {
            let known = options.headerless.iter();
            let known = known.map(|name| position(names, name, file));
            return only(known.collect::<Result<_, _>>()?, None);
        }
        if !rows.header() && labels == Labels::One && is_default && names.len() == 2 {
            let label = label_of_two(held);
            return only(vec![1 - label], Some(label));
        }
        let position = |name: &String| {
            position(names, name, file).map_err(|error| without_header(error, rows, held))
        };
        let label = with_labels.then(|| position(&options.label));
        Ok(Self {
            text: options
                .text
                .iter()
                .map(position)
                .collect::<Result<_, _>>()?,
            label: label.transpose()?,
        })
    }

    fn row(
        &self,
        mut cells: Vec<String>,
        names: &[String],
        location: Location,
        wanted: RowOptions,
        options: &TextOptions,
    ) -> Result<TextRow, TextError> {
        let texts: Vec<&String> = self.text.iter().map(|&at| &cells[at]).collect();
        let labels = self.label.map(|at| wanted.labels.split(&cells[at]));
        let labels = labels.unwrap_or_default();
        let mut row = TextRow::new(&texts, labels, wanted.pair, location, options)?;
        if wanted.cells {
            let values = cells.drain(..);
            row.cells = names.iter().cloned().zip(values).collect();
        }
        Ok(row)
    }
}

/// Adds to an error what the first line was taken for, if it is not the header.
fn without_header(error: TextError, rows: &RowStream<'_>, held: &[Held]) -> TextError {
    match (error, held.first()) {
        (
            TextError::NoColumn {
                file,
                column,
                columns,
                ..
            },
            Some((line, Ok(cells))),
        ) if !rows.header() => {
            let cells: String = cells.join(", ").chars().take(80).collect();
            TextError::NoColumn {
                file,
                column,
                columns,
                hint: format!("; line {line} (`{cells}`) is read as data"),
            }
        }
        (error, _) => error,
    }
}

/// Of two columns the one with fewer different cells holds the labels.
fn label_of_two(held: &[Held]) -> usize {
    let distinct = |at: usize| {
        let rows = held.iter().filter_map(|(_, row)| row.as_ref().ok());
        rows.filter_map(|row| row.get(at))
            .collect::<HashSet<_>>()
            .len()
    };
    usize::from(distinct(1) < distinct(0))
}
