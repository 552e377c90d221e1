//! From cells to what a network takes: measured on the training rows, stored with the model.
//!
//! | cells | become |
//! |---|---|
//! | numbers | one number on a common scale; the median where one is missing, and on request a code that says so and, as for words, a code for each number that many rows share |
//! | words | a code: 0 for a missing one, 1 for a rare or an unknown one, then one for each word |
//! | yes and no | a code: 0 for a missing one, 1 for no, 2 for yes |
//! | dates | a number as above, sine and cosine of the day of the year, and codes for the month and the day of the week; where there are times of day, sine and cosine of these too, and a code for the hour |

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use tinderbox_datasets::content_hash;
use tinderbox_datasets::table::{Column, Kind, Table, TableError};

use super::dates;
use super::recipe::{Features, NumericScale};
use super::scale::Scale;

/// Codes of a word column before those of its words.
const MISSING: i32 = 0;
const OTHER: i32 = 1;
const FIRST: usize = 2;

/// What is made of the cells of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Coding {
    Number {
        /// In the place of a missing number, in the column's unit.
        fill: f64,
        scale: Scale,
        /// Numbers with a code of their own, in the order of their codes, from [`FIRST`] on; none
        /// if there is no such code.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        values: Vec<f64>,
        /// Whether a code says what was missing.
        missing: bool,
    },
    Date {
        fill: f64,
        scale: Scale,
        missing: bool,
        /// Whether there are numbers for the day of the year.
        #[serde(default)]
        season: bool,
        /// Whether there are numbers and a code for the time of day.
        #[serde(default)]
        time: bool,
    },
    Words {
        /// In the order of their codes, from [`FIRST`] on.
        words: Vec<String>,
        /// Hashes of the words that were too rare for a code, ascending: they are not new. Not the
        /// words, which may be names of people.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rare: Vec<u32>,
    },
    Truth {},
}

/// A column that is learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Feature {
    name: String,
    coding: Coding,
}

/// What is made of each column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoder {
    features: Vec<Feature>,
}

/// Where a column's numbers and codes lie in an encoded row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the column.
    pub name: String,
    /// Its numbers.
    pub numeric: Range<usize>,
    /// Its codes.
    pub codes: Range<usize>,
}

/// Categories of a column that no training row has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnseenCategories {
    /// Name of the column.
    pub column: String,
    /// Cells that hold such a category.
    pub cells: usize,
    /// One of the categories.
    pub example: String,
    /// The line of the file that has it first.
    pub line: u64,
}

/// Rows as a network takes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// Number of rows.
    pub rows: usize,
    /// Numbers in a row.
    pub n_numeric: usize,
    /// Codes in a row.
    pub n_codes: usize,
    /// `[rows, n_numeric]`
    pub numeric: Vec<f32>,
    /// `[rows, n_codes]`
    pub codes: Vec<i32>,
}

impl Encoded {
    /// Some of the rows, in the order of `rows`.
    pub fn take(&self, rows: &[usize]) -> Self {
        let numeric = rows.iter().flat_map(|&row| self.numbers(row)).copied();
        let codes = rows.iter().flat_map(|&row| self.row_codes(row)).copied();
        Self {
            rows: rows.len(),
            numeric: numeric.collect(),
            codes: codes.collect(),
            ..*self
        }
    }

    /// The numbers of a row.
    pub fn numbers(&self, row: usize) -> &[f32] {
        &self.numeric[row * self.n_numeric..][..self.n_numeric]
    }

    /// The codes of a row.
    pub fn row_codes(&self, row: usize) -> &[i32] {
        &self.codes[row * self.n_codes..][..self.n_codes]
    }

    /// Codes that no row has, `[column, code]` each, of columns with that many values.
    pub(crate) fn unseen(&self, cardinalities: &[usize]) -> Vec<[usize; 2]> {
        let mut unseen = Vec::new();
        for (column, &cardinality) in cardinalities.iter().enumerate() {
            let mut seen = vec![false; cardinality];
            for row in 0..self.rows {
                seen[self.row_codes(row)[column] as usize] = true;
            }
            let codes = (0..cardinality).filter(|&code| !seen[code]);
            unseen.extend(codes.map(|code| [column, code]));
        }
        unseen
    }

    /// Puts a column's numbers and codes of one row of `other` in the place of those of `row`.
    pub(crate) fn put(&mut self, row: usize, other: &Self, from: usize, place: &Place) {
        let numbers = &other.numbers(from)[place.numeric.clone()];
        self.numeric[row * self.n_numeric..][place.numeric.clone()].copy_from_slice(numbers);
        let codes = &other.row_codes(from)[place.codes.clone()];
        self.codes[row * self.n_codes..][place.codes.clone()].copy_from_slice(codes);
    }
}

impl Encoder {
    /// Measures the columns called `names` on some rows.
    ///
    /// # Errors
    ///
    /// If there is no such column.
    pub fn fit(
        table: &Table,
        names: &[String],
        rows: &[usize],
        features: &Features,
    ) -> Result<Self, TableError> {
        let features = names.iter().map(|name| {
            Ok(Feature {
                name: name.clone(),
                coding: fit_column(table.column(name)?, rows, features),
            })
        });
        Ok(Self {
            features: features.collect::<Result<_, TableError>>()?,
        })
    }

    /// Names of the columns, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| feature.name.as_str())
    }

    /// Numbers in an encoded row.
    pub fn n_numeric(&self) -> usize {
        self.places().last().map_or(0, |place| place.numeric.end)
    }

    /// How many values each code of an encoded row can have.
    pub fn cardinalities(&self) -> Vec<usize> {
        let features = self.features.iter();
        features
            .flat_map(|feature| cardinalities(&feature.coding))
            .collect()
    }

    /// Where each column lies in an encoded row.
    pub fn places(&self) -> Vec<Place> {
        let (mut numbers, mut codes) = (0, 0);
        let places = self.features.iter().map(|feature| {
            let width = feature.coding.width();
            let more = cardinalities(&feature.coding).len();
            let place = Place {
                name: feature.name.clone(),
                numeric: numbers..numbers + width,
                codes: codes..codes + more,
            };
            (numbers, codes) = (place.numeric.end, place.codes.end);
            place
        });
        places.collect()
    }

    /// The columns in which cells of a table hold a category that no training row has.
    ///
    /// # Errors
    ///
    /// If the table lacks a column.
    pub fn unseen_categories(&self, table: &Table) -> Result<Vec<UnseenCategories>, TableError> {
        let unseen = self.features.iter().map(|feature| {
            let column = table.column(&feature.name)?;
            Ok(match &feature.coding {
                Coding::Words { words, rare } => unseen_of(column, words, rare, table),
                Coding::Number { .. } | Coding::Date { .. } | Coding::Truth {} => None,
            })
        });
        let unseen: Vec<_> = unseen.collect::<Result<_, TableError>>()?;
        Ok(unseen.into_iter().flatten().collect())
    }

    /// The numbers of all rows on no scale, `[rows, n_numeric]`; NaN where a cell is missing.
    ///
    /// # Errors
    ///
    /// If the table lacks a column.
    #[cfg(any(feature = "baseline", test))]
    pub(crate) fn plain(&self, table: &Table) -> Result<Vec<f64>, TableError> {
        let n_numeric = self.n_numeric();
        let mut plain = vec![f64::NAN; table.rows() * n_numeric];
        for (feature, place) in self.features.iter().zip(self.places()) {
            let column = table.column(&feature.name)?;
            if place.numeric.is_empty() {
                continue;
            }
            for (row, plain) in plain.chunks_exact_mut(n_numeric).enumerate() {
                let numbers = feature.coding.numbers(column.number(row));
                plain[place.numeric.clone()].copy_from_slice(&numbers);
            }
        }
        Ok(plain)
    }

    /// The columns whose codes say more than their numbers, in the order of the columns.
    #[cfg(feature = "baseline")]
    pub(crate) fn has_own_codes(&self) -> impl Iterator<Item = bool> {
        let features = self.features.iter();
        features.map(|feature| !matches!(feature.coding, Coding::Number { .. }))
    }

    /// Encodes all rows of a table that has these columns.
    ///
    /// # Errors
    ///
    /// If it lacks one.
    pub fn encode(&self, table: &Table) -> Result<Encoded, TableError> {
        let rows = table.rows();
        let (n_numeric, n_codes) = (self.n_numeric(), self.cardinalities().len());
        let mut encoded = Encoded {
            rows,
            n_numeric,
            n_codes,
            numeric: vec![0.0; rows * n_numeric],
            codes: vec![0; rows * n_codes],
        };
        for (feature, place) in self.features.iter().zip(self.places()) {
            let column = table.column(&feature.name)?;
            encode_column(column, &feature.coding, &place, &mut encoded);
        }
        Ok(encoded)
    }
}

impl Coding {
    /// Numbers that a cell becomes.
    fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Date { season, time, .. } => {
                1 + 2 * usize::from(*season) + 2 * usize::from(*time)
            }
            Self::Words { .. } | Self::Truth {} => 0,
        }
    }

    /// The numbers of a cell on no scale yet; NaN where it is missing.
    fn numbers(&self, cell: f64) -> Vec<f64> {
        match self {
            Self::Number { .. } => vec![cell],
            Self::Date { season, time, .. } => {
                let season = season.then(|| dates::season(cell));
                let time = time.then(|| dates::time_of_day(cell));
                let cycles = season.into_iter().chain(time).flatten();
                std::iter::once(cell).chain(cycles).collect()
            }
            Self::Words { .. } | Self::Truth {} => Vec::new(),
        }
    }
}

fn cardinalities(coding: &Coding) -> Vec<usize> {
    match coding {
        Coding::Number {
            values, missing, ..
        } => {
            let values = (!values.is_empty()).then_some(values.len() + FIRST);
            let missing = missing.then_some(2);
            values.into_iter().chain(missing).collect()
        }
        Coding::Date { missing, time, .. } => [
            vec![13, 8],
            vec![25; usize::from(*time)],
            vec![2; usize::from(*missing)],
        ]
        .concat(),
        Coding::Words { words, .. } => vec![words.len() + FIRST],
        Coding::Truth {} => vec![3],
    }
}

fn fit_column(column: &Column, rows: &[usize], features: &Features) -> Coding {
    match column.kind() {
        Kind::Boolean => Coding::Truth {},
        Kind::Numeric => {
            let (fill, scale, missing) = fit_numbers(column, rows, features);
            Coding::Number {
                fill,
                scale,
                values: shared_numbers(column, rows, features.shared_from),
                missing,
            }
        }
        Kind::Date => {
            let (fill, scale, missing) = fit_numbers(column, rows, features);
            Coding::Date {
                fill,
                scale,
                missing,
                season: true,
                time: rows.iter().any(|&row| dates::has_time(column.number(row))),
            }
        }
        Kind::Categorical | Kind::Identifier | Kind::Text => {
            let (words, rare) = known_words(column, rows, features.rare_below);
            Coding::Words { words, rare }
        }
    }
}

fn fit_numbers(column: &Column, rows: &[usize], features: &Features) -> (f64, Scale, bool) {
    let mut known: Vec<f64> = rows
        .iter()
        .map(|&row| column.number(row))
        .filter(|number| !number.is_nan())
        .collect();
    let missing = features.missing_columns && known.len() < rows.len();
    known.sort_unstable_by(f64::total_cmp);
    let fill = known.get(known.len() / 2).copied().unwrap_or(0.0);
    let scale = match features.numeric {
        NumericScale::Standard => Scale::standard(&known),
        NumericScale::Quantile => Scale::quantile(&known),
    };
    (fill, scale, missing)
}

/// The words that enough rows have, the most frequent first, and hashes of the others.
fn known_words(column: &Column, rows: &[usize], rare_below: usize) -> (Vec<String>, Vec<u32>) {
    let Some(words) = column.words() else {
        return (Vec::new(), Vec::new());
    };
    let mut counts = vec![0_usize; words.levels().len()];
    for &row in rows {
        if words.get(row).is_some() {
            counts[words.codes()[row] as usize] += 1;
        }
    }
    let counted = counts.into_iter().zip(words.levels().iter());
    let seen = counted.filter(|(count, _)| *count > 0);
    let (mut kept, rare): (Vec<_>, Vec<_>) = seen.partition(|(count, _)| *count >= rare_below);
    kept.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    let mut rare: Vec<u32> = rare.into_iter().map(|(_, word)| word_hash(word)).collect();
    rare.sort_unstable();
    let kept = kept.into_iter().map(|(_, word)| word.to_owned());
    (kept.collect(), rare)
}

fn word_hash(word: &str) -> u32 {
    content_hash(word.as_bytes()) as u32
}

/// The numbers that at least `least` rows have, the most frequent first; none if `least` is 0.
fn shared_numbers(column: &Column, rows: &[usize], least: usize) -> Vec<f64> {
    if least == 0 {
        return Vec::new();
    }
    let mut counts: HashMap<u64, usize> = HashMap::new();
    let known = rows.iter().map(|&row| column.number(row));
    for number in known.filter(|number| !number.is_nan()) {
        *counts.entry(bits(number)).or_default() += 1;
    }
    let mut kept: Vec<(usize, f64)> = counts
        .into_iter()
        .filter(|(_, count)| *count >= least)
        .map(|(bits, count)| (count, f64::from_bits(bits)))
        .collect();
    kept.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.total_cmp(&right.1)));
    kept.into_iter().map(|(_, number)| number).collect()
}

/// The same for numbers that are equal, both zeros among them.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

fn encode_column(column: &Column, coding: &Coding, place: &Place, encoded: &mut Encoded) {
    let (rows, n_numeric, n_codes) = (encoded.rows, encoded.n_numeric, encoded.n_codes);
    let mut number = |row: usize, offset: usize, value: f32| {
        encoded.numeric[row * n_numeric + place.numeric.start + offset] = value;
    };
    let mut code = |row: usize, offset: usize, value: i32| {
        encoded.codes[row * n_codes + place.codes.start + offset] = value;
    };
    match coding {
        Coding::Number {
            fill,
            scale,
            values,
            missing,
        } => {
            let shared = number_codes(values);
            for row in 0..rows {
                let cell = column.number(row);
                let known = if cell.is_nan() { *fill } else { cell };
                number(row, 0, scale.apply(known));
                if let Some(shared) = &shared {
                    code(row, 0, shared(cell));
                }
                if *missing {
                    code(row, place.codes.len() - 1, i32::from(cell.is_nan()));
                }
            }
        }
        Coding::Date {
            fill,
            scale,
            missing,
            time,
            ..
        } => {
            for row in 0..rows {
                let cell = column.number(row);
                let known = if cell.is_nan() { *fill } else { cell };
                number(row, 0, scale.apply(known));
                // A missing date has no place on a circle: its middle.
                let cycles = coding.numbers(cell).into_iter().enumerate().skip(1);
                for (offset, value) in cycles {
                    number(row, offset, if value.is_nan() { 0.0 } else { value as f32 });
                }
                let codes = dates::codes(cell).into_iter().take(2 + usize::from(*time));
                for (offset, value) in codes.enumerate() {
                    code(row, offset, value);
                }
                if *missing {
                    code(row, place.codes.len() - 1, i32::from(cell.is_nan()));
                }
            }
        }
        Coding::Words { words, .. } => {
            let codes = word_codes(column, words);
            for row in 0..rows {
                code(row, 0, codes(row));
            }
        }
        Coding::Truth {} => {
            for row in 0..rows {
                let cell = column.number(row);
                let value = if cell.is_nan() {
                    MISSING
                } else if cell > 0.5 {
                    2
                } else {
                    1
                };
                code(row, 0, value);
            }
        }
    }
}

/// The code of a number, where numbers have codes.
fn number_codes(values: &[f64]) -> Option<impl Fn(f64) -> i32> {
    let codes = values.iter().enumerate();
    let codes: HashMap<u64, i32> = codes
        .map(|(at, &value)| (bits(value), code_of(at + FIRST)))
        .collect();
    let code = move |number: f64| {
        if number.is_nan() {
            MISSING
        } else {
            codes.get(&bits(number)).copied().unwrap_or(OTHER)
        }
    };
    (!values.is_empty()).then_some(code)
}

fn unseen_of(
    column: &Column,
    known: &[String],
    rare: &[u32],
    table: &Table,
) -> Option<UnseenCategories> {
    let words = column.words()?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let is_new =
        |word: &str| !known.contains(word) && rare.binary_search(&word_hash(word)).is_err();
    let new: Vec<bool> = words.levels().iter().map(is_new).collect();
    let mut rows = (0..words.len()).filter(|&row| {
        let code = words.codes()[row] as usize;
        new.get(code).copied().unwrap_or(false)
    });
    let first = rows.next()?;
    Some(UnseenCategories {
        column: column.name().to_owned(),
        cells: 1 + rows.count(),
        example: words.get(first).unwrap_or_default().to_owned(),
        line: table.line(first),
    })
}

/// The code of each row, by the table's own codes for its words.
fn word_codes<'a>(column: &'a Column, known: &[String]) -> impl Fn(usize) -> i32 + 'a {
    let words = column.words();
    let codes: Vec<i32> = words.map_or_else(Vec::new, |words| {
        let position = |word: &str| known.iter().position(|known| known == word);
        let code = |word| position(word).map_or(OTHER, |at| code_of(at + FIRST));
        words.levels().iter().map(code).collect()
    });
    move |row| match words {
        Some(words) if words.get(row).is_some() => codes[words.codes()[row] as usize],
        _ => MISSING,
    }
}

/// A code, of which there are never as many.
fn code_of(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(missing_columns: bool) -> Features {
        Features {
            numeric: NumericScale::Standard,
            rare_below: 2,
            shared_from: 0,
            missing_columns,
            target: super::super::recipe::TargetScale::Standard,
        }
    }

    fn table() -> Table {
        let words = [
            Some("b"),
            Some("a"),
            Some("a"),
            Some("c"),
            None,
            Some("b"),
            Some("a"),
        ];
        let numbers = vec![1.0, 3.0, f64::NAN, 5.0, 3.0, 3.0, 1000.0];
        let columns = vec![
            Column::numeric("size", numbers),
            Column::categorical("word", words),
            Column::boolean("new", vec![1.0, 0.0, f64::NAN, 1.0, 1.0, 0.0, 0.0]),
        ];
        Table::new("test", columns).unwrap()
    }

    fn fit(table: &Table, rows: &[usize], missing: bool) -> Encoder {
        let names = ["size", "word", "new"].map(str::to_owned);
        Encoder::fit(table, &names, rows, &features(missing)).unwrap()
    }

    #[test]
    fn only_the_training_rows_are_measured() {
        let table = table();
        let encoder = fit(&table, &[0, 1, 2, 3, 4, 5], true);
        let encoded = encoder.encode(&table).unwrap();
        assert_eq!((encoded.n_numeric, encoded.n_codes), (1, 3));
        // Mean 3 and deviation sqrt(8 / 5); the missing one is the median, 3.
        let expected = [-1.581_139, 0.0, 0.0, 1.581_139, 0.0, 0.0];
        for (found, expected) in encoded.numeric.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        // `a` and `b` have two training rows each, `c` one.
        let codes: Vec<i32> = encoded.codes.chunks(3).map(|codes| codes[1]).collect();
        assert_eq!(codes, [3, 2, 2, 1, 0, 3, 2]);
        let missing: Vec<i32> = encoded.codes.chunks(3).map(|codes| codes[0]).collect();
        assert_eq!(missing, [0, 0, 1, 0, 0, 0, 0]);
        let truth: Vec<i32> = encoded.codes.chunks(3).map(|codes| codes[2]).collect();
        assert_eq!(truth, [2, 1, 0, 2, 2, 1, 1]);
        assert_eq!(encoder.cardinalities(), [2, 4, 3]);
    }

    #[test]
    fn numbers_that_rows_share_have_codes() {
        let table = table();
        let shared = Features {
            shared_from: 3,
            ..features(true)
        };
        let names = ["size".to_owned()];
        let rows: Vec<usize> = (0..7).collect();
        let encoder = Encoder::fit(&table, &names, &rows, &shared).unwrap();
        assert_eq!(encoder.cardinalities(), [3, 2]);
        let encoded = encoder.encode(&table).unwrap();
        // Three rows have a 3.
        let codes: Vec<i32> = encoded.codes.chunks(2).map(|codes| codes[0]).collect();
        assert_eq!(codes, [1, 2, 0, 1, 2, 2, 1]);
        let text = serde_json::to_string(&encoder).unwrap();
        assert_eq!(serde_json::from_str::<Encoder>(&text).unwrap(), encoder);
    }

    #[test]
    fn a_stored_encoder_encodes_the_same_and_knows_no_new_word() {
        let table = table();
        let encoder = fit(&table, &[0, 1, 2, 3, 4, 5], false);
        let text = serde_json::to_string(&encoder).unwrap();
        let stored: Encoder = serde_json::from_str(&text).unwrap();
        assert_eq!(
            stored.encode(&table).unwrap(),
            encoder.encode(&table).unwrap()
        );
        let columns = vec![
            Column::categorical("word", [Some("z"), Some("b")]),
            Column::boolean("new", vec![0.0, 1.0]),
            Column::numeric("size", vec![3.0, 3.0]),
        ];
        let other = Table::new("other", columns).unwrap();
        let encoded = stored.encode(&other).unwrap();
        assert_eq!(encoded.codes, [1, 1, 3, 2]);
    }

    #[test]
    fn categories_that_no_training_row_has_are_counted() {
        let table = table();
        // `a` is frequent and `c` is rare; `b` is in no training row.
        let encoder = fit(&table, &[1, 2, 3, 4], false);
        let text = serde_json::to_string(&encoder).unwrap();
        let encoder: Encoder = serde_json::from_str(&text).unwrap();
        let unseen = encoder.unseen_categories(&table).unwrap();
        let expected = UnseenCategories {
            column: "word".to_owned(),
            cells: 2,
            example: "b".to_owned(),
            line: 1,
        };
        assert_eq!(unseen, [expected]);
        let rows = [1, 2, 3, 4];
        assert!(
            encoder
                .unseen_categories(&table.take(&rows))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn dates_are_told_by_season_weekday_and_if_there_is_one_time_of_day() {
        let noon = 19_782.5;
        let columns =
            |times: Vec<f64>| Table::new("test", vec![Column::date("at", times)]).unwrap();
        let days = columns(vec![19_782.0, 19_783.0, f64::NAN]);
        let times = columns(vec![noon, 19_783.0, f64::NAN]);
        let names = ["at".to_owned()];
        let fit = |table: &Table| Encoder::fit(table, &names, &[0, 1, 2], &features(true)).unwrap();
        assert_eq!(fit(&days).cardinalities(), [13, 8, 2]);
        assert_eq!(fit(&days).n_numeric(), 3);
        let encoder = fit(&times);
        assert_eq!(encoder.cardinalities(), [13, 8, 25, 2]);
        let encoded = encoder.encode(&times).unwrap();
        assert_eq!(encoded.n_numeric, 5);
        assert_eq!(encoded.row_codes(0), [2, 4, 13, 0]);
        assert_eq!(encoded.row_codes(1), [3, 5, 1, 0]);
        assert_eq!(encoded.row_codes(2), [0, 0, 0, 1]);
        // Noon is opposite to midnight.
        assert!((encoded.numbers(0)[4] + 1.0).abs() < 1e-6);
        assert!((encoded.numbers(1)[4] - 1.0).abs() < 1e-6);
        assert_eq!(encoded.numbers(2)[1..], [0.0; 4]);
        let plain = encoder.plain(&times).unwrap();
        assert_eq!(plain[0].to_bits(), noon.to_bits());
        assert!(plain[10..].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn an_encoder_stored_without_parts_of_dates_is_read() {
        let text = r#"[{"name":"at","coding":{"kind":"date","fill":0.0,
            "scale":{"kind":"standard","mean":0.0,"deviation":1.0},"missing":false}}]"#;
        let encoder: Encoder = serde_json::from_str(text).unwrap();
        assert_eq!(
            (encoder.n_numeric(), encoder.cardinalities()),
            (1, vec![13, 8])
        );
    }

    #[test]
    fn rows_are_taken_and_replaced_column_by_column() {
        let table = table();
        let encoder = fit(&table, &[0, 1, 2, 3, 4, 5], false);
        let all = encoder.encode(&table).unwrap();
        let mut some = all.take(&[6, 1]);
        assert_eq!(some.row_codes(0), all.row_codes(6));
        let place = &encoder.places()[1];
        some.put(1, &all, 0, place);
        assert_eq!(some.row_codes(1), [3, 1]);
        assert_eq!(some.numbers(1), all.numbers(1));
    }

    #[test]
    fn codes_that_no_row_has_are_named() {
        let table = table();
        let names = ["word", "new"].map(str::to_owned);
        let rows = [0, 1, 2, 5, 6];
        let encoder = Encoder::fit(&table, &names, &rows, &features(false)).unwrap();
        let encoded = encoder.encode(&table).unwrap();
        let unseen = encoded.take(&rows).unseen(&encoder.cardinalities());
        // Neither a missing nor a rare word; a missing `new` is in row 2.
        assert_eq!(unseen, [[0, 0], [0, 1]]);
        assert_eq!(encoded.unseen(&encoder.cardinalities()), [[0_usize; 2]; 0]);
    }
}
