//! A server on a free port, and a client that sends what it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::Device;
use serde_json::Value;
use tinderbox_predict::ModelFiles;
use tinderbox_serve::{Event, Limits, Loaded, ModelSource, Server, Settings, StopHandle};

/// A running server, which ends with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: StopHandle,
    thread: Option<JoinHandle<()>>,
}

/// A stored model of `tinderbox-predict`, or a file next to it.
pub(crate) fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../predict/tests/models")
        .join(name)
}

/// The stored image as base64 text.
pub(crate) fn base64_image() -> String {
    STANDARD.encode(std::fs::read(stored("image-classifier.in.png")).unwrap())
}

pub(crate) fn source(name: &str, folder: PathBuf) -> ModelSource {
    let load = move || {
        Loaded::open(&ModelFiles::open(&folder), &Device::flex()).map_err(|error| error.to_string())
    };
    ModelSource {
        name: name.to_owned(),
        load: Arc::new(load),
    }
}

/// Settings on a free port.
pub(crate) fn settings(limits: Limits) -> Settings {
    Settings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        limits,
        ..Settings::default()
    }
}

pub(crate) fn start(settings: Settings, models: Vec<ModelSource>) -> Running {
    start_with(settings, models, |_| {})
}

/// The same, and tells `on_event` what happens.
pub(crate) fn start_with(
    settings: Settings,
    models: Vec<ModelSource>,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Running {
    let server = Server::bind(settings, models).unwrap();
    let (address, stop) = (server.address().unwrap(), server.stop_handle());
    let thread = thread::spawn(move || server.run_with(on_event).unwrap());
    let running = Running {
        address,
        stop,
        thread: Some(thread),
    };
    while running.get("/health/ready").status != 200 {
        thread::sleep(Duration::from_millis(5));
    }
    running
}

/// A server with the stored models of images, tables and texts, the second being the default.
pub(crate) fn start_stored(limits: Limits) -> Running {
    let models = [
        "table-model",
        "image-classifier",
        #[cfg(feature = "text")]
        "text-model",
    ];
    let models = models.map(|name| source(name, stored(name)));
    start(settings(limits), models.to_vec())
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn detail(&self) -> String {
        assert!(
            self.head.contains("application/problem+json"),
            "{}",
            self.head
        );
        let json = self.json();
        assert_eq!(json["status"], self.status);
        json["detail"].as_str().unwrap().to_owned()
    }
}

impl Running {
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        let limit = Some(Duration::from_mins(1));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, "", b"")
    }

    /// `headers` has whole lines.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Response {
        let mut stream = self.connect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a body closes before it has all of it.
        let _ = stream.write_all(body);
        read(stream)
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Response {
        let headers = "Content-Type: application/json\r\n";
        self.send("POST", path, headers, body.to_string().as_bytes())
    }
}

pub(crate) fn read(mut stream: TcpStream) -> Response {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let body = &bytes[end + 4..];
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Response {
        status: head[9..12].parse().unwrap(),
        body: if is_chunked {
            chunks(body)
        } else {
            body.to_vec()
        },
        head,
    }
}

fn chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
        if size == 0 {
            break;
        }
    }
    body
}
