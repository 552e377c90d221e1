//! The command `export` of every app.

use std::fs;

use super::Place;

/// Checks the exports of the finished run `run`: where they are, that they are equal each time and replace what is
/// there, and that the best weights so far of a run that is not finished are exported with a warning.
pub(super) fn check_export(place: &Place) {
    let export = |run: &str, format: &str| {
        let ran = place.run(&["export", "--run", run, "--format", format]);
        ran.ok();
        ran
    };
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    export("run", "onnx");
    let onnx = read("run/model.onnx");
    place.write("run/model.onnx", "what was there");
    // The model folder leads to its run.
    export("run/model", "onnx");
    assert!(read("run/model.onnx") == onnx);
    export("run", "safetensors");
    let weights = read("run/model.safetensors");
    fs::remove_file(place.path("run/model.safetensors")).unwrap();
    export("run", "safetensors");
    assert!(read("run/model.safetensors") == weights);
    // The code is written again, but not over a file of somebody else.
    let code = read("run/model.py");
    export("run", "safetensors");
    assert!(read("run/model.py") == code);
    place.write("run/model.py", "mine");
    let ran = export("run", "safetensors");
    assert!(ran.stderr.contains("model.py"), "{}", ran.stderr);
    assert_eq!(read("run/model.py"), b"mine");
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&weights[8..8 + length]).unwrap();
    let config = header["__metadata__"]["config"].as_str().unwrap();
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    assert!(config.get("kind").is_some() && config.get("training").is_none());

    let summary = read("run/summary.json");
    fs::remove_file(place.path("run/summary.json")).unwrap();
    let ran = export("run", "onnx");
    assert!(ran.stderr.contains("is not finished"), "{}", ran.stderr);
    fs::write(place.path("run/summary.json"), summary).unwrap();
}
