//! Health, tokens, reloading and the end of a server.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tinderbox_serve::{Event, Limits, ServeError, Server, Settings};

use crate::client::{Running, read, settings, source, start, start_stored, start_with, stored};

#[test]
fn a_port_in_use_and_two_models_of_one_name_are_mistakes_of_the_user() {
    let server = start_stored(Limits::default());
    let taken = Settings {
        address: server.address,
        ..Settings::default()
    };
    let models = || vec![source("a", stored("table-model"))];
    let Err(error) = Server::bind(taken, models()) else {
        panic!("the port is taken");
    };
    assert!(error.is_user());
    assert!(error.to_string().contains("`--port`"), "{error}");
    let twice = [models(), models()].concat();
    let Err(error) = Server::bind(settings(Limits::default()), twice) else {
        panic!("the name is taken");
    };
    assert!(
        error.is_user() && error.to_string().contains("`--run NAME=DIR`"),
        "{error}"
    );
    let Err(error) = Server::bind(
        settings(Limits::default()),
        vec![source("a", "absent".into())],
    ) else {
        panic!("there is no such model");
    };
    assert!(matches!(error, ServeError::Model(_)), "{error}");
}

#[test]
fn models_and_documents_are_listed() {
    let server = start_stored(Limits::default());
    let models = server.get("/v1/models").json();
    assert_eq!(models["models"][0]["name"], "table-model");
    assert_eq!(models["models"][1]["input"]["type"], "image");
    assert_eq!(
        models["models"][0]["weights_sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    let document = server.get("/openapi.json").json();
    assert!(document["paths"]["/v1/models/image-classifier/predict"]["post"].is_object());
    let docs = server.get("/docs");
    assert!(docs.text().contains("<code>mean radius</code>"));
    for path in ["/", "/docs", "/try.js", "/try.css"] {
        let page = server.get(path);
        assert_eq!(page.status, 200);
        assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    }
    for path in [
        "/health/live",
        "/v2/health/live",
        "/v2/health/ready",
        "/ping",
        "/version",
        "/v2",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_token_keeps_others_out() {
    let with_token = Settings {
        token: Some("secret".to_owned()),
        ..settings(Limits::default())
    };
    let server = start(with_token, vec![source("m", stored("table-model"))]);
    for path in ["/v1/models", "/metrics", "/openapi.json", "/docs"] {
        assert_eq!(server.get(path).status, 401, "{path}");
        let given = "Authorization: Bearer secret\r\n";
        assert_eq!(server.send("GET", path, given, b"").status, 200, "{path}");
    }
    let wrong = server.send(
        "POST",
        "/v1/predict",
        "Authorization: Bearer secre\r\n",
        b"{}",
    );
    assert_eq!(wrong.status, 401);
    assert!(
        wrong
            .head
            .to_lowercase()
            .contains("www-authenticate: bearer")
    );
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn a_page_of_another_origin_is_allowed_only_by_name() {
    let models = || vec![source("m", stored("table-model"))];
    let with = |origins: &[&str]| Settings {
        origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        ..settings(Limits::default())
    };
    let ask = "Origin: https://a.example\r\n";
    let server = start(with(&[]), models());
    let head = server
        .send("GET", "/health/live", ask, b"")
        .head
        .to_lowercase();
    assert!(!head.contains("access-control-allow-origin"), "{head}");
    let server = start(with(&["https://a.example"]), models());
    let head = server.send("GET", "/health/live", ask, b"").head;
    assert!(head.contains("https://a.example"), "{head}");
    let other = server.send("GET", "/health/live", "Origin: https://b.example\r\n", b"");
    assert!(!other.head.contains("b.example"), "{}", other.head);
    let Err(error) = Server::bind(with(&["a.example"]), models()) else {
        panic!("it is no origin");
    };
    assert!(matches!(error, ServeError::Origin(_)));
}

#[test]
fn a_model_is_replaced_while_the_server_runs_unless_it_is_broken() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    let copy = |from: &str| {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for file in fs::read_dir(stored(from)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    };
    copy("table-model");
    let with_token = Settings {
        token: Some("t".to_owned()),
        ..settings(Limits::default())
    };
    let (sender, events) = std::sync::mpsc::channel();
    let tell = move |event| drop(sender.send(event));
    let server = start_with(with_token, vec![source("m", folder.clone())], tell);
    let token = "Authorization: Bearer t\r\n";
    let kind = || server.send("GET", "/v1/models/m", token, b"").json()["kind"].clone();
    assert_eq!(kind(), "table-model");
    copy("image-classifier");
    let reloaded = server.send("POST", "/admin/reload", token, b"");
    assert_eq!(
        reloaded.json()["models"],
        json!([{"name": "m", "reloaded": true}])
    );
    assert_eq!(kind(), "image-classifier");
    fs::write(folder.join("model.json"), "{").unwrap();
    let refused = server.send("POST", "/admin/reload", token, b"");
    assert_eq!(refused.status, 500);
    assert!(
        refused.json()["models"][0]["error"]
            .as_str()
            .unwrap()
            .contains("model.json")
    );
    assert_eq!(kind(), "image-classifier");
    // The log of the server has the same.
    let events: Vec<Event> = events.try_iter().collect();
    assert_eq!(events[..2], [Event::Ready, Event::Reloaded("m".to_owned())]);
    let [Event::ReloadFailed(name, error)] = &events[2..] else {
        panic!("{events:?}");
    };
    assert!(name == "m" && error.contains("model.json"), "{error}");
}

#[test]
fn a_model_with_damaged_weights_is_not_ready() {
    let place = tempfile::tempdir().unwrap();
    for file in fs::read_dir(stored("table-model")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), place.path().join(file.file_name())).unwrap();
    }
    let path = place.path().join("weights.safetensors");
    let mut weights = fs::read(&path).unwrap();
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, weights).unwrap();
    let models = vec![source("m", place.path().to_owned())];
    let server = Server::bind(settings(Limits::default()), models).unwrap();
    let (address, stop) = (server.address().unwrap(), server.stop_handle());
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let tell = move |event| drop(sender.send(event));
        server.run_with(tell).unwrap();
    });
    let tinderbox_serve::Event::NotReady(reason) = receiver.recv().unwrap() else {
        panic!("it is ready");
    };
    assert!(reason.contains("its weights are damaged"), "{reason}");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let ask = "GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    assert_eq!(read(stream).status, 503);
    stop.stop();
    thread.join().unwrap();
}

#[test]
fn requests_in_progress_are_finished_when_the_server_stops() {
    let server = start_stored(Limits::default());
    let mut stream = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(100));
    let stopping = Arc::new(server);
    let address = stopping.address;
    let end = thread::spawn(move || drop(stopping));
    thread::sleep(Duration::from_millis(100));
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "it takes new connections"
    );
    stream.write_all(b"}").unwrap();
    assert_eq!(read(stream).status, 422);
    end.join().unwrap();
}

#[test]
fn two_servers_use_one_model_folder() {
    let [first, second] = [(); 2].map(|()| start_stored(Limits::default()));
    assert_ne!(first.address, second.address);
    let image = fs::read(stored("image-classifier.in.png")).unwrap();
    let ask =
        |server: &Running| server.send("POST", "/v1/models/image-classifier/predict", "", &image);
    assert_eq!(ask(&first).json(), ask(&second).json());
    drop(first);
    assert_eq!(ask(&second).status, 200);
}
