//! Lines above a table: Excel's `sep=;`, and titles that people write over a header.

use csv::ByteRecord;

use super::options::ReadOptions;
use super::sniff::{DELIMITERS, Dialect, is_quantity};

/// Most lines that are taken for titles.
const MOST_TITLES: usize = 20;

/// Rows below a header that show it to be one.
const FEWEST_ROWS: usize = 2;

/// What stands above the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Preamble {
    /// Its bytes.
    pub(crate) bytes: usize,
    /// Its lines.
    pub(crate) lines: u64,
    /// Those of them that are titles.
    pub(crate) titles: u64,
    /// The delimiter that it names.
    pub(crate) delimiter: Option<char>,
}

impl Preamble {
    /// Looks at the beginning of a file.
    pub(crate) fn find(head: &[u8], whole: bool, options: &ReadOptions) -> Self {
        let mut preamble = separator_line(head).unwrap_or_default();
        if options.header == Some(false) || options.names.is_some() {
            return preamble;
        }
        let rest = &head[preamble.bytes..];
        let set = options.delimiter.or(preamble.delimiter);
        let delimiters = set.map_or_else(|| DELIMITERS.to_vec(), |mark| vec![mark as u8]);
        let above = delimiters.into_iter().find_map(|delimiter| {
            let options = ReadOptions {
                delimiter: Some(delimiter.into()),
                ..options.clone()
            };
            titles(rest, whole, Dialect::find(rest, whole, &options))
        });
        if let Some(bytes) = above {
            let lines = super::decode::count(&rest[..bytes], b'\n');
            preamble.bytes += bytes;
            preamble.lines += lines;
            preamble.titles = lines;
        }
        preamble
    }
}

/// The line `sep=;`, which Excel writes and obeys.
fn separator_line(head: &[u8]) -> Option<Preamble> {
    let end = head.iter().position(|&byte| byte == b'\n')?;
    let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    let (key, mark) = line.split_at_checked(4)?;
    let &[mark] = mark else { return None };
    let known = key.eq_ignore_ascii_case(b"sep=") && ReadOptions::is_mark(mark.into());
    known.then(|| Preamble {
        bytes: end + 1,
        lines: 1,
        titles: 0,
        delimiter: Some(mark.into()),
    })
}

/// The bytes above the header, if titles stand there: lines with one cell at most, over a row of names
/// over numbers, as wide as all rows below it.
fn titles(head: &[u8], whole: bool, dialect: Dialect) -> Option<usize> {
    let rows = dialect.rows(head, whole);
    let width = rows.last()?.len();
    let filled = |row: &ByteRecord| {
        row.iter()
            .filter(|cell| !cell.trim_ascii().is_empty())
            .count()
    };
    let title = |row: &ByteRecord| filled(row) <= 1 && (row.len() != width || width > 2);
    let above = rows.iter().take_while(|row| title(row)).count();
    let (header, body) = rows.get(above..)?.split_first()?;
    let found = (1..=MOST_TITLES).contains(&above) && width >= 2 && body.len() >= FEWEST_ROWS;
    let even = || header.len() == width && body.iter().all(|row| row.len() == width);
    if !(found && even() && filled(header) == width && over_quantities(header, body)) {
        return None;
    }
    let start = header.position()?.byte() as usize;
    // Empty lines above the header are passed over as part of it.
    let blank = head[start..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    Some(start + blank.count())
}

/// Whether all of `header` are words, and one stands over numbers or dates. All rows are of one width.
fn over_quantities(header: &ByteRecord, body: &[ByteRecord]) -> bool {
    let cell = |row: &ByteRecord, at: usize| {
        row.get(at)
            .is_some_and(|cell| is_quantity(cell.trim_ascii()))
    };
    let below = |at: usize| body.iter().all(|row| cell(row, at));
    let columns = 0..header.len();
    columns.clone().all(|at| !cell(header, at)) && columns.into_iter().any(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(head: &str) -> (usize, u64, Option<char>) {
        let Preamble {
            bytes,
            titles,
            delimiter,
            ..
        } = Preamble::find(head.as_bytes(), true, &ReadOptions::default());
        (bytes, titles, delimiter)
    }

    #[test]
    fn the_line_of_excel_is_known_and_similar_ones_are_not() {
        for (head, expected) in [
            ("sep=;\na;b\n1;2\n", (6, 0, Some(';'))),
            ("SEP=,\r\na,b\n", (7, 0, Some(','))),
            ("\"sep=|\"\na|b\n", (8, 0, Some('|'))),
            ("sep=\t\na\tb\n", (6, 0, Some('\t'))),
            ("sep=\na,b\n", (0, 0, None)),
            ("sep=;;\na,b\n", (0, 0, None)),
            ("sepal,petal\n1,2\n", (0, 0, None)),
        ] {
            assert_eq!(find(head), expected, "{head:?}");
        }
    }

    #[test]
    fn titles_stand_over_names_over_numbers() {
        for (head, lines) in [
            ("Sales 2024\na,b\n1,2\n3,4\n", 1),
            ("Sales\nmade today\n\na;b\n1;2\n3;4\n", 3),
            ("Sales,,\n,,\na,b,c\n1,2,x\n3,4,y\n", 2),
            ("sep=;\nSales\na;b\n1;2\n3;4\n", 1),
            // Not titles: a table of one column, rows that are uneven, no numbers below.
            ("text\nhello, you\nand, you\n", 0),
            ("a,b\n1,2\n3,4\n", 0),
            ("a\n1\n2\n", 0),
            ("Sales\na,b\n1,2\n3,4,5\n", 0),
            ("a,b,c\n1,,\n2,3,4\n3,4,5\n", 0),
            ("one\na,b\nc,d,e\nf\n1,2\n", 0),
            ("one\na\nb,c,d\n1,2,3\n4\n5,6,7\n", 0),
        ] {
            assert_eq!(find(head).1, lines, "{head:?}");
        }
    }
}
