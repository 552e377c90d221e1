//! Texts in the columns of a CSV or TSV file.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::TextOptions;
use super::error::{Place, TextError};
use super::set::{Found, TextSet};
use crate::table::{Gathered, ReadOptions, Source, gather};

/// Reads labelled texts from a stream of CSV or TSV; `name` stands for it in messages.
///
/// # Errors
///
/// As [`read_texts`](super::read_texts).
pub fn read_delimited(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<TextSet, TextError> {
    let gathered = open(reader, name, options)?;
    let columns = Columns::find(&gathered, name, options)?;
    let mut found = Vec::new();
    for row in 0..gathered.rows_in_file {
        let place = Place::Line {
            file: name.to_owned(),
            line: gathered.lines.line(row),
        };
        let text = columns
            .text
            .iter()
            .map(|&at| columns.cells[at][row])
            .collect::<Vec<_>>()
            .join(" ");
        found.push(Found::new(
            &text,
            columns.cells[columns.label][row],
            place,
            options,
        )?);
    }
    TextSet::gather(name, found, options)
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
        let at = position(&gathered, column, name)?;
        Ok(cells[at].iter().map(|&cell| cell.to_owned()).collect())
    };
    columns.iter().map(owned).collect()
}

/// Reads all cells; quotes are letters where a tab separates.
pub(crate) fn open(
    reader: impl Read,
    name: &str,
    options: &TextOptions,
) -> Result<Gathered, TextError> {
    let failed = |source| TextError::Read {
        file: name.to_owned(),
        source,
    };
    let mut start = Vec::new();
    let mut reader = BufReader::new(reader);
    let packed = reader
        .fill_buf()
        .map_err(failed)?
        .starts_with(&[0x1F, 0x8B]);
    // A tab among packed bytes says nothing about the text.
    let mut reader: Box<dyn Read + '_> = if packed {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    let head = (&mut reader).take(1 << 16).read_to_end(&mut start);
    head.map_err(failed)?;
    let first = start
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let tabs = first.contains(&b'\t');
    let options = ReadOptions {
        delimiter: tabs.then_some('\t'),
        quoting: !tabs,
        header: options.header,
        encoding: options.encoding,
        missing: Vec::new(),
        ..ReadOptions::default()
    };
    let source = Source::new(Box::new(start.as_slice().chain(reader)), name, &options)?;
    Ok(gather(source, &options, &|names, _| {
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

pub(crate) fn position(gathered: &Gathered, column: &str, file: &str) -> Result<usize, TextError> {
    let found = gathered.names.iter().position(|name| name == column);
    found.ok_or_else(|| TextError::NoColumn {
        file: file.to_owned(),
        column: column.to_owned(),
        columns: gathered
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect(),
    })
}

/// Which columns hold what.
struct Columns<'a> {
    cells: Vec<Vec<&'a str>>,
    text: Vec<usize>,
    label: usize,
}

impl<'a> Columns<'a> {
    fn find(gathered: &'a Gathered, file: &str, options: &TextOptions) -> Result<Self, TextError> {
        let cells = cells(gathered);
        let named = gathered.header || options.label != TextOptions::default().label;
        if !named && cells.len() == 2 {
            let distinct = |at: usize| cells[at].iter().collect::<HashSet<_>>().len();
            let label = usize::from(distinct(1) < distinct(0));
            return Ok(Self {
                cells,
                text: vec![1 - label],
                label,
            });
        }
        let label = position(gathered, &options.label, file)?;
        let text = options
            .text
            .iter()
            .map(|name| position(gathered, name, file))
            .collect::<Result<_, _>>()?;
        Ok(Self { cells, text, label })
    }
}
