//! What is in a table, and what a model would stumble over.

mod finding;
mod formula;
mod leaks;

use std::collections::HashMap;

use serde::Serialize;

use super::column::{Cells, Column, Words};
use super::error::shorten;
use super::infer::words_per_cell;
use super::number::{NumberStyle, Styled, find_style, percent_mix};
use super::schema::Kind;
use super::{Table, TableError};
use crate::parallel::parallel_map;
use crate::random::mix;

pub use finding::{Finding, Measure};

/// Words listed of each column.
const TOP: usize = 5;

/// Levels above which a categorical column is hard to learn from: always, or with few rows to each.
const MANY_LEVELS: [usize; 2] = [1000, 100];

/// Rows to a level that are few.
const FEW_ROWS: usize = 20;

/// Share of missing cells above which a column says little.
const MOSTLY_MISSING: f64 = 0.5;

/// Rows that leaks are looked for in before a training.
const LEAK_ROWS: usize = 20_000;

/// How many times the rarest class the largest one may have.
const IMBALANCE: usize = 20;

/// Rows below which a class is hard to learn.
const RARE_CLASS: usize = 20;

/// Rare classes that are named.
const NAMED_CLASSES: usize = 5;

/// Distinct whole numbers up to which a numeric target is taken as classes.
const MOST_CLASSES: usize = 20;

/// Rows to each of them, on average, from which that is so if there are more than two.
const ROWS_OF_CLASS: usize = 5;

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The table.
    pub name: String,
    /// Number of rows.
    pub rows: usize,
    /// Each column.
    pub columns: Vec<ColumnInspection>,
    /// The target, if one was named.
    pub target: Option<TargetInspection>,
    /// What should be looked at, the target first, then by column.
    pub findings: Vec<Finding>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnInspection {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// Number of missing cells.
    pub missing: usize,
    /// Share of missing cells, in `[0, 1]`.
    pub missing_share: f64,
    /// Number of different cells, without the missing ones.
    pub distinct: usize,
    /// Its values in short.
    pub summary: Summary,
}

/// The values of a column in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Summary {
    /// Nothing: all cells are missing.
    Nothing,
    /// Numbers.
    Numbers {
        /// The smallest.
        min: f64,
        /// The middle one, or the mean of the two in the middle.
        median: f64,
        /// The largest.
        max: f64,
    },
    /// Dates, as ISO 8601.
    Dates {
        /// The first.
        first: String,
        /// The middle one.
        median: String,
        /// The last.
        last: String,
    },
    /// Words or booleans: the most frequent and in how many rows each stands.
    Words {
        /// Most frequent first; of equals the alphabetically first.
        top: Vec<(String, usize)>,
    },
}

/// What there is to predict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum TargetInspection {
    /// Classes and how many rows each has, the largest first.
    Classes {
        /// The target.
        column: String,
        /// Each class with its rows.
        counts: Vec<(String, usize)>,
    },
    /// Numbers.
    Numbers {
        /// The target.
        column: String,
        /// Minimum, 5 %, 25 %, 50 %, 75 %, 95 %, maximum.
        quantiles: [f64; 7],
    },
}

/// Looks at every column of `table`, and at what each tells of the target.
///
/// A column from which the target can be read off nearly without error is named as a possible leak:
/// something that is known only once the target is. The limits are an AUROC of 0.99 for two classes,
/// a Cramér's V of 0.95 for more or for words, a rank correlation of 0.98 for numbers, and 0.98 of
/// the variance for words against numbers. Whether a cell is missing counts as a column as well.
///
/// Whether the target is classes or a number decides [`looks_like_classes`].
///
/// # Errors
///
/// If there is no column called `target`.
pub fn inspect(table: &Table, target: Option<&str>) -> Result<Inspection, TableError> {
    let target = target.map(|name| table.position(name)).transpose()?;
    let sorted = parallel_map(table.columns(), Sorted::new);
    let columns = parallel_map(table.columns().iter().zip(&sorted), |(column, sorted)| {
        sorted.inspect(column)
    });
    let mut findings = Vec::new();
    let shown = target.map(|at| show_target(table, at, &sorted[at], &columns[at], &mut findings));
    findings.extend(duplicate_rows(table, target));
    for (at, column) in table.columns().iter().enumerate() {
        findings.extend(column_findings(column, &columns[at]).filter(|_| target != Some(at)));
    }
    findings.extend(duplicate_columns(table, &columns));
    if let Some(at) = target {
        let all: Vec<&Column> = table.columns().iter().collect();
        let classes = looks_like_classes(all[at]);
        findings.extend(leaks::find(&all, at, &sorted, classes));
        let others: Vec<&Column> = [&all[..at], &all[at + 1..]].concat();
        findings.extend(formula::find(&others, all[at]));
    }
    Ok(Inspection {
        name: table.name().to_owned(),
        rows: table.rows(),
        columns,
        target: shown,
        findings,
    })
}

/// The columns among `columns`, alone or together, from which `target` can be read off nearly without
/// error, by the same limits as [`inspect`]. Of a large table, rows spread over it are looked at.
///
/// # Errors
///
/// If there is no such column.
pub fn find_leaks(
    table: &Table,
    target: &str,
    columns: &[String],
) -> Result<Vec<Finding>, TableError> {
    let every = table.rows().div_ceil(LEAK_ROWS).max(1);
    let rows: Vec<usize> = (0..table.rows()).step_by(every).collect();
    let names = std::iter::once(target).chain(columns.iter().map(String::as_str));
    let taken = names.map(|name| Ok(table.column(name)?.take(&rows)));
    let taken: Vec<Column> = taken.collect::<Result<_, TableError>>()?;
    let all: Vec<&Column> = taken.iter().collect();
    let sorted = parallel_map(&all, |column| Sorted::new(column));
    let classes = looks_like_classes(all[0]);
    let mut findings = leaks::find(&all, 0, &sorted, classes);
    findings.extend(formula::find(&all[1..], all[0]));
    Ok(findings)
}

/// A column with what most questions need: its numbers, and their rows in ascending order.
pub(crate) struct Sorted {
    /// Numbers of all rows; empty for words.
    values: Vec<f64>,
    /// Rows that have a number, by their numbers.
    order: Vec<u32>,
}

impl Sorted {
    fn new(column: &Column) -> Self {
        let values: Vec<f64> = column
            .numbers()
            .map(|numbers| numbers.iter().collect())
            .unwrap_or_default();
        let mut order: Vec<u32> = (0..values.len() as u32)
            .filter(|&row| !values[row as usize].is_nan())
            .collect();
        order.sort_unstable_by(|&a, &b| {
            values[a as usize]
                .total_cmp(&values[b as usize])
                .then(a.cmp(&b))
        });
        Self { values, order }
    }

    fn at(&self, place: usize) -> f64 {
        self.values[self.order[place] as usize]
    }

    /// The number below which the share `share` lies, between the two nearest.
    fn quantile(&self, share: f64) -> f64 {
        let place = share * (self.order.len() - 1) as f64;
        let (low, high) = (
            self.at(place.floor() as usize),
            self.at(place.ceil() as usize),
        );
        low * (1.0 - place.fract()) + high * place.fract()
    }

    fn distinct(&self) -> usize {
        let same = |a: &u32, b: &u32| self.values[*a as usize] == self.values[*b as usize];
        self.order.chunk_by(same).count()
    }

    fn inspect(&self, column: &Column) -> ColumnInspection {
        let missing = column.missing();
        let (distinct, summary) = match column.cells() {
            Cells::Words(words) => word_summary(words),
            Cells::Numbers(_) if self.order.is_empty() => (0, Summary::Nothing),
            Cells::Numbers(_) => (self.distinct(), self.summary(column)),
        };
        ColumnInspection {
            name: column.name().to_owned(),
            kind: column.kind(),
            missing,
            missing_share: missing as f64 / column.len().max(1) as f64,
            distinct,
            summary,
        }
    }

    fn summary(&self, column: &Column) -> Summary {
        let (min, median, max) = (self.quantile(0.0), self.quantile(0.5), self.quantile(1.0));
        let text = |number| column.number_text(number).into_owned();
        match column.kind() {
            Kind::Date => Summary::Dates {
                first: text(min),
                median: text(median),
                last: text(max),
            },
            Kind::Boolean => Summary::Words {
                top: top(self.counts(column)),
            },
            _ => Summary::Numbers { min, median, max },
        }
    }

    /// Each number as text with how often it is there.
    fn counts(&self, column: &Column) -> Vec<(String, usize)> {
        let same = |a: &u32, b: &u32| self.values[*a as usize] == self.values[*b as usize];
        let groups = self.order.chunk_by(same);
        let text = |row: u32| column.number_text(self.values[row as usize]).into_owned();
        groups.map(|rows| (text(rows[0]), rows.len())).collect()
    }
}

fn word_summary(words: &Words) -> (usize, Summary) {
    let counts = words.counts();
    // After rows were taken some levels stand in none.
    let used = counts.iter().filter(|&&count| count > 0).count();
    if used == 0 {
        return (0, Summary::Nothing);
    }
    (
        used,
        Summary::Words {
            top: top(named_counts(words)),
        },
    )
}

fn named_counts(words: &Words) -> Vec<(String, usize)> {
    let levels = words.levels().iter().map(str::to_owned);
    levels
        .zip(words.counts())
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn by_count(counts: &mut [(String, usize)]) {
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

fn top(mut counts: Vec<(String, usize)>) -> Vec<(String, usize)> {
    by_count(&mut counts);
    counts.truncate(TOP);
    for (word, _) in &mut counts {
        *word = shorten(word);
    }
    counts
}

/// Whether a target is taken as classes rather than as a number: words, booleans, and up to 20
/// different whole numbers with five rows or more to each on average.
///
/// ```
/// use tinderbox_datasets::table::{Column, looks_like_classes};
///
/// let stars = Column::numeric("stars", [1.0, 2.0, 3.0].repeat(10));
/// assert!(looks_like_classes(&stars));
/// let price = Column::numeric("price", vec![12.5, 3.0, 7.25]);
/// assert!(!looks_like_classes(&price));
/// ```
pub fn looks_like_classes(column: &Column) -> bool {
    let Some(numbers) = column.numbers() else {
        return true;
    };
    if column.kind() != Kind::Numeric {
        return column.kind() == Kind::Boolean;
    }
    let mut seen: Vec<f64> = Vec::new();
    let present = || numbers.iter().filter(|x| !x.is_nan());
    for number in present() {
        if number.fract() != 0.0 {
            return false;
        }
        if !seen.contains(&number) {
            seen.push(number);
            if seen.len() > MOST_CLASSES {
                return false;
            }
        }
    }
    seen.len() <= 2 || present().count() >= ROWS_OF_CLASS * seen.len()
}

fn show_target(
    table: &Table,
    at: usize,
    sorted: &Sorted,
    inspected: &ColumnInspection,
    findings: &mut Vec<Finding>,
) -> TargetInspection {
    let target = &table.columns()[at];
    let column = target.name().to_owned();
    if inspected.missing > 0 {
        findings.push(Finding::TargetMissing {
            column: column.clone(),
            rows: inspected.missing,
        });
    }
    if inspected.distinct < 2 {
        findings.push(Finding::TargetConstant {
            column: column.clone(),
        });
    }
    if !looks_like_classes(target) && !sorted.order.is_empty() {
        let quantiles = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(|share| sorted.quantile(share));
        return TargetInspection::Numbers { column, quantiles };
    }
    let mut counts = match target.cells() {
        Cells::Words(words) => named_counts(words),
        Cells::Numbers(_) => sorted.counts(target),
    };
    by_count(&mut counts);
    findings.extend(rare_classes(&counts));
    if let (Some((_, most)), Some((class, rows))) = (counts.first(), counts.last())
        && *most >= IMBALANCE * rows
    {
        findings.push(Finding::Imbalance {
            class: class.clone(),
            rows: *rows,
            of: counts.iter().map(|(_, rows)| rows).sum(),
        });
    }
    TargetInspection::Classes { column, counts }
}

/// The classes with few rows: each of a few, else their number with examples.
fn rare_classes(counts: &[(String, usize)]) -> Vec<Finding> {
    let rare = counts.iter().filter(|(_, rows)| *rows < RARE_CLASS);
    let rare: Vec<&(String, usize)> = rare.collect();
    if rare.len() > NAMED_CLASSES {
        let examples = rare.iter().take(NAMED_CLASSES);
        return vec![Finding::RareClasses {
            classes: rare.len(),
            fewer_than: RARE_CLASS,
            examples: examples.map(|(class, _)| class.clone()).collect(),
        }];
    }
    let finding = |(class, rows): &(String, usize)| Finding::RareClass {
        class: class.clone(),
        rows: *rows,
    };
    rare.into_iter().map(finding).collect()
}

fn column_findings(
    column: &Column,
    inspected: &ColumnInspection,
) -> impl Iterator<Item = Finding> + use<> {
    let name = || column.name().to_owned();
    let shape = match inspected.distinct {
        0 => Some(Finding::Empty { column: name() }),
        1 => first_present(column).map(|value| Finding::Constant {
            column: name(),
            value,
        }),
        _ => None,
    };
    let missing = (inspected.missing_share > MOSTLY_MISSING && inspected.distinct > 0).then(|| {
        Finding::MostlyMissing {
            column: name(),
            share: inspected.missing_share,
        }
    });
    let present = column.len() - inspected.missing;
    let kind = match column.kind() {
        Kind::Identifier => Some(Finding::Identifier { column: name() }),
        Kind::Text => Some(Finding::Text { column: name() }),
        Kind::Categorical if has_many_levels(inspected.distinct, present) => {
            Some(Finding::ManyLevels {
                column: name(),
                levels: inspected.distinct,
                rows: present / inspected.distinct,
            })
        }
        _ => None,
    };
    let numbers = column.words().and_then(numbers_as_words);
    let numbers = numbers.map(|example| Finding::NumbersAsWords {
        column: name(),
        example,
    });
    [shape, missing, kind, numbers].into_iter().flatten()
}

fn has_many_levels(levels: usize, rows: usize) -> bool {
    let [always, with_few_rows] = MANY_LEVELS;
    levels > always || (levels > with_few_rows && rows < FEW_ROWS * levels)
}

fn first_present(column: &Column) -> Option<String> {
    (0..column.len())
        .find(|&row| !column.is_missing(row))
        .map(|row| column.text(row).into_owned())
}

/// A word of a column whose words are all numbers but written in a way that was not read as such.
fn numbers_as_words(words: &Words) -> Option<String> {
    let first = words.levels().iter().next()?;
    if !first.bytes().any(|byte| byte.is_ascii_digit()) || words_per_cell(words.levels()) > 2.0 {
        return None;
    }
    match find_style(words.levels(), None)? {
        Styled::Sure(style) if style == NumberStyle::default() => None,
        // They stay words, and a note of the reader names the reason.
        Styled::Sure(style) if percent_mix(words, &style).is_some() => None,
        _ => Some(first.to_owned()),
    }
}

/// Rows that repeat an earlier one, identifiers aside; with a target, rows with the same features, as a
/// training counts them.
fn duplicate_rows(table: &Table, target: Option<usize>) -> Option<Finding> {
    let compared = |(at, column): &(usize, &Column)| match target {
        Some(target) => *at != target && !matches!(column.kind(), Kind::Identifier | Kind::Text),
        None => column.kind() != Kind::Identifier,
    };
    let columns = table.columns().iter().enumerate().filter(compared);
    let columns: Vec<&Column> = columns.map(|(_, column)| column).collect();
    let mut hashes = vec![0_u64; if columns.is_empty() { 0 } else { table.rows() }];
    for column in &columns {
        for (row, hash) in hashes.iter_mut().enumerate() {
            *hash = mix(*hash ^ mix(cell_bits(column, row)));
        }
    }
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.sort_unstable_by_key(|&row| (hashes[row as usize], row));
    let equal = |a: u32, b: u32| {
        let same =
            |column: &&Column| cell_bits(column, a as usize) == cell_bits(column, b as usize);
        hashes[a as usize] == hashes[b as usize] && columns.iter().all(same)
    };
    let rows = order
        .windows(2)
        .filter(|pair| equal(pair[0], pair[1]))
        .count();
    let of = table.rows();
    (rows > 0).then_some(Finding::DuplicateRows { rows, of })
}

/// Equal for equal cells of one column.
fn cell_bits(column: &Column, row: usize) -> u64 {
    match column.cells() {
        Cells::Numbers(numbers) => number_bits(numbers.get(row)),
        Cells::Words(words) => u64::from(words.codes()[row]),
    }
}

fn number_bits(number: f64) -> u64 {
    // One for every NaN, one for both zeros.
    if number.is_nan() {
        u64::MAX
    } else {
        (number + 0.0).to_bits()
    }
}

/// Columns that hold the same cells as an earlier one; those with a single value are named as such.
fn duplicate_columns(table: &Table, inspected: &[ColumnInspection]) -> Vec<Finding> {
    let mut first_of: HashMap<u64, Vec<&Column>> = HashMap::new();
    let hashes = parallel_map(table.columns(), column_hash);
    let mut found = Vec::new();
    let varied = table
        .columns()
        .iter()
        .zip(hashes)
        .zip(inspected)
        .filter(|(_, inspected)| inspected.distinct > 1);
    for ((column, hash), _) in varied {
        let earlier = first_of.entry(hash).or_default();
        match earlier.iter().find(|other| same_cells(other, column)) {
            Some(of) => found.push(Finding::DuplicateColumn {
                column: column.name().to_owned(),
                of: of.name().to_owned(),
            }),
            None => earlier.push(column),
        }
    }
    found
}

fn column_hash(column: &Column) -> u64 {
    let fold = |hash: u64, bits: u64| mix(hash ^ mix(bits));
    match column.cells() {
        Cells::Numbers(numbers) => numbers.iter().map(number_bits).fold(0, fold),
        Cells::Words(words) => words
            .codes()
            .iter()
            .map(|&code| u64::from(code))
            .fold(1, fold),
    }
}

fn same_cells(a: &Column, b: &Column) -> bool {
    match (a.cells(), b.cells()) {
        (Cells::Numbers(a), Cells::Numbers(b)) => a == b,
        (Cells::Words(a), Cells::Words(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
