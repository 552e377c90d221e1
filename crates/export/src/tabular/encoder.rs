//! Columns of a table as inputs of the graph, and their encoding.

use tinderbox_predict::tabular::{Coding, Encoder, Scale};

use super::{dates, scale};
use crate::graph::{Axis, Element, Graph, Value, int, ints_signed, size, words};

/// Codes before those of categories, as in `tinderbox_predict::tabular::Encoder`.
const MISSING: i64 = 0;
const OTHER: i64 = 1;
const FIRST: i64 = 2;

/// Encoded rows.
pub(super) struct Rows {
    /// `[batch, n_numeric]`
    pub(super) numeric: Option<Value>,
    /// `[batch, n_codes]`
    pub(super) codes: Option<Value>,
}

/// Parts of encoded rows, `[batch, width]` each, with their positions in a row.
#[derive(Default)]
struct Parts {
    values: Vec<Value>,
    positions: Vec<usize>,
}

impl Parts {
    fn add(&mut self, value: Value, positions: impl IntoIterator<Item = usize>) {
        self.values.push(value);
        self.positions.extend(positions);
    }

    /// The parts in the order of their positions.
    fn join(self, graph: &mut Graph) -> Option<Value> {
        if self.values.is_empty() {
            return None;
        }
        let joined = graph.concat(&self.values, 1);
        if self.positions.is_sorted() {
            return Some(joined);
        }
        let mut order = vec![0; self.positions.len()];
        for (at, &position) in self.positions.iter().enumerate() {
            order[position] = size(at);
        }
        let order = graph.list(&order);
        Some(graph.gather(&joined, &order, 1))
    }
}

/// Columns that are scaled alike.
#[derive(Default)]
struct Scaled<'e> {
    inputs: Vec<Value>,
    fills: Vec<f64>,
    scales: Vec<&'e Scale>,
    positions: Vec<usize>,
}

/// Adds an input for each column, and its encoding.
pub(super) fn encode(graph: &mut Graph, encoder: &Encoder) -> Rows {
    let mut scaled: [Scaled<'_>; 2] = Default::default();
    let (mut numeric, mut codes) = (Parts::default(), Parts::default());
    let mut indicators = Parts::default();
    let columns = encoder.features().iter().zip(encoder.columns());
    for (feature, position) in columns {
        let column = input(graph, &feature.name, &feature.coding);
        let (first_code, last_code) = (position.codes.start, position.codes.end);
        if let Coding::Number { fill, scale, .. } | Coding::Date { fill, scale, .. } =
            &feature.coding
        {
            let group = &mut scaled[usize::from(matches!(scale, Scale::Quantile { .. }))];
            group.inputs.push(column.clone());
            group.fills.push(*fill);
            group.scales.push(scale);
            group.positions.push(position.numeric.start);
        }
        match &feature.coding {
            Coding::Number {
                values, missing, ..
            } => {
                if !values.is_empty() {
                    codes.add(number_code(graph, &column, values), [first_code]);
                }
                if *missing {
                    indicators.add(column, [last_code - 1]);
                }
            }
            Coding::Date {
                missing,
                season,
                time,
                ..
            } => {
                let parts = dates::parts(graph, &column, *season, *time);
                for (offset, value) in parts.numbers.into_iter().enumerate() {
                    numeric.add(value, [position.numeric.start + 1 + offset]);
                }
                for (offset, value) in parts.codes.into_iter().enumerate() {
                    codes.add(value, [first_code + offset]);
                }
                if *missing {
                    indicators.add(column, [last_code - 1]);
                }
            }
            Coding::Categories { categories, .. } => {
                codes.add(category_code(graph, &column, categories), [first_code]);
            }
            Coding::Boolean { .. } => codes.add(boolean_code(graph, &column), [first_code]),
        }
    }
    for group in scaled {
        if !group.inputs.is_empty() {
            let positions = group.positions.clone();
            numeric.add(scale_all(graph, &group), positions);
        }
    }
    if !indicators.values.is_empty() {
        let cells = graph.concat(&indicators.values, 1);
        let missing = graph.is_nan(&cells);
        codes.add(graph.cast(&missing, Element::Int64), indicators.positions);
    }
    Rows {
        numeric: numeric.join(graph),
        codes: codes.join(graph),
    }
}

fn input(graph: &mut Graph, name: &str, coding: &Coding) -> Value {
    let (element, doc) = match coding {
        Coding::Number { .. } => (Element::Double, "number; NaN where it is missing"),
        Coding::Date { .. } => (
            Element::Double,
            "days since 1970-01-01, with the time of day as a fraction; NaN where it is missing",
        ),
        Coding::Categories { .. } => (
            Element::Text,
            "text without surrounding spaces; empty where it is missing",
        ),
        Coding::Boolean { .. } => (
            Element::Double,
            "1 for yes, 0 for no; NaN where it is missing",
        ),
    };
    let axes = [Axis::Any("batch"), Axis::Size(1)];
    graph.input(name, element, &axes, doc)
}

fn scale_all(graph: &mut Graph, group: &Scaled<'_>) -> Value {
    let cells = graph.concat(&group.inputs, 1);
    let missing = graph.is_nan(&cells);
    let fills = graph.doubles(&[1, group.fills.len()], &group.fills);
    let cells = graph.choose(&missing, &fills, &cells);
    let scaled = scale::apply(graph, &cells, &group.scales);
    graph.cast(&scaled, Element::Float)
}

/// The code of a number that has one.
fn number_code(graph: &mut Graph, column: &Value, values: &[f64]) -> Value {
    let known = graph.doubles(&[1, values.len()], values);
    let is_equal = graph.op("Equal", &[column, &known]);
    let is_equal = graph.cast(&is_equal, Element::Int64);
    let codes: Vec<i64> = (0..size(values.len()))
        .map(|at| at + FIRST - OTHER)
        .collect();
    let codes = graph.integers(&[1, codes.len()], &codes);
    let code = graph.mul(&is_equal, &codes);
    let code = graph.sum(&code, 1, true);
    let other = graph.integers(&[1, 1], &[OTHER]);
    let code = graph.add(&code, &other);
    or_missing(graph, column, &code)
}

fn boolean_code(graph: &mut Graph, column: &Value) -> Value {
    let half = graph.doubles(&[1, 1], &[0.5]);
    let is_yes = graph.op("Greater", &[column, &half]);
    let is_yes = graph.cast(&is_yes, Element::Int64);
    let no = graph.integers(&[1, 1], &[1]);
    let code = graph.add(&is_yes, &no);
    or_missing(graph, column, &code)
}

/// A code where a cell is not missing.
pub(super) fn or_missing(graph: &mut Graph, column: &Value, code: &Value) -> Value {
    let is_missing = graph.is_nan(column);
    let missing = graph.integers(&[1, 1], &[MISSING]);
    graph.choose(&is_missing, &missing, code)
}

fn category_code(graph: &mut Graph, column: &Value, categories: &[String]) -> Value {
    let known = std::iter::once("").chain(categories.iter().map(String::as_str));
    let codes = std::iter::once(MISSING).chain((0..size(categories.len())).map(|at| at + FIRST));
    let attributes = vec![
        words("cats_strings", known),
        ints_signed("cats_int64s", codes),
        int("default_int64", OTHER),
    ];
    graph.ml_op("CategoryMapper", &[column], attributes)
}
