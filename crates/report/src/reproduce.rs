//! What repeats a run.

use std::path::Path;

use crate::Run;
use crate::model::{network, task, temperature, version};
use crate::number::{bytes, number, seconds};
use tinderbox_train::format::thousands;

/// The command that repeats a run, from its directory. A relative path of the data was meant from another one, so
/// it has to be filled in.
pub(crate) fn command(run: &Run) -> Option<String> {
    let summary = run.summary.as_ref()?;
    let recipe = run.recipe.as_ref()?;
    let data = relative_data(recipe).map_or(String::new(), |name| format!(" --data 'PATH/{name}'"));
    Some(format!(
        "{} train --recipe recipe.toml{data} --device {}",
        summary.app, summary.device
    ))
}

/// The name of the file or folder of the data, if the recipe has a relative path.
fn relative_data(recipe: &str) -> Option<String> {
    let recipe: toml::Table = recipe.parse().ok()?;
    let path = Path::new(recipe.get("data")?.get("path")?.as_str()?);
    let name = path.file_name().filter(|_| path.is_relative())?;
    Some(name.to_string_lossy().replace('\'', "'\\''"))
}

/// Names with values: versions, device, times, memory, hashes.
pub(crate) fn facts(run: &Run) -> Vec<[String; 2]> {
    let mut facts = Vec::new();
    let mut put = |name: &str, value: String| facts.push([name.to_owned(), value]);
    put("task", task(run).name.to_owned());
    if let Some(network) = network(run) {
        put("network", network.to_owned());
    }
    let Some(summary) = &run.summary else {
        for name in ["tinderbox", "burn"] {
            if let Some(version) = version(run, name) {
                put(name, version.to_owned());
            }
        }
        return facts;
    };
    put("parameters", thousands(summary.parameters));
    put("seed", summary.seed.to_string());
    put(
        "device",
        format!("{} ({})", summary.device, summary.backend),
    );
    put(
        "versions",
        format!("{} {}, Burn {}", summary.app, summary.version, summary.burn),
    );
    if let Some(commit) = &summary.commit {
        put("commit", commit.clone());
    }
    let is_agent = run.detail("best_step").is_some();
    let counts = [
        summary.epochs,
        summary.best_epoch,
        summary.steps,
        summary.samples,
    ];
    let [epochs, best, steps, samples] = counts.map(thousands);
    let noun = if summary.epochs == 1 {
        "epoch"
    } else {
        "epochs"
    };
    put(
        "training",
        if is_agent {
            format!("{steps} steps, {epochs} evaluations, best {best}")
        } else {
            format!("{epochs} {noun}, best {best}, {steps} steps, {samples} samples")
        },
    );
    put("time", times(summary));
    if summary.samples_per_s > 0.0 && !is_agent {
        put(
            "speed",
            format!("{} samples/s", number(summary.samples_per_s)),
        );
    }
    if let Some(us) = run
        .detail("predict_item_us")
        .and_then(serde_json::Value::as_f64)
    {
        let time = if us < 1_000.0 {
            format!("{} µs", number(us))
        } else {
            format!("{} ms", number(us / 1_000.0))
        };
        put("one prediction", time);
    }
    if let Some(size) = summary.peak_rss_bytes {
        put("memory", format!("{} at most", bytes(size)));
    }
    if let Some(threshold) = run.detail("threshold").and_then(serde_json::Value::as_f64) {
        put("decision threshold", number(threshold));
    }
    if let Some(temperature) = temperature(run) {
        put("temperature of the probabilities", number(temperature));
    }
    if let Some(data) = &summary.data {
        if let Some(hash) = &data.hash {
            put("hash of the data", hash.clone());
        }
        if data.duplicates > 0 {
            let count = thousands(data.duplicates);
            // Of splits that were given, some may be in two.
            let duplicates = if data.shared().is_empty() {
                format!("{count}, each kept in one split")
            } else {
                count
            };
            put("duplicates", duplicates);
        }
    }
    facts
}

fn times(summary: &tinderbox_train::run_dir::Summary) -> String {
    let timings = summary.timings;
    let parts = [
        ("compute", timings.compute_s),
        ("data wait", timings.data_s),
        ("validation", timings.valid_s),
        ("checkpoints", timings.checkpoint_s),
    ];
    let parts = parts.map(|(name, value)| format!("{name} {}", seconds(value)));
    format!("{} ({})", seconds(summary.wall_s), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::relative_data;

    #[test]
    fn only_a_relative_path_of_data_has_to_be_filled_in() {
        let data = |path: &str| relative_data(&format!("[data]\npath = \"{path}\"\n"));
        assert_eq!(data("sets/a b.csv").as_deref(), Some("a b.csv"));
        assert_eq!(data("it's").as_deref(), Some("it'\\''s"));
        assert_eq!([data("/data/a.csv"), data("")], [None, None]);
        assert_eq!(relative_data("name = \"cartpole\""), None);
    }
}
