//! The same work in PyTorch and Candle.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use tinderbox_benches::Net;

use crate::{Options, Times, threads};

pub(crate) const TORCH: &str = "PyTorch";
pub(crate) const COMPILED: &str = "torch.compile";
pub(crate) const CANDLE: &str = "Candle";

pub(crate) const TORCH_STEPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/torch_steps.py");
const CANDLE_PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/candle");

/// A program that prints one line of JSON per case.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    command: Command,
}

#[derive(Deserialize)]
struct Line {
    case: String,
    #[serde(flatten)]
    times: Times,
}

impl Peer {
    /// Every case once; those that it cannot run are missing.
    pub(crate) fn round(&mut self) -> Result<Vec<(String, Times)>, Box<dyn Error>> {
        let output = self.command.output();
        let stdout = output.as_ref().map_or(&[][..], |output| &output.stdout);
        let cases: Vec<_> = String::from_utf8_lossy(stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok())
            .map(|line| (line.case, line.times))
            .collect();
        if cases.is_empty() {
            let why = match &output {
                Ok(output) => last_line(&output.stderr),
                Err(error) => error.to_string(),
            };
            writeln!(std::io::stderr(), "{} does not run: {why}", self.name)?;
        }
        Ok(cases)
    }
}

/// The peers to run.
pub(crate) fn prepare(options: &Options) -> Result<Vec<Peer>, Box<dyn Error>> {
    if options.cases().is_empty() {
        return Ok(Vec::new());
    }
    let mut peers = vec![Peer {
        name: TORCH,
        command: torch_cases(options),
    }];
    if options.compile {
        let mut command = torch_cases(options);
        command.arg("--compile");
        peers.push(Peer {
            name: COMPILED,
            command,
        });
    }
    // It has the networks for images.
    let cases = options.cases();
    let images = cases
        .iter()
        .filter(|case| matches!(case.net, Net::Image(..)));
    let images: Vec<&str> = images.map(|case| case.name).collect();
    let same_for_all = options.batch.is_none() && !options.bf16;
    if options.peer_device == "cpu" && same_for_all && !images.is_empty() {
        let mut cargo = Command::new("cargo");
        // A workspace of its own, and a release build as its users make it.
        let target = Path::new(CANDLE_PACKAGE).join("target");
        cargo.args(["build", "--release", "--quiet", "--target-dir"]);
        cargo.arg(&target).current_dir(CANDLE_PACKAGE);
        if cargo.status()?.success() {
            let mut command = Command::new(target.join("release/candle-steps"));
            command.args(["--seconds", &options.seconds.to_string()]);
            for name in images {
                command.args(["--case", name]);
            }
            command.env("RAYON_NUM_THREADS", threads().to_string());
            peers.push(Peer {
                name: CANDLE,
                command,
            });
        }
    }
    Ok(peers)
}

fn torch_cases(options: &Options) -> Command {
    let mut command = torch(options, options.seconds);
    for case in options.cases() {
        command.args(["--case", case.name]);
    }
    command
}

/// PyTorch with the options of this run, for as many seconds per measurement.
pub(crate) fn torch(options: &Options, seconds: f64) -> Command {
    let mut command = Command::new(&options.python);
    command.args([TORCH_STEPS, "--threads", &threads().to_string()]);
    command.args(["--seconds", &seconds.to_string()]);
    command.args(["--device", &options.peer_device]);
    if let Some(batch) = options.batch {
        command.args(["--batch", &batch.to_string()]);
    }
    if options.bf16 {
        command.arg("--bf16");
    }
    command
}

pub(crate) fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().last().unwrap_or("no word").to_owned()
}
