//! The server: its settings, its start and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;
use std::time::Duration;

use serde_json::{Map, Value};
use tinderbox_predict::{PredictError, error_chain};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::interval;

use crate::limits::Limits;
use crate::listen;
use crate::metrics::{Metrics, UPKEEP};
use crate::model::{InputForm, Loaded};
use crate::registry::{ModelSource, Registry};
use crate::router::{cors, router};

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub address: SocketAddr,
    /// The limits of requests.
    pub limits: Limits,
    /// The token that requests must have, if any.
    pub token: Option<String>,
    /// Origins whose pages may send requests from a browser.
    pub origins: Vec<String>,
    /// Time after which a connection without a request is closed.
    pub idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8000)),
            limits: Limits::default(),
            token: None,
            origins: Vec::new(),
            idle: Duration::from_mins(1),
        }
    }
}

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A model cannot be used.
    #[error("{0}")]
    Model(String),
    /// The address cannot be used.
    #[error("cannot listen on {address}: {reason}{}", advice(reason))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: io::Error,
    },
    /// An origin that is not one.
    #[error("`{0}` is not an origin such as https://example.com")]
    Origin(String),
    /// The system refuses threads or signals.
    #[error("cannot start the server: {0}")]
    System(#[from] io::Error),
    /// The metrics cannot be set up.
    #[error("cannot set up the metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

impl ServeError {
    /// Whether another command line or model helps.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::Model(_) | Self::Listen { .. } | Self::Origin(_))
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program uses the port: choose another one with `--port`"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need permission: choose another one with `--port`"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; this machine does not have the address: choose another one with `--host`"
        }
        _ => "",
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) models: Registry,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) token: Option<String>,
    pub(crate) ready: AtomicBool,
    /// Requests that may be in progress.
    pub(crate) in_progress: Arc<Semaphore>,
    /// Threads that may decode inputs.
    pub(crate) cores: Arc<Semaphore>,
    /// Threads that may generate text, which takes long and must not keep others from decoding.
    #[cfg(feature = "text")]
    pub(crate) generators: Arc<Semaphore>,
    /// Called with what happens, once the server runs.
    listener: OnceLock<EventListener>,
}

/// Is called with what happens to a server.
type EventListener = Box<dyn Fn(Event) + Send + Sync>;

impl Shared {
    /// Reads all models again; one that cannot be read stays as it is.
    pub(crate) fn reload(&self) -> Vec<(String, Result<(), String>)> {
        let results = self.models.reload(&self.metrics);
        for (name, result) in &results {
            self.tell(match result {
                Ok(()) => Event::Reloaded(name.clone()),
                Err(error) => Event::ReloadFailed(name.clone(), error.clone()),
            });
        }
        results
    }

    fn tell(&self, event: Event) {
        if let Some(listener) = self.listener.get() {
            listener(event);
        }
    }
}

/// A server that has its port.
pub struct Server {
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
    settings: Settings,
    stop: Arc<Notify>,
}

/// Ends a server, from any thread.
#[derive(Clone)]
pub struct StopHandle(Arc<Notify>);

impl StopHandle {
    /// Finishes requests in progress and ends the server.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

/// What happens to a running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Every model has made a prediction.
    Ready,
    /// A model made no first prediction, and the server is not ready.
    NotReady(String),
    /// A model was read again.
    Reloaded(String),
    /// A model cannot be read again and stays as it is.
    ReloadFailed(String, String),
    /// No new requests; those in progress are finished.
    Stopping,
}

impl Server {
    /// Loads the models and takes the port.
    ///
    /// # Errors
    ///
    /// If a model or the address cannot be used.
    pub fn bind(settings: Settings, models: Vec<ModelSource>) -> Result<Self, ServeError> {
        cors(&settings.origins)?;
        let address = settings.address;
        let listen = |reason| ServeError::Listen { address, reason };
        let listener = std::net::TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true)?;
        let metrics = Metrics::new()?;
        let models =
            Registry::load(models, &settings.limits, &metrics).map_err(ServeError::Model)?;
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let shared = Shared {
            models,
            metrics,
            token: settings.token.clone(),
            ready: AtomicBool::new(false),
            in_progress: Arc::new(Semaphore::new(settings.limits.queue)),
            cores: Arc::new(Semaphore::new(cores)),
            #[cfg(feature = "text")]
            generators: Arc::new(Semaphore::new(cores)),
            limits: settings.limits.clone(),
            listener: OnceLock::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            listener,
            settings,
            stop: Arc::new(Notify::new()),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If the system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Ends it, from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.stop))
    }

    /// Serves until it is stopped or gets the signal SIGINT or SIGTERM. SIGHUP reads the models again.
    ///
    /// # Errors
    ///
    /// If the system refuses threads or signals.
    pub fn run(self) -> Result<(), ServeError> {
        self.run_with(|_| {})
    }

    /// The same, and tells `listener` what happens.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub fn run_with(
        self,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<(), ServeError> {
        let router = router(&self.shared, &self.settings.origins)?;
        self.shared.listener.get_or_init(|| Box::new(on_event));
        let runtime = Runtime::new()?;
        runtime.block_on(self.serve(router))?;
        // Work that nobody waits for any more is not finished.
        runtime.shutdown_background();
        Ok(())
    }

    async fn serve(self, router: axum::Router) -> Result<(), ServeError> {
        let Self {
            shared,
            listener,
            settings,
            stop,
        } = self;
        let listener = TcpListener::from_std(listener)?;
        let work = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || work.tell(warm_up(&work)));
        let upkeep = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut ticks = interval(UPKEEP);
            loop {
                ticks.tick().await;
                upkeep.metrics.upkeep();
            }
        });
        let stopped = stopped(shared, stop)?;
        listen::serve(
            listener,
            router,
            settings.idle,
            settings.limits.time,
            stopped,
        )
        .await;
        Ok(())
    }
}

/// Waits for the end, and reloads the models at a signal.
fn stopped(shared: Arc<Shared>, stop: Arc<Notify>) -> Result<impl Future<Output = ()>, ServeError> {
    #[cfg(unix)]
    let (mut terminate, mut hang_up) = {
        use tokio::signal::unix::{SignalKind, signal};
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        )
    };
    Ok(async move {
        loop {
            #[cfg(unix)]
            let is_reload = tokio::select! {
                _ = tokio::signal::ctrl_c() => false,
                _ = terminate.recv() => false,
                _ = hang_up.recv() => true,
                () = stop.notified() => false,
            };
            #[cfg(not(unix))]
            let is_reload = tokio::select! {
                _ = tokio::signal::ctrl_c() => false,
                () = stop.notified() => false,
            };
            if !is_reload {
                break;
            }
            let shared = Arc::clone(&shared);
            tokio::task::spawn_blocking(move || shared.reload());
        }
        shared.tell(Event::Stopping);
    })
}

/// Predicts once with every model, so that the first request does not wait for it.
fn warm_up(shared: &Shared) -> Event {
    for entry in shared.models.entries() {
        if let Err(error) = predict_once(&entry.loaded()) {
            let (name, error) = (entry.name(), error_chain(&error));
            return Event::NotReady(format!("`{name}` cannot predict: {error}"));
        }
    }
    shared.ready.store(true, Ordering::Release);
    Event::Ready
}

/// Predicts an input that every model of its form takes.
pub(crate) fn predict_once(loaded: &Loaded) -> Result<(), PredictError> {
    let model = &loaded.model;
    let inputs = match &loaded.info.input {
        InputForm::Image => model.read_file("warm-up", &gray_bitmap(), u64::MAX)?,
        InputForm::Row { columns, .. } => {
            let row = columns
                .iter()
                .map(|column| (column.name.clone(), Value::Null));
            model.read_values(&[Value::Object(row.collect::<Map<_, _>>())])?
        }
        InputForm::Text { pair: true, .. } => model.read_values(&["a\ta".into()])?,
        InputForm::Text { .. } => model.read_values(&["a".into()])?,
        InputForm::Observation { size } => model.read_values(&[vec![0.0; *size].into()])?,
        #[cfg(feature = "text")]
        InputForm::Prompt => {
            let sampling = tinderbox_predict::text::Sampling::default();
            return model.generate("a", 1, sampling, &mut |_| true);
        }
        #[cfg(not(feature = "text"))]
        InputForm::Prompt => return Ok(()),
    };
    model.answer(&inputs).map(drop)
}

/// A gray image of 32×32 pixels as BMP: header, information, and rows from the bottom up.
fn gray_bitmap() -> Vec<u8> {
    const SIDE: u32 = 32;
    const HEADERS: u32 = 54;
    let pixels = SIDE * SIDE * 3;
    let mut file = b"BM".to_vec();
    for number in [HEADERS + pixels, 0, HEADERS, 40, SIDE, SIDE] {
        file.extend(number.to_le_bytes());
    }
    // One plane of 24 bits.
    file.extend([1, 0, 24, 0]);
    for number in [0, pixels, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend(std::iter::repeat_n(128, pixels as usize));
    file
}
