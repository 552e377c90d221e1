//! Numbers on one scale, as `tinderbox_predict::tabular::Scale`.

use tinderbox_predict::tabular::Scale;

use crate::graph::{Element, Graph, Value, size};

/// Largest standardized number.
const LIMIT: f64 = 1e6;

/// Distance of the outermost numbers from the ends of the distribution, as a share.
const MARGIN: f64 = 1e-7;

/// Scales columns `[batch, n]` in double precision; all scales are of one kind.
pub(super) fn apply(graph: &mut Graph, cells: &Value, scales: &[&Scale]) -> Value {
    let row = [1, scales.len()];
    let quantiles = scales.iter().filter_map(|scale| match scale {
        Scale::Quantile { quantiles } => Some(quantiles.as_slice()),
        Scale::Standard { .. } => None,
    });
    let quantiles: Vec<&[f64]> = quantiles.collect();
    if !quantiles.is_empty() {
        let share = shares_below(graph, cells, &quantiles);
        return normal_quantiles(graph, &share);
    }
    let parameters = scales.iter().filter_map(|scale| match scale {
        Scale::Standard { mean, deviation } => Some((*mean, *deviation)),
        Scale::Quantile { .. } => None,
    });
    let (means, deviations): (Vec<f64>, Vec<f64>) = parameters.unzip();
    let (means, deviations) = (
        graph.doubles(&row, &means),
        graph.doubles(&row, &deviations),
    );
    let x = graph.sub(cells, &means);
    let x = graph.div(&x, &deviations);
    clamp(graph, &x, -LIMIT, LIMIT)
}

fn clamp(graph: &mut Graph, x: &Value, low: f64, high: f64) -> Value {
    let (low, high) = (graph.doubles(&[], &[low]), graph.doubles(&[], &[high]));
    let x = graph.op("Max", &[x, &low]);
    graph.op("Min", &[&x, &high])
}

/// Tables of the quantiles of all columns, one column after the other, each filled up to a power of two less one
/// with infinity.
struct Tables {
    /// `[n * length]`
    values: Value,
    /// Position before the first of each column, `[1, n]`.
    starts: Value,
    length: usize,
}

/// The share of each column below a number, within the margins.
fn shares_below(graph: &mut Graph, cells: &Value, quantiles: &[&[f64]]) -> Value {
    let columns = quantiles.len();
    let longest = quantiles
        .iter()
        .map(|column| column.len())
        .max()
        .unwrap_or(0);
    let length = (longest + 1).next_power_of_two() - 1;
    let padded = quantiles.iter().flat_map(|column| {
        let rest = std::iter::repeat_n(f64::INFINITY, length - column.len());
        column.iter().copied().chain(rest)
    });
    let padded: Vec<f64> = padded.collect();
    let starts: Vec<i64> = (0..columns).map(|at| size(at * length)).collect();
    let tables = Tables {
        values: graph.doubles(&[padded.len()], &padded),
        starts: graph.integers(&[1, columns], &starts),
        length,
    };
    let last: Vec<f64> = quantiles
        .iter()
        .map(|column| (column.len() - 1) as f64)
        .collect();
    let last = graph.doubles(&[1, columns], &last);
    let [zero, one] = [0, 1].map(|value| graph.integers(&[1, 1], &[value]));
    let above = count(graph, cells, &tables, "LessOrEqual");
    let equal = count(graph, cells, &tables, "Less");

    // Between two quantiles.
    let before = graph.sub(&above, &one);
    let before = graph.op("Max", &[&before, &zero]);
    let low = look_up(graph, &tables, &before);
    let high = look_up(graph, &tables, &above);
    let (over, width) = (graph.sub(cells, &low), graph.sub(&high, &low));
    let part = graph.div(&over, &width);
    let before = graph.cast(&before, Element::Double);
    let mut steps = graph.add(&before, &part);

    // Below the first and above the last.
    let count = graph.cast(&above, Element::Double);
    let nothing = graph.doubles(&[1, 1], &[0.0]);
    let is_below = graph.op("Equal", &[&above, &zero]);
    steps = graph.choose(&is_below, &nothing, &steps);
    let is_above = graph.op("Greater", &[&count, &last]);
    steps = graph.choose(&is_above, &last, &steps);

    // Among equal ones the middle.
    let equal_count = graph.cast(&equal, Element::Double);
    let middle = graph.add(&equal_count, &count);
    let ones = graph.doubles(&[1, 1], &[1.0]);
    let middle = graph.sub(&middle, &ones);
    let half = graph.doubles(&[1, 1], &[0.5]);
    let middle = graph.mul(&middle, &half);
    let is_equal = graph.op("Greater", &[&above, &equal]);
    steps = graph.choose(&is_equal, &middle, &steps);

    let share = graph.div(&steps, &last);
    clamp(graph, &share, MARGIN, 1.0 - MARGIN)
}

/// The number of quantiles that are below a number (`Less`) or not above it (`LessOrEqual`): a binary search,
/// unrolled.
fn count(graph: &mut Graph, cells: &Value, tables: &Tables, compare: &str) -> Value {
    let mut found = graph.integers(&[1, 1], &[0]);
    let mut step = tables.length.div_ceil(2);
    while step > 0 {
        let more = graph.integers(&[1, 1], &[size(step)]);
        let next = graph.add(&found, &more);
        let one = graph.integers(&[1, 1], &[1]);
        let at = graph.sub(&next, &one);
        let quantile = look_up(graph, tables, &at);
        let is_below = graph.op(compare, &[&quantile, cells]);
        found = graph.choose(&is_below, &next, &found);
        step /= 2;
    }
    found
}

/// The quantile at a position of each column.
fn look_up(graph: &mut Graph, tables: &Tables, at: &Value) -> Value {
    let limit = graph.integers(&[1, 1], &[size(tables.length) - 1]);
    let at = graph.op("Min", &[at, &limit]);
    let at = graph.add(&at, &tables.starts);
    graph.gather(&tables.values, &at, 0)
}

/// Algorithm AS 241 of Wichura, 1988, in its single-precision variant, as in
/// `tinderbox_predict::tabular::Scale`.
fn normal_quantiles(graph: &mut Graph, share: &Value) -> Value {
    let number = |graph: &mut Graph, value: f64| graph.doubles(&[1, 1], &[value]);
    let half = number(graph, 0.5);
    let center = graph.sub(share, &half);
    let squared = graph.mul(&center, &center);
    let radius = number(graph, 0.180_625);
    let r = graph.sub(&radius, &squared);
    let central = fraction(
        graph,
        &r,
        &[
            59.109_374_72,
            159.291_132_02,
            50.434_271_938,
            3.387_132_717_9,
        ],
        &[67.187_563_6, 78.757_757_664, 17.895_169_469, 1.0],
    );
    let central = graph.mul(&center, &central);

    let one = number(graph, 1.0);
    let rest = graph.sub(&one, share);
    let tail = graph.op("Min", &[share, &rest]);
    let r = graph.op("Log", &[&tail]);
    let r = graph.op("Neg", &[&r]);
    let r = graph.op("Sqrt", &[&r]);
    let near_start = number(graph, 1.6);
    let near_r = graph.sub(&r, &near_start);
    let near = fraction(
        graph,
        &near_r,
        &[
            0.170_238_211_03,
            1.306_728_481_6,
            2.756_815_39,
            1.423_437_277_7,
        ],
        &[0.120_211_329_75, 0.737_001_642_5, 1.0],
    );
    // The margins keep numbers from the far tail, which begins at a share of 1e-11.
    let zero = number(graph, 0.0);
    let is_low = graph.op("Less", &[&center, &zero]);
    let negative = graph.op("Neg", &[&near]);
    let outer = graph.choose(&is_low, &negative, &near);

    let distance = graph.op("Abs", &[&center]);
    let limit = number(graph, 0.425);
    let is_central = graph.op("LessOrEqual", &[&distance, &limit]);
    graph.choose(&is_central, &central, &outer)
}

/// One polynomial over another, with the coefficients of the highest powers first.
fn fraction(graph: &mut Graph, x: &Value, over: &[f64], under: &[f64]) -> Value {
    let (over, under) = (polynomial(graph, x, over), polynomial(graph, x, under));
    graph.div(&over, &under)
}

fn polynomial(graph: &mut Graph, x: &Value, coefficients: &[f64]) -> Value {
    let mut coefficients = coefficients.iter();
    let first = coefficients.next().copied().unwrap_or_default();
    let mut sum = graph.doubles(&[1, 1], &[first]);
    for &coefficient in coefficients {
        let product = graph.mul(&sum, x);
        let coefficient = graph.doubles(&[1, 1], &[coefficient]);
        sum = graph.add(&product, &coefficient);
    }
    sum
}
