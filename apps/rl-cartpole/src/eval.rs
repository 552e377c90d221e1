//! The `eval` command.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::{Failure, OrUserError as _, Output, model_dir, open_device};
use tinderbox_rl::RlError;
use tinderbox_rl::env::Native;
use tinderbox_rl::environment::Environment as _;
use tinderbox_rl::policy::{Policy, TestEpisodes};

use crate::failure;

/// What `eval` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Number of episodes [default: as in the test after training]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    episodes: Option<u32>,
    /// Seed of the episodes [default: that of the run, for the same episodes as after training]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
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
    let dir = model_dir(run, env!("CARGO_PKG_NAME"))?;
    let policy = Policy::load(&dir, device).or_user_error()?;
    let env: Native = env
        .unwrap_or(policy.environment())
        .parse()
        .or_user_error()?;
    policy
        .check(&env.spec())
        .map_err(|reason| failure(RlError::Policy(reason)))?;
    Ok((policy, env))
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = open_device(args.device, "rl-cartpole")?.device;
    let (policy, env) = load(&args.run, args.env.as_deref(), &device)?;
    let tested = policy.test().unwrap_or(TestEpisodes {
        seed: 0,
        episodes: 100,
    });
    let test = TestEpisodes {
        seed: args.seed.unwrap_or(tested.seed),
        episodes: args
            .episodes
            .map_or(tested.episodes, |episodes| episodes as usize),
    };
    let evaluation = test
        .evaluate(&policy, &env)
        .map_err(|error| failure(error.into()))?;
    let (mean, std) = (evaluation.mean(), evaluation.std());
    let line = if args.json {
        let test = json!({ "return_mean": mean, "return_std": std });
        json!({
            "run": args.run, "split": "test", "samples": evaluation.returns.len(), "test": test,
        })
        .to_string()
    } else {
        format!(
            "{}: return {mean:.1} ± {std:.1} over {} greedy episodes",
            policy.environment(),
            evaluation.returns.len()
        )
    };
    Output::Stdout.line(&line)
}
