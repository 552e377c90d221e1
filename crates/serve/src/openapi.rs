//! `GET /openapi.json`: the document of the paths, with the inputs of each model.

mod answers;
mod mlflow;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use tinderbox_datasets::table::{DateOrder, Kind};
use tinderbox_predict::tabular::InputColumn;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, ContentBuilder, InfoBuilder, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, Required, Response, ResponseBuilder,
};

use crate::body::Json;
use crate::limits::Limits;
use crate::model::{AnswerForm, InputForm, ModelInfo};
use crate::problem::Problem;
use crate::server::Shared;

/// Statuses of every operation that predicts, in addition to 200.
const FAILURES: [(u16, &str); 9] = [
    (400, "The body cannot be read"),
    (401, "The token is missing or wrong"),
    (408, "The body did not arrive in time"),
    (413, "More bytes than this server takes"),
    (415, "A Content-Type that the model does not take"),
    (
        422,
        "An input that the model does not take, or more of them than this server does",
    ),
    (500, "The model failed"),
    (503, "The queue is full"),
    (504, "The prediction took too long"),
];

/// `GET /openapi.json`
pub(crate) async fn document(State(shared): State<Arc<Shared>>) -> Result<Json, Problem> {
    let models: Vec<(String, ModelInfo)> = shared
        .models
        .entries()
        .map(|entry| {
            (
                entry.name().to_owned(),
                ModelInfo::clone(&entry.loaded().info),
            )
        })
        .collect();
    let document = build(&models, &shared.limits, shared.token.is_some());
    document.map(Json).map_err(|error| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the document cannot be written: {error}"),
        )
    })
}

const JSON: &str = "application/json";

/// Schemas by their names, which contents refer to.
#[derive(Default)]
struct Schemas(Map<String, Value>);

impl Schemas {
    fn content(&mut self, name: &str, schema: Value) -> Content {
        self.0.insert(name.to_owned(), schema);
        let schema = Ref::from_schema_name(name);
        ContentBuilder::new().schema(Some(schema)).build()
    }

    fn response(&mut self, text: &str, media: &str, name: &str, schema: Value) -> Response {
        let content = self.content(name, schema);
        let response = ResponseBuilder::new().description(text);
        response.content(media, content).build()
    }

    fn failure(&mut self, text: &str) -> Response {
        let schema = json!({
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "additionalProperties": false,
            "properties": {
                "type": {"const": "about:blank"},
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
            },
        });
        self.response(text, "application/problem+json", "Problem", schema)
    }
}

/// The document of a server with these models, the default one first.
fn build(
    models: &[(String, ModelInfo)],
    limits: &Limits,
    has_token: bool,
) -> Result<Value, serde_json::Error> {
    let (mut paths, mut schemas) = (PathsBuilder::new(), Schemas::default());
    let token = has_token.then_some(1);
    for (path, summary, media, failure) in [
        ("/health/live", "Whether the process answers", JSON, None),
        (
            "/health/ready",
            "Whether every model has made a prediction",
            JSON,
            Some(7),
        ),
        (
            "/metrics",
            "Metrics in the text format of Prometheus",
            "text/plain",
            token,
        ),
        ("/v1/models", "The models", JSON, token),
    ] {
        let (name, schema) = match path {
            "/health/live" => ("Live", answers::flag("live")),
            "/health/ready" => ("Ready", answers::flag("ready")),
            "/v1/models" => ("Models", answers::models()),
            _ => ("Text", json!({"type": "string"})),
        };
        let success = schemas.response("Success", media, name, schema);
        let mut operation = OperationBuilder::new()
            .summary(Some(summary))
            .response("200", success);
        if let Some((status, text)) = failure.map(|at: usize| FAILURES[at]) {
            operation = operation.response(status.to_string(), schemas.failure(text));
        }
        if has_token && failure == token {
            operation = operation.security(required_token());
        }
        paths = paths.path(path, PathItem::new(HttpMethod::Get, operation));
    }
    let generators = models
        .iter()
        .filter(|(_, info)| info.answer == AnswerForm::Text);
    let generators: Vec<&str> = generators.map(|(name, _)| name.as_str()).collect();
    for (at, (name, info)) in models.iter().enumerate() {
        let is_generator = info.answer == AnswerForm::Text;
        if is_generator && generators.first() != Some(&name.as_str()) {
            // One path for all of them.
            continue;
        }
        let operation = predict(name, info, limits, has_token, &generators, &mut schemas);
        let item = || PathItem::new(HttpMethod::Post, operation.clone());
        if is_generator {
            paths = paths.path("/v1/generate", item());
            continue;
        }
        paths = paths.path(format!("/v1/models/{name}/predict"), item());
        if at == 0 {
            paths = paths.path("/v1/predict", item());
            let operation = mlflow::operation(name, info, limits, has_token, &mut schemas);
            paths = paths.path("/invocations", PathItem::new(HttpMethod::Post, operation));
        }
    }
    let info = InfoBuilder::new()
        .title("Tinderbox")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Predictions of trained models"));
    let mut components = ComponentsBuilder::new();
    if has_token {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components = components.security_scheme("token", scheme);
    }
    let document = OpenApiBuilder::new().info(info).paths(paths.build());
    let document = document.components(Some(components.build())).build();
    let mut document = serde_json::to_value(document)?;
    document["components"]["schemas"] = Value::Object(schemas.0);
    Ok(document)
}

fn required_token() -> SecurityRequirement {
    SecurityRequirement::new("token", Vec::<String>::new())
}

fn predict(
    name: &str,
    info: &ModelInfo,
    limits: &Limits,
    has_token: bool,
    generators: &[&str],
    schemas: &mut Schemas,
) -> Operation {
    let mut body = RequestBodyBuilder::new().required(Some(Required::True));
    for (media, schema) in request_schemas(&info.input, limits, generators) {
        let suffix = match media {
            JSON => "input",
            "multipart/form-data" => "form",
            _ => "file",
        };
        body = body.content(media, schemas.content(&format!("{name}-{suffix}"), schema));
    }
    let is_prompt = info.input == InputForm::Prompt;
    let success = if is_prompt {
        let text = "Pieces of text as server-sent events";
        schemas.response(text, "text/event-stream", "Text", json!({"type": "string"}))
    } else {
        let answer = answers::schema(info);
        let schema = json!({"oneOf": [answer, {"type": "array", "items": answer, "minItems": 1}]});
        let text = "A prediction, or a list with one for each input";
        schemas.response(text, JSON, &format!("{name}-answers"), schema)
    };
    let operation = OperationBuilder::new()
        .summary(Some(if is_prompt {
            format!("Generate text with `{}`", generators.join("` or `"))
        } else {
            format!("Predict with `{name}`")
        }))
        .description(Some(format!(
            "{} trained by the recipe `{}`",
            info.kind, info.recipe
        )))
        .request_body(Some(body.build()))
        .response("200", success);
    with_failures(operation, has_token, schemas)
}

/// Completes an operation that predicts.
fn with_failures(
    mut operation: OperationBuilder,
    has_token: bool,
    schemas: &mut Schemas,
) -> Operation {
    for (status, text) in FAILURES {
        operation = operation.response(status.to_string(), schemas.failure(text));
    }
    if has_token {
        operation = operation.security(required_token());
    }
    operation.build()
}

/// The media types that a model takes, with what they hold; `generators` are the models that generate text.
fn request_schemas(
    input: &InputForm,
    limits: &Limits,
    generators: &[&str],
) -> Vec<(&'static str, Value)> {
    let with_list = |one: Value| json!({"oneOf": [one, list(&one, limits)]});
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
        InputForm::Observation { size } => vec![(JSON, with_list(observation_schema(*size)))],
        InputForm::Prompt => vec![(
            JSON,
            json!({
                "type": "object",
                "required": if generators.len() > 1 { vec!["prompt", "model"] } else { vec!["prompt"] },
                "additionalProperties": false,
                "properties": {
                    "prompt": {"type": "string", "minLength": 1},
                    "max_tokens": {"type": "integer", "minimum": 1, "maximum": limits.tokens, "default": 200},
                    "temperature": {"type": "number", "minimum": 0, "maximum": 100, "default": 0.8},
                    "top_k": {"type": "integer", "minimum": 0, "default": 0},
                    "seed": {"type": "integer", "minimum": 0, "default": 0},
                    "model": {"type": "string", "enum": generators},
                },
            }),
        )],
    }
}

/// As many inputs as a request may have.
fn list(one: &Value, limits: &Limits) -> Value {
    json!({"type": "array", "items": one, "minItems": 1, "maxItems": limits.rows})
}

fn observation_schema(size: usize) -> Value {
    let number = json!({"type": "number", "minimum": -LARGEST, "maximum": LARGEST});
    json!({"type": "array", "items": number, "minItems": size, "maxItems": size})
}

fn row_schema(columns: &[InputColumn], ignored: &[String]) -> Value {
    let mut properties = Map::new();
    for column in columns {
        properties.insert(column.name.clone(), column_schema(column));
    }
    for name in ignored {
        // Whatever it is.
        let schema = json!({"description": "ignored"});
        properties.insert(name.clone(), schema);
    }
    let required: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": true,
    })
}

/// Largest number of an input, which has 32 bits.
const LARGEST: f64 = f32::MAX as f64;

const SCALARS: [&str; 4] = ["string", "number", "boolean", "null"];

fn column_schema(column: &InputColumn) -> Value {
    let schema = &column.schema;
    match (column.kind, &schema.words) {
        (Kind::Numeric, _) if !schema.number.is_plain() => json!({
            "type": ["number", "string", "null"],
            "description": "a number, or text as in the training file",
        }),
        (Kind::Numeric, _) => {
            json!({"type": ["number", "null"], "minimum": -LARGEST, "maximum": LARGEST})
        }
        (Kind::Boolean, Some(words)) => json!({
            "type": ["boolean", "string", "null"],
            "enum": [true, false, words.falsity, words.truth, null],
        }),
        (Kind::Boolean, None) => json!({
            "type": ["boolean", "integer", "string", "null"],
            "enum": [true, false, 0, 1, "0", "1", null],
        }),
        (Kind::Date, _) => match schema.date {
            None | Some(DateOrder::YearMonthDay) => {
                json!({"type": ["string", "null"], "format": "date"})
            }
            Some(order) => json!({
                "type": ["string", "null"],
                "description": format!("a date as {}", order.example()),
            }),
        },
        _ => {
            let examples: Vec<&String> = column.values.iter().take(20).collect();
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
            "properties": {"tokens": {"type": "array", "items": text, "minItems": 1}},
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

#[cfg(test)]
mod tests {
    use tinderbox_datasets::table::{BooleanWords, ColumnSchema};

    use super::*;

    fn info(input: InputForm, answer: AnswerForm) -> ModelInfo {
        ModelInfo {
            kind: "table-model".to_owned(),
            recipe: "churn".to_owned(),
            classes: vec!["no".to_owned(), "yes".to_owned()],
            threshold: None,
            weights_sha256: String::new(),
            versions: Value::Null,
            input,
            answer,
        }
    }

    fn column(kind: Kind, values: &[&str]) -> InputColumn {
        InputColumn {
            name: kind.name().to_owned(),
            kind,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            typical: String::new(),
            schema: ColumnSchema {
                words: match values {
                    [falsity, truth] if kind == Kind::Boolean => Some(BooleanWords {
                        falsity: (*falsity).to_owned(),
                        truth: (*truth).to_owned(),
                    }),
                    _ => None,
                },
                ..ColumnSchema::new(kind.name(), kind)
            },
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
        let json = build(&models, &Limits::default(), true).unwrap();
        let operation = &json["paths"]["/v1/models/churn/predict"]["post"];
        let content = &operation["requestBody"]["content"]["application/json"];
        assert_eq!(
            content["schema"]["$ref"],
            "#/components/schemas/churn-input"
        );
        let row = &json["components"]["schemas"]["churn-input"]["oneOf"][0];
        assert_eq!(
            row["required"],
            json!(["numeric", "boolean", "categorical", "date"])
        );
        assert_eq!(row["additionalProperties"], json!(true));
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
    fn of_several_models_that_generate_text_a_request_names_one() {
        let model = |name: &str| (name.to_owned(), info(InputForm::Prompt, AnswerForm::Text));
        for (models, required) in [
            (vec![model("a")], json!(["prompt"])),
            (vec![model("a"), model("b")], json!(["prompt", "model"])),
        ] {
            let json = build(&models, &Limits::default(), false).unwrap();
            let schema = &json["components"]["schemas"]["a-input"];
            assert_eq!(schema["required"], required);
            let names: Vec<&String> = models.iter().map(|(name, _)| name).collect();
            assert_eq!(schema["properties"]["model"]["enum"], json!(names));
        }
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
            let json = build(&models, &Limits::default(), false).unwrap();
            let path = if is_prompt {
                "/v1/generate"
            } else {
                "/v1/predict"
            };
            let content = &json["paths"][path]["post"]["requestBody"]["content"];
            let name = content[media]["schema"]["$ref"].as_str().unwrap();
            let name = name.rsplit('/').next().unwrap();
            let expected = request_schemas(&input, &Limits::default(), &["m"]);
            let (_, schema) = expected.iter().find(|(own, _)| *own == media).unwrap();
            assert_eq!(&json["components"]["schemas"][name], schema, "{input:?}");
        }
    }
}
