//! The features of a row: embedded numeric columns and categories.

use tinderbox_models::tabular::{CategoricalEmbedding, NumericEmbedding};
use tinderbox_predict::tabular::Spec;

use super::encoder::Rows;
use crate::error::ExportError;
use crate::graph::{Value, size};
use crate::net::Net;

/// The features of rows, `[batch, d_output]`, numeric columns first.
pub(super) fn features(net: &mut Net<'_>, spec: &Spec, rows: &Rows) -> Result<Value, ExportError> {
    let mut parts = Vec::new();
    if let Some(x) = &rows.numeric {
        let embedding = &spec.features.numeric_embedding;
        parts.push(if *embedding == NumericEmbedding::None {
            x.clone()
        } else {
            let x = numeric(net, embedding, "features.numeric", x)?;
            flatten(net, &x)
        });
    }
    if let Some(codes) = &rows.codes {
        parts.push(match spec.features.categorical_embedding {
            CategoricalEmbedding::OneHot => one_hot(net, codes, &spec.sizes.cardinalities),
            CategoricalEmbedding::Learned { .. } => {
                let name = "features.categorical.Learned.weight";
                let x = learned(net, codes, name, &spec.sizes.cardinalities)?;
                flatten(net, &x)
            }
        });
    }
    Ok(net.graph.concat(&parts, 1))
}

/// `[batch, columns, d]` as `[batch, columns * d]`
fn flatten(net: &mut Net<'_>, x: &Value) -> Value {
    net.graph.reshape(x, &[0, -1])
}

/// Embedded numeric columns, `[batch, n_numeric, width]`.
pub(super) fn numeric(
    net: &mut Net<'_>,
    embedding: &NumericEmbedding,
    layer: &str,
    x: &Value,
) -> Result<Value, ExportError> {
    let x = net.graph.transpose(x, &[1, 0]);
    // `[n_numeric, batch, 1]`
    let x = net.graph.unsqueeze(&x, 2);
    let x = match embedding {
        NumericEmbedding::None => x,
        NumericEmbedding::Linear => per_column(net, &format!("{layer}.Linear"), &x)?,
        NumericEmbedding::LinearRelu => {
            let x = per_column(net, &format!("{layer}.LinearRelu"), &x)?;
            net.relu(&x)
        }
        NumericEmbedding::Encoding { .. } => bins(net, &format!("{layer}.Encoding"), &x)?,
        NumericEmbedding::PiecewiseLinear { rectify, .. } => {
            let layer = format!("{layer}.PiecewiseLinear");
            let encoded = bins(net, &format!("{layer}.bins"), &x)?;
            let weight = net.weight(&format!("{layer}.weight"))?;
            let mut encoded = net.graph.matmul(&encoded, &weight);
            if *rectify {
                encoded = net.relu(&encoded);
            }
            let linear = per_column(net, &format!("{layer}.linear"), &x)?;
            net.graph.add(&encoded, &linear)
        }
        NumericEmbedding::Periodic { .. } => periodic(net, &format!("{layer}.Periodic"), &x)?,
    };
    Ok(net.graph.transpose(&x, &[1, 0, 2]))
}

/// A vector for each column between the axes of columns and features.
fn vectors(net: &mut Net<'_>, name: &str) -> Result<Value, ExportError> {
    let weight = net.weight(name)?;
    Ok(net.graph.unsqueeze(&weight, 1))
}

fn per_column(net: &mut Net<'_>, layer: &str, x: &Value) -> Result<Value, ExportError> {
    let weight = vectors(net, &format!("{layer}.weight"))?;
    let bias = vectors(net, &format!("{layer}.bias"))?;
    let x = net.graph.mul(x, &weight);
    Ok(net.graph.add(&x, &bias))
}

/// The piecewise-linear encoding: every bin from 0 to 1, except the outermost, which are open.
fn bins(net: &mut Net<'_>, layer: &str, x: &Value) -> Result<Value, ExportError> {
    let name = format!("{layer}.slope");
    let &[columns, n_bins] = net.shape(&name)? else {
        let reason = format!("`{name}` must have two axes");
        return Err(ExportError::Mismatch(reason));
    };
    let slopes = net.values(&name)?;
    let mut lows = vec![0.0; columns * n_bins];
    let mut highs = vec![1.0; columns * n_bins];
    for (column, slopes) in slopes.chunks_exact(n_bins).enumerate() {
        let (first, last) = (column * n_bins, (column + 1) * n_bins - 1);
        lows[first] = f32::MIN;
        highs[last] = f32::MAX;
        // A column with one bin has it at the end.
        if n_bins == 1 || slopes[0] == 0.0 {
            lows[last] = f32::MIN;
        }
    }
    let left = vectors(net, &format!("{layer}.left"))?;
    let slope = vectors(net, &name)?;
    let x = net.graph.sub(x, &left);
    let x = net.graph.mul(&x, &slope);
    let shape = [columns, 1, n_bins];
    let (lows, highs) = (
        net.graph.floats(&shape, &lows),
        net.graph.floats(&shape, &highs),
    );
    let x = net.graph.op("Max", &[&x, &lows]);
    Ok(net.graph.op("Min", &[&x, &highs]))
}

fn periodic(net: &mut Net<'_>, layer: &str, x: &Value) -> Result<Value, ExportError> {
    let frequency = vectors(net, &format!("{layer}.frequency"))?;
    let turn = net.graph.scalar(std::f32::consts::TAU);
    let frequency = net.graph.mul(&frequency, &turn);
    let angle = net.graph.mul(x, &frequency);
    let waves = ["Cos", "Sin"].map(|function| net.graph.op(function, &[&angle]));
    let x = net.graph.concat(&waves, 2);
    let weight = net.weight(&format!("{layer}.weight"))?;
    let x = net.graph.matmul(&x, &weight);
    let bias = vectors(net, &format!("{layer}.bias"))?;
    let x = net.graph.add(&x, &bias);
    Ok(net.relu(&x))
}

/// Codes `[batch, columns]` as `[batch, sum of cardinalities]`.
fn one_hot(net: &mut Net<'_>, codes: &Value, cardinalities: &[usize]) -> Value {
    let columns = cardinalities.iter().enumerate();
    let places = columns.flat_map(|(column, &count)| (0..count).map(move |code| (column, code)));
    let (columns, values): (Vec<i64>, Vec<i64>) = places
        .map(|(column, code)| (size(column), size(code)))
        .unzip();
    let columns = net.graph.list(&columns);
    let codes = net.graph.gather(codes, &columns, 1);
    let values = net.graph.integers(&[1, values.len()], &values);
    let is_equal = net.graph.op("Equal", &[&codes, &values]);
    net.graph.cast(&is_equal, crate::graph::Element::Float)
}

/// Codes `[batch, columns]` as vectors `[batch, columns, d]` from a table with one column after the other.
pub(super) fn learned(
    net: &mut Net<'_>,
    codes: &Value,
    table: &str,
    cardinalities: &[usize],
) -> Result<Value, ExportError> {
    let mut next = 0;
    let starts = cardinalities.iter().map(|&count| {
        let start = next;
        next += size(count);
        start
    });
    let starts: Vec<i64> = starts.collect();
    let starts = net.graph.integers(&[1, starts.len()], &starts);
    let rows = net.graph.add(codes, &starts);
    let table = net.weight(table)?;
    Ok(net.graph.gather(&table, &rows, 0))
}
