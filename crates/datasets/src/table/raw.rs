//! Cells as they stand in the file, column by column, before their kind is known.

use super::schema::Schema;

/// The cells of a column, end to end, each after its length.
///
/// With one byte of length in place of the delimiter, all columns together take no more memory than
/// the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawColumn {
    bytes: Vec<u8>,
    rows: usize,
}

/// Begins a cell that is a JSON number with a decimal point, in a column whose texts have decimal commas. Files with this
/// character are refused, so no text begins with it.
pub(crate) const PLAIN_NUMBER: char = '\0';

/// A length of one byte that says that eight bytes of length follow.
const LONG: u8 = u8::MAX;

impl RawColumn {
    /// So many missing cells.
    pub(crate) fn missing(rows: usize) -> Self {
        Self {
            bytes: vec![0; rows],
            rows,
        }
    }

    pub(crate) fn push(&mut self, cell: &[u8]) {
        let cell = trim(cell);
        if cell.len() < usize::from(LONG) {
            self.bytes.push(cell.len() as u8);
        } else {
            self.bytes.push(LONG);
            self.bytes
                .extend_from_slice(&(cell.len() as u64).to_le_bytes());
        }
        self.bytes.extend_from_slice(cell);
        self.rows += 1;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The cells of some rows.
    pub(crate) fn slice(&self, rows: std::ops::Range<usize>) -> Self {
        let mut slice = Self::default();
        let cells = self.cells().skip(rows.start).take(rows.len());
        cells.for_each(|cell| slice.push(cell));
        slice
    }

    pub(crate) fn cells(&self) -> RawCells<'_> {
        RawCells { rest: &self.bytes }
    }
}

/// The cells of a [`RawColumn`] in order.
#[derive(Debug, Clone)]
pub(crate) struct RawCells<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawCells<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.rest.split_first()?;
        let (length, rest) = if length == LONG {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_le_bytes(*length) as usize, rest)
        } else {
            (usize::from(length), rest)
        };
        let (cell, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(cell)
    }
}

/// Takes away white space at both ends, which most cells have not.
#[inline]
fn trim(cell: &[u8]) -> &[u8] {
    match cell {
        [first, .., last] if *first > b' ' && *last > b' ' => cell,
        _ => cell.trim_ascii(),
    }
}

/// The words that mark a missing cell.
#[derive(Debug, Clone)]
pub(crate) struct Markers {
    words: Vec<Vec<u8>>,
    /// Whether a marker starts with this byte.
    starts: [bool; 256],
    longest: usize,
}

impl Markers {
    pub(crate) fn new(words: &[String]) -> Self {
        let words: Vec<Vec<u8>> = words
            .iter()
            .map(|word| trim(word.as_bytes()).to_vec())
            .collect();
        let mut starts = [false; 256];
        for first in words.iter().filter_map(|word| word.first()) {
            starts[usize::from(first.to_ascii_lowercase())] = true;
            starts[usize::from(first.to_ascii_uppercase())] = true;
        }
        let longest = words.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            words,
            starts,
            longest,
        }
    }

    pub(crate) fn of(schema: &Schema) -> Self {
        Self::new(&schema.missing)
    }

    #[inline]
    pub(crate) fn is_missing(&self, cell: &[u8]) -> bool {
        match cell.first() {
            None => true,
            Some(&first) => {
                self.starts[usize::from(first)]
                    && cell.len() <= self.longest
                    && self
                        .words
                        .iter()
                        .any(|word| word.eq_ignore_ascii_case(cell))
            }
        }
    }
}

/// Which line of the file each row starts on, kept only where a row does not follow on the last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lines {
    /// A row and its line; rows after it follow one by one.
    breaks: Vec<(usize, u64)>,
    rows: usize,
}

impl Lines {
    pub(crate) fn push(&mut self, line: u64) {
        if self.rows == 0 || self.line(self.rows) != line {
            self.breaks.push((self.rows, line));
        }
        self.rows += 1;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The line of `row`; rows that were never read count from 1.
    pub(crate) fn line(&self, row: usize) -> u64 {
        let after = self.breaks.partition_point(|&(start, _)| start <= row);
        match after.checked_sub(1).map(|at| self.breaks[at]) {
            Some((start, line)) => line + (row - start) as u64,
            None => row as u64 + 1,
        }
    }

    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        let mut taken = Self::default();
        for &row in rows {
            taken.push(self.line(row));
        }
        taken
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        std::mem::size_of_val(self.breaks.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_any_length_come_back_trimmed() {
        let long = "x".repeat(1000);
        let edge = "y".repeat(255);
        let mut raw = RawColumn::default();
        for cell in ["", "a", " b c\t", &long, &edge, "ä"] {
            raw.push(cell.as_bytes());
        }
        let cells: Vec<&[u8]> = raw.cells().collect();
        let expected = ["", "a", "b c", &long, &edge, "ä"].map(str::as_bytes);
        assert_eq!(cells, expected);
        assert_eq!(raw.rows(), 6);
    }

    #[test]
    fn markers_ignore_case_and_empty_is_always_one() {
        let markers = Markers::new(&["NA".to_owned(), "?".to_owned()]);
        for (cell, missing) in [
            ("", true),
            ("na", true),
            ("?", true),
            ("n", false),
            ("nation", false),
            ("0", false),
        ] {
            assert_eq!(markers.is_missing(cell.as_bytes()), missing, "{cell}");
        }
        assert!(Markers::new(&[]).is_missing(b""));
    }

    #[test]
    fn lines_are_known_with_gaps_and_after_a_selection() {
        let mut lines = Lines::default();
        for line in [2, 3, 4, 9, 10] {
            lines.push(line);
        }
        assert_eq!(lines.breaks.len(), 2);
        let all = |lines: &Lines, rows| (0..rows).map(|row| lines.line(row)).collect::<Vec<_>>();
        assert_eq!(all(&lines, 5), [2, 3, 4, 9, 10]);
        assert_eq!(all(&lines.take(&[3, 0, 4]), 3), [9, 2, 10]);
    }
}
