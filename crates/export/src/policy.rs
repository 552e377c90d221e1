//! Policies of reinforcement learning: observations in, the values of actions out.

use tinderbox_models::rl::{ActorCriticConfig, QNetworkConfig};

use crate::error::ExportError;
use crate::graph::{Axis, Element, Graph, Value, size};
use crate::net::Net;

/// The network of a policy.
#[derive(Clone, Copy, Debug)]
pub enum PolicyNetwork<'c> {
    /// Acts with the highest Q-value.
    QNetwork(&'c QNetworkConfig),
    /// Acts with the mode of the policy; where actions are continuous, with their lowest and highest values.
    ActorCritic(&'c ActorCriticConfig, Option<[&'c [f32]; 2]>),
}

/// A policy as an ONNX file, of the SafeTensors file of its weights: `observations` in, `q_values`, `logits` or
/// `actions` out.
///
/// # Errors
///
/// If the weights do not fit the network.
pub fn policy(
    environment: &str,
    network: PolicyNetwork<'_>,
    weights: &[u8],
) -> Result<Vec<u8>, ExportError> {
    let mut graph = Graph::default();
    let d_input = match network {
        PolicyNetwork::QNetwork(config) => config.d_input,
        PolicyNetwork::ActorCritic(config, _) => config.d_input,
    };
    let axes = [Axis::Any("batch"), Axis::Size(d_input)];
    let doc = "observations of the environment, as they are";
    let x = graph.input("observations", Element::Float, &axes, doc);
    let mut net = Net::new(&mut graph, weights, "")?;
    let (output, name, size, doc) = match network {
        PolicyNetwork::QNetwork(config) => {
            let doc = "expected return of each action; the agent takes the highest";
            (
                q_values(&mut net, config, &x)?,
                "q_values",
                config.n_actions,
                doc,
            )
        }
        PolicyNetwork::ActorCritic(config, None) => {
            let doc = "score of each action; the agent takes the highest";
            (actor(&mut net, config, &x)?, "logits", config.d_action, doc)
        }
        PolicyNetwork::ActorCritic(config, Some([low, high])) => {
            let x = actor(&mut net, config, &x)?;
            let (low, high) = (
                net.graph.floats(&[1, low.len()], low),
                net.graph.floats(&[1, high.len()], high),
            );
            let x = net.graph.op("Max", &[&x, &low]);
            let x = net.graph.op("Min", &[&x, &high]);
            (x, "actions", config.d_action, "the action of the agent")
        }
    };
    let axes = [Axis::Any("batch"), Axis::Size(size)];
    graph.output(&output, name, Element::Float, &axes, doc);
    graph.describe("task", "reinforcement-learning");
    graph.describe("environment", environment);
    let doc =
        "Input `observations`: [batch, values] in single precision, as the environment gives them.";
    graph.finish(environment, doc)
}

fn actor(net: &mut Net<'_>, config: &ActorCriticConfig, x: &Value) -> Result<Value, ExportError> {
    let mut x = net.linear(x, "actor.0")?;
    for index in 1..=config.hidden.len() {
        x = net.activation(&x, config.activation);
        x = net.linear(&x, &format!("actor.{index}"))?;
    }
    Ok(x)
}

fn q_values(net: &mut Net<'_>, config: &QNetworkConfig, x: &Value) -> Result<Value, ExportError> {
    let mut x = x.clone();
    let mut index = 0;
    while has_dense(net, &format!("trunk.{index}")) {
        x = dense(net, &format!("trunk.{index}"), &x)?;
        x = net.activation(&x, config.activation);
        index += 1;
    }
    let advantage = head(net, config, "advantage", &x)?;
    let (actions, atoms) = (size(config.n_actions), size(config.n_atoms));
    let mut values = net.graph.reshape(&advantage, &[0, actions, atoms]);
    if config.dueling {
        let value = head(net, config, "value", &x)?;
        let value = net.graph.unsqueeze(&value, 1);
        let mean = net.graph.mean(&values, 1);
        let mean = net.graph.unsqueeze(&mean, 1);
        values = net.graph.add(&value, &values);
        values = net.graph.sub(&values, &mean);
    }
    if config.n_atoms == 1 {
        return Ok(net.graph.squeeze(&values, 2));
    }
    let shares = net.graph.softmax(&values, 2);
    let returns = support(config);
    let returns = net.graph.floats(&[1, 1, config.n_atoms], &returns);
    let returns = net.graph.mul(&shares, &returns);
    Ok(net.graph.sum(&returns, 2, false))
}

/// Returns of the atoms, lowest first.
fn support(config: &QNetworkConfig) -> Vec<f32> {
    let steps = (config.n_atoms - 1) as f64;
    let atom = |index: usize| {
        let share = index as f64 / steps;
        (config.v_min + (config.v_max - config.v_min) * share) as f32
    };
    (0..config.n_atoms).map(atom).collect()
}

fn head(
    net: &mut Net<'_>,
    config: &QNetworkConfig,
    layer: &str,
    x: &Value,
) -> Result<Value, ExportError> {
    let mut x = x.clone();
    let hidden = format!("{layer}.hidden");
    if has_dense(net, &hidden) {
        x = dense(net, &hidden, &x)?;
        x = net.activation(&x, config.activation);
    }
    dense(net, &format!("{layer}.output"), &x)
}

fn has_dense(net: &Net<'_>, layer: &str) -> bool {
    ["Plain", "Noisy"]
        .iter()
        .any(|kind| net.has(&format!("{layer}.{kind}.weight")))
}

/// A linear layer, or the means of a noisy one, which is `[d_input, d_output]`.
fn dense(net: &mut Net<'_>, layer: &str, x: &Value) -> Result<Value, ExportError> {
    let noisy = format!("{layer}.Noisy");
    if !net.has(&format!("{noisy}.weight")) {
        return net.linear(x, &format!("{layer}.Plain"));
    }
    let weight = net.weight(&format!("{noisy}.weight"))?;
    let bias = net.weight(&format!("{noisy}.bias"))?;
    let x = net.graph.matmul(x, &weight);
    Ok(net.graph.add(&x, &bias))
}
