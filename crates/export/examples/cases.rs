//! Writes small random models of every architecture as ONNX files, with inputs and the predictions of this
//! project, for `benches/check_onnx.py`: `cargo run -p tinderbox-export --example cases -- DIR`.

#![allow(clippy::unwrap_used, reason = "a tool of the tests")]

#[path = "../tests/cases/mod.rs"]
mod cases;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

fn main() {
    let dir = PathBuf::from(std::env::args_os().nth(1).unwrap());
    std::fs::create_dir_all(&dir).unwrap();
    for case in cases::all() {
        std::fs::write(dir.join(format!("{}.onnx", case.name)), &case.onnx).unwrap();
        let (inputs, outputs) = (arrays(&case.inputs), case.outputs.iter());
        let outputs: Map<String, Value> = outputs
            .map(|(name, values)| (name.clone(), json!(values)))
            .collect();
        let mut facts = json!({"inputs": inputs, "outputs": outputs});
        if let Some((weights, inputs)) = &case.weights {
            let file = format!("{}.safetensors", case.name);
            std::fs::write(dir.join(&file), &weights.weights).unwrap();
            let code = weights.loader(&file).unwrap();
            std::fs::write(dir.join(format!("{}.py", case.name)), code).unwrap();
            facts["networks"] = arrays(inputs);
        }
        std::fs::write(dir.join(format!("{}.json", case.name)), facts.to_string()).unwrap();
    }
}

fn arrays(inputs: &[(String, cases::Array)]) -> Value {
    let arrays = inputs.iter().map(|(name, array)| {
        // JSON has no NaN: a missing number is null.
        let (kind, data) = match &array.data {
            cases::Data::Float(values) => ("float32", json!(values)),
            cases::Data::Double(values) => ("float64", json!(values)),
            cases::Data::Int(values) => ("int64", json!(values)),
            cases::Data::Text(values) => ("str", json!(values)),
        };
        let array = json!({"shape": array.shape, "kind": kind, "data": data});
        (name.clone(), array)
    });
    Value::Object(arrays.collect())
}
