//! A model that takes too long.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox_predict::{Inputs, ModelFiles, PredictError, Prediction};
use tinderbox_serve::{Limits, Loaded, ModelSource, Served};

use crate::client::{Running, settings, start, stored};

/// What a model of images does for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Decode,
    Predict,
}

/// Where a model stops until it is told to go on.
#[derive(Default)]
struct Gate {
    closed: Mutex<Option<Stage>>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, closed: Option<Stage>) {
        *self.closed.lock().unwrap() = closed;
        self.changed.notify_all();
    }

    fn pass(&self, stage: Stage) {
        let closed = self.closed.lock().unwrap();
        let is_closed = |closed: &mut Option<Stage>| *closed == Some(stage);
        drop(self.changed.wait_while(closed, is_closed).unwrap());
    }
}

/// The stored model of images behind a gate.
struct Gated {
    model: Arc<dyn Served>,
    gate: Arc<Gate>,
}

impl Served for Gated {
    fn read_file(&self, name: &str, bytes: &[u8], max_pixels: u64) -> Result<Inputs, PredictError> {
        self.gate.pass(Stage::Decode);
        self.model.read_file(name, bytes, max_pixels)
    }

    fn read_values(&self, values: &[Value]) -> Result<Inputs, PredictError> {
        self.model.read_values(values)
    }

    fn answer(&self, inputs: &Inputs) -> Result<Vec<Prediction>, PredictError> {
        self.gate.pass(Stage::Predict);
        self.model.answer(inputs)
    }
}

fn start_gated(limits: Limits) -> (Running, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let own = Arc::clone(&gate);
    let load = move || -> Result<Loaded, String> {
        let files = ModelFiles::open(&stored("image-classifier"));
        let Loaded { model, info } =
            Loaded::open(&files, &Device::flex()).map_err(|error| error.to_string())?;
        let gate = Arc::clone(&own);
        let model = Arc::new(Gated { model, gate });
        Ok(Loaded { model, info })
    };
    let source = ModelSource {
        name: "gated".to_owned(),
        load: Arc::new(load),
    };
    (start(settings(limits), vec![source]), gate)
}

/// The gate is closed until the answer is here: the model cannot be faster.
#[test]
fn an_image_that_takes_too_long_gets_504_and_the_server_recovers() {
    let time = Duration::from_millis(200);
    let (server, gate) = start_gated(Limits {
        time,
        ..Limits::default()
    });
    let image = std::fs::read(stored("image-classifier.in.png")).unwrap();
    let ask = || server.send("POST", "/v1/predict", "Content-Type: image/png\r\n", &image);
    let before = ask();
    assert_eq!(before.status, 200, "{}", before.text());
    let cores = available_parallelism().unwrap().get();
    for stage in [Stage::Predict, Stage::Decode] {
        gate.set(Some(stage));
        // The last ones wait for a core.
        for _ in 0..=cores {
            let start = Instant::now();
            let late = ask();
            assert_eq!(late.status, 504, "{stage:?}: {}", late.text());
            assert!(start.elapsed() >= time, "{stage:?}: {:?}", start.elapsed());
            let detail = late.detail();
            assert!(detail.contains("took too long"), "{stage:?}: {detail}");
            assert!(detail.contains("`--timeout`"), "{stage:?}: {detail}");
        }
        gate.set(None);
        // What was waited for in vain is done first.
        let start = Instant::now();
        let mut after = ask();
        while after.status != 200 && start.elapsed() < Duration::from_secs(20) {
            after = ask();
        }
        assert_eq!(after.json(), before.json(), "{stage:?}");
    }
}

#[test]
fn every_other_door_gives_504_too() {
    let (server, gate) = start_gated(Limits {
        time: Duration::from_millis(200),
        ..Limits::default()
    });
    gate.set(Some(Stage::Predict));
    let image = crate::client::base64_image();
    let tensor = json!({"name": "image", "shape": [1], "datatype": "BYTES", "data": [image]});
    for (path, body) in [
        ("/invocations", json!({"instances": [image]})),
        ("/v2/models/gated/infer", json!({"inputs": [tensor]})),
    ] {
        let late = server.post_json(path, &body);
        assert_eq!(late.status, 504, "{path}: {}", late.text());
        assert!(late.detail().contains("took too long"), "{path}");
    }
    gate.set(None);
}
