//! `POST /invocations`, as `MLflow` has it.

use serde_json::{Value, json};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;

use super::{
    JSON, Schemas, answers, list, observation_schema, row_schema, text_schema, with_failures,
};
use crate::limits::Limits;
use crate::model::{InputForm, ModelInfo};

pub(super) fn operation(
    name: &str,
    info: &ModelInfo,
    limits: &Limits,
    has_token: bool,
    schemas: &mut Schemas,
) -> Operation {
    let body = schemas.content("mlflow-request", request(&info.input, limits));
    let body = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(JSON, body);
    let answers = json!({
        "type": "object",
        "required": ["predictions"],
        "additionalProperties": false,
        "properties": {
            "predictions": {"type": "array", "items": answers::schema(info), "minItems": 1},
        },
    });
    let text = "A prediction for each input";
    let success = schemas.response(text, JSON, "mlflow-predictions", answers);
    let operation = OperationBuilder::new()
        .summary(Some(format!("Predict with `{name}` in MLflow's format")))
        .request_body(Some(body.build()))
        .response("200", success);
    with_failures(operation, has_token, schemas)
}

/// The bodies that hold inputs of a form: each is an object with one key, and perhaps with `params`, which are ignored.
pub(super) fn request(input: &InputForm, limits: &Limits) -> Value {
    let body = |key: &str, content: Value| {
        json!({
            "type": "object",
            "required": [key],
            "additionalProperties": false,
            "properties": {key: content, "params": {"description": "ignored"}},
        })
    };
    let lists = |one: &Value| ["instances", "inputs"].map(|key| body(key, list(one, limits)));
    let records = |record: &Value| body("dataframe_records", list(record, limits));
    let split = |columns: Value, cells: Vec<Value>| {
        let count = cells.len();
        let row =
            json!({"type": "array", "prefixItems": cells, "minItems": count, "maxItems": count});
        let frame = json!({
            "type": "object",
            "required": ["columns", "data"],
            "properties": {"columns": columns, "data": list(&row, limits)},
        });
        body("dataframe_split", frame)
    };
    let bodies = match input {
        InputForm::Image => {
            let image = json!({"type": "string", "contentEncoding": "base64", "minLength": 1});
            let row = json!({
                "type": "object",
                "additionalProperties": image,
                "minProperties": 1,
                "maxProperties": 1,
            });
            let name = json!({"type": ["string", "number"]});
            let columns = json!({"type": "array", "items": name, "minItems": 1, "maxItems": 1});
            let [instances, inputs] = lists(&json!({"oneOf": [image, row]}));
            vec![
                instances,
                inputs,
                records(&row),
                split(columns, vec![image]),
            ]
        }
        InputForm::Row { columns, ignored } => {
            let row = row_schema(columns, ignored);
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let cells = names.iter().map(|name| row["properties"][name].clone());
            let [instances, inputs] = lists(&row);
            let split = split(json!({"const": names}), cells.collect());
            vec![instances, inputs, records(&row), split]
        }
        InputForm::Text { pair, tokens } => {
            let text = text_schema(*pair, *tokens);
            // A single text may also be an object.
            let row = text["oneOf"].get(1).unwrap_or(&text);
            let names = row["required"].clone();
            let cells = names.as_array().into_iter().flatten();
            let cells = cells.filter_map(|name| row["properties"].get(name.as_str()?));
            let split = split(json!({"const": names}), cells.cloned().collect());
            let records = records(row);
            let [instances, inputs] = lists(&text);
            vec![instances, inputs, records, split]
        }
        InputForm::Observation { size } => lists(&observation_schema(*size)).to_vec(),
        InputForm::Prompt => Vec::new(),
    };
    json!({"oneOf": bodies})
}
