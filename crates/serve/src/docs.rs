//! Pages for people: `GET /` to try the models, and `GET /docs`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use tinderbox_datasets::escape::escape_markup as escape;
use tinderbox_datasets::table::Kind;

use crate::model::{InputForm, ModelInfo};
use crate::server::Shared;

/// What the pages may load: their own files, and images that the user chooses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The paths, and what they are for.
const PATHS: [(&str, &str); 19] = [
    (
        "POST /v1/predict",
        "Predict with the first model: JSON, JSON lines, files",
    ),
    ("POST /v1/models/{name}/predict", "Predict with a model"),
    ("POST /v1/generate", "Generate text, as server-sent events"),
    ("GET /v1/models", "The models with their inputs and weights"),
    ("GET /v1/models/{name}", "A model"),
    ("GET /health/live", "Whether the process answers"),
    (
        "GET /health/ready",
        "Whether every model has made a prediction",
    ),
    ("GET /metrics", "Metrics in the text format of Prometheus"),
    ("GET /openapi.json", "The paths to predict, for programs"),
    (
        "POST /admin/reload",
        "Read the models again; needs a server with a token",
    ),
    (
        "POST /v2/models/{name}/infer",
        "Predict by the Open Inference Protocol",
    ),
    (
        "GET /v2/models/{name}",
        "Inputs and outputs for that protocol",
    ),
    ("GET /v2/health/live", "As /health/live"),
    ("GET /v2/health/ready", "As /health/ready"),
    (
        "POST /invocations",
        "Predict with the first model in MLflow's format",
    ),
    ("GET /v2", "Name and version of the server"),
    ("GET /v2/models/{name}/ready", "As /health/ready"),
    ("GET /ping", "As /health/ready, for MLflow"),
    ("GET /version", "Version of the server, for MLflow"),
];

fn own(media: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media),
        (HeaderName::from_static("content-security-policy"), POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

/// `GET /`
pub(crate) async fn try_page() -> Response {
    own("text/html; charset=utf-8", include_str!("page/try.html"))
}

pub(crate) async fn style() -> Response {
    own("text/css; charset=utf-8", include_str!("page/try.css"))
}

pub(crate) async fn script() -> Response {
    own(
        "text/javascript; charset=utf-8",
        include_str!("page/try.js"),
    )
}

/// `GET /docs`
pub(crate) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost:8000");
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Tinderbox: paths and models</title><link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/try.css\"></head>\
         <body><main><h1>Paths and models</h1><p><a href=\"/\">Try the models</a> or read \
         <a href=\"/openapi.json\">/openapi.json</a>.</p>",
    );
    let several = shared.models.generators().len() > 1;
    for (at, entry) in shared.models.entries().enumerate() {
        let path = if at == 0 {
            format!("{host}/v1/predict")
        } else {
            format!("{host}/v1/models/{}/predict", entry.name())
        };
        let model = several.then(|| entry.name());
        let info = &entry.loaded().info;
        write_model(&mut html, entry.name(), info, &example(info, &path, model));
    }
    html.push_str("<h2>Paths</h2><div class=\"wide\"><table>");
    for (path, text) in PATHS {
        let _ = write!(html, "<tr><td><code>{path}</code></td><td>{text}</td></tr>");
    }
    html.push_str(
        "</table></div><p>Errors have status 4xx or 5xx and are <code>application/problem+json</code> \
         with the reason as <code>detail</code>. The header <code>Tinderbox-Note</code> has what was \
         assumed or left out.</p></main></body></html>",
    );
    own("text/html; charset=utf-8", html)
}

fn write_model(html: &mut String, name: &str, info: &ModelInfo, example: &str) {
    let _ = write!(
        html,
        "<h2>{}</h2><p>{} from the recipe <code>{}</code>, weights <code>{}</code></p>",
        escape(name),
        escape(&info.kind.replace('-', " ")),
        escape(&info.recipe),
        escape(info.weights_sha256.get(..12).unwrap_or_default()),
    );
    if !info.classes.is_empty() {
        let classes: Vec<String> = info
            .classes
            .iter()
            .take(50)
            .map(|class| escape(class))
            .collect();
        let more = match info.classes.len() {
            all @ 51.. => format!(" and {} more", all - 50),
            _ => String::new(),
        };
        let _ = write!(html, "<p>Classes: {}{more}</p>", classes.join(", "));
    }
    if let (Some(threshold), [_, positive]) = (info.threshold, info.classes.as_slice()) {
        let _ = write!(
            html,
            "<p>The label is {} from a probability of {threshold:.4} on.</p>",
            escape(positive)
        );
    }
    let _ = write!(html, "<pre>{}</pre>", escape(example));
    let InputForm::Row { columns, ignored } = &info.input else {
        return;
    };
    html.push_str("<div class=\"wide\"><table><tr><th>column</th><th>kind</th><th>in the training data</th></tr>");
    for column in columns {
        let typical = match column.values.as_slice() {
            [] if column.kind == Kind::Numeric => format!("median {}", escape(&column.typical)),
            [] => format!("such as {}", escape(&column.typical)),
            values => {
                let shown: Vec<String> = values.iter().take(8).map(|value| escape(value)).collect();
                let more = if values.len() > 8 { ", …" } else { "" };
                format!("{}{more}", shown.join(", "))
            }
        };
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{typical}</td></tr>",
            escape(&column.name),
            column.kind
        );
    }
    html.push_str("</table></div>");
    if !ignored.is_empty() {
        let ignored: Vec<String> = ignored
            .iter()
            .map(|name| format!("<code>{}</code>", escape(name)))
            .collect();
        let _ = write!(html, "<p>Ignored if sent: {}</p>", ignored.join(", "));
    }
}

/// A command that predicts; `model` is the name of the model if a request for text needs it.
fn example(info: &ModelInfo, path: &str, model: Option<&str>) -> String {
    let json = |body: Value| {
        // A quote would end the text of the shell.
        let body = body.to_string().replace('\'', "'\\''");
        format!("curl -H 'Content-Type: application/json' -d '{body}' {path}")
    };
    match &info.input {
        InputForm::Image => format!("curl -F file=@photo.jpg {path}"),
        InputForm::Row { columns, .. } => {
            let row = columns.iter();
            let row = row.map(|column| (column.name.clone(), column.typical_json()));
            json(Value::Object(row.collect::<Map<_, _>>()))
        }
        InputForm::Text { pair: true, .. } => {
            json(serde_json::json!({"text": "first text", "text_pair": "second text"}))
        }
        InputForm::Text { .. } => json("a text".into()),
        InputForm::Observation { size } => json(vec![0.0; *size].into()),
        InputForm::Prompt => {
            let mut body = serde_json::json!({"prompt": "Once", "max_tokens": 100});
            if let Some(model) = model {
                body["model"] = model.into();
            }
            let body = body.to_string().replace('\'', "'\\''");
            let host = path.split('/').next().unwrap_or_default();
            format!("curl -N -d '{body}' {host}/v1/generate")
        }
    }
}
