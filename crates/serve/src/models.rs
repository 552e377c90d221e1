//! `GET /v1/models`, and `POST /admin/reload`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use crate::body::Json;
use crate::problem::{Name, Problem};
use crate::registry::Entry;
use crate::server::Shared;

fn describe(entry: &Entry) -> Value {
    let mut object = Map::from_iter([("name".to_owned(), Value::from(entry.name()))]);
    if let Value::Object(info) = json!(*entry.loaded().info) {
        object.extend(info);
    }
    Value::Object(object)
}

/// `GET /v1/models`
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Json {
    let models: Vec<Value> = shared
        .models
        .entries()
        .map(|entry| describe(entry))
        .collect();
    Json(json!({"models": models}))
}

/// `GET /v1/models/{name}`
pub(crate) async fn one(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Result<Json, Problem> {
    Ok(Json(describe(&*shared.models.get(Some(&name))?)))
}

/// `POST /admin/reload`
pub(crate) async fn reload(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    if shared.token.is_none() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "models are only reloaded over HTTP by a server with a token (`--token`); send the signal \
             SIGHUP instead",
        ));
    }
    let work = Arc::clone(&shared);
    let results = tokio::task::spawn_blocking(move || work.reload()).await;
    let results = results.map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the models cannot be reloaded; the log of the server says why",
        )
    })?;
    let status = if results.iter().any(|(_, result)| result.is_err()) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    let models = results.into_iter().map(|(name, result)| match result {
        Ok(()) => json!({"name": name, "reloaded": true}),
        Err(error) => json!({"name": name, "reloaded": false, "error": error}),
    });
    let models: Vec<Value> = models.collect();
    Ok((status, Json(json!({"models": models}))).into_response())
}
