//! The `train` command.

use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_backend::Opened;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::{data_path, run_dir};
use tinderbox_cli::report::{Finished, scores, times};
use tinderbox_cli::{Failure, Output, TrainArgs, interrupter, note, open_device, progress, table};
use tinderbox_recipes::metrics::{Approval, Ranking, approval};
use tinderbox_recipes::run_dir::Summary;
use tinderbox_recipes::tabular::{
    Answers, FoldReport, Options, Prepared, Recipe, Report, Source, Target, pooled, spread,
};
use tinderbox_recipes::train::Metrics;

use crate::{RECIPES, failure, story};

/// What `train` takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Args {
    /// The flags of every `train` on data.
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    /// Column to predict
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Parts of a cross-validation before the training proper
    #[arg(long, value_name = "N")]
    folds: Option<usize>,
    /// Networks that predict together
    #[arg(long, value_name = "N")]
    ensemble: Option<usize>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.train.run;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?;
    let recipe = resolve(args)?;
    let (dir, resume) = run_dir(common, &recipe.name, recipe.train.seed)?;
    let prepared = Prepared::new(recipe).map_err(failure)?;
    if !common.quiet {
        describe(&prepared, &device, &dir, resume);
    }
    let interrupter = interrupter()?;
    let (train_args, handle) = (args.train.clone(), interrupter.clone());
    let options = Options {
        dir: dir.clone(),
        resume,
        baselines: !args.train.no_baseline,
        renderer: Box::new(move |stage| {
            if !stage.name.is_empty() && !train_args.run.quiet {
                note(&stage.name);
            }
            progress::renderer(&train_args, &handle)
        }),
        interrupter,
        on_damage: |error| note(&format!("{error}; going on from the one before")),
    };
    let report = prepared.train(&device.device, options).map_err(|error| {
        if error.is_interrupted() {
            note(&format!(
                "go on with `tabular train --resume {}`",
                dir.display()
            ));
        }
        failure(error)
    })?;
    let summary = summary(&prepared, &device, &report);
    report.run.finish(&summary)?;
    print(&prepared, &report, &summary, &dir)?;
    story::tell(&prepared, &report)
}

/// The recipe that the flags describe: for a file of one's own none has to be named.
fn resolve(args: &Args) -> Result<Recipe, Failure> {
    let mut common = args.train.run.clone();
    let own_file = args.train.data.is_some() || args.target.is_some();
    if own_file && common.recipe.is_none() && common.resume.is_none() {
        common.recipe = Some("file".to_owned());
    }
    let mut recipe = RECIPES.of_run(&common)?;
    if let Some(seed) = common.seed {
        recipe.train.seed = seed;
    }
    if let Some(target) = &args.target {
        target.clone_into(&mut recipe.data.target);
    }
    if let Some(folds) = args.folds {
        recipe.split.folds = folds;
    }
    if let Some(ensemble) = args.ensemble {
        recipe.ensemble = ensemble;
    }
    if let Some(data) = &args.train.data {
        let Some(slot) = recipe.data.source.path_mut() else {
            return Err(Failure::input(format!(
                "`--data` does not fit the recipe `{}`, whose rows ship with the app; choose \
                 another with `--recipe`",
                recipe.name
            )));
        };
        data_path(data)?.clone_into(slot);
    }
    Ok(recipe)
}

fn describe(prepared: &Prepared, device: &Opened, dir: &Path, resume: bool) {
    let (recipe, opened, parts) = (prepared.recipe(), prepared.opened(), prepared.parts());
    let what = match &opened.target {
        Target::Number { .. } => "a number".to_owned(),
        Target::Classes { labels } if labels.len() == 2 => {
            format!("whether it is `{}` or `{}`", labels[1], labels[0])
        }
        Target::Classes { labels } => format!("one of {} classes", labels.len()),
    };
    note(&format!(
        "recipe {}: {} train, {} valid, {} test rows of {} columns; predicts `{}`, {what}",
        recipe.name,
        thousands(parts.train.len()),
        thousands(parts.valid.len()),
        thousands(parts.test.len()),
        opened.columns.len(),
        recipe.data.target,
    ));
    if matches!(recipe.data.source, Source::File { .. }) {
        let kinds = opened.columns.iter().filter_map(|name| {
            let column = opened.table.column(name).ok()?;
            Some(vec![name.clone(), column.kind().name().to_owned()])
        });
        note(&table(&kinds.collect::<Vec<_>>()));
    }
    for reason in &opened.left_out {
        note(&format!("left out {reason}"));
    }
    if let Some(report) = &opened.report {
        for found in &report.notes {
            note(&found.to_string());
        }
    }
    let mut rows = vec![
        ["layer", "what", "output", "parameters"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(prepared.layers().iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape.join("x"),
            thousands(layer.parameters),
        ]
    }));
    note(&table(&rows));
    let verb = if resume { "going on in" } else { "writing to" };
    note(&format!(
        "on {} ({}), {verb} {}",
        device.spec,
        device.backend,
        dir.display()
    ));
}

fn summary(prepared: &Prepared, device: &Opened, report: &Report) -> Summary {
    let recipe = prepared.recipe();
    let finished = Finished {
        app: [env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")],
        recipe: &recipe.name,
        seed: recipe.train.seed,
        device,
        parameters: report.parameters,
        valid: report.valid.clone(),
        test: report.test.clone(),
        baselines: report
            .baselines
            .iter()
            .map(|method| method.baseline.clone())
            .collect(),
        details: details(report),
    };
    finished.summary(&report.trained)
}

/// Folds, and what two classes are ranked for.
fn details(report: &Report) -> Map<String, Value> {
    let mut details = Map::new();
    if !report.folds.is_empty() {
        details.insert("folds".to_owned(), folds(&report.folds));
    }
    let mut methods = vec![("this model", &report.answers)];
    methods.extend(
        report
            .baselines
            .iter()
            .map(|method| (method.baseline.method.as_str(), &method.answers)),
    );
    let ranked = methods
        .into_iter()
        .filter_map(|(name, answers)| Some((name.to_owned(), ranked(answers)?)));
    let ranked: Map<String, Value> = ranked.collect();
    if !ranked.is_empty() {
        details.insert("ranked".to_owned(), Value::Object(ranked));
    }
    details
}

/// The methods of a cross-validation with each fold's metrics and answers, this model first.
fn by_method(folds: &[FoldReport]) -> Vec<(&str, Vec<Metrics>, Vec<&Answers>)> {
    let own = folds.iter().map(|fold| (fold.test.clone(), &fold.answers));
    let (metrics, answers) = own.unzip();
    let mut methods = vec![("this model", metrics, answers)];
    for (index, (name, _, _)) in folds[0].baselines.iter().enumerate() {
        let of = folds.iter().map(|fold| {
            let (_, metrics, answers) = &fold.baselines[index];
            (metrics.clone(), answers)
        });
        let (metrics, answers) = of.unzip();
        methods.push((name, metrics, answers));
    }
    methods
}

fn folds(folds: &[FoldReport]) -> Value {
    let (mut test, mut together) = (Map::new(), Map::new());
    for (name, metrics, answers) in by_method(folds) {
        let spread = spread(&metrics).into_iter().map(|(metric, spread)| {
            (
                metric,
                json!({ "mean": spread.mean, "std": spread.deviation }),
            )
        });
        test.insert(name.to_owned(), Value::Object(spread.collect()));
        together.insert(name.to_owned(), json!(pooled(answers.into_iter())));
    }
    json!({ "count": folds.len(), "test": test, "pooled": together })
}

/// What those who act on a ranking ask: how many rows to look at, what the first of them hold, and
/// what is lost at which share of approvals.
fn ranked(answers: &Answers) -> Option<Value> {
    let (scores, labels) = match answers {
        Answers::Classes(predictions) if predictions.classes == 2 => predictions.of_yes(),
        _ => return None,
    };
    let ranking = Ranking::new(&scores, &labels);
    let workload = ranking.workload(0.8)?;
    let rates = [0.5, 0.6, 0.7, 0.8, 0.9];
    let curve = approval(&scores, &labels, None, &rates);
    let loss =
        |point: &Approval| json!({ "approved": point.rate, "default_rate": point.default_rate });
    let loss: Vec<Value> = curve.iter().map(loss).collect();
    Some(json!({
        "capture_1_percent": ranking.capture(0.01),
        "capture_4_percent": ranking.capture(0.04),
        "capture_10_percent": ranking.capture(0.1),
        "lift_10_percent": ranking.lift(0.1),
        "workload_at_80_percent_recall": workload.share,
        "alerts_per_hit_at_80_percent_recall": workload.alerts_per_hit,
        "loss_by_approval": loss,
    }))
}

fn print(
    prepared: &Prepared,
    report: &Report,
    summary: &Summary,
    dir: &Path,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let names: &[&str] = match &prepared.opened().target {
        Target::Number { .. } => &["rmse", "mae", "r2", "median_ape"],
        Target::Classes { labels } if labels.len() == 2 => &[
            "auroc",
            "average_precision",
            "accuracy",
            "f1",
            "loss",
            "brier",
            "ece",
        ],
        Target::Classes { .. } => &["accuracy", "f1", "auroc", "loss", "ece"],
    };
    out.line(&table(&scores(summary, names, thousands)))?;
    if !report.folds.is_empty() {
        out.line(&table(&fold_rows(&report.folds, names)))?;
    }
    out.line(&format!(
        "best epoch {} of {}, {:.0} rows/s, {} parameters",
        summary.best_epoch,
        summary.epochs,
        summary.samples_per_s,
        thousands(summary.parameters)
    ))?;
    out.line(&times(&summary.timings, summary.wall_s))?;
    out.line(&format!("run {}", dir.display()))
}

fn fold_rows(folds: &[FoldReport], names: &[&str]) -> Vec<Vec<String>> {
    let line = |what: String, value: &dyn Fn(&str) -> String| -> Vec<String> {
        let values = names.iter().map(|name| value(name));
        std::iter::once(what).chain(values).collect()
    };
    let count = folds.len();
    let mut rows = vec![line(format!("mean of {count} folds"), &ToString::to_string)];
    for (method, metrics, answers) in by_method(folds) {
        let spread = spread(&metrics);
        rows.push(line(method.to_owned(), &|name| {
            let found = spread.iter().find(|(known, _)| known == name);
            found.map_or("-".to_owned(), |(_, s)| {
                format!("{:.4} ± {:.4}", s.mean, s.deviation)
            })
        }));
        let pooled = pooled(answers.into_iter());
        rows.push(line(format!("{method}, all folds' rows"), &|name| {
            pooled
                .get(name)
                .map_or("-".to_owned(), |value| format!("{value:.4}"))
        }));
    }
    rows
}
