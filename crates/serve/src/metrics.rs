//! Metrics in the text format of Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::model::ModelInfo;
use crate::server::Shared;

/// Upper bounds of the buckets of latencies, in s.
const SECONDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Upper bounds of the buckets of batch sizes.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// How often samples are put into their buckets, so that they do not pile up between two scrapes.
pub(crate) const UPKEEP: Duration = Duration::from_secs(5);

const METADATA: Metadata<'static> = Metadata::new("tinderbox_serve", Level::INFO, None);

/// The metrics of a server.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

/// The metrics of a model.
pub(crate) struct ModelMetrics {
    pub(crate) predictions: Counter,
    pub(crate) batch_size: Histogram,
    pub(crate) queue: Gauge,
    /// Requests with something assumed or left out.
    pub(crate) notes: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?
            .build_recorder();
        let handle = recorder.handle();
        for (name, unit, help) in [
            (
                "tinderbox_requests_total",
                Unit::Count,
                "Requests by route and status",
            ),
            (
                "tinderbox_predictions_total",
                Unit::Count,
                "Predictions by model",
            ),
            (
                "tinderbox_notes_total",
                Unit::Count,
                "Requests with unseen categories or truncated texts",
            ),
        ] {
            recorder.describe_counter(name.into(), Some(unit), SharedString::from(help));
        }
        recorder.describe_histogram(
            "tinderbox_request_seconds".into(),
            Some(Unit::Seconds),
            "Time to answer a request".into(),
        );
        recorder.describe_histogram(
            "tinderbox_batch_size".into(),
            Some(Unit::Count),
            "Inputs in a batch".into(),
        );
        recorder.describe_gauge(
            "tinderbox_queue".into(),
            Some(Unit::Count),
            "Requests that wait for a batch".into(),
        );
        recorder.describe_gauge(
            "tinderbox_model_info".into(),
            None,
            "Models with their weights; always 1".into(),
        );
        Ok(Self { recorder, handle })
    }

    /// The metrics of the model called `name`.
    pub(crate) fn of_model(&self, name: &str) -> ModelMetrics {
        let key = |metric: &'static str| {
            Key::from_parts(metric, vec![Label::new("model", name.to_owned())])
        };
        let recorder = &self.recorder;
        ModelMetrics {
            predictions: recorder.register_counter(&key("tinderbox_predictions_total"), &METADATA),
            batch_size: recorder.register_histogram(&key("tinderbox_batch_size"), &METADATA),
            queue: recorder.register_gauge(&key("tinderbox_queue"), &METADATA),
            notes: recorder.register_counter(&key("tinderbox_notes_total"), &METADATA),
        }
    }

    /// Records that a model is loaded, or, with `value` 0, that it no longer is.
    pub(crate) fn set_model(&self, name: &str, info: &ModelInfo, value: f64) {
        let labels = [
            ("model", name),
            ("kind", &info.kind),
            ("recipe", &info.recipe),
            ("weights_sha256", &info.weights_sha256),
        ];
        let labels = labels.map(|(key, value)| Label::new(key, value.to_owned()));
        let key = Key::from_parts("tinderbox_model_info", labels.to_vec());
        self.recorder.register_gauge(&key, &METADATA).set(value);
    }

    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn record(&self, route: &str, status: u16, seconds: f64) {
        let route = Label::new("route", route.to_owned());
        let key = Key::from_parts("tinderbox_request_seconds", vec![route.clone()]);
        self.recorder
            .register_histogram(&key, &METADATA)
            .record(seconds);
        let status = Label::new("status", status.to_string());
        let key = Key::from_parts("tinderbox_requests_total", vec![route, status]);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }
}

/// Measures each request.
pub(crate) async fn measure(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    // Paths without a route are counted together: anybody can invent them.
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    let seconds = start.elapsed().as_secs_f64();
    shared
        .metrics
        .record(route, response.status().as_u16(), seconds);
    response
}

/// `GET /metrics`
pub(crate) async fn scrape(State(shared): State<Arc<Shared>>) -> Response {
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, shared.metrics.handle.render()).into_response()
}
