//! Policies of reinforcement learning.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use tinderbox_export::{PolicyNetwork, Weights, policy, safetensors};
use tinderbox_models::rl::{ActorCriticConfig, QNetworkConfig};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::model_dir::{from_bytes, to_bytes};

use super::{Array, Case, Data, Random, randomized};

const ROWS: usize = 6;
const D_INPUT: usize = 4;

pub(super) fn cases() -> Vec<Case> {
    let base = QNetworkConfig::new(D_INPUT, 3).with_hidden(vec![8, 6]);
    let rainbow = base.clone().with_dueling(true).with_noisy(true);
    let rainbow = rainbow.with_n_atoms(5).with_v_min(-2.0).with_v_max(7.0);
    let actor = ActorCriticConfig::new(D_INPUT, 2).with_hidden(vec![7]);
    vec![
        q_network("q-network", &base),
        q_network("q-network-dueling", &base.clone().with_dueling(true)),
        q_network("q-network-rainbow", &rainbow),
        actor_critic("actor-critic", &actor),
        actor_critic(
            "actor-critic-continuous",
            &actor.clone().with_continuous(true),
        ),
    ]
}

fn observations() -> Vec<f32> {
    let mut random = Random::new(8);
    (0..ROWS * D_INPUT)
        .map(|_| 2.0 * random.signed() as f32)
        .collect()
}

fn rows() -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(observations(), [ROWS, D_INPUT]),
        &Device::flex(),
    )
}

/// The weights of an agent's model folder, with its network as `model.json` has it.
fn exported(weights: &[u8], kind: &str, config: &impl burn::config::Config) -> Weights {
    let mut network = json!(config);
    network["kind"] = json!(kind);
    let spec = json!({"format": 2, "kind": "agent", "network": network});
    let files = ModelFiles::from_memory(BTreeMap::from([
        ("model.json".to_owned(), spec.to_string().into_bytes()),
        ("weights.safetensors".to_owned(), weights.to_vec()),
    ]));
    safetensors(&files).unwrap()
}

fn case(
    name: &str,
    onnx: Vec<u8>,
    weights: Option<Weights>,
    output: &str,
    expected: Vec<f32>,
) -> Case {
    let array = Array {
        shape: vec![ROWS, D_INPUT],
        data: Data::Float(observations()),
    };
    let expected = expected.into_iter().map(f64::from).collect();
    Case {
        name: name.to_owned(),
        onnx,
        weights: weights.map(|weights| (weights, vec![("observations".to_owned(), array.clone())])),
        inputs: vec![("observations".to_owned(), array)],
        outputs: vec![(output.to_owned(), expected)],
    }
}

fn q_network(name: &str, config: &QNetworkConfig) -> Case {
    let net = config.init(&Device::flex());
    let weights = randomized(&to_bytes(&net).unwrap(), 2);
    let net = from_bytes(weights.clone(), net).unwrap();
    let expected = net.forward(rows()).try_into_vec_as().unwrap();
    let onnx = policy("CartPole-v1", PolicyNetwork::QNetwork(config), &weights).unwrap();
    let exported = exported(&weights, "q-network", config);
    case(name, onnx, Some(exported), "q_values", expected)
}

fn actor_critic(name: &str, config: &ActorCriticConfig) -> Case {
    let net = config.init(&Device::flex());
    let weights = randomized(&to_bytes(&net).unwrap(), 2);
    let net = from_bytes(weights.clone(), net).unwrap();
    let mut expected: Vec<f32> = net.policy(rows()).try_into_vec_as().unwrap();
    let (low, high) = ([-0.5, -0.1], [0.5, 0.2]);
    let bounds = config.continuous.then_some([&low[..], &high[..]]);
    if config.continuous {
        for (at, value) in expected.iter_mut().enumerate() {
            *value = value.clamp(low[at % 2], high[at % 2]);
        }
    }
    let output = if config.continuous {
        "actions"
    } else {
        "logits"
    };
    let network = PolicyNetwork::ActorCritic(config, bounds);
    let onnx = policy("Pendulum-v1", network, &weights).unwrap();
    // The bounds of the actions are not in the network.
    let exported = (!config.continuous).then(|| exported(&weights, "actor-critic", config));
    case(name, onnx, exported, output, expected)
}
