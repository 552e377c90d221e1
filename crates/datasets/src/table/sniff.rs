//! Finds out, from the beginning of a file, its delimiter and whether it has a header.

use std::collections::HashSet;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::date::DateOrder;
use super::number::{Parsed, parse_plain};
use super::options::ReadOptions;
use super::raw::Markers;

/// Delimiters looked for, the commonest in front.
pub(crate) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Rows looked at.
const ROWS: usize = 200;

/// What is known of a file before it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    /// Names of columns that the reader needs: a first row with one of them, in any case, holds names.
    pub(crate) columns: Vec<String>,
    /// Whether the cells are running text. Then a tab in the first line is the delimiter, and quotes
    /// in such a file are letters unless they evidently enclose cells.
    pub(crate) texts: bool,
    /// Whether quotes enclose cells, where the user decided.
    pub(crate) quoting: Option<bool>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) terminator: u8,
    pub(crate) comment: Option<u8>,
    pub(crate) quoting: bool,
}

impl Dialect {
    /// Finds the delimiter that cuts the rows of `head` most evenly.
    ///
    /// `whole` says that `head` is the whole file; otherwise its last row may be cut.
    pub(crate) fn find(head: &[u8], whole: bool, options: &ReadOptions) -> Self {
        // Old Macs ended lines with a carriage return alone.
        let inner = head.trim_ascii_end();
        let old = inner.contains(&b'\r') && !inner.contains(&b'\n');
        let terminator = if old { b'\r' } else { b'\n' };
        let dialect = |delimiter| Self {
            delimiter,
            terminator,
            comment: options.comment.map(|mark| mark as u8),
            quoting: options.quoting,
        };
        if let Some(delimiter) = options.delimiter {
            return dialect(delimiter as u8);
        }
        let score = |delimiter: u8| evenness(&dialect(delimiter).rows(head, whole));
        let scored = DELIMITERS.map(|delimiter| (score(delimiter), delimiter));
        // Of equals the last wins, so the commonest comes last.
        let best = scored.into_iter().rev().max_by(|a, b| a.0.total_cmp(&b.0));
        dialect(best.map_or(b',', |(_, delimiter)| delimiter))
    }

    /// As [`find`](Self::find), with what is known of the file.
    pub(crate) fn with_hints(
        head: &[u8],
        whole: bool,
        options: &ReadOptions,
        hints: &Hints,
    ) -> Self {
        let mut options = options.clone();
        if let Some(quoting) = hints.quoting {
            options.quoting = quoting;
        }
        let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let tabs = match options.delimiter {
            None => hints.texts && first.contains(&b'\t'),
            Some(delimiter) => hints.texts && delimiter == '\t',
        };
        if tabs {
            options.delimiter = Some('\t');
            if hints.quoting.is_none() {
                options.quoting = quotes_enclose(head, whole, &options);
            }
        }
        Self::find(head, whole, &options)
    }

    /// Whether the first row holds one of those names.
    pub(crate) fn names_one_of(self, head: &[u8], names: &[String]) -> bool {
        if names.is_empty() {
            return false;
        }
        let first = self.rows(head, true).into_iter().next().unwrap_or_default();
        let is_name = |cell: &[u8]| {
            let cell = cell.trim_ascii();
            names
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(cell))
        };
        first.iter().any(is_name)
    }

    /// A reader that ends rows at line feeds only, so that lines can be counted; the carriage
    /// returns before them are trimmed with the other white space.
    pub(crate) fn reader<R: std::io::Read>(self, source: R) -> csv::Reader<R> {
        ReaderBuilder::new()
            .delimiter(self.delimiter)
            .terminator(Terminator::Any(self.terminator))
            .comment(self.comment)
            .quoting(self.quoting)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 17)
            .from_reader(source)
    }

    /// The first rows of `head`, without empty lines and without one that may be cut.
    pub(crate) fn rows(self, head: &[u8], whole: bool) -> Vec<ByteRecord> {
        let records = self.reader(head).into_byte_records();
        let mut rows: Vec<ByteRecord> = records
            .map_while(Result::ok)
            .filter(|row| !is_blank(row))
            .take(ROWS + 1)
            .collect();
        if rows.len() > ROWS || (!whole && rows.len() > 1) {
            rows.pop();
        }
        rows
    }

    /// Whether the first row holds names, if names that the caller will ask for decide it: one of them
    /// stands there, or is `column_2`, as the columns of a file without a header are called.
    pub(crate) fn names_expected(self, head: &[u8], options: &ReadOptions) -> Option<bool> {
        let first = self.rows(head, true).into_iter().next()?;
        let cells: HashSet<&[u8]> = first.iter().map(<[u8]>::trim_ascii).collect();
        let mut expected = options.expected_names().peekable();
        expected.peek()?;
        if expected.any(|name| cells.contains(name.as_bytes())) {
            return Some(true);
        }
        let made = |name: &str| {
            let number = name
                .strip_prefix("column_")
                .and_then(|rest| rest.parse().ok());
            number.is_some_and(|number: usize| (1..=first.len()).contains(&number))
        };
        options.expected_names().any(made).then_some(false)
    }

    /// Whether the first row of `head` holds names.
    ///
    /// It does if a word stands over numbers or dates. If it holds a number or date itself, or a
    /// word that comes again further down, it does not, unless all its numbers are years over other
    /// numbers. Where all is words, names are expected.
    pub(crate) fn has_header(self, head: &[u8], whole: bool, markers: &Markers) -> bool {
        let rows = self.rows(head, whole);
        let Some((first, body)) = rows.split_first() else {
            return true;
        };
        let first: Vec<&[u8]> = first.iter().map(<[u8]>::trim_ascii).collect();
        let word = |cell: &[u8]| !markers.is_missing(cell) && !is_quantity(cell);
        let column = |at: usize| {
            body.iter()
                .filter_map(move |row| row.get(at))
                .map(<[u8]>::trim_ascii)
        };
        let over_quantities = |at: usize| {
            let mut cells = column(at)
                .filter(|cell| !markers.is_missing(cell))
                .peekable();
            cells.peek().is_some() && cells.all(is_quantity)
        };
        if (0..first.len()).any(|at| word(first[at]) && over_quantities(at)) {
            return true;
        }
        let over_others = |at: usize| {
            over_quantities(at) && !column(at).all(|cell| cell.is_empty() || year(cell).is_some())
        };
        let numbers: Vec<usize> = (0..first.len())
            .filter(|&at| is_quantity(first[at]))
            .collect();
        let years: Vec<i32> = numbers.iter().filter_map(|&at| year(first[at])).collect();
        if years.len() == numbers.len()
            && are_series(&years)
            && numbers.iter().all(|&at| over_others(at))
        {
            let mut seen = HashSet::new();
            return first
                .iter()
                .all(|&cell| !cell.is_empty() && seen.insert(cell));
        }
        let again = |at: usize| column(at).any(|cell| !cell.is_empty() && cell == first[at]);
        let mut seen = HashSet::new();
        let all_names = first
            .iter()
            .all(|&cell| cell.is_empty() || (word(cell) && seen.insert(cell)));
        all_names && !(0..first.len()).any(again)
    }
}

/// Whether the quotes of a file of texts with tabs enclose cells, as its beginning shows: every cell of
/// the first line is in quotes, or only with quotes have all rows as many cells, or a cell in quotes
/// holds a doubled one and no quote is out of place.
fn quotes_enclose(head: &[u8], whole: bool, options: &ReadOptions) -> bool {
    let rows = |quoting| {
        let options = ReadOptions {
            quoting,
            ..options.clone()
        };
        Dialect::find(head, whole, &options).rows(head, whole)
    };
    let plain = rows(false);
    let in_quotes =
        |cell: &[u8]| cell.len() > 1 && cell.starts_with(b"\"") && cell.ends_with(b"\"");
    let Some(first) = plain.first() else {
        return false;
    };
    if first.iter().all(|cell| in_quotes(cell.trim_ascii())) {
        return true;
    }
    let even = |rows: &[ByteRecord]| rows.iter().all(|row| row.len() == first.len());
    if !even(&plain) {
        return even(&rows(true));
    }
    let (mut doubled, mut stray) = (false, false);
    for cell in plain.iter().flatten().map(<[u8]>::trim_ascii) {
        if cell.starts_with(b"\"") {
            let inner = cell.get(1..cell.len() - 1).unwrap_or_default();
            doubled |= inner.contains(&b'"');
            stray |= !in_quotes(cell) || !well_formed(inner);
        }
    }
    doubled && !stray
}

/// Whether every quote within a cell is doubled.
fn well_formed(inner: &[u8]) -> bool {
    let mut quotes = inner.split(|&byte| byte != b'"').map(<[u8]>::len);
    quotes.all(|run| run % 2 == 0)
}

/// A year of four digits.
fn year(cell: &[u8]) -> Option<i32> {
    let year = std::str::from_utf8(cell).ok()?.parse().ok()?;
    (cell.len() == 4 && (1800..=2200).contains(&year)).then_some(year)
}

/// Whether years follow each other in steps of one length, of up to ten years.
fn are_series(years: &[i32]) -> bool {
    let mut steps = years.windows(2).map(|pair| pair[1] - pair[0]);
    let Some(step) = steps.next() else {
        return false;
    };
    (1..=10).contains(&step.abs()) && steps.all(|other| other == step)
}

/// Whether a row is an empty line.
pub(crate) fn is_blank(row: &ByteRecord) -> bool {
    row.len() == 1 && row[0].trim_ascii().is_empty()
}

/// Whether a cell is a number or a date.
pub(crate) fn is_quantity(cell: &[u8]) -> bool {
    let date = |text| {
        DateOrder::ALL
            .iter()
            .any(|order| order.parse(text).is_some())
    };
    parse_plain(cell) != Parsed::Word
        || std::str::from_utf8(cell).is_ok_and(|text| date(text) || is_decimal_comma(text))
}

fn is_decimal_comma(text: &str) -> bool {
    let mut halves = text.strip_prefix('-').unwrap_or(text).splitn(2, ',');
    let digits = |half: Option<&str>| {
        half.is_some_and(|half| !half.is_empty() && half.bytes().all(|b| b.is_ascii_digit()))
    };
    digits(halves.next()) && digits(halves.next())
}

/// The share of rows that are as wide as the first, and a little more for many cells; negative
/// where the first row is not cut at all.
fn evenness(rows: &[ByteRecord]) -> f64 {
    match rows.first().map_or(0, ByteRecord::len) {
        0 | 1 => -1.0,
        width => {
            let even = rows.iter().filter(|row| row.len() == width).count();
            even as f64 / rows.len() as f64 + 1e-6 * width as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema::default_missing;

    fn delimiter(head: &str) -> char {
        Dialect::find(head.as_bytes(), true, &ReadOptions::default())
            .delimiter
            .into()
    }

    fn header(head: &str) -> bool {
        let dialect = Dialect::find(head.as_bytes(), true, &ReadOptions::default());
        dialect.has_header(head.as_bytes(), true, &Markers::new(&default_missing()))
    }

    #[test]
    fn the_delimiter_is_the_one_that_cuts_evenly() {
        for (head, expected) in [
            ("a,b\n1,2\n", ','),
            ("a;b\n1,5;2,5\n3,5;4\n", ';'),
            ("a\tb\nx, y\tz\n", '\t'),
            ("a|b|c\n1|2|3\n", '|'),
            ("name,quote\nx,\"a;b;c\"\ny,\"d\"\n", ','),
            ("word\nother\n", ','),
            ("a,b,c\n1,2\n", ','),
        ] {
            assert_eq!(delimiter(head), expected, "{head}");
        }
    }

    #[test]
    fn quotes_in_texts_with_tabs_enclose_cells_only_where_that_is_evident() {
        let hints = |quoting| Hints {
            texts: true,
            quoting,
            ..Hints::default()
        };
        let quoting = |head: &str, set| {
            let options = ReadOptions::default();
            Dialect::with_hints(head.as_bytes(), true, &options, &hints(set)).quoting
        };
        for (head, expected) in [
            ("\"text\"\t\"label\"\n\"a\"\t\"x\"\n", true),
            ("text\tlabel\n\"a \"\"b\"\" c\"\tx\nd\ty\n", true),
            ("text\tlabel\n\"a\nb\"\tx\nd\ty\n", true),
            ("ham\tOk \"lar\nspam\tWin\n", false),
            ("ham\t\"Ok\nspam\t\"\"Win\"\"\n", false),
            (
                "text\tlabel\n\"Ok\" he said\tx\n\"a \"\"b\"\" c\"\ty\n",
                false,
            ),
            ("text,label\n\"a\",x\n", true),
        ] {
            assert_eq!(quoting(head, None), expected, "{head}");
            assert!(quoting(head, Some(true)) && !quoting(head, Some(false)));
        }
    }

    #[test]
    fn a_needed_name_in_the_first_row_makes_it_a_header() {
        let body = "text,label\nit is a label,x\nanother,label\n";
        let dialect = Dialect::find(body.as_bytes(), true, &ReadOptions::default());
        assert!(!dialect.has_header(body.as_bytes(), true, &Markers::new(&[])));
        let names = |name: &str| dialect.names_one_of(body.as_bytes(), &[name.to_owned()]);
        assert!(names("label") && names("text") && !names("another") && !names(""));
    }

    #[test]
    fn a_row_that_is_cut_does_not_count() {
        let head = "a;b\n1;2\n3,4,5,6";
        let found = Dialect::find(head.as_bytes(), false, &ReadOptions::default());
        assert_eq!(found.delimiter, b';');
    }

    #[test]
    fn names_over_numbers_are_a_header() {
        for (head, expected) in [
            ("a,b\n1,2\n", true),
            ("1,2\n3,4\n", false),
            ("842302,M,17.99\n842517,M,20.57\n", false),
            ("id,class\n1,M\n2,B\n", true),
            ("day,word\n2024-01-31,x\n", true),
            (",V1\n0,0.5\n1,0.7\n", true),
            ("name,color\nann,red\nbob,blue\n", true),
            ("p,x,p\ne,x,s\n", false),
            ("ham\tgo on\nspam\twin\nham\tok\n", false),
            ("39, State-gov, <=50K\n50, Private, >50K\n", false),
            ("a,a\n1,2\n", true),
            ("a,b\n?,2\n3,?\n", true),
            ("x;y\n1,5;a\n2,5;b\n", true),
            ("a,b,c", true),
            ("2019,2020,class\n0.5,7.5,up\n0.7,8.5,down\n", true),
            ("2019,2020\n0.5,7.5\n0.7,8.5\n", true),
            ("2019,a\n2020,b\n2021,a\n", false),
            ("2019,2019\n0.5,7.5\n", false),
            ("2019,7\n0.5,7.5\n", false),
            ("1850,2010,1900\n312,2450,7\n", false),
        ] {
            assert_eq!(header(head), expected, "{head}");
        }
    }
}
