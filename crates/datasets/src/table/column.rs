//! One column of a table: numbers or words, held in little memory.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::date;
use super::schema::{ColumnSchema, Kind};

/// Numbers with holes, in the narrowest type that holds every one of them exactly.
#[derive(Debug, Clone)]
pub struct Numbers(Store);

#[derive(Debug, Clone)]
enum Store {
    /// Whole numbers in `0..=254`; 255 is missing.
    Small(Vec<u8>),
    Single(Vec<f32>),
    Double(Vec<f64>),
}

const HOLE: u8 = u8::MAX;

impl Numbers {
    /// Holds `values`, of which NaN is missing.
    pub fn new(values: Vec<f64>) -> Self {
        let small =
            |x: f64| x.is_nan() || (x == f64::from(x as u8) && x < 255.0 && !negative_zero(x));
        let single = |x: f64| x.is_nan() || f64::from(x as f32) == x;
        if values.iter().all(|&x| small(x)) {
            let byte = |&x: &f64| if x.is_nan() { HOLE } else { x as u8 };
            Self(Store::Small(values.iter().map(byte).collect()))
        } else if values.iter().all(|&x| single(x)) {
            Self(Store::Single(values.iter().map(|&x| x as f32).collect()))
        } else {
            Self(Store::Double(values))
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.0 {
            Store::Small(values) => values.len(),
            Store::Single(values) => values.len(),
            Store::Double(values) => values.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number in `row`, NaN if it is missing.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> f64 {
        match &self.0 {
            Store::Small(values) if values[row] == HOLE => f64::NAN,
            Store::Small(values) => f64::from(values[row]),
            Store::Single(values) => f64::from(values[row]),
            Store::Double(values) => values[row],
        }
    }

    /// All numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The rows `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Self {
        Self(match &self.0 {
            Store::Small(values) => Store::Small(rows.iter().map(|&row| values[row]).collect()),
            Store::Single(values) => Store::Single(rows.iter().map(|&row| values[row]).collect()),
            Store::Double(values) => Store::Double(rows.iter().map(|&row| values[row]).collect()),
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Store::Small(values) => values.len(),
            Store::Single(values) => 4 * values.len(),
            Store::Double(values) => 8 * values.len(),
        }
    }
}

fn negative_zero(x: f64) -> bool {
    x == 0.0 && x.is_sign_negative()
}

/// Equal where the numbers are equal and missing where they are missing.
impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (f64, f64)| a == b || (a.is_nan() && b.is_nan());
        self.len() == other.len() && self.iter().zip(other.iter()).all(same)
    }
}

/// Distinct words end to end, numbered from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    text: String,
    ends: Vec<u32>,
}

impl Levels {
    /// Number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The word with number `code`.
    ///
    /// # Panics
    ///
    /// If there is no such word.
    pub fn get(&self, code: u32) -> &str {
        let at = code as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start as usize..self.ends[at] as usize]
    }

    /// All words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        (0..self.len() as u32).map(|code| self.get(code))
    }

    /// The number of `word`.
    pub fn position(&self, word: &str) -> Option<u32> {
        self.iter()
            .position(|level| level == word)
            .map(|at| at as u32)
    }

    /// Adds a word; `None` once there are 4 GiB of text.
    fn push(&mut self, word: &str) -> Option<u32> {
        let end = u32::try_from(self.text.len() + word.len()).ok()?;
        self.text.push_str(word);
        self.ends.push(end);
        Some(self.len() as u32 - 1)
    }
}

/// A word in every row, each distinct word held once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    codes: Vec<u32>,
    levels: Levels,
}

impl Words {
    /// The code of a missing word.
    pub const MISSING: u32 = u32::MAX;

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// A position in [`levels`](Self::levels) or [`MISSING`](Self::MISSING) for every row.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The distinct words. Those of a [`Kind::Categorical`] column as it was read are in
    /// alphabetical order, others in the order of their first row.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The word in `row`, `None` if it is missing.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn get(&self, row: usize) -> Option<&str> {
        let code = self.codes[row];
        (code != Self::MISSING).then(|| self.levels.get(code))
    }

    /// The rows `rows`, in that order. All levels are kept, so that codes stay comparable.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Self {
        Self {
            codes: rows.iter().map(|&row| self.codes[row]).collect(),
            levels: self.levels.clone(),
        }
    }

    /// In how many rows each level stands.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.levels.len()];
        for &code in self.codes.iter().filter(|&&code| code != Self::MISSING) {
            counts[code as usize] += 1;
        }
        counts
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * self.codes.len() + self.levels.text.len() + 4 * self.levels.len()
    }

    /// Numbers the levels in alphabetical order.
    pub(crate) fn sort(&mut self) {
        let mut order: Vec<u32> = (0..self.levels.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.levels.get(a).cmp(self.levels.get(b)));
        let (mut sorted, mut place) = (Levels::default(), vec![0; order.len()]);
        for old in order {
            if let Some(new) = sorted.push(self.levels.get(old)) {
                place[old as usize] = new;
            }
        }
        self.levels = sorted;
        for code in self.codes.iter_mut().filter(|code| **code != Self::MISSING) {
            *code = place[*code as usize];
        }
    }
}

impl<'a> FromIterator<Option<&'a str>> for Words {
    /// # Panics
    ///
    /// If the distinct words are longer than 4 GiB in all.
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(words: I) -> Self {
        let mut builder = WordsBuilder::default();
        for word in words {
            assert!(
                builder.push(word).is_some(),
                "more than 4 GiB of words in one column"
            );
        }
        builder.finish()
    }
}

/// Gathers words and finds each of them again.
#[derive(Debug, Default)]
pub(crate) struct WordsBuilder {
    codes: Vec<u32>,
    levels: Levels,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    last: Option<u32>,
}

impl WordsBuilder {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            codes: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// Adds a row; `None` once there are 4 GiB of distinct text.
    pub(crate) fn push(&mut self, word: Option<&str>) -> Option<()> {
        let code = match word {
            None => Words::MISSING,
            Some(word) => self.code(word)?,
        };
        self.codes.push(code);
        Some(())
    }

    fn code(&mut self, word: &str) -> Option<u32> {
        if let Some(last) = self.last
            && self.levels.get(last) == word
        {
            return Some(last);
        }
        let Self {
            levels,
            table,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(word);
        let code = if let Some(&code) = table.find(hash, |&code| levels.get(code) == word) {
            code
        } else {
            let code = levels.push(word)?;
            table.insert_unique(hash, code, |&code| hasher.hash_one(levels.get(code)));
            code
        };
        self.last = Some(code);
        Some(code)
    }

    pub(crate) fn finish(self) -> Words {
        let Self {
            codes, mut levels, ..
        } = self;
        levels.text.shrink_to_fit();
        levels.ends.shrink_to_fit();
        Words { codes, levels }
    }
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Numbers, booleans as 0 and 1, dates as days since 1970-01-01 with the time of day as their
    /// fraction, and identifiers that are whole numbers.
    Numbers(Numbers),
    /// Everything else.
    Words(Words),
}

/// A column of a [`Table`](super::Table).
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub(crate) schema: ColumnSchema,
    pub(crate) cells: Cells,
}

impl Column {
    /// A column of numbers, of which NaN is missing.
    pub fn numeric(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self {
            schema: ColumnSchema::new(name, Kind::Numeric),
            cells: Cells::Numbers(Numbers::new(values)),
        }
    }

    /// A column of zeros and ones, of which NaN is missing.
    ///
    /// # Panics
    ///
    /// If there is another number.
    pub fn boolean(name: impl Into<String>, values: Vec<f64>) -> Self {
        let good = |&x: &f64| x.is_nan() || x == 0.0 || x == 1.0;
        assert!(values.iter().all(good), "booleans are 0 or 1");
        Self {
            schema: ColumnSchema::new(name, Kind::Boolean),
            cells: Cells::Numbers(Numbers::new(values)),
        }
    }

    /// A column of dates, as days since 1970-01-01 with the time of day as their fraction; NaN is
    /// missing.
    pub fn date(name: impl Into<String>, days: Vec<f64>) -> Self {
        Self {
            schema: ColumnSchema::new(name, Kind::Date),
            cells: Cells::Numbers(Numbers::new(days)),
        }
    }

    /// A column of whole numbers that name the rows.
    pub fn identifier(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self {
            schema: ColumnSchema::new(name, Kind::Identifier),
            cells: Cells::Numbers(Numbers::new(values)),
        }
    }

    /// The cells of both, if they are of one kind; written as in the first.
    pub(crate) fn append(&self, more: &Self) -> Option<Self> {
        if self.kind() != more.kind() {
            return None;
        }
        let cells = match (&self.cells, &more.cells) {
            (Cells::Numbers(first), Cells::Numbers(second)) => {
                Cells::Numbers(Numbers::new(first.iter().chain(second.iter()).collect()))
            }
            (Cells::Words(first), Cells::Words(second)) => {
                let of = |words: &'_ Words| 0..words.len();
                let first = of(first).map(|row| first.get(row));
                let mut all: Words = first.chain(of(second).map(|row| second.get(row))).collect();
                all.sort();
                Cells::Words(all)
            }
            _ => return None,
        };
        Some(Self {
            schema: self.schema.clone(),
            cells,
        })
    }

    /// A column of words, of which `None` is missing; the levels are in alphabetical order.
    pub fn categorical<'a>(
        name: impl Into<String>,
        words: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Self {
        let mut words: Words = words.into_iter().collect();
        words.sort();
        Self {
            schema: ColumnSchema::new(name, Kind::Categorical),
            cells: Cells::Words(words),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.schema.name
    }

    /// What its cells are.
    pub fn kind(&self) -> Kind {
        self.schema.kind
    }

    /// Its name, its kind and how its cells are written.
    pub fn schema(&self) -> &ColumnSchema {
        &self.schema
    }

    /// Its cells.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.len(),
            Cells::Words(words) => words.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers, if it holds numbers.
    pub fn numbers(&self) -> Option<&Numbers> {
        match &self.cells {
            Cells::Numbers(numbers) => Some(numbers),
            Cells::Words(_) => None,
        }
    }

    /// The words, if it holds words.
    pub fn words(&self) -> Option<&Words> {
        match &self.cells {
            Cells::Words(words) => Some(words),
            Cells::Numbers(_) => None,
        }
    }

    /// The number in `row`; NaN if it is missing or a word.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline]
    pub fn number(&self, row: usize) -> f64 {
        self.numbers().map_or(f64::NAN, |numbers| numbers.get(row))
    }

    /// Whether the cell in `row` is missing.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.get(row).is_nan(),
            Cells::Words(words) => words.codes[row] == Words::MISSING,
        }
    }

    /// Number of missing cells.
    pub fn missing(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.iter().filter(|x| x.is_nan()).count(),
            Cells::Words(words) => {
                let missing = words.codes.iter().filter(|&&code| code == Words::MISSING);
                missing.count()
            }
        }
    }

    /// The cell in `row` as text; empty if it is missing. Numbers are written plainly, dates as ISO
    /// 8601, booleans in the words of the file.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn text(&self, row: usize) -> Cow<'_, str> {
        match &self.cells {
            Cells::Words(words) => Cow::Borrowed(words.get(row).unwrap_or_default()),
            Cells::Numbers(numbers) => self.number_text(numbers.get(row)),
        }
    }

    /// A number of this column as [`text`](Self::text) writes it.
    pub fn number_text(&self, number: f64) -> Cow<'_, str> {
        match (self.schema.kind, &self.schema.words) {
            _ if number.is_nan() => Cow::Borrowed(""),
            (Kind::Date, _) => Cow::Owned(date::format(number)),
            (Kind::Boolean, Some(words)) if number == 0.0 => Cow::Borrowed(&words.falsity),
            (Kind::Boolean, Some(words)) if number == 1.0 => Cow::Borrowed(&words.truth),
            _ => Cow::Owned(number.to_string()),
        }
    }

    /// The rows `rows`, in that order.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Self {
        Self {
            schema: self.schema.clone(),
            cells: match &self.cells {
                Cells::Numbers(numbers) => Cells::Numbers(numbers.take(rows)),
                Cells::Words(words) => Cells::Words(words.take(rows)),
            },
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.bytes(),
            Cells::Words(words) => words.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_exactly_from_the_narrowest_store() {
        let cases: [(&[f64], usize); 5] = [
            (&[0.0, 254.0, f64::NAN], 1),
            (&[255.0, f64::NAN], 4),
            (&[-1.0, 0.5, 16_777_216.0], 4),
            (&[16_777_217.0], 8),
            (&[0.1, f64::NAN], 8),
        ];
        for (values, bytes) in cases {
            let numbers = Numbers::new(values.to_vec());
            assert_eq!(numbers.bytes(), bytes * values.len(), "{values:?}");
            for (row, value) in values.iter().enumerate() {
                let back = numbers.get(row);
                assert!(
                    back == *value || (back.is_nan() && value.is_nan()),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn equal_numbers_are_equal_in_any_store() {
        let wide = Numbers::new(vec![0.1, 3.0, f64::NAN]).take(&[1, 2]);
        assert_eq!(wide, Numbers::new(vec![3.0, f64::NAN]));
        assert_ne!(wide, Numbers::new(vec![3.0, 3.0]));
    }

    #[test]
    fn each_word_is_held_once() {
        let words: Words = [Some("b"), None, Some("a"), Some("b"), Some("")]
            .into_iter()
            .collect();
        assert_eq!(words.codes(), [0, Words::MISSING, 1, 0, 2]);
        assert_eq!(words.levels().iter().collect::<Vec<_>>(), ["b", "a", ""]);
        assert_eq!(words.counts(), [2, 1, 1]);
        assert_eq!(words.get(1), None);
        assert_eq!(words.levels().position("a"), Some(1));
    }

    #[test]
    fn sorting_keeps_every_row() {
        let column = Column::categorical("c", [Some("b"), None, Some("a"), Some("b")]);
        let words = column.words().unwrap();
        assert_eq!(words.codes(), [1, Words::MISSING, 0, 1]);
        let rows: Vec<_> = (0..4).map(|row| column.text(row)).collect();
        assert_eq!(rows, ["b", "", "a", "b"]);
    }

    #[test]
    fn many_words_are_all_found_again() {
        let all: Vec<String> = (0..5000).map(|word| format!("w{}", word % 1237)).collect();
        let words: Words = all.iter().map(|word| Some(word.as_str())).collect();
        assert_eq!(words.levels().len(), 1237);
        assert!(
            all.iter()
                .enumerate()
                .all(|(row, word)| words.get(row) == Some(word))
        );
    }
}
