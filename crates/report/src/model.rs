//! What a model is for, as `model.json` says.

use serde_json::Value;

use crate::Run;

/// A kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskName {
    /// For people.
    pub(crate) name: &'static str,
    /// The name that the Hugging Face hub has for it; empty for none.
    pub(crate) tag: &'static str,
}

/// The task of a run.
pub(crate) fn task(run: &Run) -> TaskName {
    let task = |name, tag| TaskName { name, tag };
    let text = |key: &str| run.model.get(key).and_then(Value::as_str);
    match text("kind").unwrap_or_default() {
        "image-classifier" => task("image classification", "image-classification"),
        "object-detector" => task("object detection", "object-detection"),
        "image-segmenter" => task("image segmentation", "image-segmentation"),
        "landmarker" => task("landmark detection", "keypoint-detection"),
        "agent" => task("reinforcement learning", "reinforcement-learning"),
        "table-model" => match run.model["target"]["kind"].as_str() {
            Some("classes") => task("classification of tables", "tabular-classification"),
            _ => task("regression on tables", "tabular-regression"),
        },
        "text-model" => match text("task") {
            Some("multi-label") => task("labels of texts", "text-classification"),
            Some("token-classification") => task("token classification", "token-classification"),
            Some("language-modeling") => task("language modeling", "text-generation"),
            _ => task("text classification", "text-classification"),
        },
        _ => task("model", ""),
    }
}

/// The names of the classes or labels.
pub(crate) fn labels(run: &Run) -> Vec<String> {
    let own = run.model.get("labels");
    let target = run
        .model
        .get("target")
        .and_then(|target| target.get("labels"));
    let labels = own.or(target).and_then(Value::as_array);
    let labels = labels.into_iter().flatten().filter_map(Value::as_str);
    labels.map(str::to_owned).collect()
}

/// The kind of its network, such as `cnn`.
pub(crate) fn network(run: &Run) -> Option<&str> {
    let network = run
        .model
        .get("model")
        .or_else(|| run.model.get("network"))?;
    network.get("kind")?.as_str()
}

/// The temperature that calibrates its probabilities; none of a model without probabilities.
pub(crate) fn temperature(run: &Run) -> Option<f64> {
    if labels(run).is_empty() {
        return None;
    }
    run.model.get("temperature")?.as_f64()
}

/// The version of the program that made it, where there is no summary.
pub(crate) fn version<'a>(run: &'a Run, name: &str) -> Option<&'a str> {
    run.model.get("versions")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probabilities_have_a_temperature() {
        let run = |target: Value| Run {
            name: "run".to_owned(),
            dir: std::path::PathBuf::new(),
            summary: None,
            recipe: None,
            sections: None,
            metrics: None,
            model: serde_json::json!({"temperature": 1.0, "target": target}),
        };
        let number = serde_json::json!({"kind": "number"});
        assert_eq!(temperature(&run(number)), None);
        let classes = serde_json::json!({"kind": "classes", "labels": ["no", "yes"]});
        assert_eq!(temperature(&run(classes)), Some(1.0));
    }
}
