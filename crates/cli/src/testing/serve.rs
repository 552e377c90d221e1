//! The command `serve` of an app, from its start to its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{AppUnderTest, Place};

/// A request with the media type of its body, and a key of the answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// Media type of the body.
    pub media: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// A key that the answer must have.
    pub key: &'static str,
}

/// Trains a model, serves it, asks it what `request` makes of the model folder, makes it read the model
/// again, and ends it.
pub fn check_serve(app: &AppUnderTest<'_>, request: impl FnOnce(&Path) -> Request) {
    let place = Place::new(app.binary);
    let train = ["train", "--quiet", "--out", "run"];
    place.run(&[&train[..], app.short].concat()).ok();
    let request = &request(&place.path("run/model"));
    let mut command = place.command(&["serve", "--run", "run", "--port", "0"]);
    let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut next = |words: &str| {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(words), "{line}");
        line
    };
    let line = next("serving ");
    let address = line.split("http://").nth(1).unwrap();
    let address = address.split(';').next().unwrap();
    next("ready");
    let answer = post(address, request);
    assert!(answer.get(request.key).is_some(), "{answer}");
    signal(&server, "-HUP");
    next("reloaded");
    assert_eq!(post(address, request), answer);
    // Another one cannot have its port.
    let port = address.rsplit(':').next().unwrap();
    place
        .run(&["serve", "--run", "run", "--port", port])
        .failed(2, &["another program uses the port", "`--port`"]);
    signal(&server, "-TERM");
    next("stopping");
    assert!(server.wait().unwrap().success());
}

fn signal(server: &Child, signal: &str) {
    let id = server.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &id])
            .status()
            .unwrap()
            .success()
    );
}

fn post(address: &str, request: &Request) -> Value {
    let Request { media, body, .. } = request;
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let length = body.len();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: \
         {length}\r\n\r\n"
    );
    stream
        .write_all(&[head.as_bytes(), body.as_slice()].concat())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}
