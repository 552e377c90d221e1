//! Parts of a date, as `tinderbox_predict::tabular::Encoder` computes them: month, day of the week and hour as
//! codes, day of the year and time of day as sine and cosine.

use std::f64::consts::TAU;

use super::encoder::or_missing;
use crate::graph::{Element, Graph, Value};

const DAY_MS: i64 = 86_400_000;

/// Days of a year on average.
const YEAR: f64 = 365.2425;

/// The parts of a date, `[batch, 1]` or `[batch, 2]` each.
pub(super) struct DateParts {
    /// Sine and cosine of the day of the year, then of the time of day.
    pub(super) numbers: Vec<Value>,
    /// Month and day of the week, then the hour.
    pub(super) codes: Vec<Value>,
}

/// Whole numbers `[batch, 1]` in double precision: tract takes 64-bit integers for sizes, which it cannot compare.
struct Whole<'g>(&'g mut Graph);

impl Whole<'_> {
    fn number(&mut self, value: f64) -> Value {
        self.0.doubles(&[1, 1], &[value])
    }

    fn add(&mut self, a: &Value, b: i64) -> Value {
        let b = self.number(b as f64);
        self.0.add(a, &b)
    }

    fn times(&mut self, a: &Value, b: i64) -> Value {
        let b = self.number(b as f64);
        self.0.mul(a, &b)
    }

    /// The quotient, rounded down.
    fn over(&mut self, a: &Value, b: i64) -> Value {
        // Half a unit more, so that a product with the inverse, which is not exact, is not rounded to the number below.
        let half = self.number(0.5);
        let a = self.0.add(a, &half);
        let inverse = self.number((b as f64).recip());
        let quotient = self.0.mul(&a, &inverse);
        self.0.op("Floor", &[&quotient])
    }

    /// The rest of the division, never below zero.
    fn rest(&mut self, a: &Value, b: i64) -> Value {
        let whole = self.over(a, b);
        let whole = self.times(&whole, b);
        self.0.sub(a, &whole)
    }

    fn is(&mut self, a: &Value, b: i64) -> Value {
        let b = self.number(b as f64);
        self.0.op("Equal", &[a, &b])
    }
}

/// The parts of a column of dates, in days since 1970-01-01.
pub(super) fn parts(graph: &mut Graph, column: &Value, season: bool, time: bool) -> DateParts {
    let is_missing = graph.is_nan(column);
    let zero = graph.doubles(&[1, 1], &[0.0]);
    let known = graph.choose(&is_missing, &zero, column);
    let day_ms = graph.doubles(&[1, 1], &[DAY_MS as f64]);
    let half = graph.doubles(&[1, 1], &[0.5]);
    let moment = graph.mul(&known, &day_ms);
    let moment = graph.add(&moment, &half);
    let moment = graph.op("Floor", &[&moment]);

    let mut whole = Whole(graph);
    let day = whole.over(&moment, DAY_MS);
    let milliseconds = whole.rest(&moment, DAY_MS);
    // 1970-01-01 was a Thursday.
    let weekday = whole.add(&day, 3);
    let weekday = whole.rest(&weekday, 7);
    let weekday = whole.add(&weekday, 1);
    let (month, day_of_year) = month_and_day(&mut whole, &day);
    let mut codes = vec![month, weekday];
    let mut numbers = Vec::new();
    if time {
        let hour = whole.over(&milliseconds, 3_600_000);
        codes.push(whole.add(&hour, 1));
    }
    let codes = codes.iter().map(|code| {
        let code = graph.cast(code, Element::Int64);
        or_missing(graph, column, &code)
    });
    let codes = codes.collect();
    if season {
        numbers.extend(cycle(graph, column, &day_of_year, YEAR));
    }
    if time {
        numbers.extend(cycle(graph, column, &milliseconds, DAY_MS as f64));
    }
    DateParts { numbers, codes }
}

/// Month, from 1, and day of the year, from 0: the algorithm of Hinnant, 2013, as in
/// `tinderbox_predict::tabular`.
fn month_and_day(whole: &mut Whole<'_>, days: &Value) -> (Value, Value) {
    let day_of_era = whole.add(days, 719_468);
    let day_of_era = whole.rest(&day_of_era, 146_097);
    let mut year = day_of_era.clone();
    for (length, sign) in [(1_460, -1), (36_524, 1), (146_096, -1)] {
        let part = whole.over(&day_of_era, length);
        let part = whole.times(&part, sign);
        year = whole.0.add(&year, &part);
    }
    let year = whole.over(&year, 365);
    let mut before = whole.times(&year, 365);
    for (years, sign) in [(4, 1), (100, -1)] {
        let part = whole.over(&year, years);
        let part = whole.times(&part, sign);
        before = whole.0.add(&before, &part);
    }
    let from_march = whole.0.sub(&day_of_era, &before);
    let month = whole.times(&from_march, 5);
    let month = whole.add(&month, 2);
    let month = whole.over(&month, 153);

    let [by_4, by_100] = [4, 100].map(|years| {
        let rest = whole.rest(&year, years);
        whole.is(&rest, 0)
    });
    let is_first = whole.is(&year, 0);
    let not_by_100 = whole.0.op("Not", &[&by_100]);
    let leap = whole.0.op("Or", &[&not_by_100, &is_first]);
    let leap = whole.0.op("And", &[&by_4, &leap]);
    let leap = whole.0.cast(&leap, Element::Double);
    let first_months = whole.add(&from_march, -306);
    let other_months = whole.add(&from_march, 59);
    let other_months = whole.0.add(&other_months, &leap);
    let ten = whole.number(10.0);
    let is_first = whole.0.op("GreaterOrEqual", &[&month, &ten]);
    let day_of_year = whole.0.choose(&is_first, &first_months, &other_months);

    let month = whole.add(&month, 2);
    let month = whole.rest(&month, 12);
    (whole.add(&month, 1), day_of_year)
}

/// Sine and cosine of a part of a period; a missing date is the middle of the circle.
fn cycle(graph: &mut Graph, column: &Value, part: &Value, period: f64) -> [Value; 2] {
    let period = graph.doubles(&[1, 1], &[period]);
    let share = graph.div(part, &period);
    let turn = graph.doubles(&[1, 1], &[TAU]);
    let angle = graph.mul(&share, &turn);
    // In single precision, which every runtime has these functions for.
    let angle = graph.cast(&angle, Element::Float);
    let is_missing = graph.is_nan(column);
    let zero = graph.floats(&[1, 1], &[0.0]);
    ["Sin", "Cos"].map(|function| {
        let value = graph.op(function, &[&angle]);
        graph.choose(&is_missing, &zero, &value)
    })
}
