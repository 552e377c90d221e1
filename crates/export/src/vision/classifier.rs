//! Classifiers of images.

use serde_json::json;
use tinderbox_models::Template;
use tinderbox_predict::vision::{ImageClassifier, ImageClassifierSpec, ImageModelConfig};

use super::{PIXELS, cnn, flip, image_input, inverted_residual, resnet};
use crate::error::ExportError;
use crate::graph::{Axis, Element, Graph, Value, int};
use crate::layers::{Hidden, mlp};
use crate::net::Net;
use crate::outputs::{calibrated, describe_labels, member_prefix};

/// The file for a classifier.
pub(crate) fn export(model: &ImageClassifier) -> Result<Vec<u8>, ExportError> {
    let spec = model.spec();
    let (height, width) = (spec.input.height, spec.input.width);
    let mut graph = Graph::default();
    let axes = [Axis::Size(height), Axis::Size(width)];
    let x = image_input(&mut graph, &spec.normalize, axes);
    let networks = &model.ensemble().models;
    let inputs = versions(&mut graph, spec, x);
    let mut outputs = Vec::with_capacity(networks.len() * inputs.len());
    for (member, network) in networks.iter().enumerate() {
        let prefix = member_prefix(member, networks.len());
        let mut net = Net::new(&mut graph, &network.to_bytes()?, prefix)?;
        for x in &inputs {
            let scores = forward(&mut net, &spec.model, [height, width], x)?;
            outputs.push(net.graph.softmax(&scores, 1));
        }
    }
    let Some(output) = graph.mean_of(&outputs) else {
        return Err(ExportError::Mismatch("there is no network".to_owned()));
    };
    let output = calibrated(&mut graph, &output, spec.temperature, 1e-12);
    let axes = [Axis::Any("batch"), Axis::Size(spec.labels.len())];
    let doc = "probability of each class, in the order of `labels` in the metadata";
    graph.output(&output, "probabilities", Element::Float, &axes, doc);
    graph.describe("task", "image-classification");
    graph.describe("recipe", spec.recipe.as_str());
    graph.describe("architecture", architecture(&spec.model));
    describe_labels(&mut graph, &spec.labels);
    graph.describe("input", json!(spec.input).to_string());
    if let Some(threshold) = model.threshold() {
        graph.describe("threshold", threshold.to_string());
    }
    let doc = format!(
        "{PIXELS}Images must have {height}x{width} pixels; `input` in the metadata says how `predict` resizes them."
    );
    graph.finish(&spec.recipe, &doc)
}

/// The versions of the images whose probabilities are averaged.
fn versions(graph: &mut Graph, spec: &ImageClassifierSpec, x: Value) -> Vec<Value> {
    let mut versions = vec![x];
    if spec.average_shift > 0 {
        let black = spec.normalize.black();
        let black = graph.floats(&[1, black.len(), 1, 1], &black);
        let lifted = graph.sub(&versions[0], &black);
        let by = spec.average_shift.cast_signed() as i64;
        let border = graph.list(&[0, 0, by, by, 0, 0, by, by]);
        let padded = graph.op("Pad", &[&lifted, &border]);
        let padded = graph.add(&padded, &black);
        let axes = graph.list(&[2, 3]);
        for [top, left] in spec.views().corners() {
            let ends = [top + spec.input.height, left + spec.input.width];
            let starts = graph.list(&[top, left].map(|start| start.cast_signed() as i64));
            let ends = graph.list(&ends.map(|end| end.cast_signed() as i64));
            versions.push(graph.op("Slice", &[&padded, &starts, &ends, &axes]));
        }
    }
    if spec.average_flip {
        for version in 0..versions.len() {
            versions.push(flip(graph, &versions[version], &[3]));
        }
    }
    versions
}

/// The name of a network in a recipe.
fn architecture(model: &ImageModelConfig) -> &'static str {
    match model {
        ImageModelConfig::Mlp(_) => "mlp",
        ImageModelConfig::Cnn(_) => "cnn",
        ImageModelConfig::Resnet(_) => "resnet",
        ImageModelConfig::EfficientnetLite(_) => "efficientnet-lite",
        ImageModelConfig::MobilenetV3(_) => "mobilenet-v3",
    }
}

fn forward(
    net: &mut Net<'_>,
    model: &ImageModelConfig,
    plane: [usize; 2],
    x: &Value,
) -> Result<Value, ExportError> {
    match model {
        ImageModelConfig::Mlp(Template(config)) => {
            let x = net.graph.op_with("Flatten", &[x], vec![int("axis", 1)]);
            let hidden = Hidden {
                layers: config.hidden.len(),
                activation: config.activation,
                normalization: config.normalization,
            };
            mlp(net, "", hidden, &x)
        }
        ImageModelConfig::Cnn(Template(config)) => cnn::forward(net, config, plane, x),
        ImageModelConfig::Resnet(Template(config)) => resnet::forward(net, config, x),
        ImageModelConfig::EfficientnetLite(Template(config)) => {
            inverted_residual::efficientnet(net, config, x)
        }
        ImageModelConfig::MobilenetV3(Template(config)) => {
            inverted_residual::mobilenet(net, config, x)
        }
    }
}
