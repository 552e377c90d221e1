//! What is measured over time: a value for each item and date.

use std::ops::Range;

use time::Date;

use super::plan::Unit;
use super::series::{Measures, Photo};

/// How the photos of one date make one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Daily {
    /// The most that one photo shows: no object is counted twice.
    #[default]
    Max,
    /// The mean of the photos, of one view.
    Mean,
    /// The sum over the photos, of views that do not overlap.
    Sum,
}

impl Daily {
    fn of(self, values: &[f64]) -> f64 {
        let sum: f64 = values.iter().sum();
        match self {
            Self::Max => values.iter().copied().fold(0.0, f64::max),
            Self::Mean => sum / values.len().max(1) as f64,
            Self::Sum => sum,
        }
    }
}

/// A value at a date.
#[expect(clippy::struct_field_names, reason = "the value itself")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) date: Date,
    /// None if it could not be measured.
    pub(super) value: Option<f64>,
    /// Whether the true value may be larger.
    pub(super) is_bound: bool,
}

/// What is measured over time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) values: Vec<Value>,
}

/// The dates of photos in their order, each with the photos of it.
pub(super) fn dates(photos: &[Photo]) -> Vec<(Date, Range<usize>)> {
    let mut dates: Vec<(Date, Range<usize>)> = Vec::new();
    for (at, photo) in photos.iter().enumerate() {
        match dates.last_mut() {
            Some((date, range)) if *date == photo.time.date() => range.end = at + 1,
            _ => dates.push((photo.time.date(), at..at + 1)),
        }
    }
    dates
}

/// The classes of a model over time.
pub(super) fn class_items(photos: &[Photo], measures: Measures<'_>, daily: Daily) -> Vec<Item> {
    let dates = dates(photos);
    let item = |class: usize| {
        let value = |(date, range): &(Date, Range<usize>)| {
            let values = photos[range.clone()].iter().map(|photo| photo.value(class));
            Value {
                date: *date,
                value: Some(daily.of(&values.collect::<Vec<_>>())),
                is_bound: false,
            }
        };
        Item {
            name: measures.labels[class].clone(),
            unit: measures.unit,
            values: dates.iter().map(value).collect(),
        }
    };
    (measures.first..measures.labels.len()).map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_of_one_day_are_one_value() {
        let values = [2.0, 5.0, 2.0];
        for (daily, wanted) in [(Daily::Max, 5.0), (Daily::Mean, 3.0), (Daily::Sum, 9.0)] {
            assert!((daily.of(&values) - wanted).abs() < 1e-9);
        }
    }
}
