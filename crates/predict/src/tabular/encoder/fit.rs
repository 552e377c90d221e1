//! Fits the encoding of each column on the training rows.

use std::collections::HashMap;

use tinderbox_datasets::content_hash;
use tinderbox_datasets::table::{Column, Kind};

use super::{Coding, dates};
use crate::tabular::features::{Features, NumericScaling};
use crate::tabular::scale::Scale;

pub(super) fn fit_column(column: &Column, rows: &[usize], features: &Features) -> Coding {
    match column.kind() {
        Kind::Boolean => {
            let cells = || rows.iter().map(|&row| column.number(row));
            let yes = cells().filter(|&cell| cell > 0.5).count();
            let no = cells().filter(|&cell| cell <= 0.5).count();
            Coding::Boolean { usually: yes > no }
        }
        Kind::Numeric => {
            let (fill, scale, missing) = fit_numbers(column, rows, features);
            Coding::Number {
                fill,
                scale,
                values: shared_numbers(column, rows, features.numeric_code_min_count),
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
            let (categories, rare) = frequent_categories(column, rows, features.min_frequency);
            Coding::Categories { categories, rare }
        }
    }
}

fn fit_numbers(column: &Column, rows: &[usize], features: &Features) -> (f64, Scale, bool) {
    let mut known: Vec<f64> = rows
        .iter()
        .map(|&row| column.number(row))
        .filter(|number| !number.is_nan())
        .collect();
    let missing = features.missing_indicators && known.len() < rows.len();
    known.sort_unstable_by(f64::total_cmp);
    let fill = known.get(known.len() / 2).copied().unwrap_or(0.0);
    let scale = match features.numeric_scaling {
        NumericScaling::Standard => Scale::standard(&known),
        NumericScaling::Quantile => Scale::quantile(&known),
    };
    (fill, scale, missing)
}

/// The categories that enough rows have, the most frequent first, and hashes of the others.
fn frequent_categories(
    column: &Column,
    rows: &[usize],
    min_frequency: usize,
) -> (Vec<String>, Vec<u32>) {
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
    let (mut kept, rare): (Vec<_>, Vec<_>) = seen.partition(|(count, _)| *count >= min_frequency);
    kept.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    let mut rare: Vec<u32> = rare.into_iter().map(|(_, word)| word_hash(word)).collect();
    rare.sort_unstable();
    let kept = kept.into_iter().map(|(_, word)| word.to_owned());
    (kept.collect(), rare)
}

pub(super) fn word_hash(word: &str) -> u32 {
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
pub(super) fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}
