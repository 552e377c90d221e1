//! Ablation: several recipes with several seeds, as a table.

use burn::tensor::Device;
use burn::train::Interrupter;
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::Spread;
use tinderbox_train::overlay::assign;
use tinderbox_train::{Section, TaskError};

use crate::evaluation::episodes;
use crate::recipe::{BUILTIN, Recipe};
use crate::train::{Milestone, Options, Trained, train};

const HEADER: [&str; 7] = [
    "recipe",
    "final return",
    "worst",
    "solved",
    "steps to solve",
    "s to solve",
    "steps/s",
];

/// Built-in recipes for an environment, all that support it if none is named, with the keys that
/// `set` overrides.
///
/// # Errors
///
/// If there is no such recipe or environment, or a key does not fit.
pub fn recipes(
    names: &[String],
    environment: &str,
    set: &[String],
) -> Result<Vec<Recipe>, TaskError> {
    let builtin = || BUILTIN.iter().map(|(name, _)| (*name).to_owned());
    let supported = |name: &String| Recipe::tuned(name, environment).is_some();
    let all: Vec<String> = match names {
        [] => builtin().filter(supported).collect(),
        names => names.to_vec(),
    };
    let recipe = |name: &String| {
        let recipe = Recipe::for_environment(name, environment)?;
        assign(recipe, set).map_err(TaskError::user)
    };
    all.iter().map(recipe).collect()
}

/// Trains each recipe with the seeds from 0 on and gives a table of the results; `tell` is called
/// with a line about each training.
///
/// # Errors
///
/// If a recipe is invalid, or training fails or is interrupted.
pub fn run(
    recipes: &[Recipe],
    seeds: u64,
    device: &Device,
    interrupter: &Interrupter,
    tell: impl Fn(&str),
) -> Result<Section, TaskError> {
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    for recipe in recipes {
        let mut all = Vec::new();
        for seed in 0..seeds {
            let mut recipe = recipe.clone();
            recipe.train.seed = seed;
            let interrupter = interrupter.clone();
            let options = Options {
                should_stop: Box::new(move || interrupter.should_stop()),
                ..Options::default()
            };
            let trained = train(&recipe, &recipe.make_env()?, device, options)?;
            tell(&line(&recipe, &trained));
            all.push(trained);
        }
        rows.push(row(&recipe.name, &all));
    }
    Ok(Section::table("", rows))
}

fn line(recipe: &Recipe, trained: &Trained) -> String {
    let solved = trained.solved.map_or(String::new(), |solved| {
        let Milestone { steps, wall_s } = solved;
        let count = recipe.train.n_eval_episodes;
        format!(
            ", solved after {} steps, {wall_s:.2} s, by a validation of {} {}",
            thousands(steps as usize),
            thousands(count),
            episodes(count)
        )
    });
    let (name, seed) = (&recipe.name, recipe.train.seed);
    format!("{name} seed {seed}: {}{solved}", trained.test)
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
    let spread = |values: &[f64], digits: usize| {
        let spread = Spread::of(values);
        spread.map_or("-".to_owned(), |spread| format!("{spread:.digits$}"))
    };
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
