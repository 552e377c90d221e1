//! The file of a plan.

use std::path::{Path, PathBuf};

use time::{Date, Month};

use super::plan::{ItemPlan, Unit, same};

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read the plan `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no table.
    #[error("`{}` is not a CSV table", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// The header lacks a column.
    #[error(
        "`{}` line 1: a plan has the columns `date`, `item` and `count` or `share` (got {found})",
        path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// The columns that it has.
        found: String,
    },
    /// A cell is not what its column holds.
    #[error("`{}` line {line}: {found} is not {expected}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The cell, quoted.
        found: String,
        /// What the column holds.
        expected: &'static str,
    },
    /// An item has two values at a date, or counts and shares.
    #[error("`{}` line {line}: `{item}` {problem} on line {first}", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The item.
        item: String,
        /// What is wrong.
        problem: &'static str,
        /// The line that came before.
        first: u64,
    },
    /// There is no row.
    #[error("`{}` has no row below its header", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a plan: a CSV file with the columns `date` (year-month-day), `item`, and `count` or `share`.
///
/// The plan of an item is linear between two dates, keeps its value after the last one, and does not exist before the
/// first one.
///
/// Cells are separated by commas, semicolons or tabs, as the header shows; other columns are ignored.
///
/// # Errors
///
/// If it cannot be read, or a cell is not what its column holds.
pub fn read_plan(path: &Path) -> Result<Vec<ItemPlan>, PlanError> {
    let text = std::fs::read(path).map_err(|source| PlanError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let header = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let separators = [b',', b';', b'\t'];
    let separator = separators.into_iter().find(|one| header.contains(one));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator.unwrap_or(b','))
        .trim(csv::Trim::All)
        .from_reader(text);
    let is_csv = |source| PlanError::Csv {
        path: path.to_owned(),
        source,
    };
    let columns = Columns::of(reader.headers().map_err(is_csv)?, path)?;
    let mut items: Vec<ItemPlan> = Vec::new();
    // The line number of each value, parallel to the points.
    let mut lines: Vec<Vec<u64>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(is_csv)?;
        let row = columns.row(&record, path, line_of(text, &record))?;
        let at = items.iter().position(|item| item.name == row.item);
        let at = at.unwrap_or_else(|| {
            items.push(ItemPlan {
                name: row.item.clone(),
                unit: row.unit,
                line: row.line,
                points: Vec::new(),
            });
            lines.push(Vec::new());
            items.len() - 1
        });
        let item = &mut items[at];
        let place = item.points.partition_point(|&(day, _)| day < row.day);
        let same_day = item.points.get(place).is_some_and(|at| same(at.0, row.day));
        let problem = match (same_day, item.unit == row.unit) {
            (true, _) => Some(("has a value for this date already", lines[at][place])),
            (false, false) => Some(("has the other unit, count or share,", item.line)),
            (false, true) => None,
        };
        if let Some((problem, first)) = problem {
            return Err(PlanError::Conflict {
                path: path.to_owned(),
                line: row.line,
                item: row.item,
                problem,
                first,
            });
        }
        item.points.insert(place, (row.day, row.value));
        lines[at].insert(place, row.line);
    }
    if items.is_empty() {
        return Err(PlanError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(items)
}

/// Where the columns of a plan are.
struct Columns {
    date: usize,
    item: usize,
    values: [Option<usize>; 2],
}

struct Row {
    line: u64,
    day: f64,
    item: String,
    unit: Unit,
    value: f64,
}

impl Columns {
    fn of(header: &csv::StringRecord, path: &Path) -> Result<Self, PlanError> {
        let find = |name: &str| {
            header
                .iter()
                .position(|cell| cell.eq_ignore_ascii_case(name))
        };
        let values = [Unit::Count, Unit::Share].map(|unit| find(unit.name()));
        if let (Some(date), Some(item), true) = (
            find("date"),
            find("item"),
            values.iter().any(Option::is_some),
        ) {
            return Ok(Self { date, item, values });
        }
        let found: Vec<String> = header.iter().map(|cell| format!("`{cell}`")).collect();
        Err(PlanError::Header {
            path: path.to_owned(),
            found: found.join(", "),
        })
    }

    fn row(&self, record: &csv::StringRecord, path: &Path, line: u64) -> Result<Row, PlanError> {
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let wrong = |found: &str, expected: &'static str| PlanError::Cell {
            path: path.to_owned(),
            line,
            found: format!("`{found}`"),
            expected,
        };
        let text = cell(self.date);
        let day = iso_date(text);
        let day = day.ok_or_else(|| wrong(text, "a date such as 2020-07-24 (year-month-day)"))?;
        let item = cell(self.item);
        if item.is_empty() {
            return Err(wrong(item, "the name of an item"));
        }
        let [count, share] = self
            .values
            .map(|column| column.map(cell).unwrap_or_default());
        let (unit, text) = match (count.is_empty(), share.is_empty()) {
            (false, true) => (Unit::Count, count),
            (true, false) => (Unit::Share, share),
            (false, false) => return Err(wrong(count, "alone: a row has a count or a share")),
            (true, true) => return Err(wrong("", "a count or a share")),
        };
        let value = text.parse().ok().filter(|value: &f64| value.is_finite());
        let value = match unit {
            Unit::Count => value.filter(|&value| value >= 0.0),
            Unit::Share => value.filter(|value| (0.0..=1.0).contains(value)),
        };
        let expected = match unit {
            Unit::Count => "a count, a number of at least 0",
            Unit::Share => "a share, a number from 0 to 1",
        };
        Ok(Row {
            line,
            day: f64::from(day.to_julian_day()),
            item: item.to_owned(),
            unit,
            value: value.ok_or_else(|| wrong(text, expected))?,
        })
    }
}

/// The line of a record, from 1; the reader itself counts empty lines and both parts of a line break differently.
fn line_of(text: &[u8], record: &csv::StringRecord) -> u64 {
    let start = record.position().map_or(0, csv::Position::byte) as usize;
    let breaks = text[start.min(text.len())..].iter();
    let breaks = breaks.take_while(|byte| b"\r\n".contains(byte)).count();
    let before = &text[..(start + breaks).min(text.len())];
    before.split(|&byte| byte == b'\n').count() as u64
}

/// A date such as `2020-07-24`.
fn iso_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Vec<ItemPlan>, PlanError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.csv");
        std::fs::write(&path, text).unwrap();
        read_plan(&path)
    }

    #[test]
    fn rows_are_read_in_any_order_and_with_any_separator() {
        let text =
            "\u{feff}note;date;item;count\r\n;2020-08-11;slab;10\r\nfirst;2020-08-01;slab;0\r\n";
        let plan = plan(text).unwrap();
        let day = |text: &str| f64::from(iso_date(text).unwrap().to_julian_day());
        let points = [(day("2020-08-01"), 0.0), (day("2020-08-11"), 10.0)];
        assert_eq!((plan[0].points(), plan[0].line), (&points[..], 2));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, words) in [
            (
                "date,item,count\n2020-08-01,a,1\n01.08.2020,a,2\n",
                "line 3: `01.08.2020` is not a date",
            ),
            ("date,item,count\n2020-02-30,a,1\n", "line 2: `2020-02-30`"),
            (
                "date,item,count\n2020-08-01,a,many\n",
                "line 2: `many` is not a count",
            ),
            (
                "date,item,share\n2020-08-01,a,45\n",
                "line 2: `45` is not a share",
            ),
            (
                "date,item,count\n2020-08-01,a,1\n2020-08-01,a,2\n",
                "line 3: `a` has a value for this date already on line 2",
            ),
            (
                "date,item,count,share\n2020-08-01,a,1,\n2020-08-02,a,,0.5\n",
                "line 3: `a` has the other unit",
            ),
            (
                "day,item,count\n2020-08-01,a,1\n",
                "(got `day`, `item`, `count`)",
            ),
            ("date,item,count\n2020-08-01,a\n", "not a CSV table"),
            ("date,item,count\n", "no row"),
        ] {
            let message = plan(text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        assert!(read_plan(Path::new("none.csv")).is_err());
    }
}
