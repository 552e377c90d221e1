//! What `/openapi.json` promises is what the server does.

use serde_json::{Value, json};
use tinderbox_serve::Limits;

use crate::answers::rows;
use crate::client::{Running, base64_image, settings, source, start, stored};

/// Keywords that say nothing about validity, or that the bodies of these tests do not depend on.
const NOTES: [&str; 6] = [
    "contentEncoding",
    "default",
    "description",
    "examples",
    "format",
    "pattern",
];

/// Why a value does not have a schema; a keyword that this does not know fails the test.
fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, expected) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$ref" => {
                let name = expected.as_str().unwrap().rsplit('/').next().unwrap();
                check(document, &document["components"]["schemas"][name], value)?;
                true
            }
            "oneOf" => {
                let schemas = expected.as_array().unwrap().iter();
                let fitting = schemas.filter(|schema| check(document, schema, value).is_ok());
                fitting.count() == 1
            }
            "const" => value == expected,
            "enum" => expected.as_array().unwrap().contains(value),
            "type" => match expected {
                Value::Array(types) => types.iter().any(|name| is_of(value, name)),
                name => is_of(value, name),
            },
            "minimum" => value
                .as_f64()
                .is_none_or(|own| own >= expected.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|own| own <= expected.as_f64().unwrap()),
            "minLength" | "minItems" | "minProperties" => {
                size(value, keyword).is_none_or(|size| size >= expected.as_u64().unwrap())
            }
            "maxItems" | "maxProperties" => {
                size(value, keyword).is_none_or(|size| size <= expected.as_u64().unwrap())
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(document, expected, item)?;
                }
                true
            }
            "prefixItems" => {
                let items = value.as_array().into_iter().flatten();
                for (item, schema) in items.zip(expected.as_array().unwrap()) {
                    check(document, schema, item)?;
                }
                true
            }
            "required" => {
                let mut keys = expected.as_array().unwrap().iter();
                keys.all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "properties" | "additionalProperties" => {
                for (key, item) in value.as_object().into_iter().flatten() {
                    let own = schema["properties"].get(key);
                    let schema = match (own, keyword == "properties") {
                        (Some(own), true) => own,
                        (None, false) => expected,
                        _ => continue,
                    };
                    match schema {
                        Value::Bool(true) => {}
                        Value::Bool(false) => return Err(format!("unknown key {key}")),
                        schema => check(document, schema, item)?,
                    }
                }
                true
            }
            note => {
                assert!(NOTES.contains(&note), "unknown keyword {note}");
                true
            }
        };
        if !holds {
            return Err(format!("{keyword} {expected} of {value}"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        name => panic!("unknown type {name}"),
    }
}

fn size(value: &Value, keyword: &str) -> Option<u64> {
    let size = match keyword {
        "minLength" => value.as_str()?.chars().count(),
        "minItems" | "maxItems" => value.as_array()?.len(),
        _ => value.as_object()?.len(),
    };
    Some(size as u64)
}

/// Sends a body, and checks that it has the schema of the document if and only if the server takes it, and that
/// the answer has that of its status.
fn agree(server: &Running, path: &str, body: &Value) -> u16 {
    let document = server.get("/openapi.json").json();
    let operation = &document["paths"][path]["post"];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let fits = check(&document, schema, body);
    let answer = server.post_json(path, body);
    let status = answer.status;
    assert_eq!(
        fits.is_ok(),
        status == 200,
        "{path} {body}: {fits:?}, {}",
        answer.text()
    );
    let content = &operation["responses"][status.to_string()]["content"];
    let (_, media) = content.as_object().unwrap().iter().next().unwrap();
    check(&document, &media["schema"], &answer.json()).unwrap();
    status
}

fn start_one(name: &str) -> Running {
    start(settings(Limits::default()), vec![source("m", stored(name))])
}

#[test]
fn bodies_and_answers_of_tables_are_as_documented() {
    let server = start_one("table-model");
    let rows = rows();
    let mut missing = rows[0].clone();
    missing.as_object_mut().unwrap().remove("mean area");
    let mut wrong = rows[0].clone();
    wrong["mean area"] = json!("wide");
    for (body, status) in [
        (json!(rows[0]), 200),
        (json!(rows), 200),
        (json!([]), 422),
        (json!([rows[0], missing]), 422),
        (wrong, 422),
    ] {
        assert_eq!(agree(&server, "/v1/predict", &body), status);
    }
    let columns = server.get("/v1/models/m").json()["input"]["columns"].clone();
    let columns: Vec<&str> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    let cells: Vec<&Value> = columns.iter().map(|column| &rows[0][column]).collect();
    for (body, status) in [
        (json!({"instances": rows}), 200),
        (json!({"inputs": rows, "params": {"a": 1}}), 200),
        (json!({"dataframe_records": rows}), 200),
        (
            json!({"dataframe_split": {"columns": columns, "data": [cells, cells]}}),
            200,
        ),
        (
            json!({"dataframe_split": {"columns": columns, "data": [[1]]}}),
            422,
        ),
        (json!({"dataframe_split": {"columns": columns}}), 422),
        (json!({"dataframe_records": [missing]}), 422),
        (json!({"instances": rows, "inputs": rows}), 422),
        (json!({"instances": []}), 422),
        (json!({"rows": rows}), 422),
        (json!(rows), 422),
    ] {
        assert_eq!(agree(&server, "/invocations", &body), status, "{body}");
    }
}

#[test]
fn bodies_and_answers_of_images_in_the_format_of_mlflow_are_as_documented() {
    let server = start_one("image-classifier");
    let image = base64_image();
    for (body, status) in [
        (json!({"instances": [image, {"b64": image}]}), 200),
        (json!({"inputs": [image]}), 200),
        (json!({"dataframe_records": [{"image": image}]}), 200),
        (
            json!({"dataframe_split": {"columns": ["image"], "data": [[image]]}}),
            200,
        ),
        (
            json!({"dataframe_split": {"columns": [0], "index": [5], "data": [[image]]}}),
            200,
        ),
        (
            json!({"dataframe_split": {"columns": ["a", "b"], "data": [[image, image]]}}),
            422,
        ),
        (
            json!({"dataframe_records": [{"a": image, "b": image}]}),
            422,
        ),
        (json!({"dataframe_records": [{}]}), 422),
        (json!({"inputs": [""]}), 422),
        (json!({"inputs": [7]}), 422),
        (json!({"inputs": [[0, 255]]}), 422),
        (json!({"inputs": []}), 422),
        (json!(image), 422),
    ] {
        assert_eq!(agree(&server, "/invocations", &body), status, "{body}");
    }
}

#[cfg(feature = "text")]
#[test]
fn bodies_and_answers_of_texts_are_as_documented() {
    let server = start_one("text-model");
    for (body, status) in [
        (json!("my parcel"), 200),
        (json!({"text": "my parcel"}), 200),
        (json!(["my parcel", {"text": "a card"}]), 200),
        (json!({"text": "my parcel", "x": 1}), 422),
        (json!([7]), 422),
    ] {
        assert_eq!(agree(&server, "/v1/predict", &body), status, "{body}");
    }
    for (body, status) in [
        (json!({"inputs": ["my parcel", {"text": "a card"}]}), 200),
        (json!({"dataframe_records": [{"text": "my parcel"}]}), 200),
        (
            json!({"dataframe_split": {"columns": ["text"], "data": [["my parcel"], ["a card"]]}}),
            200,
        ),
        (
            json!({"dataframe_split": {"columns": ["words"], "data": [["my parcel"]]}}),
            422,
        ),
        (json!({"dataframe_records": ["my parcel", 7]}), 422),
    ] {
        assert_eq!(agree(&server, "/invocations", &body), status, "{body}");
    }
}

#[test]
fn answers_without_a_body_are_as_documented() {
    let server = start_one("table-model");
    let document = server.get("/openapi.json").json();
    for path in ["/health/live", "/health/ready", "/v1/models"] {
        let responses = &document["paths"][path]["get"]["responses"];
        let schema = &responses["200"]["content"]["application/json"]["schema"];
        check(&document, schema, &server.get(path).json()).unwrap();
    }
}
