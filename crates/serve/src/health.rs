//! `GET /health/live` and `GET /health/ready`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use crate::body::Json;
use crate::problem::Problem;
use crate::server::Shared;

/// The process answers.
pub(crate) async fn live() -> Json {
    Json(json!({"live": true}))
}

/// Every model has made a prediction.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<Json, Problem> {
    if shared.ready.load(Ordering::Acquire) {
        return Ok(Json(json!({"ready": true})));
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the models are not ready yet: their first prediction is not done",
    ))
}
