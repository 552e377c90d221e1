//! YOLOX, as in `tinderbox_models::vision::Yolox`.

use tinderbox_models::vision::STRIDES;

use super::conv_norm::{Activation, ConvNorm, activate, conv_norm};
use super::detector::{Cells, part, positions, project};
use super::enlarge;
use crate::error::ExportError;
use crate::graph::{Graph, Value};
use crate::net::Net;

/// Constant in the normalization.
const EPSILON: f64 = 1e-3;

/// Largest logarithm of a size, in strides.
const MAX_SIZE: f32 = 10.0;

/// The predictions of all cells.
pub(super) fn forward(net: &mut Net<'_>, x: &Value) -> Result<Cells, ExportError> {
    let maps = backbone(net, x)?;
    let maps = neck(net, &maps)?;
    let (mut boxes, mut scores) = (Vec::new(), Vec::new());
    for (at, (map, stride)) in maps.iter().zip(STRIDES).enumerate() {
        let level = format!("head.levels.{at}");
        let stem = layer(net, map, &format!("{level}.stem"), 1)?;
        let (mut class, mut bounds) = (stem.clone(), stem);
        for index in 0..2 {
            class = conv3x3(net, &class, &format!("{level}.class_convs.{index}"), 1)?;
            bounds = conv3x3(net, &bounds, &format!("{level}.box_convs.{index}"), 1)?;
        }
        let raw = project(net, &bounds, &format!("{level}.boxes"))?;
        let logits = [
            project(net, &class, &format!("{level}.classes"))?,
            project(net, &bounds, &format!("{level}.objectness"))?,
        ];
        let [classes, object] = logits.map(|logits| net.graph.op("Sigmoid", &[&logits]));
        scores.push(net.graph.mul(&classes, &object));
        let cells = positions(net.graph, &bounds);
        boxes.push(decode(net.graph, stride, &raw, &cells));
    }
    Ok(Cells {
        boxes: net.graph.concat(&boxes, 1),
        scores: net.graph.concat(&scores, 1),
    })
}

fn layer(net: &mut Net<'_>, x: &Value, name: &str, stride: usize) -> Result<Value, ExportError> {
    let options = ConvNorm {
        stride,
        is_depthwise: name.ends_with("depthwise"),
        epsilon: EPSILON,
    };
    let x = conv_norm(net, x, name, options)?;
    Ok(activate(net, &x, Activation::Silu))
}

/// A 3×3 convolution, dense or depthwise followed by one of single pixels.
fn conv3x3(net: &mut Net<'_>, x: &Value, name: &str, stride: usize) -> Result<Value, ExportError> {
    let depthwise = format!("{name}.depthwise");
    let conv = format!("{name}.conv");
    if !net.has(&format!("{depthwise}.conv.weight")) {
        return layer(net, x, &conv, stride);
    }
    let x = layer(net, x, &depthwise, stride)?;
    layer(net, &x, &conv, 1)
}

/// Maps with strides of 8, 16 and 32 pixels.
fn backbone(net: &mut Net<'_>, x: &Value) -> Result<[Value; 3], ExportError> {
    let x = squares_to_channels(net.graph, x);
    let mut x = layer(net, &x, "backbone.stem", 1)?;
    let mut maps = Vec::with_capacity(4);
    for at in 0..4 {
        let stage = format!("backbone.stages.{at}");
        x = conv3x3(net, &x, &format!("{stage}.down"), 2)?;
        let pyramid = format!("{stage}.pyramid");
        let is_last = net.has(&format!("{pyramid}.reduce.conv.weight"));
        if is_last {
            x = spatial_pyramid(net, &x, &pyramid)?;
        }
        x = csp_layer(net, &x, &format!("{stage}.csp"), !is_last)?;
        maps.push(x.clone());
    }
    let [_, fine, middle, coarse] = [0, 1, 2, 3].map(|at: usize| maps[at].clone());
    Ok([fine, middle, coarse])
}

/// The four pixels of each 2×2 square as channels: top left, bottom left, top right, bottom right.
fn squares_to_channels(graph: &mut Graph, x: &Value) -> Value {
    let corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map(|start| {
        let starts = graph.list(&start);
        let ends = graph.list(&[i64::from(i32::MAX); 2]);
        let (axes, steps) = (graph.list(&[2, 3]), graph.list(&[2, 2]));
        graph.op("Slice", &[x, &starts, &ends, &axes, &steps])
    });
    graph.concat(&corners, 1)
}

fn spatial_pyramid(net: &mut Net<'_>, x: &Value, name: &str) -> Result<Value, ExportError> {
    let mut parts = vec![layer(net, x, &format!("{name}.reduce"), 1)?];
    for at in 0..3 {
        let pooled = net.max_pool(&parts[at], 5, 1, 2);
        parts.push(pooled);
    }
    let x = net.graph.concat(&parts, 1);
    layer(net, &x, &format!("{name}.join"), 1)
}

fn csp_layer(
    net: &mut Net<'_>,
    x: &Value,
    name: &str,
    is_residual: bool,
) -> Result<Value, ExportError> {
    let bypass = layer(net, x, &format!("{name}.bypass"), 1)?;
    let mut main = layer(net, x, &format!("{name}.main"), 1)?;
    let mut index = 0;
    loop {
        let block = format!("{name}.blocks.{index}");
        if !net.has(&format!("{block}.reduce.conv.weight")) {
            break;
        }
        let inner = layer(net, &main, &format!("{block}.reduce"), 1)?;
        let inner = conv3x3(net, &inner, &format!("{block}.expand"), 1)?;
        main = if is_residual {
            net.graph.add(&inner, &main)
        } else {
            inner
        };
        index += 1;
    }
    let x = net.graph.concat(&[main, bypass], 1);
    layer(net, &x, &format!("{name}.join"), 1)
}

/// Maps of three resolutions, in and out.
fn neck(net: &mut Net<'_>, maps: &[Value; 3]) -> Result<[Value; 3], ExportError> {
    let [fine, middle, coarse] = maps;
    let lateral_coarse = layer(net, coarse, "neck.lateral.0", 1)?;
    let x = above(net.graph, &lateral_coarse, middle);
    let middle = csp_layer(net, &x, "neck.up.0", false)?;
    let lateral_middle = layer(net, &middle, "neck.lateral.1", 1)?;
    let x = above(net.graph, &lateral_middle, fine);
    let fine = csp_layer(net, &x, "neck.up.1", false)?;
    let down = conv3x3(net, &fine, "neck.down.0", 2)?;
    let x = net.graph.concat(&[down, lateral_middle], 1);
    let middle = csp_layer(net, &x, "neck.out.0", false)?;
    let down = conv3x3(net, &middle, "neck.down.1", 2)?;
    let x = net.graph.concat(&[down, lateral_coarse], 1);
    let coarse = csp_layer(net, &x, "neck.out.1", false)?;
    Ok([fine, middle, coarse])
}

/// A map of double resolution, next to the map of that resolution.
fn above(graph: &mut Graph, coarse: &Value, fine: &Value) -> Value {
    let large = enlarge(graph, coarse, 2, false);
    graph.concat(&[large, fine.clone()], 1)
}

/// Boxes in pixels, from the shift of the center and the logarithm of the size, in strides.
fn decode(graph: &mut Graph, stride: usize, raw: &Value, positions: &Value) -> Value {
    let stride = graph.scalar(stride as f32);
    let shifts = part(graph, raw, 0, 2);
    let centers = graph.add(&shifts, positions);
    let centers = graph.mul(&centers, &stride);
    let sizes = part(graph, raw, 2, 4);
    let limit = graph.scalar(MAX_SIZE);
    let sizes = graph.op("Min", &[&sizes, &limit]);
    let sizes = graph.op("Exp", &[&sizes]);
    let halves = graph.mul(&sizes, &stride);
    let half = graph.scalar(0.5);
    let halves = graph.mul(&halves, &half);
    let edges = [graph.sub(&centers, &halves), graph.add(&centers, &halves)];
    graph.concat(&edges, 2)
}
