//! Encodes the cells of a column.

use std::collections::{HashMap, HashSet};

use tinderbox_datasets::table::{Column, Table};

use super::fit::{bits, word_hash};
use super::{Coding, FIRST, MISSING, OTHER, UnseenCategories, dates};
use crate::tabular::encoded::{Encoded, EncodedColumn};

pub(super) fn encode_column(
    column: &Column,
    coding: &Coding,
    position: &EncodedColumn,
    encoded: &mut Encoded,
) {
    let (rows, n_numeric, n_codes) = (encoded.rows, encoded.n_numeric, encoded.n_codes);
    let mut number = |row: usize, offset: usize, value: f32| {
        encoded.numeric[row * n_numeric + position.numeric.start + offset] = value;
    };
    let mut code = |row: usize, offset: usize, value: i32| {
        encoded.codes[row * n_codes + position.codes.start + offset] = value;
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
                    code(row, position.codes.len() - 1, i32::from(cell.is_nan()));
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
                // A missing date is the middle of the circle.
                let cycles = coding.numbers(cell).into_iter().enumerate().skip(1);
                for (offset, value) in cycles {
                    number(row, offset, if value.is_nan() { 0.0 } else { value as f32 });
                }
                let codes = dates::codes(cell).into_iter().take(2 + usize::from(*time));
                for (offset, value) in codes.enumerate() {
                    code(row, offset, value);
                }
                if *missing {
                    code(row, position.codes.len() - 1, i32::from(cell.is_nan()));
                }
            }
        }
        Coding::Categories { categories, .. } => {
            let codes = category_codes(column, categories);
            for row in 0..rows {
                code(row, 0, codes(row));
            }
        }
        Coding::Boolean { .. } => {
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

pub(super) fn unseen_of(
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

/// The code of each row, from the table's own codes of its categories.
fn category_codes<'a>(column: &'a Column, known: &[String]) -> impl Fn(usize) -> i32 + 'a {
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

/// A code; there are never more than fit.
fn code_of(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}
