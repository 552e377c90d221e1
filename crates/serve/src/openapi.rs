//! `GET /openapi.json`: the document of the paths, with the inputs of each model.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use tinderbox_datasets::table::{DateOrder, Kind};
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, RefOr, Required, ResponseBuilder, Schema,
};

use crate::body::Json;
use crate::limits::Limits;
use crate::model::{AnswerForm, ColumnForm, InputForm, ModelInfo};
use crate::problem::Problem;
use crate::server::Shared;

/// Statuses of every operation that predicts, in addition to 200.
const FAILURES: [(u16, &str); 9] = [
    (400, "The body cannot be read"),
    (401, "The token is missing or wrong"),
    (408, "The body did not arrive in time"),
    (413, "More bytes, inputs or tokens than this server takes"),
    (415, "A Content-Type that the model does not take"),
    (422, "An input that the model does not take"),
    (500, "The model failed"),
    (503, "The queue is full"),
    (504, "The prediction took too long"),
];

/// `GET /openapi.json`
pub(crate) async fn document(State(shared): State<Arc<Shared>>) -> Result<Json, Problem> {
    let models: Vec<(String, ModelInfo)> = shared
        .models
        .entries()
        .map(|entry| (entry.name().to_owned(), entry.loaded().info))
        .collect();
    let document = build(&models, &shared.limits, shared.token.is_some());
    let document = document.and_then(|document| serde_json::to_value(&document));
    document.map(Json).map_err(|error| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the document cannot be written: {error}"),
        )
    })
}

/// The document of a server with these models, the default one first.
fn build(
    models: &[(String, ModelInfo)],
    limits: &Limits,
    has_token: bool,
) -> Result<OpenApi, serde_json::Error> {
    let mut paths = PathsBuilder::new();
    let mut get = |path: &str, summary: &str, media: &str, extra: &[(u16, &str)]| {
        let mut operation = OperationBuilder::new()
            .summary(Some(summary))
            .response("200", response("Success", media, json!({}))?);
        for &(status, text) in extra {
            operation = operation.response(status.to_string(), failure(text)?);
        }
        let item = PathItem::new(HttpMethod::Get, operation);
        paths = std::mem::take(&mut paths).path(path, item);
        Ok::<_, serde_json::Error>(())
    };
    let private = if has_token { &FAILURES[1..2] } else { &[] };
    get("/health/live", "Whether the process answers", JSON, &[])?;
    get(
        "/health/ready",
        "Whether every model has made a prediction",
        JSON,
        &FAILURES[7..8],
    )?;
    get(
        "/metrics",
        "Metrics in the text format of Prometheus",
        "text/plain",
        private,
    )?;
    get("/v1/models", "The models", JSON, private)?;
    for (at, (name, info)) in models.iter().enumerate() {
        let path = if info.answer == AnswerForm::Text {
            "/v1/generate".to_owned()
        } else {
            format!("/v1/models/{name}/predict")
        };
        paths = paths.path(&path, predict(name, info, limits, has_token)?);
        if at == 0 && info.answer != AnswerForm::Text {
            paths = paths.path("/v1/predict", predict(name, info, limits, has_token)?);
        }
    }
    let info = InfoBuilder::new()
        .title("Tinderbox")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Predictions of trained models"));
    let mut document = OpenApiBuilder::new().info(info).paths(paths.build());
    if has_token {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = ComponentsBuilder::new().security_scheme("token", scheme);
        document = document.components(Some(components.build()));
    }
    Ok(document.build())
}

const JSON: &str = "application/json";

fn predict(
    name: &str,
    info: &ModelInfo,
    limits: &Limits,
    has_token: bool,
) -> Result<PathItem, serde_json::Error> {
    let mut body = RequestBodyBuilder::new().required(Some(Required::True));
    for (media, schema) in request_schemas(&info.input, limits) {
        body = body.content(media, content(schema)?);
    }
    let answer = answer_schema(info);
    let success = match info.input {
        InputForm::Prompt => response(
            "Pieces of text as server-sent events",
            "text/event-stream",
            json!({"type": "string"}),
        )?,
        _ => ResponseBuilder::new()
            .description("A prediction, or a list of one for each input")
            .content(
                JSON,
                content(json!({"oneOf": [answer, {"type": "array", "items": answer}]}))?,
            )
            .content("application/x-ndjson", content(json!({"type": "string"}))?)
            .build(),
    };
    let mut operation = OperationBuilder::new()
        .summary(Some(match info.input {
            InputForm::Prompt => format!("Generate text with `{name}`"),
            _ => format!("Predict with `{name}`"),
        }))
        .description(Some(format!(
            "{} trained by the recipe `{}`",
            info.kind, info.recipe
        )))
        .request_body(Some(body.build()))
        .response("200", success);
    for (status, text) in FAILURES {
        operation = operation.response(status.to_string(), failure(text)?);
    }
    if has_token {
        operation = operation.security(SecurityRequirement::new("token", Vec::<String>::new()));
    }
    Ok(PathItem::new(HttpMethod::Post, operation))
}

fn response(
    text: &str,
    media: &str,
    schema: Value,
) -> Result<utoipa::openapi::Response, serde_json::Error> {
    let response = ResponseBuilder::new().description(text);
    Ok(response.content(media, content(schema)?).build())
}

fn failure(text: &str) -> Result<utoipa::openapi::Response, serde_json::Error> {
    let schema = json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    });
    response(text, "application/problem+json", schema)
}

fn content(schema: Value) -> Result<utoipa::openapi::Content, serde_json::Error> {
    let schema: RefOr<Schema> = serde_json::from_value(schema)?;
    Ok(ContentBuilder::new().schema(Some(schema)).build())
}

/// The media types that a model takes, with what they hold.
fn request_schemas(input: &InputForm, limits: &Limits) -> Vec<(&'static str, Value)> {
    let list = |one: &Value| json!({"type": "array", "items": one, "minItems": 1, "maxItems": limits.rows});
    let with_list = |one: Value| json!({"oneOf": [one, list(&one)]});
    let binary = json!({"type": "string", "format": "binary"});
    match input {
        InputForm::Image => vec![
            ("image/png", binary.clone()),
            ("image/jpeg", binary),
            (
                "multipart/form-data",
                json!({"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}),
            ),
        ],
        InputForm::Row { columns, ignored } => {
            vec![(JSON, with_list(row_schema(columns, ignored)))]
        }
        InputForm::Text { pair, tokens } => vec![(JSON, with_list(text_schema(*pair, *tokens)))],
        InputForm::Observation { size } => {
            let numbers = json!({"type": "array", "items": {"type": "number", "minimum": -1e30, "maximum": 1e30}, "minItems": size, "maxItems": size});
            vec![(JSON, with_list(numbers))]
        }
        InputForm::Prompt => vec![(
            JSON,
            json!({
                "type": "object",
                "required": ["prompt"],
                "additionalProperties": false,
                "properties": {
                    "prompt": {"type": "string", "minLength": 1},
                    "max_tokens": {"type": "integer", "minimum": 1, "maximum": limits.tokens, "default": 200},
                    "temperature": {"type": "number", "minimum": 0, "maximum": 100, "default": 0.8},
                    "top_k": {"type": "integer", "minimum": 0, "default": 0},
                    "seed": {"type": "integer", "minimum": 0, "default": 0},
                    "model": {"type": "string"},
                },
            }),
        )],
    }
}

fn row_schema(columns: &[ColumnForm], ignored: &[String]) -> Value {
    let mut properties = Map::new();
    for column in columns {
        properties.insert(column.name.clone(), column_schema(column));
    }
    for name in ignored {
        let schema = json!({"type": SCALARS, "description": "ignored"});
        properties.insert(name.clone(), schema);
    }
    let required: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

const SCALARS: [&str; 4] = ["string", "number", "boolean", "null"];

fn column_schema(column: &ColumnForm) -> Value {
    let largest = f64::from(f32::MAX);
    match (column.kind, column.values.as_slice()) {
        (Kind::Numeric, _) if column.styled => json!({
            "type": ["number", "string", "null"],
            "description": "a number, or text as in the training file",
        }),
        (Kind::Numeric, _) => {
            json!({"type": ["number", "null"], "minimum": -largest, "maximum": largest})
        }
        (Kind::Boolean, [falsity, truth]) => json!({
            "type": ["boolean", "string", "null"],
            "enum": [true, false, falsity, truth, null],
        }),
        (Kind::Boolean, _) => json!({
            "type": ["boolean", "integer", "null"],
            "enum": [true, false, 0, 1, null],
        }),
        (Kind::Date, _) if column.date_order == Some(DateOrder::YearMonthDay.name()) => {
            json!({"type": ["string", "null"], "format": "date"})
        }
        (Kind::Date, _) => json!({
            "type": ["string", "null"],
            "description": format!("a date as {}", column.date_order.unwrap_or("in the training file")),
        }),
        (_, values) => {
            let examples: Vec<&String> = values.iter().take(20).collect();
            json!({"type": SCALARS, "examples": examples})
        }
    }
}

fn text_schema(pair: bool, tokens: bool) -> Value {
    let text = json!({"type": "string", "pattern": "\\S"});
    if pair {
        return json!({
            "type": "object",
            "required": ["text", "text_pair"],
            "additionalProperties": false,
            "properties": {"text": text, "text_pair": text},
        });
    }
    if tokens {
        return json!({
            "type": "object",
            "required": ["tokens"],
            "additionalProperties": false,
            "properties": {"tokens": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
        });
    }
    let object = json!({
        "type": "object",
        "required": ["text"],
        "additionalProperties": false,
        "properties": {"text": text},
    });
    json!({"oneOf": [text, object]})
}

fn answer_schema(info: &ModelInfo) -> Value {
    let probabilities: Map<String, Value> = info
        .classes
        .iter()
        .map(|name| {
            (
                name.clone(),
                json!({"type": "number", "minimum": 0, "maximum": 1}),
            )
        })
        .collect();
    let probabilities = json!({"type": "object", "properties": probabilities});
    let (key, schema) = match info.answer {
        AnswerForm::Class => ("label", json!({"type": "string", "enum": info.classes})),
        AnswerForm::Labels => (
            "labels",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        AnswerForm::Tags => (
            "tags",
            json!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        ),
        AnswerForm::Number => ("value", json!({"type": "number"})),
        AnswerForm::Action => ("action", json!({})),
        AnswerForm::Mask => ("areas", probabilities.clone()),
        AnswerForm::Objects => (
            "objects",
            json!({"type": "array", "items": {"type": "object"}}),
        ),
        AnswerForm::Landmarks => (
            "faces",
            json!({"type": "array", "items": {"type": "object"}}),
        ),
        AnswerForm::Text => ("text", json!({"type": "string"})),
    };
    let mut properties = Map::from_iter([(key.to_owned(), schema)]);
    if matches!(info.answer, AnswerForm::Class | AnswerForm::Labels) {
        properties.insert("probabilities".to_owned(), probabilities);
    }
    json!({"type": "object", "required": [key], "properties": properties})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(input: InputForm, answer: AnswerForm) -> ModelInfo {
        ModelInfo {
            kind: "table-model".to_owned(),
            recipe: "churn".to_owned(),
            classes: vec!["no".to_owned(), "yes".to_owned()],
            weights_sha256: String::new(),
            versions: Value::Null,
            input,
            answer,
        }
    }

    fn column(kind: Kind, values: &[&str]) -> ColumnForm {
        ColumnForm {
            name: kind.name().to_owned(),
            kind,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            median: None,
            styled: false,
            date_order: None,
        }
    }

    #[test]
    fn the_document_has_the_columns_of_the_model() {
        let input = InputForm::Row {
            columns: vec![
                column(Kind::Numeric, &[]),
                column(Kind::Boolean, &["No", "Yes"]),
                column(Kind::Categorical, &["a", "b"]),
                column(Kind::Date, &[]),
            ],
            ignored: vec!["id".to_owned()],
        };
        let models = [("churn".to_owned(), info(input, AnswerForm::Class))];
        let document = build(&models, &Limits::default(), true).unwrap();
        let json = serde_json::to_value(&document).unwrap();
        let operation = &json["paths"]["/v1/models/churn/predict"]["post"];
        let row = &operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0];
        assert_eq!(
            row["required"],
            json!(["numeric", "boolean", "categorical", "date"])
        );
        assert_eq!(row["additionalProperties"], json!(false));
        let properties = &row["properties"];
        assert_eq!(properties["numeric"]["type"], json!(["number", "null"]));
        assert_eq!(
            properties["boolean"]["enum"],
            json!([true, false, "No", "Yes", null])
        );
        assert_eq!(properties["categorical"]["type"], json!(SCALARS));
        assert_eq!(properties["id"]["description"], "ignored");
        assert_eq!(operation["security"], json!([{"token": []}]));
        assert_eq!(
            json["paths"]["/v1/predict"]["post"]["responses"]["200"],
            operation["responses"]["200"]
        );
        assert!(
            json["openapi"].as_str().unwrap().starts_with("3.1"),
            "{}",
            json["openapi"]
        );
    }

    #[test]
    fn every_input_and_answer_has_a_schema() {
        for (input, answer, media) in [
            (InputForm::Image, AnswerForm::Mask, "image/png"),
            (InputForm::Image, AnswerForm::Objects, "image/jpeg"),
            (
                InputForm::Image,
                AnswerForm::Landmarks,
                "multipart/form-data",
            ),
            (
                InputForm::Text {
                    pair: false,
                    tokens: false,
                },
                AnswerForm::Labels,
                JSON,
            ),
            (
                InputForm::Text {
                    pair: true,
                    tokens: false,
                },
                AnswerForm::Class,
                JSON,
            ),
            (
                InputForm::Text {
                    pair: false,
                    tokens: true,
                },
                AnswerForm::Tags,
                JSON,
            ),
            (InputForm::Observation { size: 4 }, AnswerForm::Action, JSON),
            (InputForm::Prompt, AnswerForm::Text, JSON),
        ] {
            let is_prompt = input == InputForm::Prompt;
            let models = [("m".to_owned(), info(input.clone(), answer))];
            let document = build(&models, &Limits::default(), false).unwrap();
            let json = serde_json::to_value(&document).unwrap();
            let path = if is_prompt {
                "/v1/generate"
            } else {
                "/v1/predict"
            };
            let content = &json["paths"][path]["post"]["requestBody"]["content"];
            let expected = request_schemas(&input, &Limits::default());
            let (_, schema) = expected.iter().find(|(name, _)| *name == media).unwrap();
            assert_eq!(&content[media]["schema"], schema, "{input:?}");
        }
    }
}
