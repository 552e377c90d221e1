//! Bodies of requests, within their limits.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::problem::Problem;

/// An answer as JSON.
#[derive(Debug)]
pub(crate) struct Json(pub(crate) Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        (content_type, self.0.to_string()).into_response()
    }
}

/// The media type of a request, in lower case and without parameters; empty if there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

/// Reads a whole body.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<Bytes, Problem> {
    check_encoding(headers)?;
    let too_large = || {
        Problem::too_large(format!(
            "the body has more than {} bytes, the limit of this server",
            limits.body_bytes
        ))
    };
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large());
    }
    let collect = async {
        let mut body = body;
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if all.len() + data.len() > limits.body_bytes {
                return Err(too_large());
            }
            // Most bodies are one part, which is not copied.
            if all.is_empty() && length == Some(data.len()) {
                return Ok(data);
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    };
    match timeout(limits.time, collect).await {
        Ok(body) => body,
        Err(_) => Err(slow()),
    }
}

/// Refuses a body that is compressed.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    let encoding = encoding
        .and_then(|value| value.to_str().ok())
        .unwrap_or("identity");
    if encoding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    let encoding: String = encoding.chars().take(20).collect();
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the Content-Encoding `{encoding}` is not supported: send the body as it is"),
    ))
}

/// Text without the byte order mark that some programs put before it.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

pub(crate) fn broken(error: &dyn std::fmt::Display) -> Problem {
    Problem::malformed(format!("the body cannot be read: {error}"))
}

pub(crate) fn slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "the body did not arrive in time",
    )
}
