//! Streams of JSON lines: an answer for each line, in memory that does not grow.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header, request};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};
use tinderbox_predict::{Inputs, Prediction, error_chain};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::access::InProgress;
use crate::body;
use crate::model::{InputForm, Loaded};
use crate::predict::{answer, blocking};
use crate::problem::Problem;
use crate::registry::Entry;
use crate::server::Shared;
use crate::strict_json;

/// Most lines that are predicted at a time.
const LINES: usize = 1_000;

/// Time after which a stream asks again for a place in a full queue.
const RETRY: Duration = Duration::from_millis(2);

/// Whether a media type is that of JSON lines.
pub(crate) fn is_ndjson(media: &str) -> bool {
    matches!(
        media,
        "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
    )
}

/// Responds to a stream with one line for each of its lines.
pub(crate) fn respond(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    parts: &request::Parts,
    body: Body,
) -> Result<Response, Problem> {
    body::check_encoding(&parts.headers)?;
    let loaded = entry.loaded();
    match loaded.info.input {
        InputForm::Image => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this model reads images: send image/png, image/jpeg or multipart/form-data",
            ));
        }
        InputForm::Prompt => {
            return Err(Problem::input(
                "this model generates text: use `POST /v1/generate`",
            ));
        }
        _ => {}
    }
    let lines = Lines {
        shared: Arc::clone(shared),
        entry: Arc::clone(entry),
        loaded,
        body: Some(body),
        pending: BytesMut::new(),
        row: 0,
        _in_progress: parts.extensions.get::<InProgress>().cloned(),
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(send_answers(lines, sender));
    let parts = stream::unfold(receiver, |mut receiver| async move {
        match receiver.recv().await {
            Some(Part::Lines(part)) => Some((Ok(part), receiver)),
            Some(Part::End) => None,
            // The connection breaks off, so that nobody takes this for the whole answer.
            None => {
                let error = io::Error::new(ErrorKind::TimedOut, "the answer was not read in time");
                Some((Err(error), receiver))
            }
        }
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(parts)).into_response())
}

/// A part of the answer.
enum Part {
    Lines(Bytes),
    End,
}

/// Sends the answers until the client has gone, or does not take the next part in time. Then its place in
/// the queue is free, which it would not be if only the connection asked for more.
async fn send_answers(mut lines: Lines, sender: mpsc::Sender<Part>) {
    let limit = lines.shared.limits.time;
    loop {
        let part = tokio::select! {
            part = lines.next() => part,
            () = sender.closed() => return,
        };
        let is_end = part.is_none();
        let part = part.map_or(Part::End, Part::Lines);
        let sent = timeout(limit, sender.send(part)).await;
        if is_end || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// A stream that is being answered.
struct Lines {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    loaded: Loaded,
    /// `None` at the end.
    body: Option<Body>,
    pending: BytesMut,
    /// Number of the last line with an answer, from 1, without empty lines.
    row: u64,
    _in_progress: Option<InProgress>,
}

impl Lines {
    /// The answers to the next lines; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        // Empty lines and parts of a line do not give a client more time.
        let (start, limit) = (Instant::now(), self.shared.limits.time);
        loop {
            let lines = self.take_lines();
            if !lines.is_empty() {
                return Some(self.answer(lines).await);
            }
            let body = self.body.as_mut()?;
            let left = limit.saturating_sub(start.elapsed());
            match timeout(left, body.frame()).await {
                Ok(Some(Ok(frame))) if start.elapsed() < limit => {
                    if let Ok(data) = frame.into_data() {
                        self.pending.extend_from_slice(&data);
                    }
                }
                Ok(None) => self.body = None,
                Ok(Some(Err(error))) => return Some(self.stop(&body::broken(&error))),
                Ok(Some(Ok(_))) | Err(_) => return Some(self.stop(&body::slow())),
            }
            let is_open = !self.pending.contains(&b'\n');
            if is_open && self.pending.len() > self.shared.limits.body_bytes {
                let limit = self.shared.limits.body_bytes;
                let problem =
                    format!("a line has more than {limit} bytes, the limit of this server");
                return Some(self.stop(&Problem::too_large(problem)));
            }
        }
    }

    /// Whole lines that have arrived, without empty ones.
    fn take_lines(&mut self) -> Vec<Bytes> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let end = self.pending.iter().position(|&byte| byte == b'\n');
            let line = match end {
                Some(end) => self.pending.split_to(end + 1),
                None if self.body.is_none() && !self.pending.is_empty() => self.pending.split(),
                None => break,
            };
            let line = line.freeze();
            if !line.trim_ascii().is_empty() {
                lines.push(line);
            }
        }
        lines
    }

    async fn answer(&mut self, lines: Vec<Bytes>) -> Bytes {
        let (count, loaded) = (lines.len(), self.loaded.clone());
        let decoded = blocking(&self.shared, move || decode(&loaded, &lines)).await;
        let (inputs, slots) = match decoded {
            Ok(decoded) => decoded,
            Err(problem) => {
                let error = |_| Slot::Error(problem.detail.clone());
                (None, (0..count).map(error).collect())
            }
        };
        let predictions = match inputs {
            Some(inputs) => self.predict(inputs).await,
            None => Ok(Vec::new()),
        };
        let mut out = Vec::new();
        match predictions {
            Ok(predictions) => {
                let mut predictions = predictions.iter();
                for slot in slots {
                    let line = match slot {
                        Slot::Error(detail) => self.error_line(&detail),
                        Slot::Input(note) => self.line(predictions.next(), note),
                    };
                    out.push(line);
                }
            }
            Err(problem) => out.extend(slots.iter().map(|_| self.error_line(&problem.detail))),
        }
        Bytes::from(out.concat())
    }

    /// Waits for a place in the queue, and for the predictions.
    async fn predict(&mut self, inputs: Inputs) -> Result<Vec<Prediction>, Problem> {
        let wait = async {
            loop {
                let answer = answer(&self.shared, &self.entry, &self.loaded, inputs.clone()).await;
                match answer {
                    Err(problem) if problem == Problem::busy() => sleep(RETRY).await,
                    answer => return answer,
                }
            }
        };
        let answer = timeout(self.shared.limits.time, wait).await;
        answer.unwrap_or_else(|_| Err(Problem::late()))
    }

    fn line(&mut self, prediction: Option<&Prediction>, note: String) -> String {
        self.row += 1;
        let mut object = Map::from_iter([("row".to_owned(), Value::from(self.row))]);
        object.extend(prediction.map(Prediction::to_json).unwrap_or_default());
        if !note.is_empty() {
            object.insert("note".to_owned(), note.into());
        }
        format!("{}\n", Value::Object(object))
    }

    fn error_line(&mut self, detail: &str) -> String {
        self.row += 1;
        format!("{}\n", json!({"row": self.row, "error": detail}))
    }

    /// The last line of a stream that cannot be read any further.
    fn stop(&mut self, problem: &Problem) -> Bytes {
        self.body = None;
        self.pending.clear();
        Bytes::from(self.error_line(&problem.detail))
    }
}

/// What there is to say of a line.
enum Slot {
    /// It has a prediction, and perhaps a note.
    Input(String),
    /// It has none, for this reason.
    Error(String),
}

/// The inputs of lines, and what there is to say of each line.
fn decode(loaded: &Loaded, lines: &[Bytes]) -> (Option<Inputs>, Vec<Slot>) {
    let values = lines.iter().map(|line| {
        let value = strict_json::parse(body::without_mark(line));
        value.map_err(|error| format!("the line is not JSON: {error}"))
    });
    let mut values: Vec<Result<Value, String>> = values.collect();
    let good = |values: &[Result<Value, String>]| -> Vec<Value> {
        values
            .iter()
            .filter_map(|value| value.clone().ok())
            .collect()
    };
    let all = good(&values);
    let mut inputs = (!all.is_empty()).then(|| loaded.model.read_values(&all));
    if matches!(inputs, Some(Err(_))) {
        for value in &mut values {
            let Ok(own) = value else { continue };
            if let Err(error) = loaded.model.read_values(std::slice::from_ref(own)) {
                *value = Err(error_chain(&error));
            }
        }
        let all = good(&values);
        inputs = (!all.is_empty()).then(|| loaded.model.read_values(&all));
    }
    let inputs = inputs.and_then(Result::ok);
    let has_notes = inputs
        .as_ref()
        .is_some_and(|inputs| !inputs.notes().is_empty());
    let note = |value: &Value| {
        // Which of the lines they are about.
        let own = has_notes.then(|| loaded.model.read_values(std::slice::from_ref(value)));
        own.and_then(Result::ok)
            .map_or_else(String::new, |inputs| inputs.notes().join("; "))
    };
    let slots = values.iter().map(|value| match value {
        Ok(value) => Slot::Input(note(value)),
        Err(error) => Slot::Error(error.clone()),
    });
    (inputs, slots.collect())
}
