//! A web server for the files of the page.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tinderbox_cli::Failure;
use tokio::net::TcpListener;

use crate::bundle::PageFile;

/// The page loads its own files and nothing else, and nobody shows it in a frame. `index.html` says the
/// same but for frames, for other web servers.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                      img-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

type Files = Arc<HashMap<String, PageFile>>;

/// Serves the page to this computer until the process ends; `ready` gets the address.
pub(crate) fn serve(
    files: Vec<PageFile>,
    port: u16,
    ready: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let files = files.into_iter().map(|file| (file.path.clone(), file));
    let files: Files = Arc::new(files.collect());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::AddrInUse => Failure::user(format!(
                    "port {port} is in use: choose another with `--port`"
                )),
                _ => Failure::user(format!("cannot listen on {address}: {error}")),
            })?;
        ready(&format!("http://{}/", listener.local_addr()?))?;
        let router = Router::new().fallback(get(respond)).with_state(files);
        Ok(axum::serve(listener, router)
            .await
            .context("cannot serve the page")?)
    })
}

async fn respond(State(files): State<Files>, uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = files.get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    let common = [
        (CONTENT_TYPE, content_type(path)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // The next build is another page at the same address.
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
    ];
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("gzip")) {
        return (common, [(CONTENT_ENCODING, "gzip")], file.gzip.clone()).into_response();
    }
    (common, file.content.clone()).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
