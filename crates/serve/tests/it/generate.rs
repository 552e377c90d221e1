//! Text over HTTP is the text of the model.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox_predict::text::{HeadKind, Sampling, TextModelConfig, TextPredictor, TextSizes};
use tinderbox_predict::{Inputs, ModelFiles, PredictError, Prediction};
use tinderbox_serve::{AnswerForm, InputForm, Limits, Loaded, ModelInfo, ModelSource, Served};

use crate::client::{settings, source, start, stored};

/// A model that takes long for each token.
struct Slow;

impl Served for Slow {
    fn read_file(&self, _: &str, _: &[u8], _: u64) -> Result<Inputs, PredictError> {
        Err(PredictError::input("it generates text"))
    }

    fn read_values(&self, _: &[Value]) -> Result<Inputs, PredictError> {
        Err(PredictError::input("it generates text"))
    }

    fn answer(&self, _: &Inputs) -> Result<Vec<Prediction>, PredictError> {
        Err(PredictError::input("it generates text"))
    }

    fn generate(
        &self,
        _: &str,
        tokens: usize,
        _: Sampling,
        sink: &mut dyn FnMut(String) -> bool,
    ) -> Result<(), PredictError> {
        for _ in 0..tokens {
            sleep(Duration::from_millis(20));
            if !sink("a".to_owned()) {
                break;
            }
        }
        Ok(())
    }
}

/// The slow model, as the server loads it.
fn slow() -> ModelSource {
    let load = || -> Result<Loaded, String> {
        Ok(Loaded {
            model: Arc::new(Slow),
            info: Arc::new(ModelInfo {
                kind: "text-model".to_owned(),
                recipe: "slow".to_owned(),
                classes: Vec::new(),
                threshold: None,
                weights_sha256: String::new(),
                versions: json!({}),
                input: InputForm::Prompt,
                answer: AnswerForm::Text,
            }),
        })
    };
    ModelSource {
        name: "slow".to_owned(),
        load: Arc::new(load),
    }
}

/// An untrained language model of bytes.
fn files() -> ModelFiles {
    let model = json!({
        "kind": "gpt", "d_hidden": 16, "d_model": 8, "dropout": 0.0, "n_heads": 2, "n_layers": 1, "tie_embeddings": true,
    });
    let config: TextModelConfig = serde_json::from_value(model.clone()).unwrap();
    let sizes = TextSizes {
        vocab_size: 256,
        num_classes: 256,
        max_len: 32,
    };
    let net = config.init(sizes, HeadKind::LanguageModeling, &Device::flex());
    let spec = json!({
        "format": 2, "kind": TextPredictor::KIND, "recipe": "letters", "task": "language-modeling", "members": 1,
        "versions": {}, "model": model, "labels": [], "temperature": 1.0, "training": null,
        "sizes": {"vocab_size": 256, "num_classes": 256, "max_len": 32},
        "tokenizer": {
            "kind": "bytes", "vocab_size": 256, "min_frequency": 1, "lowercase": false, "max_len": 32,
            "binary_counts": false,
        },
        "input": {
            "pair": false, "documents": false, "text": [], "headerless": [], "label": "", "skip_empty": false,
            "format": {"delimiter": "", "quoting": "auto", "header": "auto", "encoding": ""}, "clauses": false,
        },
    });
    ModelFiles::from_memory(BTreeMap::from([
        ("model.json".to_owned(), spec.to_string().into_bytes()),
        (
            "weights.safetensors".to_owned(),
            net.unwrap().to_bytes().unwrap(),
        ),
    ]))
}

#[test]
fn text_arrives_in_pieces_and_is_that_of_the_model() {
    let files = files();
    let device = Device::flex();
    let model = TextPredictor::load(&files, &device).unwrap();
    let sampling = Sampling {
        seed: 7,
        ..Sampling::default()
    };
    let mut generator = model.generate("ab", sampling).unwrap();
    for _ in 0..20 {
        generator.step().unwrap();
    }
    let expected = generator.text().unwrap();
    let source = ModelSource {
        name: "letters".to_owned(),
        load: Arc::new(move || Loaded::open(&files, &device).map_err(|error| error.to_string())),
    };
    let server = start(settings(Limits::default()), vec![source]);
    let body = json!({"prompt": "ab", "max_tokens": 20, "seed": 7});
    let answer = server.post_json("/v1/generate", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.head.contains("text/event-stream"), "{}", answer.head);
    let text = answer.text();
    let events: Vec<&str> = text.trim_end().split("\n\n").collect();
    let (last, pieces) = events.split_last().unwrap();
    assert!(last.contains("event: done"), "{last}");
    assert!(pieces.len() > 1, "{text}");
    let piece = |event: &&str| -> String {
        let json: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        json["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(pieces.iter().map(piece).collect::<String>(), expected);
    for (body, words) in [
        (json!({"prompt": ""}), "the prompt is empty"),
        (
            json!({"prompt": "a".repeat(40)}),
            "the prompt has 40 tokens",
        ),
        (
            json!({"prompt": "a", "max_tokens": 0}),
            "`max_tokens` must be from 1",
        ),
        (json!({"prompt": "a", "tokens": 5}), "unknown key `tokens`"),
        (
            json!({"prompt": "a", "temperature": -1}),
            "must be between 0 and 100",
        ),
        (json!({"max_tokens": 5}), "the key `prompt` is missing"),
    ] {
        let refused = server.post_json("/v1/generate", &body);
        assert_eq!(refused.status, 422, "{body}");
        let detail = refused.detail();
        assert!(detail.contains(words), "{body}: {detail}");
    }
    let refused = server.post_json("/v1/predict", &json!("a"));
    assert!(refused.detail().contains("`POST /v1/generate`"));
}

#[test]
fn the_only_model_that_generates_text_needs_no_name() {
    let images = || source("image-classifier", stored("image-classifier"));
    let body = json!({"prompt": "a", "max_tokens": 1});
    let server = start(settings(Limits::default()), vec![images(), slow()]);
    let answer = server.post_json("/v1/generate", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(server);
    let other = ModelSource {
        name: "other".to_owned(),
        ..slow()
    };
    let server = start(settings(Limits::default()), vec![images(), slow(), other]);
    let refused = server.post_json("/v1/generate", &body);
    assert_eq!(refused.status, 422);
    assert!(refused.detail().contains("as `model`: `other`, `slow`"));
    assert!(server.get("/docs").text().contains("&quot;model&quot;:"));
}

#[test]
fn long_texts_are_ended_and_keep_nobody_from_predicting() {
    let limits = Limits {
        time: Duration::from_secs(3),
        ..Limits::default()
    };
    let images = source("image-classifier", stored("image-classifier"));
    let server = start(settings(limits), vec![slow(), images]);
    let body = json!({"prompt": "a", "max_tokens": 10_000}).to_string();
    let length = body.len();
    let request = format!(
        "POST /v1/generate HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    // One for each core, all of which have begun.
    let begin = |_| {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    let mut streams: Vec<_> = (0..cores).map(begin).collect();
    for stream in &mut streams {
        let mut head = [0_u8; 9];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head, *b"HTTP/1.1 ");
    }
    let image = std::fs::read(stored("image-classifier.in.png")).unwrap();
    let start = Instant::now();
    let path = "/v1/models/image-classifier/predict";
    assert_eq!(server.send("POST", path, "", &image).status, 200);
    assert!(start.elapsed() < Duration::from_millis(1_500));
    for mut stream in streams {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("200"), "{text}");
        assert!(text.contains("event: error"), "{text}");
        assert!(text.contains("within 3 s"), "{text}");
        assert!(text.contains("raise `--timeout`"), "{text}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}
