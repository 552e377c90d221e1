//! The `train` command.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::{overridden, run_dir};
use tinderbox_cli::{Failure, OrUserError as _, Output, RunArgs, interrupter, note, open_device};
use tinderbox_predict::BURN_VERSION;
use tinderbox_rl::recipe::Recipe;
use tinderbox_rl::train::{Milestone, Options, Progress, Trained, train};
use tinderbox_train::run_dir::{RunDir, peak_rss_bytes};

use crate::live::Live;
use crate::{RECIPES, failure};

/// What `train` takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Environment, with settings tuned for it: CartPole-v1, MountainCar-v0, Acrobot-v1 or
    /// Pendulum-v1
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    env: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = open_device(args.run.device, "rl-cartpole")?;
    let recipe = resolve(args)?;
    let env = recipe.native().or_user_error()?;
    let (dir, resume) = run_dir(&args.run, &recipe.name, recipe.train.seed)?;
    recipe
        .validate(&tinderbox_rl::environment::Environment::spec(&env))
        .context("invalid recipe")
        .or_user_error()?;
    let text = toml::to_string(&recipe)?;
    let run = RunDir::open(&dir, resume, &text).or_user_error()?;
    let quiet = args.run.quiet;
    if !quiet {
        note(&format!(
            "recipe {}: {} on {} ({}), at most {} steps",
            recipe.name,
            recipe.environment,
            device.spec,
            device.backend,
            thousands(recipe.train.steps)
        ));
        let verb = if resume { "resuming in" } else { "writing to" };
        note(&format!("{verb} {}", dir.display()));
    }
    let interrupter = interrupter();
    let asked = interrupter.clone();
    let mut view = View::new(quiet, &recipe, &interrupter);
    let options = Options {
        dir: Some(dir.clone()),
        resume,
        should_stop: Box::new(move || asked.should_stop()),
        observer: Box::new(move |progress| view.show(progress)),
        on_damage: Box::new(|error| note(&format!("{error}; using the previous checkpoint"))),
    };
    let trained = match train(&recipe, &env, &device.device, options) {
        Ok(trained) => trained,
        Err(error) => {
            if error.is_input() {
                run.discard_untrained();
            }
            return Err(failure(error));
        }
    };
    trained.policy.save(&run.model_dir())?;
    let summary = summary(&recipe, &device, &trained);
    run.finish(&summary)?;
    print(&recipe, &trained, &dir)
}

/// The recipe that the flags describe.
fn resolve(args: &Args) -> Result<Recipe, Failure> {
    let run = &args.run;
    let recipe = match &args.env {
        Some(env) if run.resume.is_none() => tuned(run.recipe.as_deref().unwrap_or("dqn"), env)?,
        _ => RECIPES.named(run)?,
    };
    overridden(recipe, run)
}

/// A built-in recipe with its settings for an environment.
fn tuned(named: &str, env: &str) -> Result<Recipe, Failure> {
    // A name that nothing has, and a file, are told apart by this.
    let name = match Recipe::builtin(named) {
        Some(recipe) => recipe.name,
        None => RECIPES.resolve(Some(named), &[])?.name,
    };
    if name != named {
        return Err(Failure::user(
            "`--env` needs a built-in recipe; in a file, set `environment = \"…\"`",
        ));
    }
    env.parse::<tinderbox_rl::env::Native>().or_user_error()?;
    let tuned = Recipe::tuned(&name, env);
    tuned.ok_or_else(|| Failure::user(format!("there is no recipe `{name}` for {env}")))
}

/// Who is looking.
enum View {
    Nobody,
    Lines,
    Terminal(Box<Live>),
}

impl View {
    fn new(quiet: bool, recipe: &Recipe, interrupter: &burn::train::Interrupter) -> Self {
        if quiet {
            return Self::Nobody;
        }
        let terminal = std::io::stderr().is_terminal() && std::io::stdin().is_terminal();
        let live = terminal.then(|| Live::open(recipe, interrupter.clone()));
        // A terminal that cannot be drawn on still takes lines.
        live.and_then(Result::ok)
            .map_or(Self::Lines, |live| Self::Terminal(Box::new(live)))
    }

    fn show(&mut self, progress: &Progress) {
        match self {
            Self::Nobody => {}
            Self::Terminal(live) => live.show(progress),
            Self::Lines => {
                // Every line of the curve is in `metrics.jsonl`; here it is one per evaluation.
                if progress.evaluation.is_some() {
                    note(&line(progress));
                }
            }
        }
    }
}

/// Everything known, in one line.
pub(crate) fn line(progress: &Progress) -> String {
    let [steps, most] = progress.steps;
    let epsilon = progress
        .epsilon
        .map_or(String::new(), |epsilon| format!("  epsilon {epsilon:.3}"));
    let valid = progress.evaluation.map_or(String::new(), |[mean, std]| {
        format!("  valid return {mean:.1} ± {std:.1}")
    });
    format!(
        "step {steps:>6}/{most}  episodes {}  train return {:.1}{epsilon}{valid}  {:.1} s",
        progress.episodes, progress.return_mean, progress.wall_s
    )
}

/// `summary.json`.
#[derive(Serialize)]
struct Summary<'a> {
    app: &'a str,
    recipe: &'a str,
    environment: &'a str,
    device: String,
    backend: &'a str,
    seed: u64,
    burn: &'a str,
    version: &'a str,
    steps: u64,
    episodes: u64,
    updates: u64,
    best_step: u64,
    wall_s: f64,
    train_s: f64,
    steps_per_s: f64,
    peak_rss_bytes: Option<u64>,
    parameters: usize,
    /// The first evaluation at which the environment counted as solved.
    solved: Option<Milestone>,
    valid: Returns,
    test: Returns,
}

#[derive(Serialize)]
struct Returns {
    return_mean: f64,
    return_std: f64,
}

fn summary<'a>(
    recipe: &'a Recipe,
    device: &'a tinderbox_backend::Opened,
    trained: &Trained,
) -> Summary<'a> {
    let train_s = trained.wall_s - trained.evaluation_s;
    Summary {
        app: env!("CARGO_PKG_NAME"),
        recipe: &recipe.name,
        environment: &recipe.environment,
        device: device.spec.to_string(),
        backend: device.backend,
        seed: recipe.train.seed,
        burn: BURN_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        steps: trained.steps,
        episodes: trained.episodes,
        updates: trained.updates,
        best_step: trained.best.steps,
        wall_s: trained.wall_s,
        train_s,
        steps_per_s: trained.steps as f64 / train_s.max(f64::MIN_POSITIVE),
        peak_rss_bytes: peak_rss_bytes(),
        parameters: trained.parameters,
        solved: trained.solved,
        valid: Returns {
            return_mean: trained.best.return_mean,
            return_std: trained.best.return_std,
        },
        test: Returns {
            return_mean: trained.test.mean(),
            return_std: trained.test.std(),
        },
    }
}

fn print(recipe: &Recipe, trained: &Trained, dir: &Path) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    out.line(&format!(
        "{}: return {:.1} ± {:.1} over {} greedy episodes",
        recipe.environment,
        trained.test.mean(),
        trained.test.std(),
        trained.test.returns.len()
    ))?;
    out.line(&match trained.solved {
        Some(Milestone { steps, wall_s }) => format!(
            "solved after {} steps, {wall_s:.2} s",
            thousands(steps as usize)
        ),
        None => "not solved".to_owned(),
    })?;
    out.line(&format!(
        "{} steps, {} episodes, {} updates in {:.2} s, {:.2} s of them evaluation",
        thousands(trained.steps as usize),
        thousands(trained.episodes as usize),
        thousands(trained.updates as usize),
        trained.wall_s,
        trained.evaluation_s
    ))?;
    out.line(&format!("run {}", dir.display()))?;
    out.line(&format!(
        "watch it: rl-cartpole play --run {}",
        dir.display()
    ))
}
