//! Predictions over HTTP are those of the command line.

use std::fs;

use serde_json::{Map, Value, json};
use tinderbox_serve::Limits;

use crate::client::{Running, base64_image, settings, source, start, start_stored, stored};

/// What `predict --json` printed for a stored model, without the names of files.
fn printed(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(stored(&format!("{name}.jsonl"))).unwrap();
    let line = |line: &str| {
        let mut line: Map<String, Value> = serde_json::from_str(line).unwrap();
        line.remove("input");
        Value::Object(line)
    };
    text.lines().map(line).collect()
}

/// Equal but for the last digits of numbers, which other processors round differently.
fn assert_close(found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            assert!(found.keys().eq(expected.keys()), "{found:?} {expected:?}");
            for (key, value) in found {
                assert_close(value, &expected[key]);
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert_close(found, expected);
            }
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        _ => assert_eq!(found, expected),
    }
}

/// The rows of the stored table as JSON objects.
pub(crate) fn rows() -> Vec<Value> {
    let text = fs::read_to_string(stored("table-model.in.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(','));
    let names: Vec<&str> = lines.next().unwrap().collect();
    let row = |cells: std::str::Split<'_, char>| {
        let cells = cells.map(|cell| cell.parse::<f64>().map_or(json!(cell), Value::from));
        Value::Object(
            names
                .iter()
                .map(|&name| name.to_owned())
                .zip(cells)
                .collect(),
        )
    };
    lines.map(row).collect()
}

fn without_row(mut line: Value) -> Value {
    line.as_object_mut().unwrap().remove("row");
    line
}

const JSON_LINES: &str = "Content-Type: application/x-ndjson\r\n";

#[test]
fn rows_get_the_predictions_of_the_command_line_in_every_format() {
    let server = start_stored(Limits::default());
    let (rows, printed) = (rows(), Value::Array(printed("table-model")));
    let all = server.post_json("/v1/predict", &json!(rows));
    assert_eq!(all.status, 200, "{}", all.text());
    assert_close(&all.json(), &printed);
    let csv = fs::read(stored("table-model.in.csv")).unwrap();
    let csv = server.send("POST", "/v1/predict", "Content-Type: text/csv\r\n", &csv);
    assert_eq!(csv.json(), all.json());
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let lines = server.send(
        "POST",
        "/v1/predict",
        JSON_LINES,
        lines.join("\n").as_bytes(),
    );
    let lines: Vec<Value> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::Array(lines), all.json());
    for (row, expected) in rows.iter().zip(all.json().as_array().unwrap()) {
        let one = server.post_json("/v1/models/table-model/predict", row);
        // Alone as in a batch, to the bit.
        assert_eq!(one.json(), without_row(expected.clone()));
    }
    let records = server.post_json("/invocations", &json!({"dataframe_records": rows}));
    let expected: Vec<Value> = all
        .json()
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(without_row)
        .collect();
    assert_eq!(records.json()["predictions"], json!(expected));
}

#[test]
fn images_get_the_predictions_of_the_command_line() {
    let server = start_stored(Limits::default());
    let image = fs::read(stored("image-classifier.in.png")).unwrap();
    let path = "/v1/models/image-classifier/predict";
    let expected = &printed("image-classifier")[0];
    for headers in [
        "Content-Type: image/png\r\n",
        "",
        "Content-Type: application/octet-stream\r\n",
    ] {
        let answer = server.send("POST", path, headers, &image);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_close(&answer.json(), expected);
    }
    let form = [
        b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n"
            .as_slice(),
        &image,
        b"\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.png\"\r\n\r\n",
        &image,
        b"\r\n--x--\r\n",
    ]
    .concat();
    let headers = "Content-Type: multipart/form-data; boundary=x\r\n";
    let answer = server.send("POST", path, headers, &form).json();
    assert_eq!(answer[0]["input"], "a.png");
    assert_eq!(answer[1]["input"], "b.png");
    assert_eq!(answer[0]["probabilities"], answer[1]["probabilities"]);
    assert_close(&answer[0]["probabilities"], &expected["probabilities"]);
}

#[test]
fn clients_of_mlflow_send_images_as_base64_text() {
    let model = source("digits", stored("image-classifier"));
    let server = start(settings(Limits::default()), vec![model]);
    let text = base64_image();
    // As Python's `encodebytes` writes it.
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let lines = format!("{}\n", lines.join("\n"));
    assert!(lines.lines().count() > 1);
    let file = fs::read(stored("image-classifier.in.png")).unwrap();
    let alone = server.send("POST", "/v1/predict", "", &file).json();
    assert_close(&alone, &printed("image-classifier")[0]);
    for body in [
        json!({"inputs": [text, lines]}),
        json!({"instances": [text, {"b64": lines}]}),
        json!({"inputs": {"image": [text, lines]}}),
        json!({"dataframe_split": {"columns": ["image"], "data": [[text], [lines]]}}),
        json!({"dataframe_records": [{"image": text}, {"image": lines}]}),
    ] {
        let answer = server.post_json("/invocations", &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let predictions = &answer.json()["predictions"];
        assert_close(predictions, &json!([alone, alone]));
    }
    for (body, words) in [
        (
            json!({"inputs": [text, "no image"]}),
            "image 2 is not the base64 text",
        ),
        (
            json!({"inputs": ["aGVsbG8="]}),
            "`image 1` is not an image in a known format",
        ),
        (
            json!({"inputs": [[[0, 255], [255, 0]]]}),
            "image 1 is a list of values",
        ),
        (
            json!({"dataframe_split": {"columns": ["a", "b"], "data": [[text, 1]]}}),
            "image 1 has 2 columns",
        ),
        (json!({"inputs": []}), "the request has no input"),
    ] {
        let refused = server.post_json("/invocations", &body);
        assert_eq!(refused.status, 422, "{}", refused.text());
        let detail = refused.detail();
        assert!(detail.contains(words), "{words}: {detail}");
    }
}

#[cfg(feature = "text")]
#[test]
fn texts_get_the_predictions_of_the_command_line() {
    let server = start_stored(Limits::default());
    let path = "/v1/models/text-model/predict";
    let texts = fs::read_to_string(stored("text-model.in.txt")).unwrap();
    let texts: Vec<&str> = texts.lines().collect();
    let printed = printed("text-model");
    let all = server.post_json(path, &json!(texts));
    assert_close(&all.json(), &json!(printed));
    for (text, expected) in texts.iter().zip(&printed) {
        assert_close(&server.post_json(path, &json!(text)).json(), expected);
        assert_close(
            &server.post_json(path, &json!({"text": text})).json(),
            expected,
        );
        let plain = server.send(
            "POST",
            path,
            "Content-Type: text/plain\r\n",
            text.as_bytes(),
        );
        assert_close(&plain.json(), expected);
    }
}

#[test]
fn the_open_inference_protocol_has_tensors() {
    let server = start_stored(Limits::default());
    let rows = rows();
    let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let tensor = |name: &&String| {
        let data: Vec<&Value> = rows.iter().map(|row| &row[name.as_str()]).collect();
        json!({"name": name, "shape": [rows.len()], "datatype": "FP64", "data": data})
    };
    let inputs: Vec<Value> = names.iter().map(tensor).collect();
    let body = json!({"id": "7", "inputs": inputs});
    let answer = server.post_json("/v2/models/table-model/infer", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["id"], "7");
    let printed = printed("table-model");
    let labels: Vec<&Value> = printed.iter().map(|line| &line["label"]).collect();
    assert_eq!(answer["outputs"][0]["data"], json!(labels));
    assert_eq!(answer["outputs"][1]["shape"], json!([rows.len(), 2]));
    let metadata = server.get("/v2/models/table-model").json();
    assert_eq!(metadata["inputs"][0]["datatype"], "FP64");
    let refused = server.post_json(
        "/v2/models/table-model/infer",
        &json!({"inputs": [{"name": "a", "shape": [2], "datatype": "FP32", "data": [1]}]}),
    );
    assert_eq!(refused.status, 422);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("does not fit 1 values")
    );
}

#[test]
fn a_stream_answers_each_line_and_continues_after_a_bad_one() {
    let server = start_stored(Limits::default());
    let row = rows()[0].to_string();
    let body = format!("{row}\n\nnot json\n{{\"mean radius\": 1}}\n[1]\n{row}");
    let answer = server.send("POST", "/v1/predict", JSON_LINES, body.as_bytes());
    let lines: Vec<Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    let numbers: Vec<&Value> = lines.iter().map(|line| &line["row"]).collect();
    assert_eq!(json!(numbers), json!([1, 2, 3, 4, 5]));
    assert_eq!(lines[0]["probabilities"], lines[4]["probabilities"]);
    for (line, words) in [
        (1, "not JSON"),
        (2, "columns `mean texture`"),
        (3, "a list, not an object"),
    ] {
        let error = lines[line]["error"].as_str().unwrap();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn unknown_columns_are_ignored_with_a_note() {
    let server = start_stored(Limits::default());
    let mut row = rows()[0].clone();
    row["patient"] = json!("A-7");
    let answer = server.post_json("/v1/predict", &row);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer.head.contains("ignored columns: `patient`"),
        "{}",
        answer.head
    );
    let lines = server.send(
        "POST",
        "/v1/predict",
        JSON_LINES,
        row.to_string().as_bytes(),
    );
    assert!(!lines.text().contains("note"), "{}", lines.text());
}

#[test]
fn a_form_with_large_files_and_with_json_is_read_like_bodies() {
    let server = start_stored(Limits::default());
    let rows: Vec<Value> = rows().iter().cycle().take(6_000).cloned().collect();
    let body = json!(rows).to_string();
    assert!(body.len() > 2_500_000);
    let form = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\n\r\n{body}\r\n--x--\r\n"
    );
    let headers = "Content-Type: multipart/form-data; boundary=x\r\n";
    let answer = server.send("POST", "/v1/predict", headers, form.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer[5_999]["row"], 6_000);
    assert_eq!(answer[0]["input"], "a.json");
    let one = server.post_json("/v1/predict", &rows[0]).json();
    assert_eq!(answer[0]["probabilities"], one["probabilities"]);
}

#[test]
fn requests_at_the_same_time_are_predicted_together_and_as_alone() {
    let server = start_stored(Limits {
        wait: std::time::Duration::from_millis(50),
        ..Limits::default()
    });
    let rows = rows();
    let expected: Vec<Value> = rows
        .iter()
        .map(|row| server.post_json("/v1/predict", row).json())
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            for (row, expected) in rows.iter().zip(&expected) {
                let server: &Running = &server;
                scope.spawn(move || {
                    assert_eq!(server.post_json("/v1/predict", row).json(), *expected);
                });
            }
        }
    });
    let metrics = server.get("/metrics").text();
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{metrics}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let batches = value("tinderbox_batch_size_count{model=\"table-model\"}");
    let predictions = value("tinderbox_predictions_total{model=\"table-model\"}");
    assert!(
        batches < predictions,
        "{batches} batches, {predictions} predictions"
    );
}
