//! Train reinforcement-learning agents and watch them.

mod serve;

use std::io::{IsTerminal as _, stdin, stdout};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, Subcommand};
use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::app::{EvalCommand, NoFlags, TrainCommand, load};
use tinderbox_cli::args::{DeviceArgs, RUN_HELP};
use tinderbox_cli::export::failure as export_failure;
use tinderbox_cli::output::check_extension;
use tinderbox_cli::recipe::{Catalogue, overridden};
use tinderbox_cli::{
    App, Failure, OrUserError as _, Output, TrainArgs, interrupter, note, open_device, sections,
};
use tinderbox_export::PolicyNetwork;
use tinderbox_predict::ModelFiles;
use tinderbox_rl::environment::ActionSpace;
use tinderbox_rl::policy::{Network, Policy};
use tinderbox_rl::recipe::{BUILTIN, Recipe};
use tinderbox_rl::render::{Dashboard, Player};
use tinderbox_rl::{ReinforcementLearning, ablation, make_env, test_episodes};
use tinderbox_serve::Loaded;
use tinderbox_train::{Options, Task as _};

tinderbox_cli::main!(CartPole);

/// Agents for Gymnasium's classic control from the command line.
struct CartPole;

#[derive(Args, Clone, Debug, Default)]
struct TrainFlags {
    /// Environment, with hyperparameters tuned for it: CartPole-v1, MountainCar-v0, Acrobot-v1 or
    /// Pendulum-v1
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    env: Option<String>,
}

#[derive(Args, Clone, Debug)]
struct EvalFlags {
    /// Number of episodes [default: as in the test after training]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    episodes: Option<u32>,
    /// Random seed of the episodes [default: that of the test after training]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Environment [default: that of the training]
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Watch a trained agent, or write an animated GIF
    Play(Play),
    /// Train several recipes with several seeds and compare the results
    Ablation(Ablation),
}

#[derive(Args, Debug)]
struct Play {
    #[arg(long, value_name = "DIR", help = RUN_HELP)]
    run: PathBuf,
    /// Write an animated GIF
    #[arg(long, value_name = "FILE.gif")]
    out: Option<PathBuf>,
    /// Number of episodes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    episodes: u32,
    /// Random seed of the episodes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Args, Debug)]
struct Ablation {
    /// Recipes to compare [default: all that support the environment]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<String>,
    /// Environment
    #[arg(long, value_name = "NAME", default_value = "CartPole-v1")]
    env: String,
    /// Number of seeds per recipe, starting at 0
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Override a key of every recipe, e.g. `train.total_timesteps=20000`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print only the table
    #[arg(long)]
    quiet: bool,
}

impl App for CartPole {
    type Task = ReinforcementLearning;
    type TrainFlags = TrainFlags;
    type ModelFlags = NoFlags;
    type EvalFlags = EvalFlags;
    type InputFlags = NoFlags;
    type Command = Command;

    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str = "Train reinforcement-learning agents and watch them";

    fn recipes() -> Catalogue<Recipe> {
        Catalogue {
            names: &BUILTIN,
            builtin: Recipe::builtin,
        }
    }

    fn resolve(flags: &TrainFlags, args: &TrainArgs) -> Result<Recipe, Failure> {
        if args.data.is_some() {
            return Err(Failure::user(
                "`--data` does not apply: an agent learns in an environment; choose one with `--env`",
            ));
        }
        let recipe = match (&flags.env, &args.run.recipe) {
            (Some(env), Some(name)) => Recipe::for_environment(name, env)?,
            (Some(env), None) => {
                let default = BUILTIN[0].0;
                let name = Recipe::fitting(env).next().unwrap_or(default);
                let recipe = Recipe::for_environment(name, env)?;
                if name != default && !args.run.quiet {
                    note(&format!(
                        "recipe `{name}`: the default, `{default}`, does not support the actions of {env}"
                    ));
                }
                recipe
            }
            (None, _) => Self::recipes().named(&args.run)?,
        };
        overridden(recipe, &args.run)
    }

    fn set_options(
        args: &TrainCommand<TrainFlags>,
        task: &ReinforcementLearning,
        options: &mut Options,
    ) {
        if args.train.tui && stdout().is_terminal() {
            options.renderer = Dashboard::renderer(task.recipe(), options.interrupter.clone());
        }
    }

    fn input_options(_: &NoFlags) -> Result<(), Failure> {
        Ok(())
    }

    fn onnx(files: &ModelFiles) -> Result<Vec<u8>, Failure> {
        let device = open_device(DeviceSpec::Cpu, Self::NAME)?.device;
        let policy = Policy::load(files, &device).or_user_error()?;
        let weights = files.weights(0, Ok).or_user_error()?;
        let network = match (&policy.spec().network, &policy.spec().action_space) {
            (Network::QNetwork(config), _) => PolicyNetwork::QNetwork(config),
            (Network::ActorCritic(config), ActionSpace::Continuous(bounds)) => {
                PolicyNetwork::ActorCritic(config, Some([&bounds.low, &bounds.high]))
            }
            (Network::ActorCritic(config), ActionSpace::Discrete(_)) => {
                PolicyNetwork::ActorCritic(config, None)
            }
        };
        tinderbox_export::policy(policy.environment(), network, &weights).map_err(export_failure)
    }

    fn served(dir: &Path, device: &Device) -> Result<Loaded, Failure> {
        serve::open(dir, device)
    }

    fn eval(args: &EvalCommand<NoFlags, EvalFlags>) -> Result<(), Failure> {
        let EvalCommand { eval, model, own } = args;
        if eval.data.is_some() || eval.split != "test" {
            return Err(Failure::user(
                "`--data` and `--split` do not apply: an agent is evaluated on new episodes",
            ));
        }
        let device = open_device(eval.device, Self::NAME)?.device;
        let policy = load::<Self>(&eval.run, model, eval.threshold, &device)?;
        let test = test_episodes(&policy, own.env.as_deref(), own.seed, own.episodes)?;
        let (run, count, metrics) = (&eval.run, test.returns.len(), test.metrics());
        let line = json!({ "run": run, "split": "test", "samples": count, "test": metrics });
        Output::Stdout.line(&if eval.json {
            line.to_string()
        } else {
            format!("{}: {}", policy.environment(), test.over_episodes())
        })
    }

    fn run(command: Command) -> Result<(), Failure> {
        match command {
            Command::Play(args) => args.run(),
            Command::Ablation(args) => args.run(),
        }
    }
}

impl Play {
    fn run(&self) -> Result<(), Failure> {
        let out = self.out.as_deref();
        out.map_or(Ok(()), |out| check_extension(out, &["gif"]))?;
        let device = open_device(self.device, CartPole::NAME)?.device;
        let policy = load::<CartPole>(&self.run, &NoFlags {}, None, &device)?;
        let env = make_env(policy.environment())?;
        let player = Player::new(&policy, env, self.episodes, self.seed);
        let returns = if out.is_some() {
            let mut file = Output::new(out)?;
            let returns = player.write_gif(&mut file)?;
            file.finish()?;
            returns
        } else if stdout().is_terminal() && stdin().is_terminal() {
            player.show()?
        } else {
            player.play()?
        };
        (1..).zip(returns).try_for_each(|(episode, value)| {
            Output::Stdout.line(&format!("episode {episode}: return {value:.1}"))
        })
    }
}

impl Ablation {
    fn run(&self) -> Result<(), Failure> {
        let device = open_device(self.device, CartPole::NAME)?.device;
        let recipes = ablation::recipes(&self.recipes, &self.env, &self.set)?;
        let tell: fn(&str) = if self.quiet { |_| {} } else { note };
        let table = ablation::run(&recipes, self.seeds, &device, &interrupter(), tell)?;
        Output::Stdout.line(&sections::text(&table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_of_recipes_are_complete_and_up_to_date() {
        tinderbox_cli::testing::check_recipe_docs(CartPole::NAME, &CartPole::recipes());
    }
}
