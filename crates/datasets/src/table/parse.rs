//! Whole columns of text, parsed in one way.

use super::column::{Words, WordsBuilder};
use super::date::DateOrder;
use super::error::{TableError, shorten};
use super::number::{DecimalMark, EXACT_DIGITS, Parsed, is_padded, parse_plain};
use super::raw::{Lines, Markers, RawColumn};
use super::schema::Kind;

/// What is the same for all columns of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) file: &'a str,
    pub(crate) markers: &'a Markers,
    pub(crate) lines: &'a Lines,
    /// The order that the user has set.
    pub(crate) date_order: Option<DateOrder>,
    /// The decimal mark that the user has set.
    pub(crate) decimal: Option<DecimalMark>,
    /// Whether cells are separated by a comma, which is then hardly a decimal mark.
    pub(crate) comma_separates: bool,
}

impl Context<'_> {
    pub(crate) fn bad_cell(
        &self,
        column: &str,
        row: usize,
        cell: &str,
        expected: String,
    ) -> TableError {
        TableError::Cell {
            file: self.file.to_owned(),
            line: self.lines.line(row),
            column: column.to_owned(),
            cell: shorten(cell),
            expected,
        }
    }

    /// That a cell is infinite; `typed` says that the file holds numbers and not their text.
    pub(crate) fn infinite(&self, column: &str, row: usize, cell: &str, typed: bool) -> TableError {
        TableError::Infinite {
            file: self.file.to_owned(),
            line: self.lines.line(row),
            column: column.to_owned(),
            cell: shorten(cell),
            typed,
        }
    }

    pub(crate) fn kind(&self, column: &str, kind: Kind, reason: String) -> TableError {
        TableError::Kind {
            file: self.file.to_owned(),
            column: column.to_owned(),
            kind,
            reason,
        }
    }
}

/// A column taken for numbers.
#[derive(Debug, Default)]
pub(crate) struct NumberScan {
    /// A number for each row, NaN where there is none.
    pub(crate) values: Vec<f64>,
    /// Cells that are not missing.
    pub(crate) present: usize,
    /// Cells that are words, and the first of them.
    pub(crate) words: usize,
    pub(crate) first_word: Option<usize>,
    pub(crate) first_infinite: Option<usize>,
    /// Whether a cell is a whole number filled up with zeros.
    pub(crate) padded: bool,
    /// Whether every cell is a whole number written as such, of at most 15 digits.
    pub(crate) plain_integers: bool,
    /// Whether every cell is a whole number written as such, and the first with more than 15 digits,
    /// which a number would not hold exactly.
    integers: bool,
    first_long: Option<usize>,
}

impl NumberScan {
    /// Scans until there are clearly too many words; then [`values`](Self::values) is cut short.
    pub(crate) fn new(raw: &RawColumn, markers: &Markers) -> Self {
        let mut scan = Self {
            values: Vec::with_capacity(raw.rows()),
            plain_integers: true,
            integers: true,
            ..Self::default()
        };
        for cell in raw.cells() {
            if markers.is_missing(cell) {
                scan.values.push(f64::NAN);
            } else {
                scan.add(cell);
                if scan.words > 20 && scan.words * 20 > scan.present {
                    break;
                }
            }
        }
        scan
    }

    #[inline]
    fn add(&mut self, cell: &[u8]) {
        let row = self.values.len();
        self.present += 1;
        let value = match parse_plain(cell) {
            Parsed::Finite(value) => {
                // Cells that start with 0 are few.
                self.padded |= cell[0] == b'0' && is_padded(cell);
                let digits = integer_digits(cell);
                self.integers &= digits.is_some();
                self.plain_integers &= digits.is_some_and(|digits| digits <= EXACT_DIGITS);
                if digits.is_some_and(|digits| digits > EXACT_DIGITS) {
                    self.first_long.get_or_insert(row);
                }
                value
            }
            Parsed::Infinite => {
                self.first_infinite.get_or_insert(row);
                f64::NAN
            }
            Parsed::Word => {
                self.first_word.get_or_insert(row);
                self.words += 1;
                f64::NAN
            }
        };
        self.values.push(value);
    }

    /// The first row with a whole number of more than 15 digits, if all are whole: two such numbers
    /// may be one when they are held as `f64`, so they are codes.
    pub(crate) fn long_codes(&self) -> Option<usize> {
        self.first_long.filter(|_| self.integers && self.words == 0)
    }

    /// Whether all cells are numbers.
    pub(crate) fn is_numeric(&self) -> bool {
        self.words == 0 && self.present > usize::from(self.first_infinite.is_some())
    }
}

/// The number of digits of a whole number that is written as such, perhaps after a minus.
fn integer_digits(cell: &[u8]) -> Option<usize> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    digits
        .iter()
        .all(u8::is_ascii_digit)
        .then_some(digits.len())
}

/// The cell of `row`, for messages.
pub(crate) fn cell_at(raw: &RawColumn, row: usize) -> String {
    let cell = raw.cells().nth(row).unwrap_or_default();
    String::from_utf8_lossy(cell).into_owned()
}

/// Gathers the words of a column.
pub(crate) fn intern(
    column: &str,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Words, TableError> {
    let mut words = WordsBuilder::with_capacity(raw.rows());
    for cell in raw.cells() {
        let word = if context.markers.is_missing(cell) {
            None
        } else {
            // Text was checked as it was read.
            Some(std::str::from_utf8(cell).unwrap_or_default())
        };
        if words.push(word).is_none() {
            let (file, column) = (context.file.to_owned(), column.to_owned());
            return Err(TableError::TooManyWords { file, column });
        }
    }
    Ok(words.finish())
}

/// Days of every row if all cells are dates in `order`, else the first row that is none.
pub(crate) fn dates(
    raw: &RawColumn,
    order: DateOrder,
    markers: &Markers,
) -> Result<Vec<f64>, usize> {
    let mut days = Vec::with_capacity(raw.rows());
    for cell in raw.cells() {
        if markers.is_missing(cell) {
            days.push(f64::NAN);
        } else {
            let day = std::str::from_utf8(cell)
                .ok()
                .and_then(|cell| order.parse(cell));
            days.push(day.ok_or(days.len())?);
        }
    }
    Ok(days)
}

/// Dates of a column, and whether day and month could be the other way round.
#[derive(Debug, PartialEq)]
pub(crate) struct FoundDates {
    pub(crate) days: Vec<f64>,
    pub(crate) order: DateOrder,
    pub(crate) ambiguous: bool,
}

/// Looks for an order in which all cells are dates.
pub(crate) fn find_dates(raw: &RawColumn, context: &Context<'_>) -> Option<FoundDates> {
    use DateOrder::{DayMonthYear, MonthDayYear};
    let mut found = likely_orders(raw, context).into_iter().filter_map(|order| {
        let days = dates(raw, order, context.markers).ok()?;
        Some((order, days))
    });
    let (order, days) = found.next()?;
    let other = found.next();
    Some(match (order, other) {
        (DayMonthYear, Some((MonthDayYear, swapped))) => {
            // Rows are often in the order of time.
            let (ascends, other_ascends) = (is_ascending(&days), is_ascending(&swapped));
            let month_first = other_ascends && !ascends;
            let (order, days) = if month_first {
                (MonthDayYear, swapped)
            } else {
                (order, days)
            };
            FoundDates {
                days,
                order,
                ambiguous: ascends == other_ascends,
            }
        }
        _ => FoundDates {
            days,
            order,
            ambiguous: false,
        },
    })
}

/// Orders in which the first cells are dates; what the user has set excludes what contradicts it.
fn likely_orders(raw: &RawColumn, context: &Context<'_>) -> Vec<DateOrder> {
    const LOOK: usize = 50;
    let cells = raw
        .cells()
        .filter(|cell| !context.markers.is_missing(cell))
        .take(LOOK);
    let cells: Vec<&str> = cells
        .filter_map(|cell| std::str::from_utf8(cell).ok())
        .collect();
    let numbered = [DateOrder::DayMonthYear, DateOrder::MonthDayYear];
    let allowed = |order: &DateOrder| match context.date_order {
        Some(set) if numbered.contains(&set) && numbered.contains(order) => *order == set,
        _ => true,
    };
    let fits = |order: &DateOrder| cells.iter().all(|cell| order.parse(cell).is_some());
    if cells.is_empty() {
        return Vec::new();
    }
    DateOrder::ALL
        .into_iter()
        .filter(|order| allowed(order) && fits(order))
        .collect()
}

fn is_ascending(days: &[f64]) -> bool {
    let mut present = days.iter().filter(|day| !day.is_nan());
    let mut last = present.next().copied().unwrap_or(0.0);
    let first = last;
    for &day in present {
        if day < last {
            return false;
        }
        last = day;
    }
    last > first
}
