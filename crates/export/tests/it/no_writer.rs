//! A model without a writer.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use burn::tensor::Device;
use safetensors::SafeTensors;
use serde_json::json;
use tinderbox_export::{ExportError, onnx, safetensors};
use tinderbox_predict::text::{TextModelConfig, TextSizes, TextTask};
use tinderbox_predict::{Model, ModelFiles};

/// A model for texts whose network has no writer.
fn bag() -> ModelFiles {
    let sizes = TextSizes {
        vocab_size: 256,
        num_classes: 2,
        max_len: 8,
    };
    let config: TextModelConfig =
        serde_json::from_value(json!({"kind": "bag", "d_embedding": 4, "max_ngram": 1})).unwrap();
    let head = TextTask::Classification.head();
    let net = config.init(sizes, head, &Device::flex()).unwrap();
    let spec = json!({
        "format": 2, "kind": "text-model", "recipe": "test", "task": "classification", "members": 1,
        "model": config, "sizes": sizes, "labels": ["a", "b"], "temperature": 1.0, "training": null,
        "tokenizer": {"kind": "bytes", "vocab_size": 256, "min_frequency": 1, "lowercase": false, "max_len": 8,
            "binary_counts": false},
        "input": {"pair": false, "documents": false, "text": ["text"], "headerless": [], "label": "label",
            "skip_empty": false, "clauses": false,
            "format": {"delimiter": "", "quoting": "auto", "header": "auto", "encoding": ""}},
    });
    ModelFiles::from_memory(BTreeMap::from([
        ("model.json".to_owned(), spec.to_string().into_bytes()),
        ("weights.safetensors".to_owned(), net.to_bytes().unwrap()),
    ]))
}

#[test]
fn an_architecture_without_a_writer_is_named_with_advice() {
    let files = bag();
    let model = Model::load(&files, &Device::flex()).unwrap();
    let error = onnx(&model).unwrap_err();
    assert!(error.is_user() && matches!(error, ExportError::Unsupported { .. }));
    let text = error.to_string();
    for words in [
        "the architecture `bag` cannot be exported to ONNX",
        "`--format safetensors`",
    ] {
        assert!(text.contains(words), "{text}");
    }
    // Its weights can, but there is no code for them.
    let weights = safetensors(&files).unwrap();
    assert!(SafeTensors::deserialize(&weights.weights).unwrap().len() > 1);
    assert_eq!(weights.loader("model.safetensors"), None);
}
