//! The files themselves.

use std::collections::HashSet;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::cases;

#[test]
fn the_same_model_gives_the_same_file() {
    let [first, second] = [cases::tables::cases(), cases::tables::cases()];
    for (first, second) in first.iter().zip(&second) {
        assert!(first.onnx == second.onnx, "{}", first.name);
        let weights = [first, second].map(|case| case.weights.as_ref().map(|(w, _)| &w.weights));
        assert!(weights[0] == weights[1], "{}", first.name);
    }
    let names: HashSet<_> = first.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), first.len());
}

#[test]
fn the_metadata_of_masks_says_whether_edges_are_refined() {
    for refine in [true, false] {
        let (model, onnx) = cases::images::refined(refine);
        let entry: &[u8] = if refine {
            b"\x06refine\x12\x04true"
        } else {
            b"\x06refine\x12\x05false"
        };
        assert!(onnx.windows(entry.len()).any(|part| part == entry));
        assert_eq!(tinderbox_export::not_in_graph(&model).is_some(), refine);
    }
}

#[test]
fn weights_of_networks_that_predict_together_are_in_one_file() {
    let case = cases::images::ensemble();
    let (weights, _) = case.weights.unwrap();
    let file = SafeTensors::deserialize(&weights.weights).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert!(names.contains(&"member.0.output.weight") && names.contains(&"member.2.output.weight"));
    let (_, header) = SafeTensors::read_metadata(&weights.weights).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    let config: Value = serde_json::from_str(&metadata["config"]).unwrap();
    assert_eq!(config["members"], 3);
    assert!(config.get("training").is_none());
    let code = weights.loader("mine \"of\" today.safetensors").unwrap();
    assert!(
        code.contains(r#"with_name("mine \"of\" today.safetensors")"#),
        "{code}"
    );
}
