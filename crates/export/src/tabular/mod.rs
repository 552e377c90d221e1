//! Models of tables: each column is an input of the graph.

mod dates;
mod encoder;
mod features;
mod ft_transformer;
mod mlp;
mod networks;
mod resnet;
mod scale;
mod tabm;

use tinderbox_predict::tabular::{Architecture, Predictor, Target};

use crate::error::ExportError;
use crate::graph::{Axis, Element, Graph, Value};
use crate::net::Net;
use crate::outputs::{calibrated, describe_labels, member_prefix};
use networks::Scores;

const DOC: &str = "One input of shape [batch, 1] for each column, by its name: numbers, dates and truth values in \
    double precision with NaN where a cell is missing, text as strings with an empty one where a cell is missing. \
    Scaling, codes of categories and the calibration are part of the graph.";

/// The file for a model of a table.
pub(crate) fn export(model: &Predictor) -> Result<Vec<u8>, ExportError> {
    let spec = model.spec();
    let mut graph = Graph::default();
    let rows = encoder::encode(&mut graph, model.encoder());
    let nets = &model.ensemble().nets;
    let mut outputs = Vec::with_capacity(nets.len());
    for (member, network) in nets.iter().enumerate() {
        let prefix = member_prefix(member, nets.len());
        let mut net = Net::new(&mut graph, &network.to_bytes()?, prefix)?;
        let scores = networks::forward(&mut net, spec, &rows)?;
        outputs.push(member_output(&mut graph, model.target(), scores));
    }
    let Some(output) = graph.mean_of(&outputs) else {
        return Err(ExportError::Mismatch("there is no network".to_owned()));
    };
    graph.describe("recipe", spec.recipe.as_str());
    graph.describe("architecture", architecture(&spec.model));
    graph.describe("target", spec.target_column.as_str());
    match model.target() {
        Target::Classes { labels } => {
            graph.describe("task", "tabular-classification");
            describe_labels(&mut graph, labels);
            if let Some(threshold) = model.threshold() {
                graph.describe("threshold", threshold.to_string());
            }
            let output = calibrated(&mut graph, &output, spec.temperature, 1e-12);
            let axes = [Axis::Any("batch"), Axis::Size(labels.len())];
            let doc = "probability of each class, in the order of `labels` in the metadata";
            graph.output(&output, "probabilities", Element::Float, &axes, doc);
        }
        target @ Target::Number { .. } => {
            graph.describe("task", "tabular-regression");
            let output = unscaled(&mut graph, target, &output);
            let axes = [Axis::Any("batch"), Axis::Size(1)];
            let doc = "the predicted number, in the unit of the target";
            graph.output(&output, "value", Element::Double, &axes, doc);
        }
    }
    graph.finish(&spec.recipe, DOC)
}

/// The name of a network in a recipe.
fn architecture(model: &Architecture) -> &'static str {
    match model {
        Architecture::Mlp(_) => "mlp",
        Architecture::Resnet(_) => "resnet",
        Architecture::FtTransformer(_) => "ft-transformer",
        Architecture::Tabm(_) => "tabm",
    }
}

/// The mean of the members of a network: of their probabilities, or of their numbers.
fn member_output(graph: &mut Graph, target: &Target, scores: Scores) -> Value {
    let (scores, axis) = match scores {
        Scores::One(scores) => (scores, 1),
        Scores::Members(scores) => (scores, 2),
    };
    let scores = match target {
        Target::Classes { .. } => graph.softmax(&scores, axis),
        Target::Number { .. } => scores,
    };
    if axis == 2 {
        graph.mean(&scores, 1)
    } else {
        scores
    }
}

/// Numbers of a network in the unit of the target, in double precision.
fn unscaled(graph: &mut Graph, target: &Target, score: &Value) -> Value {
    let score = graph.cast(score, Element::Double);
    let Target::Number {
        log,
        mean,
        deviation,
    } = *target
    else {
        return score;
    };
    let (mean, deviation) = (
        graph.doubles(&[], &[mean]),
        graph.doubles(&[], &[deviation]),
    );
    let value = graph.mul(&score, &deviation);
    let value = graph.add(&value, &mean);
    if log {
        graph.op("Exp", &[&value])
    } else {
        value
    }
}
