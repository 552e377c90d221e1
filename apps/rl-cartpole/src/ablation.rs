//! The `ablation` command.

use burn::tensor::Device;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::{Failure, OrUserError as _, Output, interrupter, note, open_device, table};
use tinderbox_rl::env::Native;
use tinderbox_rl::recipe::{BUILTIN, Recipe};
use tinderbox_rl::train::{Options, Trained, train};
use tinderbox_train::overlay::assign;

use crate::{RECIPES, failure};

/// What `ablation` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Recipes to compare [default: all that fit the environment]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<String>,
    /// Environment
    #[arg(long, value_name = "NAME", default_value = "CartPole-v1")]
    env: String,
    /// Number of seeds per recipe, starting at 0
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Override a key of every recipe, e.g. train.steps=20000
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
    /// Print the table only
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = open_device(args.device, "rl-cartpole")?.device;
    let env: Native = args.env.parse().or_user_error()?;
    let suits = |name: &str| Recipe::tuned(name, &args.env).is_some();
    let names: Vec<String> = if args.recipes.is_empty() {
        let names = BUILTIN.iter().map(|(name, _)| *name);
        names
            .filter(|name| suits(name))
            .map(str::to_owned)
            .collect()
    } else {
        args.recipes.clone()
    };
    let mut recipes = Vec::new();
    for name in &names {
        // For its error, which names the nearest.
        RECIPES.get(name)?;
        let tuned = Recipe::tuned(name, &args.env).ok_or_else(|| {
            Failure::user(format!("there is no recipe `{name}` for {}", args.env))
        })?;
        recipes.push(assign(tuned, &args.set).or_user_error()?);
    }
    let interrupter = interrupter();
    let head = [
        "recipe",
        "final return",
        "worst",
        "solved",
        "steps to solve",
        "s to solve",
        "steps/s",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for recipe in &recipes {
        let mut all = Vec::new();
        for seed in 0..args.seeds {
            let asked = interrupter.clone();
            let stop = move || asked.should_stop();
            let trained = one(recipe, &env, seed, &device, Box::new(stop))?;
            if !args.quiet {
                note(&format!(
                    "{} seed {seed}: {:.1} ± {:.1}{}",
                    recipe.name,
                    trained.test.mean(),
                    trained.test.std(),
                    trained.solved.map_or(String::new(), |solved| format!(
                        ", solved after {} steps, {:.2} s",
                        solved.steps, solved.wall_s
                    ))
                ));
            }
            all.push(trained);
        }
        rows.push(row(&recipe.name, &all));
    }
    Output::Stdout.line(&table(&rows))
}

fn one(
    recipe: &Recipe,
    env: &Native,
    seed: u64,
    device: &Device,
    should_stop: Box<dyn Fn() -> bool>,
) -> Result<Trained, Failure> {
    let mut recipe = recipe.clone();
    recipe.train.seed = seed;
    let options = Options {
        should_stop,
        ..Options::default()
    };
    train(&recipe, env, device, options).map_err(failure)
}

fn row(name: &str, all: &[Trained]) -> Vec<String> {
    let means: Vec<f64> = all.iter().map(|trained| trained.test.mean()).collect();
    let solved: Vec<_> = all.iter().filter_map(|trained| trained.solved).collect();
    let steps: Vec<f64> = solved.iter().map(|solved| solved.steps as f64).collect();
    let seconds: Vec<f64> = solved.iter().map(|solved| solved.wall_s).collect();
    let speeds: Vec<f64> = all
        .iter()
        .map(|trained| trained.steps as f64 / (trained.wall_s - trained.evaluation_s))
        .collect();
    let worst = means.iter().copied().fold(f64::INFINITY, f64::min);
    vec![
        name.to_owned(),
        spread(&means, 1),
        format!("{worst:.1}"),
        format!("{}/{}", solved.len(), all.len()),
        spread(&steps, 0),
        spread(&seconds, 2),
        format!("{:.0}", speeds.iter().sum::<f64>() / speeds.len() as f64),
    ]
}

/// Mean and standard deviation.
fn spread(values: &[f64], digits: usize) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    format!("{mean:.digits$} ± {:.digits$}", square.sqrt())
}
