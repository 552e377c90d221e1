//! The `train` command.

use std::path::Path;

use anyhow::Context as _;
use tinderbox_backend::{DeviceSpec, Opened};
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::{data_path, run_dir};
use tinderbox_cli::report::{F1, Finished, class_warnings, layer_rows, scores, times, verdict};
use tinderbox_cli::splits::{IMAGE, duplicates_note, shared_note, split_lines};
use tinderbox_cli::{
    Failure, OrUserError as _, Output, TrainArgs, interrupter, note, open_device, progress, table,
};
use tinderbox_recipes::vision::{Architecture, Options, Prepared, Recipe, Report};
use tinderbox_train::MonitorMode;
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::metrics::{Comparison, Predictions};
use tinderbox_train::overlay::assign;
use tinderbox_train::run_dir::{Baseline, Summary};
use tinderbox_train::task::SplitOverview;

use crate::choose::Choice;
use crate::{RECIPES, failure, textbook};

pub(crate) fn run(args: &TrainArgs) -> Result<(), Failure> {
    let device = open_device(args.run.device, "vision")?;
    let recipe = resolve(args)?;
    if matches!(device.spec, DeviceSpec::Cpu | DeviceSpec::NdArray) {
        Prepared::check_memory(&recipe).map_err(failure)?;
    }
    let (dir, resume) = run_dir(&args.run, &recipe.name, recipe.train.seed)?;
    let prepared = Prepared::new(recipe).map_err(failure)?;
    let shown = matches!(prepared.recipe().model, Architecture::Mlp { .. }) && !args.run.quiet;
    if !args.run.quiet {
        describe(&prepared, &device, &dir, resume);
    }
    let interrupter = interrupter();
    let options = Options {
        dir: dir.clone(),
        resume,
        renderer: progress::renderer(args, &interrupter),
        interrupter,
        on_damage: Box::new(|error| note(&format!("{error}; using the previous checkpoint"))),
        on_step: if shown {
            Some(textbook::listener())
        } else {
            None
        },
    };
    let report = prepared.train(&device.device, options).map_err(failure)?;
    if shown {
        textbook::loss_curve(report.run.path());
    }
    let (baseline, predictions) = baseline(args, &prepared).unzip();
    let comparison = predictions.as_ref().and_then(|other| {
        let own = report.predictions.accuracy_estimate()?;
        let other = ("logistic regression", other.accuracy_estimate()?);
        Comparison::of_rows("accuracy", MonitorMode::Max, &own, [other])
    });
    let mut summary = summary(&prepared, &device, &report, baseline);
    if let Some(comparison) = &comparison {
        let comparison = serde_json::json!(comparison);
        summary.details.insert("comparison".to_owned(), comparison);
    }
    report.run.finish(&summary)?;
    print(
        &summary,
        comparison.as_ref(),
        report.predictions.len(),
        &dir,
    )
}

/// The recipe that the flags describe: for images of one's own none has to be named.
fn resolve(args: &TrainArgs) -> Result<Recipe, Failure> {
    let mut run = args.run.clone();
    let choice = match &args.data {
        Some(data) if run.recipe.is_none() && run.resume.is_none() => Some(Choice::of(data)?),
        _ => None,
    };
    let mut sets = Vec::new();
    if let Some(choice) = &choice {
        run.recipe = Some(choice.name.to_owned());
        sets = std::mem::take(&mut run.set);
    }
    let mut recipe = RECIPES.of_run(&run)?;
    if let (Some(choice), Some(data)) = (&choice, &args.data) {
        choice.apply(&mut recipe);
        if !run.quiet {
            note(&choice.note(data));
        }
        recipe = assign(recipe, &sets).context("`--set`").or_user_error()?;
    }
    if let Some(data) = &args.data {
        let Some(slot) = recipe.data.path_mut() else {
            return Err(Failure::user(format!(
                "`--data` does not fit the recipe `{}`, whose images ship with the app; leave out \
                 `--recipe` to have it chosen from the data",
                recipe.name
            )));
        };
        data_path(data)?.clone_into(slot);
    }
    Ok(recipe)
}

fn describe(prepared: &Prepared, device: &Opened, dir: &Path, resume: bool) {
    let (recipe, opened, splits) = (prepared.recipe(), prepared.opened(), prepared.splits());
    let [height, width, channels] = opened.shape();
    note(&format!(
        "recipe {}: images of {height}x{width}x{channels}, {} classes",
        recipe.name,
        thousands(opened.classes.len())
    ));
    let names = ["train", "valid", "test"];
    let lines: Vec<SplitOverview> = names
        .iter()
        .enumerate()
        .map(|(at, name)| SplitOverview {
            name: (*name).to_owned(),
            count: splits.rows[at].len(),
            source: splits.sources[at].clone(),
            classes: prepared.class_counts(at),
        })
        .collect();
    note(&split_lines(&lines, IMAGE).join("\n"));
    opened.notes.iter().for_each(|line| note(line));
    if !opened.left_out.is_empty() {
        note(&opened.left_out.to_string());
    }
    let images = opened.labels.len();
    let copies = duplicates_note(splits.copies, images, IMAGE);
    let shared = shared_note(splits.shared, splits.rows[2].len(), IMAGE);
    copies
        .into_iter()
        .chain(shared)
        .for_each(|line| note(&line));
    for line in warnings(prepared) {
        note(&format!("warning: {line}"));
    }
    note(&table(&layer_rows(prepared.layers())));
    let total: usize = prepared.layers().iter().map(|layer| layer.parameters).sum();
    note(&format!(
        "{} parameters on {} ({})",
        thousands(total),
        device.spec,
        device.backend
    ));
    let verb = if resume { "resuming in" } else { "writing to" };
    note(&format!("{verb} {}", dir.display()));
}

/// Classes that are rare in training or in the test.
fn warnings(prepared: &Prepared) -> Vec<String> {
    let counts = |split: usize| -> Vec<usize> {
        let counts = prepared.class_counts(split).into_iter();
        counts.map(|(_, count)| count).collect()
    };
    let weighted = prepared.recipe().loss.class_weights != ClassWeights::None;
    let classes = &prepared.opened().classes;
    class_warnings(classes, &counts(0), &counts(2), "images", weighted)
}

/// What a classical method gets; `None` if it is not wanted or cannot be fitted.
fn baseline(args: &TrainArgs, prepared: &Prepared) -> Option<(Baseline, Predictions)> {
    if args.no_baseline {
        return None;
    }
    if !args.run.quiet {
        note("fitting a logistic regression on the same split (`--no-baseline` skips it)");
    }
    match prepared.baseline() {
        Ok(baseline) => Some(baseline),
        Err(error) => {
            note(&format!("no baseline: {error}"));
            None
        }
    }
}

fn summary(
    prepared: &Prepared,
    device: &Opened,
    report: &Report,
    baseline: Option<Baseline>,
) -> Summary {
    let recipe = prepared.recipe();
    let finished = Finished {
        app: [env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")],
        recipe: &recipe.name,
        seed: recipe.train.seed,
        device,
        parameters: report.parameters,
        valid: report.trained.valid.clone(),
        test: report.test.clone(),
        baselines: baseline.into_iter().collect(),
        details: serde_json::Map::new(),
    };
    finished.summary(&report.trained)
}

fn print(
    summary: &Summary,
    comparison: Option<&Comparison>,
    images: usize,
    dir: &Path,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let names = ["accuracy", "loss", "f1", "ece"];
    let rows = scores(summary, &names, F1::Macro, thousands);
    out.line(&table(&rows))?;
    if let Some(comparison) = comparison {
        out.line(&verdict(comparison, F1::Macro, images, "images"))?;
    }
    out.line(&format!(
        "best epoch {} of {}, {} images/s",
        summary.best_epoch,
        summary.epochs,
        thousands(summary.samples_per_s as usize)
    ))?;
    out.line(&times(&summary.timings, summary.wall_s))?;
    out.line(&format!("run {}", dir.display()))
}
