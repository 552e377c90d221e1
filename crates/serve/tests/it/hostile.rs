//! Requests that must not do harm: one clear error each, and the server goes on.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tinderbox_serve::Limits;

use crate::client::{Response, Running, read, settings, source, start, start_stored, stored};

const IMAGE: &str = "/v1/models/image-classifier/predict";

/// A server whose first model reads images.
fn start_images(limits: Limits) -> Running {
    let model = source("image-classifier", stored("image-classifier"));
    start(settings(limits), vec![model])
}

/// The server still predicts.
fn assert_alive(server: &Running) {
    let image = std::fs::read(stored("image-classifier.in.png")).unwrap();
    assert_eq!(server.send("POST", IMAGE, "", &image).status, 200);
}

#[test]
fn a_name_that_is_not_utf_8_is_a_problem() {
    let server = start_stored(Limits::default());
    for path in ["/v1/models/%ff", "/v2/models/%ff"] {
        let refused = server.get(path);
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.detail().contains("is not UTF-8"), "{path}");
    }
}

#[test]
fn bodies_that_cannot_be_read_are_refused_with_the_reason() {
    let server = start_stored(Limits {
        rows: 3,
        ..Limits::default()
    });
    let json = "Content-Type: application/json\r\n";
    for (path, headers, body, status, words) in [
        ("/v1/predict", json, "{", 400, "the body is not JSON"),
        ("/v1/predict", json, "", 400, "the body is empty"),
        (
            "/v1/predict",
            json,
            "7",
            422,
            "the row is a number, not an object",
        ),
        ("/v1/predict", json, "[]", 422, "no input"),
        (
            "/v1/predict",
            json,
            "{\"a\": 1, \"a\": 2}",
            400,
            "the key `a` comes twice",
        ),
        (
            "/v1/predict",
            json,
            "[{},{},{},{}]",
            422,
            "4 inputs, and the limit of this server is 3",
        ),
        (
            "/v1/predict",
            "Content-Type: image/png\r\n",
            "x",
            415,
            "send application/json",
        ),
        (
            "/v1/predict",
            "Content-Type: text/csv\r\n",
            "a,b\n1,2\n",
            422,
            "mean radius",
        ),
        (IMAGE, json, "{}", 415, "send image/png"),
        (IMAGE, "", "not an image", 422, "`body`"),
        (
            IMAGE,
            "Content-Type: multipart/form-data; boundary=x\r\n",
            "--x--\r\n",
            400,
            "no file",
        ),
        (
            IMAGE,
            "Content-Type: multipart/form-data\r\n",
            "x",
            400,
            "the form cannot be read",
        ),
        (
            "/v1/models/absent/predict",
            json,
            "{}",
            404,
            "there is no model `absent`; this server has `image",
        ),
        ("/nowhere", "", "", 404, "`/docs` lists all"),
        ("/invocations", json, "{}", 422, "`dataframe_split`"),
        (
            "/v2/models/table-model/infer",
            json,
            "[]",
            422,
            "inference request",
        ),
        ("/admin/reload", "", "", 403, "`--token`"),
        ("/v1/models", "", "", 405, "does not take POST"),
    ] {
        let response = server.send("POST", path, headers, body.as_bytes());
        assert_eq!(
            response.status,
            status,
            "{path} {body}: {}",
            response.text()
        );
        let detail = response.detail();
        assert!(detail.contains(words), "{path} {body}: {detail}");
    }
    assert_alive(&server);
}

#[test]
fn a_row_with_missing_and_unknown_columns_is_refused_by_their_names() {
    let server = start_stored(Limits::default());
    let refused = |row: &Value| {
        let response = server.post_json("/v1/predict", row);
        assert_eq!(response.status, 422);
        response.detail()
    };
    let names = server.get("/v1/models/table-model").json();
    let columns = names["input"]["columns"].as_array().unwrap();
    let row: serde_json::Map<String, Value> = columns
        .iter()
        .map(|column| (column["name"].as_str().unwrap().to_owned(), json!(1.5)))
        .collect();
    let whole = server.post_json("/v1/predict", &json!(row));
    assert_eq!(whole.status, 200, "{}", whole.text());
    let mut missing = row.clone();
    missing.remove("mean area");
    let detail = refused(&json!(missing));
    assert!(
        detail.contains("the column `mean area` is missing; send `null`"),
        "{detail}"
    );
    missing.insert("mean_area".to_owned(), json!(1));
    let detail = refused(&json!([row, missing]));
    assert!(
        detail.contains(
            "row 2: the column `mean area` is missing, and the model does not know `mean_area`"
        ),
        "{detail}"
    );
    for (value, words) in [
        (json!("wide"), "`"),
        (json!(true), "`"),
        (json!([1]), "`"),
        (json!(1e300), "1e300 is too large, the limit is 3.4e38"),
    ] {
        let mut wrong = row.clone();
        wrong.insert("mean area".to_owned(), value);
        let detail = refused(&json!(wrong));
        let expected = format!("column `mean area`: {words}");
        assert!(detail.contains(&expected), "{detail}");
    }
    let mut empty = row.clone();
    empty.insert("mean area".to_owned(), Value::Null);
    let empty = server.post_json("/v1/predict", &json!(empty));
    assert_eq!(empty.status, 200, "{}", empty.text());
}

#[test]
fn an_image_that_claims_too_many_pixels_is_refused_by_its_header() {
    let server = start_stored(Limits::default());
    let png = without_data(100_000);
    let start = Instant::now();
    let response = server.send("POST", IMAGE, "Content-Type: image/png\r\n", &png);
    assert_eq!(response.status, 422, "{}", response.text());
    assert!(
        response.detail().contains("100000"),
        "{}",
        response.detail()
    );
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_alive(&server);
}

#[test]
fn the_limit_of_pixels_is_for_all_images_of_a_request() {
    // One image has 8×8 pixels.
    let server = start_images(Limits {
        pixels: 127,
        ..Limits::default()
    });
    let image = std::fs::read(stored("image-classifier.in.png")).unwrap();
    for (path, send) in DOORS {
        let one = send(&server, &[&image]);
        assert_eq!(one.status, 200, "{path}: {}", one.text());
        let refused = send(&server, &[&image, &image]);
        assert_eq!(refused.status, 422, "{path}: {}", refused.text());
        let detail = refused.detail();
        for words in [
            "the 2 images of the request are too large together: they have 128 pixels",
            "the limit of this server is 127",
        ] {
            assert!(detail.contains(words), "{path}: {detail}");
        }
    }
    assert_alive(&server);
}

#[test]
fn images_that_are_too_large_together_are_refused_before_one_is_decoded() {
    let server = start_images(Limits {
        pixels: 10_000,
        ..Limits::default()
    });
    // Decoding finds that they have no data; the sum of 10,800 pixels is found first.
    let image = without_data(60);
    for (path, send) in DOORS {
        let decoded = send(&server, &[&image, &image]);
        assert_eq!(decoded.status, 422, "{path}: {}", decoded.text());
        assert!(
            decoded.detail().contains("is damaged"),
            "{path}: {}",
            decoded.detail()
        );
        let refused = send(&server, &[&image, &image, &image]);
        assert_eq!(refused.status, 422, "{path}: {}", refused.text());
        let detail = refused.detail();
        assert!(
            detail.contains("they have 10800 pixels"),
            "{path}: {detail}"
        );
        // Of a single one that is too large the place does not matter.
        let refused = send(&server, &[&image, &without_data(101)]);
        let detail = refused.detail();
        assert!(
            detail.contains("is too large: 101 x 101 pixels, more than 10000"),
            "{path}: {detail}"
        );
    }
    assert_alive(&server);
}

type SendImages = fn(&Running, &[&[u8]]) -> Response;

/// The paths that take several images.
const DOORS: [(&str, SendImages); 3] = [
    (IMAGE, send_form),
    ("/v2/models/image-classifier/infer", send_tensor),
    ("/invocations", send_instances),
];

fn send_form(server: &Running, images: &[&[u8]]) -> Response {
    let head = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n";
    let part = |image: &&[u8]| [head.as_slice(), image, b"\r\n"].concat();
    let parts: Vec<Vec<u8>> = images.iter().map(part).collect();
    let body = [parts.concat(), b"--x--\r\n".to_vec()].concat();
    let headers = "Content-Type: multipart/form-data; boundary=x\r\n";
    server.send("POST", IMAGE, headers, &body)
}

fn texts(images: &[&[u8]]) -> Vec<String> {
    images.iter().map(|image| STANDARD.encode(image)).collect()
}

fn send_tensor(server: &Running, images: &[&[u8]]) -> Response {
    let input = json!({
        "name": "image", "shape": [images.len()], "datatype": "BYTES", "data": texts(images),
    });
    let path = "/v2/models/image-classifier/infer";
    server.post_json(path, &json!({"inputs": [input]}))
}

fn send_instances(server: &Running, images: &[&[u8]]) -> Response {
    server.post_json("/invocations", &json!({"instances": texts(images)}))
}

/// A square PNG in 300 bytes: the header, and no data.
fn without_data(side: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    for side in [side; 2] {
        png.extend(side.to_be_bytes());
    }
    png.extend([8, 2, 0, 0, 0]);
    let check = crc(&png[12..]);
    png.extend(check.to_be_bytes());
    png.extend(b"\0\0\x01\0IDAT");
    png.resize(300, 0);
    png
}

/// CRC-32 of PNG.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn a_body_over_the_limit_is_refused_before_and_while_it_is_read() {
    let server = start_stored(Limits {
        body_bytes: 1_000,
        ..Limits::default()
    });
    let json = "Content-Type: application/json\r\n";
    let response = server.send("POST", "/v1/predict", json, &[b' '; 5_000]);
    assert_eq!(response.status, 413);
    assert!(response.detail().contains("more than 1000 bytes"));
    // Without its length.
    let mut stream = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..10 {
        let chunk = format!("c8\r\n{}\r\n", " ".repeat(200));
        let _ = stream.write_all(chunk.as_bytes());
    }
    assert_eq!(read(stream).status, 413);
    let line = vec![b' '; 5_000];
    let response = server.send(
        "POST",
        "/v1/predict",
        "Content-Type: application/x-ndjson\r\n",
        &line,
    );
    assert!(
        response.text().contains("a line has more than 1000 bytes"),
        "{}",
        response.text()
    );
    assert_alive(&server);
}

#[test]
fn a_body_that_does_not_arrive_is_not_waited_for() {
    let server = start_stored(Limits {
        time: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut stream = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let response = read(stream);
    assert_eq!(response.status, 408);
    assert!(response.detail().contains("did not arrive in time"));
    assert_alive(&server);
}

/// The start of a stream of JSON lines.
fn begin_stream(server: &Running) -> TcpStream {
    let mut stream = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_stream_of_empty_lines_is_ended() {
    let server = start_stored(Limits {
        time: Duration::from_millis(500),
        ..Limits::default()
    });
    let stream = begin_stream(&server);
    let mut writer = stream.try_clone().unwrap();
    let start = Instant::now();
    let writer = thread::spawn(move || {
        while start.elapsed() < Duration::from_secs(10) && writer.write_all(b"1\r\n\n\r\n").is_ok()
        {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let response = read(stream);
    assert!(start.elapsed() < Duration::from_secs(8));
    let text = response.text();
    assert!(text.contains("the body did not arrive in time"), "{text}");
    writer.join().unwrap();
    assert_alive(&server);
}

#[test]
fn a_stream_whose_answers_are_not_read_loses_its_place() {
    let server = start_stored(Limits {
        queue: 1,
        time: Duration::from_secs(2),
        ..Limits::default()
    });
    let mut stream = begin_stream(&server);
    let limit = Some(Duration::from_millis(200));
    stream.set_write_timeout(limit).unwrap();
    // Their answers have more than 50 MB, which the system does not hold back.
    let lines = "x\n".repeat(50_000);
    let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
    // Another thread writes: a busy server can end the stream before the last line is sent.
    let writer = thread::spawn(move || {
        for _ in 0..20 {
            if stream.write_all(chunk.as_bytes()).is_err() {
                break;
            }
        }
        stream
    });
    let start = Instant::now();
    let wait_while = |is_busy: bool| {
        let mut status = server.post_json("/v1/predict", &json!({})).status;
        while (status == 503) == is_busy && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
            status = server.post_json("/v1/predict", &json!({})).status;
        }
        status
    };
    assert_eq!(wait_while(false), 503);
    assert_eq!(wait_while(true), 422);
    drop(writer.join());
}

#[test]
fn more_requests_than_allowed_are_told_to_come_back() {
    let server = start_stored(Limits {
        queue: 1,
        ..Limits::default()
    });
    // It has the only place until its body is here.
    let mut slow = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    let mut response = server.post_json("/v1/predict", &json!({}));
    let start = Instant::now();
    while response.status != 503 && start.elapsed() < Duration::from_secs(10) {
        response = server.post_json("/v1/predict", &json!({}));
    }
    assert_eq!(response.status, 503);
    assert!(
        response.head.to_lowercase().contains("retry-after: 1"),
        "{}",
        response.head
    );
    slow.write_all(b"}").unwrap();
    assert_eq!(read(slow).status, 422);
}

#[test]
fn idle_connections_keep_nobody_from_the_server() {
    let server = start_stored(Limits::default());
    // Both ends of a connection are files of this process.
    let files = rlimit::increase_nofile_limit(2_500).unwrap();
    assert!(files >= 2_500, "this system allows {files} open files only");
    let idle: Vec<_> = (0..900).map(|_| server.connect()).collect();
    let mut half: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for stream in &mut half {
        stream
            .write_all(b"POST /v1/predict HTTP/1.1\r\nHo")
            .unwrap();
    }
    for _ in 0..20 {
        assert_alive(&server);
    }
    drop((idle, half));
    assert_alive(&server);
}
