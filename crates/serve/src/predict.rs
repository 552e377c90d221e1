//! `POST /v1/predict`: inputs of one request to predictions.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde_json::{Map, Value};
use tinderbox_datasets::image::{ImageError, oriented_size};
use tinderbox_predict::{Inputs, PredictError, Prediction};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::body::{self, Json, without_mark};
use crate::limits::Limits;
use crate::model::{InputForm, Loaded};
use crate::problem::{Name, Problem};
use crate::registry::Entry;
use crate::server::Shared;
use crate::{ndjson, strict_json};

/// Bodies up to this size are decoded where they arrive; larger ones and images on other threads, so that
/// they do not delay other requests.
const SMALL: usize = 16_384;

/// The header with what was assumed or left out.
static NOTE: HeaderName = HeaderName::from_static("tinderbox-note");

/// The content of a request.
#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    /// A file that is the whole body.
    File(Bytes),
    /// Files of a form, by their names.
    Files(Vec<(String, Bytes)>),
}

/// Decoded inputs, with the form of their answer.
pub(crate) struct Decoded {
    pub(crate) inputs: Inputs,
    form: Form,
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// One object.
    One,
    /// A list of objects.
    Many,
    /// A list of objects with the numbers of rows.
    Rows,
    /// A list of objects with the names of files, and the numbers of rows in them.
    Named(Vec<(String, Option<usize>)>),
}

/// `POST /v1/predict`
pub(crate) async fn default_model(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    respond(&shared, None, request).await
}

/// `POST /v1/models/{name}/predict`
pub(crate) async fn named_model(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    request: Request,
) -> Result<Response, Problem> {
    respond(&shared, Some(&name), request).await
}

async fn respond(
    shared: &Arc<Shared>,
    name: Option<&str>,
    request: Request,
) -> Result<Response, Problem> {
    let entry = shared.models.get(name)?;
    let (parts, body) = request.into_parts();
    let media = body::media_type(&parts.headers);
    if ndjson::is_ndjson(&media) {
        return ndjson::respond(shared, &entry, &parts, body);
    }
    let loaded = entry.loaded();
    let content = read(&parts, body, &media, &loaded.info.input, &shared.limits).await?;
    let decoded = decode(shared, &loaded, content).await?;
    let form = decoded.form.clone();
    let note = note(&decoded.inputs);
    let predictions = answer(shared, &entry, &loaded, decoded.inputs).await?;
    Ok((note, Json(form.json(&predictions))).into_response())
}

/// The header with what was assumed or left out, if there is something.
pub(crate) fn note(inputs: &Inputs) -> HeaderMap {
    let mut notes = inputs.notes().to_vec();
    if !inputs.unknown_columns().is_empty() {
        let names = inputs.unknown_columns().iter();
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        notes.push(format!("ignored columns: {}", names.join(", ")));
    }
    let value = header_value(&notes.join("; "));
    HeaderMap::from_iter(value.map(|value| (NOTE.clone(), value)))
}

/// Text as the value of a header, which holds ASCII only; `None` if it is empty.
fn header_value(text: &str) -> Option<HeaderValue> {
    let short = text.chars().take(500);
    let ascii: String = short.flat_map(char::escape_default).collect();
    let ascii = ascii.replace("\\'", "'").replace("\\\"", "\"");
    (!text.is_empty()).then(|| HeaderValue::from_str(&ascii).ok())?
}

/// Waits for the predictions of inputs.
pub(crate) async fn answer(
    shared: &Shared,
    entry: &Entry,
    loaded: &Loaded,
    inputs: Inputs,
) -> Result<Vec<Prediction>, Problem> {
    let answer = entry.submit(loaded, inputs)?;
    match timeout(shared.limits.time, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the model stopped before it answered",
        )),
        Err(_) => Err(Problem::late()),
    }
}

async fn read(
    parts: &request::Parts,
    body: Body,
    media: &str,
    input: &InputForm,
    limits: &Limits,
) -> Result<Content, Problem> {
    let bytes = body::read(body, &parts.headers, limits).await?;
    if bytes.is_empty() {
        return Err(Problem::malformed("the body is empty"));
    }
    let is_form = media == "multipart/form-data";
    match (input, media) {
        (InputForm::Prompt, _) => Err(Problem::input(
            "this model generates text: use `POST /v1/generate`",
        )),
        _ if is_form => files(parts, bytes).await,
        (InputForm::Image, "application/json") => Err(unsupported(media, input)),
        (_, "application/json") => json(&bytes),
        (_, media) if media.ends_with("+json") && *input != InputForm::Image => json(&bytes),
        (InputForm::Row { .. }, "text/csv")
        | (InputForm::Text { .. }, "text/plain")
        | (InputForm::Image, "application/octet-stream") => Ok(Content::File(bytes)),
        (InputForm::Image, media) if media.starts_with("image/") => Ok(Content::File(bytes)),
        // curl sends the second unless it is told otherwise.
        (InputForm::Image, "" | "application/x-www-form-urlencoded") => Ok(Content::File(bytes)),
        (_, "" | "application/x-www-form-urlencoded") if looks_like_json(&bytes) => json(&bytes),
        _ => Err(unsupported(media, input)),
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(
        without_mark(bytes).trim_ascii_start().first(),
        Some(b'{' | b'[' | b'"')
    )
}

pub(crate) fn json(bytes: &[u8]) -> Result<Content, Problem> {
    let value = strict_json::parse(without_mark(bytes));
    let value =
        value.map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))?;
    Ok(Content::Json(value))
}

fn unsupported(media: &str, input: &InputForm) -> Problem {
    let accepted = match input {
        InputForm::Image => "image/png, image/jpeg or multipart/form-data",
        InputForm::Row { .. } => {
            "application/json, application/x-ndjson, text/csv or multipart/form-data"
        }
        InputForm::Text { .. } => {
            "application/json, application/x-ndjson, text/plain or multipart/form-data"
        }
        InputForm::Prompt | InputForm::Observation { .. } => {
            "application/json or application/x-ndjson"
        }
    };
    let media: String = media.chars().take(80).collect();
    let sent = if media.is_empty() {
        "the request has no Content-Type".to_owned()
    } else {
        format!("the Content-Type `{media}` does not fit this model")
    };
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("{sent}: send {accepted}"),
    )
}

/// The files of a form; fields that are not files are texts or rows.
async fn files(parts: &request::Parts, bytes: Bytes) -> Result<Content, Problem> {
    let mut request = Request::new(Body::from(bytes));
    *request.headers_mut() = parts.headers.clone();
    // Without the form's own limit: that of the body has been checked.
    *request.extensions_mut() = parts.extensions.clone();
    let malformed = |error: String| Problem::malformed(format!("the form cannot be read: {error}"));
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| malformed(error.body_text()))?;
    let mut files = Vec::new();
    loop {
        let field = form.next_field().await;
        let Some(field) = field.map_err(|error| malformed(error.body_text()))? else {
            break;
        };
        let name = field
            .file_name()
            .or(field.name())
            .unwrap_or("file")
            .to_owned();
        let bytes = field.bytes().await;
        files.push((name, bytes.map_err(|error| malformed(error.body_text()))?));
    }
    if files.is_empty() {
        return Err(Problem::malformed("the form has no file"));
    }
    Ok(Content::Files(files))
}

/// Decodes the content of a request.
pub(crate) async fn decode(
    shared: &Arc<Shared>,
    loaded: &Loaded,
    content: Content,
) -> Result<Decoded, Problem> {
    let is_small = match (&loaded.info.input, &content) {
        (InputForm::Image, _) | (_, Content::Files(_)) => false,
        // What a body of this size holds is small, too.
        (_, Content::Json(value)) => value.as_array().is_none_or(|values| values.len() <= 16),
        (_, Content::File(bytes)) => bytes.len() <= SMALL,
    };
    if is_small {
        return decode_now(loaded, &content, &shared.limits);
    }
    let (shared, loaded) = (Arc::clone(shared), loaded.clone());
    blocking(&shared.clone(), move || {
        decode_now(&loaded, &content, &shared.limits)
    })
    .await?
}

/// Runs CPU-bound work on a blocking thread, with at most one job per core. Work that takes too long goes on, and
/// keeps its core, but nobody waits for it.
pub(crate) async fn blocking<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let limit = shared.limits.time;
    let result = timeout(limit, blocking_in(&shared.cores, limit, work)).await;
    result.unwrap_or_else(|_| Err(Problem::late()))
}

/// The same with other places than those of decoding, for which it waits `limit` at most.
pub(crate) async fn blocking_in<T: Send + 'static>(
    places: &Arc<Semaphore>,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let permit = timeout(limit, Arc::clone(places).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else {
        return Err(Problem::late());
    };
    let result = spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    result.await.map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the input made the server fail; the log of the server says why",
        )
    })
}

fn decode_now(loaded: &Loaded, content: &Content, limits: &Limits) -> Result<Decoded, Problem> {
    let decoded = match content {
        Content::Json(value) => decode_json(loaded, value, limits)?,
        Content::File(bytes) => {
            let inputs = loaded.model.read_file("body", bytes, limits.pixels)?;
            let form = match loaded.info.input {
                InputForm::Row { .. } => Form::Rows,
                _ => Form::One,
            };
            Decoded { inputs, form }
        }
        Content::Files(files) => decode_files(loaded, files, limits)?,
    };
    check(&decoded.inputs, limits)?;
    Ok(decoded)
}

fn check(inputs: &Inputs, limits: &Limits) -> Result<(), Problem> {
    if inputs.is_empty() {
        return Err(no_input());
    }
    check_count(inputs.len(), limits)?;
    if inputs.tokens() > limits.tokens {
        return Err(Problem::input(format!(
            "the texts have {} tokens, and the limit of this server is {}",
            inputs.tokens(),
            limits.tokens
        )));
    }
    Ok(())
}

fn no_input() -> Problem {
    Problem::input("the request has no input")
}

fn check_count(count: usize, limits: &Limits) -> Result<(), Problem> {
    if count <= limits.rows {
        return Ok(());
    }
    // Not 413, which is about bytes: clients take this for a violation of the schema, as it is.
    Err(Problem::input(format!(
        "the request has {count} inputs, and the limit of this server is {}; send fewer, or a stream as \
         application/x-ndjson",
        limits.rows
    )))
}

fn decode_json(loaded: &Loaded, value: &Value, limits: &Limits) -> Result<Decoded, Problem> {
    let form = match (&loaded.info.input, value) {
        (InputForm::Observation { .. }, Value::Array(values))
            if !values.iter().all(Value::is_array) =>
        {
            Form::One
        }
        (InputForm::Row { .. }, Value::Array(_)) => Form::Rows,
        (_, Value::Array(_)) => Form::Many,
        _ => Form::One,
    };
    let values = match (&form, value) {
        (Form::One, _) => std::slice::from_ref(value),
        (_, Value::Array(values)) => values.as_slice(),
        _ => &[],
    };
    check_count(values.len(), limits)?;
    let inputs = loaded.model.read_values(values)?;
    Ok(Decoded { inputs, form })
}

/// Refuses images that are too large together, by their headers: before any of them is decoded.
fn check_pixels(files: &[(String, Bytes)], limits: &Limits) -> Result<(), Problem> {
    let mut sum = 0_u64;
    for (name, bytes) in files {
        match oriented_size(bytes, Path::new(name), limits.pixels) {
            Ok((height, width)) => sum = sum.saturating_add((height * width) as u64),
            Err(error @ ImageError::TooLarge { .. }) => {
                return Err(PredictError::input(error).into());
            }
            // The decoder says what is wrong with it.
            Err(_) => {}
        }
    }
    if sum <= limits.pixels {
        return Ok(());
    }
    Err(Problem::input(format!(
        "the {} images of the request are too large together: they have {sum} pixels, and the limit of this \
         server is {}; send them in several requests",
        files.len(),
        limits.pixels
    )))
}

fn decode_files(
    loaded: &Loaded,
    files: &[(String, Bytes)],
    limits: &Limits,
) -> Result<Decoded, Problem> {
    check_count(files.len(), limits)?;
    if loaded.info.input == InputForm::Image {
        check_pixels(files, limits)?;
    }
    let (mut all, mut names) = (None::<Inputs>, Vec::new());
    for (name, bytes) in files {
        let is_rows = matches!(loaded.info.input, InputForm::Row { .. });
        let inputs = if is_rows && looks_like_json(bytes) {
            decode_now(loaded, &json(bytes)?, limits)?.inputs
        } else {
            loaded.model.read_file(name, bytes, limits.pixels)?
        };
        let rows = (1..=inputs.len()).map(|row| is_rows.then_some(row));
        names.extend(rows.map(|row| (name.clone(), row)));
        match &mut all {
            Some(all) => all.append(inputs)?,
            None => all = Some(inputs),
        }
    }
    let inputs = all.ok_or_else(no_input)?;
    let form = Form::Named(names);
    Ok(Decoded { inputs, form })
}

impl Form {
    fn json(&self, predictions: &[Prediction]) -> Value {
        let object = |(at, prediction): (usize, &Prediction)| {
            let mut object = Map::new();
            match self {
                Self::Rows => drop(object.insert("row".to_owned(), (at + 1).into())),
                Self::Named(names) => {
                    if let Some((name, row)) = names.get(at) {
                        object.insert("input".to_owned(), name.as_str().into());
                        object.extend(row.map(|row| ("row".to_owned(), row.into())));
                    }
                }
                Self::One | Self::Many => {}
            }
            object.extend(prediction.to_json());
            Value::Object(object)
        };
        let mut objects = predictions.iter().enumerate().map(object);
        match self {
            Self::One => objects.next().unwrap_or(Value::Null),
            _ => objects.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_a_header_of_ascii() {
        assert_eq!(header_value(""), None);
        let value = header_value("`größe`: 1 value\nx").unwrap();
        assert_eq!(value, "`gr\\u{f6}\\u{df}e`: 1 value\\nx");
    }
}
