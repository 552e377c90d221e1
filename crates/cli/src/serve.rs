//! The command `serve` of every app.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use clap::Args;
use tinderbox_predict::ModelFiles;
use tinderbox_serve::{Event, Limits, Loaded, ModelSource, ServeError, Server, Settings};

use crate::app::App;
use crate::args::DeviceArgs;
use crate::model_dir::{model_dir_again, model_dir_for};
use crate::{Failure, interrupt, note, open_device};

/// The variable with the token, which other users of the machine cannot see.
const TOKEN_VARIABLE: &str = "TINDERBOX_TOKEN";

/// What `serve` takes.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Run directories or model folders; NAME is the model's name in URLs [default: that of its recipe]
    #[arg(long, value_name = "[NAME=]DIR", required = true, num_args = 1..)]
    pub run: Vec<String>,
    /// The device.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Address to listen on; 0.0.0.0 for all interfaces
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// Port to listen on; 0 for a free one
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub port: u16,
    /// Token that requests must send as `Authorization: Bearer TOKEN` [default: the environment variable `TINDERBOX_TOKEN`]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Origins whose web pages may send requests, e.g. `https://example.com`
    #[arg(long, value_name = "ORIGIN", num_args = 1..)]
    pub cors: Vec<String>,
    /// Maximum number of inputs in a batch
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch as u32,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_batch: u32,
    /// Milliseconds to wait for a batch to fill; 0 for no wait
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub max_wait_ms: u64,
    /// Maximum size of a body, or of a line of a stream, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body_bytes as u64,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub max_body: u64,
    /// Maximum number of pixels of all images in a request
    #[arg(long, value_name = "N", default_value_t = Limits::default().pixels,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pixels: u64,
    /// Maximum number of rows, texts or images in a request that is not a stream
    #[arg(long, value_name = "N", default_value_t = Limits::default().rows as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub max_rows: u32,
    /// Maximum number of tokens of the texts in a request, or of a generated text
    #[arg(long, value_name = "N", default_value_t = Limits::default().tokens as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Maximum number of requests in progress; further ones get status 503
    #[arg(long, value_name = "N", default_value_t = Limits::default().queue as u32,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_queue: u32,
    /// Seconds for receiving a body (then status 408), decoding it and predicting (then 504)
    #[arg(long, value_name = "S", default_value_t = Limits::default().time.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

impl ServeArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        let token = self.token.clone();
        let token = token.or_else(|| std::env::var(TOKEN_VARIABLE).ok());
        if token.as_deref().is_some_and(|token| !is_token(token)) {
            return Err(Failure::user(format!(
                "the token of `--token` or {TOKEN_VARIABLE} must be letters, digits and signs without spaces, and \
                 not be empty"
            )));
        }
        Ok(Settings {
            address: SocketAddr::new(self.host, self.port),
            token,
            origins: self.cors.clone(),
            limits: Limits {
                body_bytes: self.max_body as usize,
                pixels: self.max_pixels,
                rows: self.max_rows as usize,
                tokens: self.max_tokens as usize,
                queue: self.max_queue as usize,
                time: Duration::from_secs(self.timeout),
                batch: self.max_batch as usize,
                wait: Duration::from_millis(self.max_wait_ms),
            },
            ..Settings::default()
        })
    }
}

/// Whether a header can have the token.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Serves the models that the flags name until a signal ends it.
pub(crate) fn run<A: App>(args: &ServeArgs) -> Result<(), Failure> {
    let device = open_device(args.device, A::NAME)?.device;
    let settings = args.settings()?;
    let sources = args.run.iter().map(|run| source::<A>(run, &device));
    let sources: Vec<ModelSource> = sources.collect::<Result<_, _>>()?;
    raise_file_limit();
    let is_open = settings.token.is_none() && !settings.address.ip().is_loopback();
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let server = Server::bind(settings, sources).map_err(failure)?;
    let address = server.address()?;
    if is_open {
        note(&format!(
            "warning: anyone who can reach {address} can use the models: set a token with `--token` or \
             {TOKEN_VARIABLE}"
        ));
    }
    note(&format!(
        "serving {} on http://{address}; API reference at http://{address}/docs",
        names.join(", ")
    ));
    interrupt::hand_over_signals();
    server.run_with(tell).map_err(failure)
}

fn tell(event: Event) {
    match event {
        Event::Ready => note("ready"),
        Event::NotReady(reason) => note(&format!("error: the server is not ready: {reason}")),
        Event::Reloaded(name) => note(&format!("reloaded `{name}`")),
        Event::ReloadFailed(name, error) => note(&format!(
            "error: `{name}` cannot be reloaded and stays as it is: {error}"
        )),
        Event::Stopping => {
            interrupt::stop_at_next_signal();
            note("stopping after the requests in progress");
        }
    }
}

fn failure(error: ServeError) -> Failure {
    let is_user = error.is_user();
    Failure::of(error, false, is_user)
}

/// The model that `[NAME=]DIR` means.
fn source<A: App>(run: &str, device: &Device) -> Result<ModelSource, Failure> {
    let (name, path) = split_name(run);
    let dir = model_dir_for(&path, A::NAME, "serve")?;
    let name = match name {
        Some(name) => name,
        None => recipe_name(&dir).unwrap_or_else(|| "model".to_owned()),
    };
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(Failure::user(format!(
            "the name `{name}` of a model may have letters, digits, `-`, `_` and `.` only; name it with \
             `--run NAME=DIR`"
        )));
    }
    let (device, app) = (device.clone(), A::NAME);
    let load = move || -> Result<Loaded, String> {
        // A run that is trained again may have got another model folder.
        let dir = model_dir_again(&path, app).map_err(|failure| failure.message())?;
        A::served(&dir, &device).map_err(|failure| failure.message())
    };
    Ok(ModelSource {
        name,
        load: Arc::new(load),
    })
}

/// The name, if there is one, and the folder. A path that exists is a path, whatever it is called.
fn split_name(run: &str) -> (Option<String>, PathBuf) {
    match run.split_once('=') {
        Some((name, path)) if !Path::new(run).exists() => (Some(name.to_owned()), path.into()),
        _ => (None, run.into()),
    }
}

/// Name of the recipe that a model was trained by, or of the environment of an agent whose recipe is not known.
fn recipe_name(dir: &Path) -> Option<String> {
    let spec = ModelFiles::open(dir).read("model.json").ok()?;
    let spec: serde_json::Value = serde_json::from_slice(&spec).ok()?;
    let name = spec.get("recipe").or_else(|| spec.get("environment"))?;
    name.as_str().map(str::to_owned)
}

/// Allows as many connections as the system does: each is a file, and often only 1,024 are open at first.
#[cfg(unix)]
fn raise_file_limit() {
    // If it is refused, there are fewer connections.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

#[cfg(not(unix))]
fn raise_file_limit() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_before_the_first_equals_sign() {
        let name = |run| split_name(run).0;
        assert_eq!(name("churn=runs/a"), Some("churn".to_owned()));
        assert_eq!(name("runs/a"), None);
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("lr=0.1");
        std::fs::create_dir(&folder).unwrap();
        let run = folder.to_str().unwrap();
        assert_eq!(split_name(run), (None, folder.clone()));
    }
}
