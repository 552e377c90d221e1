//! The `eval` command.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::{Failure, OrInput as _, Output, open_device};
use tinderbox_recipes::run_dir::MODEL_DIR;
use tinderbox_rl::RlError;
use tinderbox_rl::env::Native;
use tinderbox_rl::environment::Environment as _;
use tinderbox_rl::evaluation::evaluate;
use tinderbox_rl::policy::Policy;
use tinderbox_rl::random::Purpose;

use crate::failure;

/// What `eval` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Directory of a finished run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Number of episodes
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    episodes: u32,
    /// Seed of the episodes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Environment, which must be the one it was trained in
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
}

/// A trained agent, and the environment that it fits.
pub(crate) fn load(
    run: &Path,
    env: Option<&str>,
    device: &Device,
) -> Result<(Policy, Native), Failure> {
    let dir = run.join(MODEL_DIR);
    if !dir.is_dir() {
        return Err(Failure::input(format!(
            "`{}` holds no trained agent: it has no `{MODEL_DIR}` folder",
            run.display()
        )));
    }
    let policy = Policy::load(&dir, device).or_input()?;
    let env: Native = env.unwrap_or(policy.environment()).parse().or_input()?;
    policy
        .check(&env.spec())
        .map_err(|reason| failure(RlError::Policy(reason)))?;
    Ok((policy, env))
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = open_device(args.device, "rl-cartpole")?.device;
    let (policy, env) = load(&args.run, args.env.as_deref(), &device)?;
    let seed = Purpose::Test.seed(args.seed, 1);
    let evaluation = evaluate(&env, args.episodes as usize, seed, |rows| policy.act(rows))
        .map_err(|error| failure(error.into()))?;
    let (mean, std) = (evaluation.mean(), evaluation.std());
    let line = if args.json {
        let test = json!({ "return_mean": mean, "return_std": std });
        json!({
            "run": args.run, "split": "test", "samples": args.episodes, "test": test,
        })
        .to_string()
    } else {
        format!(
            "{}: return {mean:.1} ± {std:.1} over {} greedy episodes",
            policy.environment(),
            args.episodes
        )
    };
    Output::Stdout.line(&line)
}
