//! What a finished run says: `summary.json`, and lines for people.

use std::path::{Path, PathBuf};

use tinderbox_backend::Opened;
use tinderbox_models::LayerSummary;
use tinderbox_recipes::model_dir::{Located, locate};
use tinderbox_recipes::run_dir::{
    BURN_VERSION, Baseline, MODEL_DIR, RECIPE_FILE, Summary, peak_rss_bytes,
};
use tinderbox_recipes::train::{Metrics, Timings, Trained};

use crate::output::thousands;
use crate::{Failure, note};

/// What a summary takes besides what the training loop says.
#[derive(Debug)]
pub struct Finished<'a> {
    /// Name and version of the package of the app.
    pub app: [&'a str; 2],
    /// Name of the recipe.
    pub recipe: &'a str,
    /// Seed of the run.
    pub seed: u64,
    /// Where it was computed.
    pub device: &'a Opened,
    /// Numbers that were learned.
    pub parameters: usize,
    /// Metrics on the validation split.
    pub valid: Metrics,
    /// Metrics on the test split.
    pub test: Metrics,
    /// Classical methods on the same split.
    pub baselines: Vec<Baseline>,
    /// What only this kind of task has.
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl Finished<'_> {
    /// Puts it together with what the loop says.
    pub fn summary<M>(self, trained: &Trained<M>) -> Summary {
        let [app, version] = self.app.map(str::to_owned);
        let train_s = trained.timings.data_s + trained.timings.compute_s;
        Summary {
            app,
            recipe: self.recipe.to_owned(),
            device: self.device.spec.to_string(),
            backend: self.device.backend.to_owned(),
            seed: self.seed,
            burn: BURN_VERSION.to_owned(),
            version,
            epochs: trained.epochs,
            best_epoch: trained.best_epoch,
            steps: trained.steps,
            samples: trained.samples,
            wall_s: trained.wall_s,
            train_s,
            samples_per_s: trained.samples as f64 / train_s.max(f64::MIN_POSITIVE),
            timings: trained.timings,
            peak_rss_bytes: peak_rss_bytes(),
            parameters: self.parameters,
            valid: self.valid,
            test: self.test,
            baselines: self.baselines,
            details: self.details,
        }
    }
}

/// Rows for a table: names of metrics, and their values for this model and the classical methods.
pub fn scores(
    summary: &Summary,
    names: &[&str],
    count: impl Fn(usize) -> String,
) -> Vec<Vec<String>> {
    let row = |what: &str, metrics: &Metrics| {
        let value = |name: &&str| {
            let value = metrics.get(*name);
            value.map_or("-".to_owned(), |value| format!("{value:.4}"))
        };
        let values = names.iter().map(value);
        std::iter::once(what.to_owned()).chain(values).collect()
    };
    let head = std::iter::once("test").chain(names.iter().copied());
    let mut rows = vec![
        head.map(str::to_owned).collect(),
        row("this model", &summary.test),
    ];
    for baseline in &summary.baselines {
        let what = format!("{} on {}", baseline.method, count(baseline.samples));
        rows.push(row(&what, &baseline.test));
    }
    rows
}

/// The layers of a network as rows of a table.
pub fn layer_rows(layers: &[LayerSummary]) -> Vec<Vec<String>> {
    let head = ["layer", "what", "output", "parameters"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape.join("x"),
            thousands(layer.parameters),
        ]
    }));
    rows
}

/// A confusion matrix as rows of a table: true classes down, predicted ones across.
pub fn confusion_rows(classes: &[String], confusion: &[Vec<usize>]) -> Vec<Vec<String>> {
    let mut rows = vec![[vec![String::new()], classes.to_vec()].concat()];
    for (class, counts) in classes.iter().zip(confusion) {
        let counts = counts.iter().map(usize::to_string);
        rows.push(std::iter::once(class.clone()).chain(counts).collect());
    }
    rows
}

/// Metrics as rows of a table.
pub fn metric_rows(metrics: &Metrics) -> Vec<Vec<String>> {
    let row = |(name, value): (&String, &f64)| vec![name.clone(), format!("{value:.4}")];
    metrics.iter().map(row).collect()
}

/// The model folder of a run: of one that is not finished, the best so far.
///
/// # Errors
///
/// If the run has none.
pub fn model_dir(run: &Path) -> Result<PathBuf, Failure> {
    if let Some(Located { dir, finished }) = locate(run) {
        if !finished {
            note(&format!(
                "warning: the run in `{}` is not finished: using its best weights so far",
                run.display()
            ));
        }
        return Ok(dir);
    }
    let path = run.display();
    Err(Failure::input(if run.join(RECIPE_FILE).exists() {
        format!(
            "the run in `{path}` has no trained model yet: resume it with `--resume {path}` for at \
             least one epoch"
        )
    } else {
        format!("`{path}` contains no trained model: it has no `{MODEL_DIR}` folder")
    }))
}

/// Where the time of a run went.
pub fn times(timings: &Timings, wall_s: f64) -> String {
    let share = |seconds: f64| 100.0 * seconds / wall_s.max(f64::MIN_POSITIVE);
    let Timings {
        data_s,
        compute_s,
        valid_s,
        checkpoint_s,
    } = *timings;
    let other = (wall_s - data_s - compute_s - valid_s - checkpoint_s).max(0.0);
    format!(
        "time {wall_s:.1} s: compute {:.1} %, data wait {:.1} %, validation {:.1} %, checkpoint \
         {:.1} %, other {:.1} %",
        share(compute_s),
        share(data_s),
        share(valid_s),
        share(checkpoint_s),
        share(other)
    )
}
