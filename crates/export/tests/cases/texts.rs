//! Models of texts.

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox_predict::Model;
use tinderbox_predict::text::{TextModelConfig, TextSizes, TextTask, Tokens};

use super::{Array, Case, Data, Random, load, randomized};

const SIZES: TextSizes = TextSizes {
    vocab_size: 256,
    num_classes: 3,
    max_len: 12,
};

pub(super) fn cases() -> Vec<Case> {
    let encoder =
        json!({"kind": "encoder", "d_model": 16, "n_heads": 2, "n_layers": 2, "d_hidden": 20});
    let rotary = json!({"kind": "encoder", "d_model": 16, "n_heads": 2, "n_layers": 2, "d_hidden": 20,
        "positions": "rotary", "pooling": "cls"});
    let bert = |types: usize, activation: &str| {
        json!({"kind": "bert", "weights": "", "fine_tune": {"layer_decay": 0.9, "frozen_layers": 0,
            "freeze_embeddings": false, "lora_rank": 0, "lora_alpha": 16.0}, "network": {
            "bert": {"vocab_size": 300, "max_len": 12, "type_vocab_size": types, "d_model": 16, "n_heads": 4,
                "n_layers": 2, "d_hidden": 24, "activation": "gelu", "epsilon": 1e-12, "dropout": 0.1},
            "head_activation": activation}})
    };
    vec![
        case("text-encoder", &encoder, TextTask::Classification, 1, 1.0),
        case(
            "text-encoder-rotary",
            &rotary,
            TextTask::Classification,
            2,
            0.7,
        ),
        case(
            "text-encoder-labels",
            &encoder,
            TextTask::MultiLabel,
            1,
            1.3,
        ),
        case(
            "text-encoder-tags",
            &encoder,
            TextTask::TokenClassification,
            1,
            1.0,
        ),
        case("bert", &bert(2, "tanh"), TextTask::Classification, 1, 1.5),
        case(
            "distilbert",
            &bert(0, "relu"),
            TextTask::Classification,
            1,
            1.0,
        ),
        case(
            "bert-tags",
            &bert(2, "tanh"),
            TextTask::TokenClassification,
            1,
            1.0,
        ),
    ]
}

fn case(name: &str, model: &Value, task: TextTask, members: usize, temperature: f64) -> Case {
    let config: TextModelConfig = serde_json::from_value(model.clone()).unwrap();
    let net = config.init(SIZES, task.head(), &Device::flex()).unwrap();
    let weights = net.to_bytes().unwrap();
    let weights: Vec<_> = (0..members)
        .map(|seed| randomized(&weights, seed as u64))
        .collect();
    let mut spec = json!({
        "kind": "text-model",
        "task": task,
        "members": members,
        "model": config,
        "sizes": SIZES,
        "labels": ["a", "b", "c"],
        "tokenizer": {"kind": "bytes", "vocab_size": 256, "min_frequency": 1, "lowercase": false, "max_len": 12,
            "binary_counts": false},
        "input": {"pair": false, "documents": false, "text": ["text"], "headerless": [], "label": "label",
            "skip_empty": false, "clauses": false,
            "format": {"delimiter": "", "quoting": "auto", "header": "auto", "encoding": ""}},
        "temperature": temperature,
    });
    let has_types = name.starts_with("bert");
    let is_tagger = task == TextTask::TokenClassification;
    let (model, exported) = load(&mut spec, &weights);
    let Model::Text(predictor) = &model else {
        unreachable!("it is a model of texts")
    };
    // Tags of padding are nobody's.
    let lengths = if is_tagger { [7, 7, 7] } else { [5, 12, 1] };
    let mut random = Random::new(3);
    let texts = lengths.map(|length: usize| Tokens {
        ids: (0..length)
            .map(|_| (random.next() * 255.0) as u32)
            .collect(),
        second: if has_types { length / 2 } else { length },
        words: (0..length).collect(),
        truncated: false,
    });
    let expected = predictor
        .ensemble()
        .probabilities(&texts.each_ref(), predictor.device())
        .unwrap();
    let expected = expected.concat().into_iter().map(f64::from);
    Case {
        name: name.to_owned(),
        inputs: inputs(&texts, has_types),
        weights: Some((exported, inputs(&texts, has_types))),
        outputs: vec![("probabilities".to_owned(), expected.collect())],
        onnx: tinderbox_export::onnx(&model).unwrap(),
    }
}

fn inputs(texts: &[Tokens], has_types: bool) -> Vec<(String, Array)> {
    let longest = texts.iter().map(|text| text.ids.len()).max().unwrap_or(0);
    let shape = vec![texts.len(), longest];
    let array = |value: &dyn Fn(&Tokens, usize) -> i64| {
        let rows = texts
            .iter()
            .flat_map(|text| (0..longest).map(move |at| value(text, at)));
        let data = Data::Int(rows.collect());
        Array {
            shape: shape.clone(),
            data,
        }
    };
    let ids = array(&|text, at| text.ids.get(at).map_or(0, |&id| id.into()));
    let mask = array(&|text, at| i64::from(at < text.ids.len()));
    let types = array(&|text, at| i64::from(at < text.ids.len() && at >= text.second));
    let mut inputs = vec![
        ("input_ids".to_owned(), ids),
        ("attention_mask".to_owned(), mask),
    ];
    inputs.extend(has_types.then(|| ("token_type_ids".to_owned(), types)));
    inputs
}
