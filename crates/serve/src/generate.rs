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
use serde_json::{Value, json};
use tinderbox_datasets::format::shorten;
use tinderbox_predict::text::Sampling;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::access::InProgress;
use crate::body;
use crate::model::Loaded;
use crate::predict::{Content, blocking_in, json as parse_json};
use crate::problem::Problem;
use crate::server::Shared;

/// Texts that wait for a slow client.
const WAITING: usize = 64;

/// What a client asks for; the defaults are those of the command `generate`.
#[derive(Debug)]
struct Generate {
    prompt: String,
    max_tokens: usize,
    temperature: f64,
    top_k: usize,
    seed: u64,
    model: Option<String>,
}

/// The keys of a request.
const KEYS: [&str; 6] = [
    "prompt",
    "max_tokens",
    "temperature",
    "top_k",
    "seed",
    "model",
];

/// Number of tokens if a client does not say it.
const TOKENS: u64 = 200;

impl Generate {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let Content::Json(Value::Object(body)) = parse_json(bytes)? else {
            return Err(Problem::input("the body must be an object with `prompt`"));
        };
        if let Some(key) = body.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let key = shorten(key, 80);
            let known = KEYS.map(|key| format!("`{key}`")).join(", ");
            return Err(Problem::input(format!(
                "unknown key `{key}`; a request to generate text takes {known}"
            )));
        }
        let count = |key: &str, default: u64| match body.get(key).map(whole) {
            None => Ok(default),
            Some(Some(count)) => Ok(count),
            Some(None) => Err(Problem::input(format!(
                "`{key}` must be a whole number, 0 or more"
            ))),
        };
        let size = |key: &str, default: u64| {
            count(key, default).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
        };
        let prompt = match body.get("prompt") {
            Some(Value::String(prompt)) => prompt.clone(),
            Some(_) => return Err(Problem::input("`prompt` must be text")),
            None => return Err(Problem::input("the key `prompt` is missing")),
        };
        let temperature = match body.get("temperature").map(Value::as_f64) {
            None => Sampling::default().temperature,
            Some(Some(number)) if (0.0..=100.0).contains(&number) => number,
            Some(_) => {
                return Err(Problem::input("`temperature` must be between 0 and 100"));
            }
        };
        let model = match body.get("model") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(Problem::input("`model` must be the name of a model")),
        };
        Ok(Self {
            prompt,
            max_tokens: size("max_tokens", TOKENS)?,
            temperature,
            top_k: size("top_k", 0)?,
            seed: count("seed", 0)?,
            model,
        })
    }
}

/// A whole number, which may be written with a fraction of zero: JSON Schema makes no difference.
fn whole(value: &Value) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
    })
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
    let asked = Generate::parse(&bytes)?;
    if !(1..=shared.limits.tokens).contains(&asked.max_tokens) {
        return Err(Problem::input(format!(
            "`max_tokens` must be from 1 to {} (got {})",
            shared.limits.tokens, asked.max_tokens
        )));
    }
    let loaded = shared.models.generator(asked.model.as_deref())?.loaded();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_refused_in_words_of_the_request() {
        for (body, words) in [
            (json!("a"), "the body must be an object with `prompt`"),
            (json!({"prompt": 1}), "`prompt` must be text"),
            (
                json!({"prompt": "a", "seed": 1.5}),
                "`seed` must be a whole number, 0 or more",
            ),
            (
                json!({"prompt": "a", "temperature": "hot"}),
                "`temperature` must be between 0 and 100",
            ),
        ] {
            let problem = Generate::parse(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(problem.detail.contains(words), "{}", problem.detail);
        }
        let asked = Generate::parse(br#"{"prompt": "a", "max_tokens": 5.0}"#).unwrap();
        assert_eq!(asked.max_tokens, 5);
    }
}
