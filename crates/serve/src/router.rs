//! The paths of a server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::cors::CorsLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::problem::Problem;
use crate::server::{ServeError, Shared};
use crate::{access, docs, health, metrics, mlflow, models, openapi, predict, protocol};

pub(crate) fn router(shared: &Arc<Shared>, origins: &[String]) -> Result<Router, ServeError> {
    let limited = Router::new();
    #[cfg(feature = "text")]
    let limited = limited.route("/v1/generate", post(crate::generate::generate));
    #[cfg(not(feature = "text"))]
    let limited = limited.route("/v1/generate", post(no_generator));
    let limited = limited
        .route("/v1/predict", post(predict::default_model))
        .route("/v1/models/{name}/predict", post(predict::named_model))
        .route("/v2/models/{name}/infer", post(protocol::infer))
        .route("/invocations", post(mlflow::invocations))
        .route_layer(from_fn_with_state(Arc::clone(shared), access::limit));
    let private = limited
        .route("/v1/models", get(models::list))
        .route("/v1/models/{name}", get(models::one))
        .route("/v2/models/{name}", get(protocol::model))
        .route("/v2/models/{name}/ready", get(protocol::ready))
        .route("/metrics", get(metrics::scrape))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(docs::page))
        .route("/admin/reload", post(models::reload))
        .route_layer(from_fn_with_state(Arc::clone(shared), access::check_token));
    // Nothing about the models.
    let public = Router::new()
        .route("/", get(docs::try_page))
        .route("/try.css", get(docs::style))
        .route("/try.js", get(docs::script))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/ping", get(protocol::health))
        .route("/version", get(mlflow::version))
        .route("/v2", get(protocol::server))
        .route("/v2/health/live", get(health::live))
        .route("/v2/health/ready", get(protocol::health));
    let nosniff = SetResponseHeaderLayer::overriding(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let router = private
        .merge(public)
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(shared), metrics::measure))
        .layer(nosniff);
    let router = match cors(origins)? {
        Some(cors) => router.layer(cors),
        None => router,
    };
    Ok(router.with_state(Arc::clone(shared)))
}

/// Lets pages of some origins send requests; a browser keeps all others from it.
pub(crate) fn cors(origins: &[String]) -> Result<Option<CorsLayer>, ServeError> {
    if origins.is_empty() {
        return Ok(None);
    }
    let origins = origins.iter().map(|origin| {
        let is_origin = origin.starts_with("http://") || origin.starts_with("https://");
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
        value.ok_or_else(|| ServeError::Origin(origin.clone()))
    });
    let origins: Vec<HeaderValue> = origins.collect::<Result<_, _>>()?;
    Ok(Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
            .expose_headers([HeaderName::from_static("tinderbox-note")]),
    ))
}

#[cfg(not(feature = "text"))]
async fn no_generator() -> Problem {
    Problem::input("this server has no model that generates text")
}

async fn unknown_path(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is no path `{path}`; `/docs` lists all"),
    )
}

async fn wrong_method(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!(
            "`{path}` does not take {}; `/docs` lists all paths",
            request.method()
        ),
    )
}
