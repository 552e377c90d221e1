//! Models that find objects: boxes and scores of every cell, before non-maximum suppression.

use serde_json::json;
use tinderbox_models::Template;
use tinderbox_models::vision::STRIDES;
use tinderbox_predict::vision::{DetectionModelConfig, Detector};

use super::{PIXELS, fast_detector, image_input, yolox};
use crate::error::ExportError;
use crate::graph::{Axis, Element, Graph, Value, int, size};
use crate::net::{Conv, Net};
use crate::outputs::describe_labels;

/// The predictions of all cells, `[batch, cells, ..]`.
pub(super) struct Cells {
    /// Left, top, right and bottom edges in pixels.
    pub(super) boxes: Value,
    /// Of each class, from 0 to 1.
    pub(super) scores: Value,
}

/// The file for a detector.
pub(crate) fn export(model: &Detector) -> Result<Vec<u8>, ExportError> {
    let spec = model.spec();
    let mut graph = Graph::default();
    let plane = [Axis::Any("height"), Axis::Any("width")];
    let x = image_input(&mut graph, &spec.normalize, plane);
    let mut net = Net::new(&mut graph, &model.network().model.to_bytes()?, "")?;
    let (cells, architecture) = match &spec.model {
        DetectionModelConfig::FastDetector(Template(config)) => (
            fast_detector::forward(&mut net, config, &x)?,
            "fast-detector",
        ),
        DetectionModelConfig::Yolox(_) => (yolox::forward(&mut net, &x)?, "yolox"),
    };
    let axes = |last| [Axis::Any("batch"), Axis::Any("cells"), Axis::Size(last)];
    let doc = "left, top, right and bottom edge of a box for each cell, in pixels of the input";
    graph.output(&cells.boxes, "boxes", Element::Float, &axes(4), doc);
    let doc = "score of each class for each cell, in the order of `labels` in the metadata";
    let classes = spec.labels.len();
    graph.output(&cells.scores, "scores", Element::Float, &axes(classes), doc);
    graph.describe("task", "object-detection");
    graph.describe("recipe", spec.recipe.as_str());
    graph.describe("architecture", architecture);
    describe_labels(&mut graph, &spec.labels);
    graph.describe("input", json!(spec.input).to_string());
    graph.describe("threshold", spec.threshold.to_string());
    let multiple = STRIDES[STRIDES.len() - 1];
    graph.describe("multiple", multiple.to_string());
    let size = spec.input.size;
    let doc = format!(
        "{PIXELS}Scale an image so that its longer side has {size} pixels and put it into the top left corner of a \
         gray canvas (114 of 255) whose sides are multiples of {multiple}. The outputs are those of every cell, \
         before non-maximum suppression: keep the best class of each cell where its score reaches `threshold`, then \
         drop boxes of the same class that overlap a better one by `max_overlap` of `input` in the metadata."
    );
    graph.finish(&spec.recipe, &doc)
}

/// A convolution of single pixels with a bias: the output of each cell, `[batch, cells, channels]`.
pub(super) fn project(net: &mut Net<'_>, map: &Value, layer: &str) -> Result<Value, ExportError> {
    let channels = net.shape(&format!("{layer}.weight"))?[0];
    let map = net.conv(map, layer, Conv::same(1, 1))?;
    Ok(cells_of(net.graph, &map, channels))
}

/// `[batch, channels, height, width]` as `[batch, cells, channels]`
fn cells_of(graph: &mut Graph, map: &Value, channels: usize) -> Value {
    let x = graph.reshape(map, &[0, size(channels), -1]);
    graph.transpose(&x, &[0, 2, 1])
}

/// Column and row of each cell of a map, `[batch, cells, 2]`.
pub(super) fn positions(graph: &mut Graph, map: &Value) -> Value {
    // Counted by adding up ones, so that the map may have any size.
    let x = graph.slice(map, 1, 0, 1);
    let (zero, one) = (graph.scalar(0.0), graph.scalar(1.0));
    let x = graph.mul(&x, &zero);
    let ones = graph.add(&x, &one);
    let counts = [3, 2].map(|axis| {
        let axis = graph.integers(&[], &[axis]);
        graph.op_with("CumSum", &[&ones, &axis], vec![int("exclusive", 1)])
    });
    let positions = graph.concat(&counts, 1);
    cells_of(graph, &positions, 2)
}

/// A part of the last axis of `[batch, cells, ..]`.
pub(super) fn part(graph: &mut Graph, x: &Value, start: i64, end: i64) -> Value {
    graph.slice(x, 2, start, end)
}
