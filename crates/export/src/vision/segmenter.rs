//! Models that segment images.

use serde_json::json;
use tinderbox_models::Template;
use tinderbox_predict::Segment as _;
use tinderbox_predict::vision::{SegmentationModelConfig, Segmenter};

use super::{PIXELS, flip, image_input, unet};
use crate::error::ExportError;
use crate::graph::{Axis, Element, Graph, Value};
use crate::net::Net;
use crate::outputs::{describe_labels, member_prefix};

/// Turned and mirrored copies of an image.
const COPIES: usize = 8;

/// The file for a model that segments.
pub(crate) fn export(model: &Segmenter) -> Result<Vec<u8>, ExportError> {
    let spec = model.spec();
    let mut graph = Graph::default();
    let plane = [Axis::Any("height"), Axis::Any("width")];
    let x = image_input(&mut graph, &spec.normalize, plane);
    let networks = &model.ensemble().models;
    let copies = if spec.test_time_augmentation {
        COPIES
    } else {
        1
    };
    let (mut outputs, mut multiple) = (Vec::new(), 1);
    for (member, network) in networks.iter().enumerate() {
        multiple = multiple.max(network.min_multiple());
        let prefix = member_prefix(member, networks.len());
        let mut net = Net::new(&mut graph, &network.to_bytes()?, prefix)?;
        for copy in 0..copies {
            let turned = turn(net.graph, &x, copy);
            let scores = forward(&mut net, &spec.model, &turned)?;
            let scores = net.graph.softmax(&scores, 1);
            outputs.push(turn_back(net.graph, &scores, copy));
        }
    }
    let Some(output) = graph.mean_of(&outputs) else {
        return Err(ExportError::Mismatch("there is no network".to_owned()));
    };
    let [height, width] = plane;
    let axes = [
        Axis::Any("batch"),
        Axis::Size(spec.labels.len()),
        height,
        width,
    ];
    let doc = "probability of each class of each pixel, in the order of `labels` in the metadata";
    graph.output(&output, "probabilities", Element::Float, &axes, doc);
    graph.describe("task", "image-segmentation");
    graph.describe("recipe", spec.recipe.as_str());
    graph.describe("architecture", architecture(&spec.model));
    describe_labels(&mut graph, &spec.labels);
    graph.describe("input", json!(spec.input).to_string());
    graph.describe("multiple", multiple.to_string());
    graph.describe("refine", model.refines().to_string());
    let refined = if model.refines() {
        " `predict` also refines the edges of masks with the photo, which is not part of the graph."
    } else {
        ""
    };
    let doc = format!(
        "{PIXELS}Height and width must be multiples of {multiple}; `input` in the metadata says how `predict` scales \
         images or cuts them into tiles.{refined}"
    );
    graph.finish(&spec.recipe, &doc)
}

/// The name of a network in a recipe.
fn architecture(model: &SegmentationModelConfig) -> &'static str {
    match model {
        SegmentationModelConfig::Unet(_) => "unet",
        SegmentationModelConfig::BackboneUnet(_) => "backbone-unet",
    }
}

fn forward(
    net: &mut Net<'_>,
    model: &SegmentationModelConfig,
    x: &Value,
) -> Result<Value, ExportError> {
    match model {
        SegmentationModelConfig::Unet(Template(config)) => unet::unet(net, config, x),
        SegmentationModelConfig::BackboneUnet(Template(config)) => {
            unet::backbone_unet(net, config, x)
        }
    }
}

/// A turned and mirrored copy of images: mirrored along either axis, then mirrored at the diagonal.
fn turn(graph: &mut Graph, x: &Value, copy: usize) -> Value {
    let mut x = x.clone();
    for (bit, axis) in [(1, 3), (2, 2)] {
        if copy & bit > 0 {
            x = flip(graph, &x, &[axis]);
        }
    }
    if copy & 4 > 0 {
        x = graph.transpose(&x, &[0, 1, 3, 2]);
    }
    x
}

/// Undoes [`turn`].
fn turn_back(graph: &mut Graph, x: &Value, copy: usize) -> Value {
    let mut x = x.clone();
    if copy & 4 > 0 {
        x = graph.transpose(&x, &[0, 1, 3, 2]);
    }
    for (bit, axis) in [(2, 2), (1, 3)] {
        if copy & bit > 0 {
            x = flip(graph, &x, &[axis]);
        }
    }
    x
}
