//! `POST /v1/generate`: tokens as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tinderbox_predict::text::Sampling;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::access::InProgress;
use crate::body;
use crate::model::Loaded;
use crate::predict::blocking_in;
use crate::problem::Problem;
use crate::server::Shared;

/// Texts that wait for a slow client.
const WAITING: usize = 64;

/// What a client asks for; the defaults are those of the command `generate`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Generate {
    prompt: String,
    #[serde(default = "default_tokens")]
    max_tokens: usize,
    #[serde(default = "default_temperature")]
    temperature: f64,
    #[serde(default)]
    top_k: usize,
    #[serde(default)]
    seed: u64,
    model: Option<String>,
}

fn default_tokens() -> usize {
    200
}

fn default_temperature() -> f64 {
    Sampling::default().temperature
}

enum Piece {
    Text(String),
    End(Result<(), Problem>),
}

/// `POST /v1/generate`
pub(crate) async fn generate(
    State(shared): State<Arc<Shared>>,
    in_progress: Option<Extension<InProgress>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    let bytes = body::read(content, &parts.headers, &shared.limits).await?;
    let asked: Generate = serde_json::from_slice(&bytes).map_err(|error| {
        let text = format!("the body is not a request to generate text: {error}");
        if error.is_data() {
            Problem::input(text)
        } else {
            Problem::malformed(text)
        }
    })?;
    if !(1..=shared.limits.tokens).contains(&asked.max_tokens) {
        return Err(Problem::input(format!(
            "`max_tokens` must be from 1 to {} (got {})",
            shared.limits.tokens, asked.max_tokens
        )));
    }
    let loaded = shared.models.get(asked.model.as_deref())?.loaded();
    let sampling = Sampling {
        temperature: asked.temperature,
        top_k: asked.top_k,
        seed: asked.seed,
        cached: true,
    };
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let limit = shared.limits.time;
    tokio::spawn(async move {
        let end = sender.clone();
        let work = move || pieces(&loaded, &asked, sampling, limit, &sender);
        let done = blocking_in(&shared.generators, limit, work).await;
        let done = done.unwrap_or_else(Err);
        let _ = timeout(limit, end.send(Piece::End(done))).await;
        // All text is on its way. A client that does not read it has no place any more.
        drop(in_progress);
    });
    // An error of the request comes before any text.
    let first = match receiver.recv().await {
        Some(Piece::End(Err(problem))) => return Err(problem),
        first => first,
    };
    let state = (first, receiver);
    let events = stream::unfold(state, |(first, mut receiver)| async move {
        let piece = match first {
            Some(piece) => piece,
            None => receiver.recv().await?,
        };
        let event = match piece {
            Piece::Text(text) => Event::default().data(json!({"text": text}).to_string()),
            Piece::End(Ok(())) => Event::default().event("done").data("{}"),
            Piece::End(Err(problem)) => {
                let event = Event::default().event("error");
                event.data(problem.json().to_string())
            }
        };
        Some((Ok::<_, Infallible>(event), (None, receiver)))
    });
    Ok(Sse::new(events).into_response())
}

/// Generates text and sends it, until the client has gone or the time is over.
fn pieces(
    loaded: &Loaded,
    asked: &Generate,
    sampling: Sampling,
    limit: Duration,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), Problem> {
    let (runtime, start) = (Handle::current(), Instant::now());
    let mut is_late = false;
    let mut sink = |text: String| {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            is_late = true;
            return false;
        }
        // A client that reads slowly does not keep the thread for longer.
        let send = timeout(left, sender.send(Piece::Text(text)));
        let sent = runtime.block_on(send);
        is_late = sent.is_err();
        matches!(sent, Ok(Ok(())))
    };
    let model = &loaded.model;
    model.generate(&asked.prompt, asked.max_tokens, sampling, &mut sink)?;
    if !is_late {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        format!(
            "the text was not finished within {} s, the time limit of this server; ask for fewer tokens, or \
             raise `--timeout`",
            limit.as_secs_f64()
        ),
    ))
}
