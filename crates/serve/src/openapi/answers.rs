//! The schemas of answers.

use serde_json::{Map, Value, json};

use crate::model::{AnswerForm, ModelInfo};

/// An object with one key, which is true.
pub(super) fn flag(name: &str) -> Value {
    json!({
        "type": "object",
        "required": [name],
        "additionalProperties": false,
        "properties": {name: {"const": true}},
    })
}

/// The models with their descriptions.
pub(super) fn models() -> Value {
    let strings = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["models"],
        "additionalProperties": false,
        "properties": {"models": {"type": "array", "minItems": 1, "items": {
            "type": "object",
            "required": ["name", "kind", "recipe", "classes", "weights_sha256", "versions", "input", "answer"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string"},
                "kind": {"type": "string"},
                "recipe": {"type": "string"},
                "classes": strings,
                "threshold": share(),
                "weights_sha256": {"type": "string"},
                "versions": {"type": "object"},
                "input": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
                "answer": {"type": "string"},
            },
        }}},
    })
}

/// A prediction of a model. The name of a file and the number of a row are those of a list.
pub(super) fn schema(info: &ModelInfo) -> Value {
    let size = || json!({"type": "integer", "minimum": 1});
    let own = match info.answer {
        AnswerForm::Class => vec![
            ("label", json!({"type": "string", "enum": info.classes})),
            ("probabilities", shares(info)),
        ],
        AnswerForm::Labels => vec![
            (
                "labels",
                json!({"type": "array", "items": {"type": "string", "enum": info.classes}}),
            ),
            ("probabilities", shares(info)),
        ],
        AnswerForm::Tags => {
            let word =
                json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2});
            vec![("tags", json!({"type": "array", "items": word}))]
        }
        AnswerForm::Number => vec![("value", json!({"type": "number"}))],
        AnswerForm::Action => vec![("action", json!({"type": "integer", "minimum": 0}))],
        AnswerForm::ActionVector(width) => vec![("action", numbers(width, Some(width)))],
        AnswerForm::Mask => vec![
            ("height", size()),
            ("width", size()),
            ("areas", shares(info)),
        ],
        AnswerForm::Objects => {
            let object = object(&[
                ("label", json!({"type": "string", "enum": info.classes})),
                ("score", share()),
                ("box", numbers(4, Some(4))),
            ]);
            let objects = json!({"type": "array", "items": object});
            vec![("height", size()), ("width", size()), ("objects", objects)]
        }
        AnswerForm::Landmarks => {
            let points = json!({"type": "array", "items": numbers(2, Some(2))});
            let face = object(&[("box", numbers(4, Some(4))), ("points", points)]);
            let faces = json!({"type": "array", "items": face});
            vec![("height", size()), ("width", size()), ("faces", faces)]
        }
        AnswerForm::Text => vec![("text", json!({"type": "string"}))],
    };
    let mut schema = object(&own);
    schema["properties"]["input"] = json!({"type": "string"});
    schema["properties"]["row"] = size();
    schema
}

/// An object with these keys and no others.
fn object(properties: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties = properties.iter().cloned();
    let properties: Map<String, Value> = properties
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn share() -> Value {
    json!({"type": "number", "minimum": 0, "maximum": 1})
}

/// A share for each class.
fn shares(info: &ModelInfo) -> Value {
    let shares = info.classes.iter().map(|name| (name.as_str(), share()));
    object(&shares.collect::<Vec<_>>())
}

fn numbers(min: usize, max: Option<usize>) -> Value {
    let mut list = json!({"type": "array", "items": {"type": "number"}, "minItems": min});
    if let Some(max) = max {
        list["maxItems"] = max.into();
    }
    list
}
