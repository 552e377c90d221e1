//! Models of texts: token ids and a mask are the inputs of the graph.

mod bert;
mod encoder;

use tinderbox_models::Template;
use tinderbox_predict::PredictError;
use tinderbox_predict::text::{TextModelConfig, TextPredictor, TextTask};

use crate::error::ExportError;
use crate::graph::{Axis, Element, Graph, Value};
use crate::net::Net;
use crate::outputs::{calibrated, describe_labels, member_prefix};

/// Smallest probability of which the logarithm is taken.
const SMALLEST: f32 = 1e-30;

/// Added to the scores of padding, which get no attention.
const MASKED: f32 = -1e9;

/// The axes of the inputs.
const SEQUENCE: [Axis; 2] = [Axis::Any("batch"), Axis::Any("sequence")];

/// The inputs of a graph, `[batch, seq]`.
struct Tokens {
    ids: Value,
    /// 1 for tokens, 0 for padding, in single precision.
    kept: Value,
    /// Of the networks that have token types.
    types: Option<Value>,
    /// Number of tokens, `[1]`.
    length: Value,
    /// Most tokens of a text.
    max_len: usize,
}

/// The file for a model of texts.
pub(crate) fn export(model: &TextPredictor) -> Result<Vec<u8>, ExportError> {
    let spec = model.spec();
    let networks = &model.ensemble().models;
    let mut graph = Graph::default();
    let tokens = inputs(&mut graph, &spec.model, spec.sizes.max_len)?;
    let mut outputs = Vec::with_capacity(networks.len());
    for (member, network) in networks.iter().enumerate() {
        let prefix = member_prefix(member, networks.len());
        let mut net = Net::new(&mut graph, &network.to_bytes()?, prefix)?;
        let scores = forward(&mut net, &spec.model, spec.task, &tokens)?;
        outputs.push(match spec.task {
            TextTask::MultiLabel => graph.op("Sigmoid", &[&scores]),
            _ => graph.softmax(&scores, -1),
        });
    }
    let Some(mut output) = graph.mean_of(&outputs) else {
        return Err(ExportError::Mismatch("there is no network".to_owned()));
    };
    let classes = Axis::Size(spec.labels.len());
    let mut axes = vec![SEQUENCE[0], classes];
    let (task, doc) = match spec.task {
        TextTask::TokenClassification => {
            axes.insert(1, SEQUENCE[1]);
            (
                "token-classification",
                "probability of each tag of each token, in the order of `labels` in the metadata; the tag of a word is \
                 that of its first token",
            )
        }
        TextTask::MultiLabel => {
            output = calibrated_labels(&mut graph, &output, f64::from(spec.temperature));
            (
                "text-classification",
                "probability of each label, in the order of `labels` in the metadata",
            )
        }
        TextTask::Classification | TextTask::LanguageModeling => {
            output = calibrated(&mut graph, &output, spec.temperature, SMALLEST);
            (
                "text-classification",
                "probability of each class, in the order of `labels` in the metadata",
            )
        }
    };
    graph.output(&output, "probabilities", Element::Float, &axes, doc);
    graph.describe("task", task);
    graph.describe("recipe", spec.recipe.as_str());
    graph.describe("architecture", spec.model.kind());
    describe_labels(&mut graph, &spec.labels);
    graph.describe("max_length", spec.tokenizer.max_len.to_string());
    let tokenizer = model.tokenizer().to_json().map_err(PredictError::input)?;
    if let Some(tokenizer) = tokenizer {
        graph.describe("tokenizer", tokenizer);
    }
    if let Some(threshold) = model.threshold() {
        graph.describe("threshold", threshold.to_string());
    }
    let doc = "Inputs `input_ids` and `attention_mask` (and `token_type_ids` where there are types) of shape \
        [batch, sequence], as the Hugging Face tokenizer in the metadata under `tokenizer` gives them; texts are \
        truncated to `max_length` tokens.";
    graph.finish(&spec.recipe, doc)
}

fn unsupported(kind: &str) -> ExportError {
    ExportError::unsupported(
        format!("the architecture `{kind}`"),
        "among networks for texts there are writers for `encoder` and `bert`",
    )
}

fn inputs(
    graph: &mut Graph,
    model: &TextModelConfig,
    max_len: usize,
) -> Result<Tokens, ExportError> {
    let has_types = match model {
        TextModelConfig::Encoder(_) => false,
        TextModelConfig::Bert(config) => {
            let network = config.network.as_ref();
            network.is_some_and(|network| network.bert.type_vocab_size > 0)
        }
        other => return Err(unsupported(other.kind())),
    };
    let ids = graph.input("input_ids", Element::Int64, &SEQUENCE, "ids of the tokens");
    let doc = "1 for tokens, 0 for padding";
    let mask = graph.input("attention_mask", Element::Int64, &SEQUENCE, doc);
    let types = has_types.then(|| {
        let doc = "0 for tokens of the first text, 1 for those of the second text of a pair";
        graph.input("token_type_ids", Element::Int64, &SEQUENCE, doc)
    });
    let shape = graph.op("Shape", &[&ids]);
    let length = graph.slice(&shape, 0, 1, 2);
    Ok(Tokens {
        kept: graph.cast(&mask, Element::Float),
        ids,
        types,
        length,
        max_len,
    })
}

/// Logits, `[batch, outputs]` or, of tokens, `[batch, seq, outputs]`.
fn forward(
    net: &mut Net<'_>,
    model: &TextModelConfig,
    task: TextTask,
    tokens: &Tokens,
) -> Result<Value, ExportError> {
    let is_tagger = task == TextTask::TokenClassification;
    match model {
        TextModelConfig::Encoder(Template(config)) => {
            encoder::forward(net, config, is_tagger, tokens)
        }
        TextModelConfig::Bert(config) => match &config.network {
            Some(network) => bert::forward(net, network, is_tagger, tokens),
            None => Err(ExportError::Mismatch("there is no network".to_owned())),
        },
        other => Err(unsupported(other.kind())),
    }
}

/// The first rows of a table, one for each position.
fn of_positions(graph: &mut Graph, table: &Value, tokens: &Tokens) -> Value {
    let (start, axis) = (graph.list(&[0]), graph.list(&[0]));
    graph.op("Slice", &[table, &start, &tokens.length, &axis])
}

/// What is added to the scores of attention, `[batch, 1, 1, seq]`.
fn attention_mask(graph: &mut Graph, tokens: &Tokens) -> Value {
    let one = graph.scalar(1.0);
    let is_padding = graph.sub(&one, &tokens.kept);
    let masked = graph.scalar(MASKED);
    let mask = graph.mul(&is_padding, &masked);
    let mask = graph.unsqueeze(&mask, 1);
    graph.unsqueeze(&mask, 2)
}

/// Calibrated probabilities of labels of which a text has any number.
fn calibrated_labels(graph: &mut Graph, probabilities: &Value, temperature: f64) -> Value {
    if (temperature - 1.0).abs() < f64::EPSILON {
        return probabilities.clone();
    }
    let one = graph.scalar(1.0);
    let rest = graph.sub(&one, probabilities);
    let logarithms = [(probabilities, SMALLEST), (&rest, f32::EPSILON / 2.0)];
    let [yes, no] = logarithms.map(|(p, smallest)| {
        let smallest = graph.scalar(smallest);
        let p = graph.op("Max", &[p, &smallest]);
        graph.op("Log", &[&p])
    });
    let odds = graph.sub(&yes, &no);
    let temperature = graph.scalar(temperature as f32);
    let odds = graph.div(&odds, &temperature);
    graph.op("Sigmoid", &[&odds])
}
