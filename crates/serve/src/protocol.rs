//! The Open Inference Protocol, version 2,
//! <https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md>:
//! named tensors in and out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tinderbox_datasets::table::Kind;
use tinderbox_predict::{Action, Prediction};

use crate::base64_images::images;
use crate::body::{self, Json};
use crate::mlflow::of_columns;
use crate::model::{AnswerForm, InputForm, Loaded};
use crate::predict::{Content, answer, decode, note};
use crate::problem::{Name, Problem};
use crate::server::Shared;

/// A problem with the member `error` that the protocol asks for.
pub(crate) struct ProtocolError(Problem);

impl From<Problem> for ProtocolError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for ProtocolError {
    fn into_response(self) -> Response {
        let mut json = self.0.json();
        json["error"] = json["detail"].clone();
        let mut response = self.0.into_response();
        *response.body_mut() = json.to_string().into();
        response.headers_mut().remove("content-length");
        response
    }
}

#[derive(Debug, Deserialize)]
struct Infer {
    id: Option<String>,
    inputs: Vec<InputTensor>,
    /// The outputs that the client wants; all of them if there is none.
    #[serde(default)]
    outputs: Vec<OutputName>,
}

impl Infer {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(bytes).map_err(|error| {
            if error.is_data() {
                Problem::input(
                    "the body is not an inference request: it has a list of `inputs`, each with `name`, `shape` (a \
                     list of whole numbers), `datatype` and `data`, and may have `id`, a text, and a list of \
                     `outputs`, each with `name`",
                )
            } else {
                Problem::malformed(format!("the body is not JSON: {error}"))
            }
        })
    }
}

#[derive(Debug, Deserialize)]
struct OutputName {
    name: String,
}

#[derive(Debug, Deserialize)]
struct InputTensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Value,
}

/// `GET /v2`
pub(crate) async fn server() -> Json {
    Json(json!({
        "name": "tinderbox",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": [],
    }))
}

/// `GET /v2/models/{name}`
pub(crate) async fn model(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Result<Json, ProtocolError> {
    let entry = shared.models.get(Some(&name))?;
    let loaded = entry.loaded();
    Ok(Json(json!({
        "name": name,
        "platform": "tinderbox_burn",
        "inputs": inputs_of(&loaded.info.input),
        "outputs": outputs_of(&loaded),
    })))
}

/// `GET /v2/models/{name}/ready`
pub(crate) async fn ready(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Result<Json, ProtocolError> {
    shared.models.get(Some(&name))?;
    let ready = crate::health::ready(State(shared)).await?;
    Ok(ready)
}

/// `POST /v2/models/{name}/infer`
pub(crate) async fn infer(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    request: Request,
) -> Result<Response, ProtocolError> {
    let entry = shared.models.get(Some(&name))?;
    let loaded = entry.loaded();
    let (parts, content) = request.into_parts();
    let bytes = body::read(content, &parts.headers, &shared.limits).await?;
    let asked = Infer::parse(&bytes)?;
    let content = content_of(asked.inputs, &loaded.info.input)?;
    let decoded = decode(&shared, &loaded, content).await?;
    let note = note(&decoded.inputs);
    let predictions = answer(&shared, &entry, &loaded, decoded.inputs).await?;
    let outputs = wanted(outputs(&predictions), &asked.outputs)?;
    let mut response = json!({"model_name": name, "outputs": outputs});
    if let Some(id) = asked.id {
        response["id"] = id.into();
    }
    Ok((note, Json(response)).into_response())
}

/// The outputs that the client has named.
fn wanted(outputs: Vec<Value>, names: &[OutputName]) -> Result<Vec<Value>, Problem> {
    if names.is_empty() {
        return Ok(outputs);
    }
    let find = |wanted: &OutputName| {
        let found = outputs
            .iter()
            .find(|output| output["name"] == wanted.name.as_str());
        found.cloned().ok_or_else(|| {
            let known = outputs.iter().filter_map(|output| output["name"].as_str());
            let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            let name: String = wanted.name.chars().take(80).collect();
            Problem::input(format!(
                "this model has no output `{name}`, but {}",
                known.join(" and ")
            ))
        })
    };
    names.iter().map(find).collect()
}

fn inputs_of(input: &InputForm) -> Value {
    let tensor = |name: &str, datatype: &str, shape: Value| json!({"name": name, "datatype": datatype, "shape": shape});
    match input {
        InputForm::Image => json!([tensor("image", "BYTES", json!([-1]))]),
        InputForm::Row { columns, .. } => columns
            .iter()
            .map(|column| {
                let datatype = match column.kind {
                    Kind::Numeric => "FP64",
                    Kind::Boolean => "BOOL",
                    _ => "BYTES",
                };
                tensor(&column.name, datatype, json!([-1]))
            })
            .collect(),
        InputForm::Text { pair: true, .. } => {
            json!([
                tensor("text", "BYTES", json!([-1])),
                tensor("text_pair", "BYTES", json!([-1]))
            ])
        }
        InputForm::Text { .. } | InputForm::Prompt => json!([tensor("text", "BYTES", json!([-1]))]),
        InputForm::Observation { size } => {
            json!([tensor("observation", "FP32", json!([-1, size]))])
        }
    }
}

fn outputs_of(loaded: &Loaded) -> Value {
    let classes = &loaded.info.classes;
    let probabilities = json!({
        "name": "probabilities", "datatype": "FP32", "shape": [-1, classes.len()], "parameters": {"classes": classes},
    });
    match loaded.info.answer {
        AnswerForm::Class => {
            json!([{"name": "label", "datatype": "BYTES", "shape": [-1]}, probabilities])
        }
        AnswerForm::Labels => json!([probabilities]),
        AnswerForm::Number => json!([{"name": "value", "datatype": "FP64", "shape": [-1]}]),
        AnswerForm::Action => json!([{"name": "action", "datatype": "INT64", "shape": [-1]}]),
        AnswerForm::ActionVector(width) => {
            json!([{"name": "action", "datatype": "FP32", "shape": [-1, width]}])
        }
        _ => json!([{"name": "prediction", "datatype": "BYTES", "shape": [-1]}]),
    }
}

/// The inputs of a request as the content of one of ours.
fn content_of(tensors: Vec<InputTensor>, input: &InputForm) -> Result<Content, Problem> {
    let mut columns = Map::new();
    for tensor in tensors {
        let (name, values) = tensor.values(input)?;
        if columns.contains_key(&name) {
            return Err(Problem::input(format!("the input `{name}` comes twice")));
        }
        columns.insert(name, Value::Array(values));
    }
    match input {
        InputForm::Prompt => Err(Problem::input(
            "this model generates text: use `POST /v1/generate`",
        )),
        InputForm::Row { .. } | InputForm::Text { pair: true, .. } => {
            Ok(Content::Json(of_columns(columns)?.into()))
        }
        _ => {
            let name = match input {
                InputForm::Image => "image",
                InputForm::Text { .. } => "text",
                _ => "observation",
            };
            let mut all = columns.into_iter();
            let (Some((found, Value::Array(values))), None) = (all.next(), all.next()) else {
                return Err(Problem::input(format!(
                    "this model has one input, `{name}`"
                )));
            };
            if found != name {
                return Err(Problem::input(format!(
                    "this model has no input `{found}`, but `{name}`"
                )));
            }
            if *input == InputForm::Image {
                return images(&values);
            }
            Ok(Content::Json(Value::Array(values)))
        }
    }
}

impl InputTensor {
    /// The name, and a value for each input.
    fn values(self, input: &InputForm) -> Result<(String, Vec<Value>), Problem> {
        const DATATYPES: [&str; 12] = [
            "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
            "FP32", "FP64", "BYTES",
        ];
        let Self {
            name,
            shape,
            datatype,
            data,
        } = self;
        let wrong = |reason: String| Problem::input(format!("input `{name}`: {reason}"));
        if !DATATYPES.contains(&datatype.as_str()) {
            let datatype: String = datatype.chars().take(20).collect();
            return Err(wrong(format!(
                "the datatype `{datatype}` is not one of {}",
                DATATYPES.join(", ")
            )));
        }
        let mut flat = Vec::new();
        flatten(data, &mut flat);
        if let Some(value) = flat.iter().find(|value| !is_of(value, &datatype)) {
            let value: String = value.to_string().chars().take(40).collect();
            return Err(wrong(format!(
                "`{value}` is not of the datatype {datatype}"
            )));
        }
        let expected = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size));
        if expected != Some(flat.len()) {
            return Err(wrong(format!(
                "the shape {shape:?} does not fit {} values",
                flat.len()
            )));
        }
        let width = match (input, shape.as_slice()) {
            (InputForm::Observation { .. }, [_, width]) => Some(*width),
            (InputForm::Observation { .. }, _) => {
                return Err(wrong("the shape must be [inputs, numbers]".to_owned()));
            }
            (_, [_] | [_, 1]) => None,
            _ => return Err(wrong("the shape must be [inputs]".to_owned())),
        };
        let values = match width {
            Some(0) => return Err(wrong("an observation has no numbers".to_owned())),
            Some(width) => flat.chunks(width).map(|row| row.to_vec().into()).collect(),
            None => flat,
        };
        Ok((name, values))
    }
}

/// Whether a value can be of a datatype; `null` is a missing value of any.
fn is_of(value: &Value, datatype: &str) -> bool {
    let bits = || {
        datatype
            .trim_start_matches(char::is_alphabetic)
            .parse::<u32>()
            .ok()
    };
    match datatype {
        _ if value.is_null() => true,
        "BOOL" => value.is_boolean(),
        "BYTES" => value.is_string(),
        "FP32" | "FP64" => value.is_number(),
        _ if datatype.starts_with("UINT") => {
            let largest = bits().and_then(|bits| u64::MAX.checked_shr(64 - bits));
            value.as_u64().is_some_and(|value| Some(value) <= largest)
        }
        _ => {
            let largest = bits().and_then(|bits| i64::MAX.checked_shr(64 - bits));
            let fits = |value: i64| {
                largest.is_some_and(|largest| (-largest - 1..=largest).contains(&value))
            };
            value.as_i64().is_some_and(fits)
        }
    }
}

/// The numbers or texts of nested lists, in order.
fn flatten(data: Value, flat: &mut Vec<Value>) {
    match data {
        Value::Array(values) => values.into_iter().for_each(|value| flatten(value, flat)),
        value => flat.push(value),
    }
}

fn outputs(predictions: &[Prediction]) -> Vec<Value> {
    let count = predictions.len();
    let labels: Option<Vec<&str>> = predictions.iter().map(label).collect();
    let probabilities: Option<Vec<&[(String, f32)]>> =
        predictions.iter().map(probabilities).collect();
    let mut outputs = Vec::new();
    if let Some(labels) = labels {
        outputs
            .push(json!({"name": "label", "datatype": "BYTES", "shape": [count], "data": labels}));
    }
    if let Some(rows) = probabilities {
        let classes: Vec<&str> = rows.first().map_or_else(Vec::new, |row| {
            row.iter().map(|(name, _)| name.as_str()).collect()
        });
        let values: Vec<f32> = rows
            .iter()
            .flat_map(|row| row.iter().map(|(_, value)| *value))
            .collect();
        outputs.push(json!({
            "name": "probabilities", "datatype": "FP32", "shape": [count, classes.len()], "data": values,
            "parameters": {"classes": classes},
        }));
    }
    let numbers: Option<Vec<f64>> = predictions.iter().map(Prediction::value).collect();
    if let Some(numbers) = numbers {
        outputs
            .push(json!({"name": "value", "datatype": "FP64", "shape": [count], "data": numbers}));
    }
    let actions: Option<Vec<usize>> = predictions.iter().map(discrete_action).collect();
    if let Some(actions) = actions {
        outputs.push(
            json!({"name": "action", "datatype": "INT64", "shape": [count], "data": actions}),
        );
    }
    let actions: Option<Vec<&[f32]>> = predictions.iter().map(continuous_action).collect();
    if let Some(actions) = actions {
        let width = actions.first().map_or(0, |action| action.len());
        outputs.push(json!({
            "name": "action", "datatype": "FP32", "shape": [count, width], "data": actions.concat(),
        }));
    }
    if outputs.is_empty() {
        let texts = predictions
            .iter()
            .map(|one| Value::Object(one.to_json()).to_string());
        let texts: Vec<String> = texts.collect();
        outputs.push(
            json!({"name": "prediction", "datatype": "BYTES", "shape": [count], "data": texts}),
        );
    }
    outputs
}

fn label(prediction: &Prediction) -> Option<&str> {
    match prediction {
        Prediction::Class { label, .. } => Some(label),
        _ => None,
    }
}

fn probabilities(prediction: &Prediction) -> Option<&[(String, f32)]> {
    match prediction {
        Prediction::Class { probabilities, .. } | Prediction::Labels { probabilities, .. } => {
            Some(probabilities)
        }
        _ => None,
    }
}

fn continuous_action(prediction: &Prediction) -> Option<&[f32]> {
    match prediction {
        Prediction::Action {
            action: Action::Continuous(values),
        } => Some(values),
        _ => None,
    }
}

fn discrete_action(prediction: &Prediction) -> Option<usize> {
    match prediction {
        Prediction::Action {
            action: Action::Discrete(action),
        } => Some(*action),
        _ => None,
    }
}

/// `GET /v2/health/ready`
pub(crate) async fn health(State(shared): State<Arc<Shared>>) -> StatusCode {
    match crate::health::ready(State(shared)).await {
        Ok(_) => StatusCode::OK,
        Err(problem) => problem.status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_must_be_of_their_datatype() {
        for (value, datatype, fits) in [
            (json!(255), "UINT8", true),
            (json!(256), "UINT8", false),
            (json!(-1), "UINT64", false),
            (json!(u64::MAX), "UINT64", true),
            (json!(-128), "INT8", true),
            (json!(-129), "INT8", false),
            (json!(i64::MIN), "INT64", true),
            (json!(1.5), "INT64", false),
            (json!(1.5), "FP32", true),
            (json!("a"), "BYTES", true),
            (json!(1), "BYTES", false),
            (json!(true), "BOOL", true),
            (json!(1), "BOOL", false),
            (json!(null), "INT8", true),
        ] {
            assert_eq!(is_of(&value, datatype), fits, "{value} {datatype}");
        }
    }

    #[test]
    fn the_width_of_an_action_is_no_part_of_its_name() {
        let form = serde_json::to_value(AnswerForm::ActionVector(1)).unwrap();
        assert_eq!(form, "action-vector");
    }

    #[test]
    fn what_is_no_request_is_refused_without_words_of_the_program() {
        let body = br#"{"inputs": [{"name": "a", "shape": "b", "datatype": "FP32", "data": []}]}"#;
        let problem = Infer::parse(body).unwrap_err();
        assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!problem.detail.contains("expected"), "{}", problem.detail);
        let problem = Infer::parse(b"{").unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_client_gets_the_outputs_that_it_names() {
        let outputs = || vec![json!({"name": "label"}), json!({"name": "probabilities"})];
        let name = |name: &str| OutputName {
            name: name.to_owned(),
        };
        assert_eq!(wanted(outputs(), &[]), Ok(outputs()));
        assert_eq!(
            wanted(outputs(), &[name("probabilities")]),
            Ok(vec![json!({"name": "probabilities"})])
        );
        let error = wanted(outputs(), &[name("x")]).unwrap_err().detail;
        assert_eq!(
            error,
            "this model has no output `x`, but `label` and `probabilities`"
        );
    }
}
