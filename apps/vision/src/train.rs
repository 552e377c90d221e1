//! The `train` command.

use std::path::{Path, PathBuf};

use tinderbox_backend::Opened;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::default_out;
use tinderbox_cli::{
    Failure, OrInput as _, Output, TrainArgs, interrupter, note, open_device, progress, table,
};
use tinderbox_recipes::overlay::assign;
use tinderbox_recipes::run_dir::{BURN_VERSION, Baseline, RunDir, Summary, peak_rss_bytes};
use tinderbox_recipes::train::{Metrics, Timings};
use tinderbox_recipes::vision::{Architecture, Options, Prepared, Recipe, Report};

use crate::{RECIPES, failure, textbook};

pub(crate) fn run(args: &TrainArgs) -> Result<(), Failure> {
    let device = open_device(args.run.device, "vision")?;
    let recipe = resolve(args)?;
    let (dir, resume) = match &args.run.resume {
        Some(dir) => (dir.clone(), true),
        None => (out(args, &recipe), false),
    };
    if !resume {
        RunDir::check_free(&dir).or_input()?;
    }
    let prepared = Prepared::new(recipe).map_err(failure)?;
    let shown = matches!(prepared.recipe().model, Architecture::Mlp { .. }) && !args.run.quiet;
    if !args.run.quiet {
        describe(&prepared, &device, &dir, resume);
    }
    let interrupter = interrupter()?;
    let options = Options {
        dir: dir.clone(),
        resume,
        renderer: progress::renderer(args, &interrupter),
        interrupter,
        on_damage: Box::new(|error| note(&format!("{error}; going on from the one before"))),
        on_step: if shown {
            Some(textbook::listener())
        } else {
            None
        },
    };
    let report = prepared.train(&device.device, options).map_err(|error| {
        if error.is_interrupted() {
            note(&format!(
                "go on with `vision train --resume {}`",
                dir.display()
            ));
        }
        failure(error)
    })?;
    if shown {
        textbook::loss_curve(report.run.path());
    }
    let baseline = baseline(args, &prepared);
    let summary = summary(&prepared, &device, &report, baseline);
    report.run.finish(&summary)?;
    print(&summary, &dir)
}

/// The recipe that the flags describe.
fn resolve(args: &TrainArgs) -> Result<Recipe, Failure> {
    let mut recipe = match (&args.run.resume, &args.run.recipe) {
        (Some(dir), None) => {
            let (_, text) = RunDir::unfinished(dir).or_input()?;
            assign(
                RECIPES.load(&text, &dir.join("recipe.toml"))?,
                &args.run.set,
            )
            .or_input()?
        }
        (_, recipe) => RECIPES.resolve(recipe.as_deref(), &args.run.set)?,
    };
    if let Some(seed) = args.run.seed {
        recipe.train.seed = seed;
    }
    if let Some(data) = &args.data {
        let path = data.to_str().ok_or_else(|| {
            Failure::input(format!(
                "`{}` is not UTF-8: rename the folder",
                data.display()
            ))
        })?;
        let Some(slot) = recipe.data.path_mut() else {
            return Err(Failure::input(format!(
                "`--data` does not fit the recipe `{}`, whose images ship with the app; choose \
                 another with `--recipe`",
                recipe.name
            )));
        };
        path.clone_into(slot);
    }
    Ok(recipe)
}

fn out(args: &TrainArgs, recipe: &Recipe) -> PathBuf {
    args.run
        .out
        .clone()
        .unwrap_or_else(|| default_out(&recipe.name, recipe.train.seed))
}

fn describe(prepared: &Prepared, device: &Opened, dir: &Path, resume: bool) {
    let (recipe, splits) = (prepared.recipe(), prepared.splits());
    let [height, width, channels] = splits.shape;
    note(&format!(
        "recipe {}: {} train, {} valid, {} test images of {height}x{width}x{channels}, {} classes",
        recipe.name,
        thousands(splits.train.len()),
        thousands(splits.valid.len()),
        thousands(splits.test.len()),
        splits.classes.len()
    ));
    if splits.skipped > 0 {
        note(&format!("left out {} broken images", splits.skipped));
    }
    let mut rows = vec![
        ["layer", "what", "output", "parameters"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(prepared.layers().iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        let parameters = thousands(layer.parameters);
        vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape.join("x"),
            parameters,
        ]
    }));
    note(&table(&rows));
    let total: usize = prepared.layers().iter().map(|layer| layer.parameters).sum();
    note(&format!(
        "{} parameters on {} ({})",
        thousands(total),
        device.spec,
        device.backend
    ));
    let verb = if resume { "going on in" } else { "writing to" };
    note(&format!("{verb} {}", dir.display()));
}

/// What a classical method gets; `None` if it is not wanted or cannot be fitted.
fn baseline(args: &TrainArgs, prepared: &Prepared) -> Option<Baseline> {
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
    let (recipe, trained) = (prepared.recipe(), &report.trained);
    let train_s = trained.timings.data_s + trained.timings.compute_s;
    Summary {
        app: env!("CARGO_PKG_NAME").to_owned(),
        recipe: recipe.name.clone(),
        device: device.spec.to_string(),
        backend: device.backend.to_owned(),
        seed: recipe.train.seed,
        burn: BURN_VERSION.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epochs: trained.epochs,
        best_epoch: trained.best_epoch,
        steps: trained.steps,
        samples: trained.samples,
        wall_s: trained.wall_s,
        train_s,
        samples_per_s: trained.samples as f64 / train_s.max(f64::MIN_POSITIVE),
        timings: trained.timings,
        peak_rss_bytes: peak_rss_bytes(),
        parameters: report.parameters,
        valid: trained.valid.clone(),
        test: report.test.clone(),
        baseline,
    }
}

fn print(summary: &Summary, dir: &Path) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let names = ["accuracy", "loss", "f1", "ece"];
    let row = |what: &str, metrics: &Metrics| {
        let value = |name| {
            metrics
                .get(name)
                .map_or("-".to_owned(), |value| format!("{value:.4}"))
        };
        [vec![what.to_owned()], names.map(value).to_vec()].concat()
    };
    let head = [vec!["test".to_owned()], names.map(str::to_owned).to_vec()].concat();
    let mut rows = vec![head, row("this model", &summary.test)];
    if let Some(baseline) = &summary.baseline {
        let what = format!("{} on {}", baseline.method, thousands(baseline.samples));
        rows.push(row(&what, &baseline.test));
    }
    out.line(&table(&rows))?;
    out.line(&format!(
        "best epoch {} of {}, {:.0} images/s",
        summary.best_epoch, summary.epochs, summary.samples_per_s
    ))?;
    out.line(&times(&summary.timings, summary.wall_s))?;
    out.line(&format!("run {}", dir.display()))
}

fn times(timings: &Timings, wall_s: f64) -> String {
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
