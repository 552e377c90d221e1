//! The small detector for CPUs, as in `tinderbox_models::vision::FastDetector`.

use tinderbox_models::vision::{FastDetectorConfig, STRIDES};

use super::conv_norm::{conv_norm_relu, plain};
use super::detector::{Cells, part, positions, project};
use super::enlarge;
use crate::error::ExportError;
use crate::graph::{Graph, Value, size};
use crate::net::Net;

/// Edges of a box.
const EDGES: usize = 4;

/// The predictions of all cells.
pub(super) fn forward(
    net: &mut Net<'_>,
    config: &FastDetectorConfig,
    x: &Value,
) -> Result<Cells, ExportError> {
    let mut x = conv_norm_relu(net, x, "stem", 2)?;
    let mut maps = Vec::new();
    for stage in 0..config.channels.len() - 1 {
        let layer = format!("stages.{stage}");
        x = conv_norm_relu(net, &x, &format!("{layer}.down"), 2)?;
        let blocks = if stage == 0 {
            0
        } else {
            config.blocks_per_stage
        };
        for index in 0..blocks {
            x = block(net, &format!("{layer}.blocks.{index}"), &x)?;
        }
        // The first stage is finer than the finest stride.
        if stage > 0 {
            maps.push(x.clone());
        }
    }
    let maps = neck(net, &maps)?;
    let (mut boxes, mut scores) = (Vec::new(), Vec::new());
    for (at, (map, stride)) in maps.into_iter().zip(STRIDES).enumerate() {
        let head = format!("heads.{at}");
        let mut x = map;
        for index in 0..config.head_convs {
            x = conv_norm_relu(net, &x, &format!("{head}.convs.{index}"), 1)?;
        }
        let classes = project(net, &x, &format!("{head}.classes"))?;
        scores.push(net.graph.op("Sigmoid", &[&classes]));
        let distances = project(net, &x, &format!("{head}.distances"))?;
        let centers = positions(net.graph, &x);
        boxes.push(decode(net.graph, config.bins, stride, &distances, &centers));
    }
    Ok(Cells {
        boxes: net.graph.concat(&boxes, 1),
        scores: net.graph.concat(&scores, 1),
    })
}

fn block(net: &mut Net<'_>, layer: &str, input: &Value) -> Result<Value, ExportError> {
    let x = conv_norm_relu(net, input, &format!("{layer}.first"), 1)?;
    let x = plain(net, &x, &format!("{layer}.second"), 1)?;
    let x = net.graph.add(&x, input);
    Ok(net.relu(&x))
}

/// Maps from fine to coarse, in and out.
fn neck(net: &mut Net<'_>, maps: &[Value]) -> Result<[Value; 3], ExportError> {
    let [fine, middle, coarse] = maps else {
        return Err(ExportError::Mismatch(
            "there must be four stages".to_owned(),
        ));
    };
    let fine = conv_norm_relu(net, fine, "neck.lateral.0", 1)?;
    let middle = conv_norm_relu(net, middle, "neck.lateral.1", 1)?;
    let coarse = conv_norm_relu(net, coarse, "neck.lateral.2", 1)?;
    let above = enlarge(net.graph, &coarse, 2, false);
    let middle = net.graph.add(&middle, &above);
    let middle = conv_norm_relu(net, &middle, "neck.up.0", 1)?;
    let above = enlarge(net.graph, &middle, 2, false);
    let fine = net.graph.add(&fine, &above);
    let fine = conv_norm_relu(net, &fine, "neck.up.1", 1)?;
    let down = conv_norm_relu(net, &fine, "neck.down.0", 2)?;
    let middle = net.graph.add(&middle, &down);
    let middle = conv_norm_relu(net, &middle, "neck.out.0", 1)?;
    let down = conv_norm_relu(net, &middle, "neck.down.1", 2)?;
    let coarse = net.graph.add(&coarse, &down);
    let coarse = conv_norm_relu(net, &coarse, "neck.out.1", 1)?;
    Ok([fine, middle, coarse])
}

/// Boxes in pixels, from the distribution of the distance to each edge.
fn decode(
    graph: &mut Graph,
    bins: usize,
    stride: usize,
    logits: &Value,
    positions: &Value,
) -> Value {
    let logits = graph.reshape(logits, &[0, -1, size(EDGES), size(bins)]);
    let shares = graph.softmax(&logits, 3);
    let values: Vec<f32> = (0..bins).map(|bin| bin as f32).collect();
    let values = graph.floats(&[1, 1, 1, bins], &values);
    let distances = graph.mul(&shares, &values);
    let distances = graph.sum(&distances, 3, false);
    let half = graph.scalar(0.5);
    let centers = graph.add(positions, &half);
    let (before, after) = (part(graph, &distances, 0, 2), part(graph, &distances, 2, 4));
    let edges = [graph.sub(&centers, &before), graph.add(&centers, &after)];
    let edges = graph.concat(&edges, 2);
    let stride = graph.scalar(stride as f32);
    graph.mul(&edges, &stride)
}
