//! Finds stray quotes: a cell that begins with one swallows the rows up to the next quote.
//!
//! A cell in quotes may hold line feeds, so such a file is read without an error and rows are lost.
//! What gives it away is that the lines inside the cell look like the rows around it.

use std::collections::HashSet;

use csv::ByteRecord;

use super::sniff::is_quantity;

/// Rows, and cells in them, from which is learned what rows look like.
const ROWS: usize = 1000;
const CELLS: usize = 200_000;

/// Lines of a cell that are looked at.
const LINES: usize = 50;

/// Cells in quotes that are remembered.
const SUSPECTS: usize = 100;

/// Different cells of a column up to which another one is a surprise.
const VALUES: usize = 20;

/// Where rows were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stray {
    /// The line that the first such row starts on.
    pub(crate) line: u64,
    /// Lines that were taken as part of a cell, in all of them.
    pub(crate) lines: u64,
}

/// Compares the lines inside of cells with the rows of the file.
#[derive(Debug)]
pub(crate) struct QuoteCheck {
    delimiter: u8,
    columns: Vec<Seen>,
    rows: usize,
    suspects: Vec<Suspect>,
}

/// What the cells of a column look like.
#[derive(Debug)]
struct Seen {
    /// Whether all are numbers or dates.
    quantity: bool,
    /// The different ones, until there are too many.
    values: Option<HashSet<Vec<u8>>>,
}

/// A row over several lines, each of which has as many cells as a row.
#[derive(Debug)]
struct Suspect {
    line: u64,
    /// Lines beyond its first.
    more: u64,
    /// The cells of its lines.
    lines: Vec<Vec<Vec<u8>>>,
    /// The column that goes over several lines.
    column: usize,
}

impl QuoteCheck {
    pub(crate) fn new(delimiter: u8, width: usize) -> Self {
        let seen = || Seen {
            quantity: true,
            values: Some(HashSet::new()),
        };
        Self {
            delimiter,
            columns: (0..width.min(CELLS)).map(|_| seen()).collect(),
            rows: 0,
            suspects: Vec::new(),
        }
    }

    /// Takes a row that starts on `line`; `several` says that it goes over more than one.
    pub(crate) fn row(&mut self, record: &ByteRecord, line: u64, several: bool) {
        if self.columns.len() < 2 {
            // A line of a single column always looks like a row.
        } else if several && self.suspects.len() < SUSPECTS {
            self.suspects.extend(self.suspect(record, line));
        } else if !several && self.rows < ROWS && self.rows * self.columns.len() < CELLS {
            self.rows += 1;
            for (column, cell) in self.columns.iter_mut().zip(record) {
                column.learn(cell.trim_ascii());
            }
        }
    }

    fn suspect(&self, record: &ByteRecord, line: u64) -> Option<Suspect> {
        let cells: Vec<&[u8]> = record.iter().collect();
        let column = cells.iter().position(|cell| cell.contains(&b'\n'))?;
        let text = cells.join(&self.delimiter);
        let split = |line: &[u8]| -> Vec<Vec<u8>> {
            let cells = line.split(|&byte| byte == self.delimiter);
            cells.map(|cell| cell.trim_ascii().to_vec()).collect()
        };
        let filled = text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty());
        let lines: Vec<_> = filled.clone().take(LINES).map(split).collect();
        let even = lines.iter().filter(|line| line.len() == self.columns.len());
        (lines.len() >= 2 && most(even.count(), lines.len())).then(|| Suspect {
            line,
            more: filled.count() as u64 - 1,
            lines,
            column,
        })
    }

    /// The rows that were lost, once all have been taken.
    pub(crate) fn finish(&self) -> Option<Stray> {
        let strays = self
            .suspects
            .iter()
            .filter(|suspect| self.is_stray(suspect));
        strays.fold(None, |found: Option<Stray>, suspect| {
            Some(Stray {
                line: found.map_or(suspect.line, |found| found.line),
                lines: found.map_or(0, |found| found.lines) + suspect.more,
            })
        })
    }

    /// Whether most lines are like rows in all columns that are told by their cells. Where none is, as
    /// in a file of texts alone, the number of cells has to do, over three lines or more.
    fn is_stray(&self, suspect: &Suspect) -> bool {
        let told = self.columns.iter().enumerate();
        let told: Vec<_> = told.filter(|(_, seen)| seen.tells(self.rows)).collect();
        if told.iter().all(|(at, _)| *at == suspect.column) {
            return suspect.lines.len() >= 3;
        }
        let fits = |line: &&Vec<Vec<u8>>| {
            let width = line.len() == self.columns.len();
            let mut told = told.iter().filter(|(at, _)| *at != suspect.column);
            width && told.all(|(at, seen)| seen.fits(&line[*at]))
        };
        most(
            suspect.lines.iter().filter(fits).count(),
            suspect.lines.len(),
        )
    }
}

impl Seen {
    fn learn(&mut self, cell: &[u8]) {
        self.quantity = self.quantity && (cell.is_empty() || is_quantity(cell));
        if let Some(values) = &mut self.values {
            values.insert(cell.to_vec());
            if values.len() > VALUES {
                self.values = None;
            }
        }
    }

    /// Whether it shows what belongs in the column, after so many rows.
    fn tells(&self, rows: usize) -> bool {
        let repeated = |values: &HashSet<Vec<u8>>| values.len() * 3 <= rows;
        rows >= 5 && (self.quantity || self.values.as_ref().is_some_and(repeated))
    }

    fn fits(&self, cell: &[u8]) -> bool {
        let known = self
            .values
            .as_ref()
            .is_some_and(|values| values.contains(cell));
        known || (self.quantity && (cell.is_empty() || is_quantity(cell)))
    }
}

fn most(part: usize, whole: usize) -> bool {
    part * 5 >= whole * 4
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn check(csv: &str) -> Option<(u64, u64)> {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(csv.as_bytes());
        let width = reader.byte_headers().unwrap().len();
        let mut check = QuoteCheck::new(b',', width);
        for record in reader.byte_records() {
            let record = record.unwrap();
            let several = record.as_slice().contains(&b'\n');
            check.row(&record, record.position().unwrap().line(), several);
        }
        check.finish().map(|stray| (stray.line, stray.lines))
    }

    fn table(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
        (0..rows).fold(format!("{header}\n"), |mut text, at| {
            writeln!(text, "{}", row(at)).unwrap();
            text
        })
    }

    #[test]
    fn rows_inside_of_a_cell_are_found_with_their_line_and_number() {
        let numbers = table("name,x,note", 60, |at| match at {
            20 => format!("n{at},{at}.5,\"see below"),
            30 => format!("n{at},{at}.5,done\""),
            _ => format!("n{at},{at}.5,ok"),
        });
        assert_eq!(check(&numbers), Some((22, 10)));
        let words = table("label,text", 60, |at| {
            let label = ["ham", "spam"][at % 2];
            match at {
                20 | 23 => format!("{label},\"text number {at}"),
                _ => format!("{label},text number {at}"),
            }
        });
        assert_eq!(check(&words), Some((22, 3)));
    }

    #[test]
    fn cells_over_several_lines_are_no_mistake() {
        for csv in [
            // An address has as many commas as a row.
            table("name,address,zip", 60, |at| {
                format!("n{at},\"{at} Main St, Apt 4\nSpringfield, IL\",0{at}")
            }),
            table("name,address,zip", 60, |at| match at % 3 {
                0 => format!(
                    "n{at},\"{at} Main St, Apt 4\nSpringfield, IL\",6270{}",
                    at % 7
                ),
                _ => format!("n{at},{at} Main St,6270{}", at % 7),
            }),
            table("label,text", 60, |at| {
                format!(
                    "{},\"line one, of {at}\nline two, too\"",
                    ["ham", "spam"][at % 2]
                )
            }),
            table("text", 60, |at| format!("\"one {at}\ntwo\"")),
        ] {
            assert_eq!(check(&csv), None, "{}", &csv[..60]);
        }
    }
}
