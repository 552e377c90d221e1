//! Compares our training steps and inference with the peers', alternately in one run, as a table.
//!
//! ```text
//! cargo build -p vision && cargo run -p tinderbox-benches --bin compare -- --compile --out docs/benchmarks.md
//! ```
//!
//! With `--only NAME`, which can be repeated, some of it: a case, `ops`, `data` or `app`; with
//! `--batch N` in other batches, with `--bf16` in bfloat16.
//!
//! The peers are PyTorch, also compiled with `--compile` (which needs a C++ compiler), and Candle,
//! which is built first. One that cannot run is left out, and a line on stderr says so.

mod app;
mod ops;
mod page;
mod peers;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use burn::tensor::{DeviceConfig, FloatDType};
use clap::Parser;
use serde::Deserialize;
use tinderbox_backend::{DeviceSpec, Opened, open};
use tinderbox_benches::{Case, Work, cases, works};

/// Measure training steps and inference next to PyTorch and Candle, and print a table
#[derive(Parser, Debug)]
#[command(name = "compare")]
struct Options {
    /// Python interpreter with PyTorch
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: String,
    /// Also measure compiled PyTorch; needs a C++ compiler
    #[arg(long)]
    compile: bool,
    /// Measure Tinderbox only
    #[arg(long)]
    alone: bool,
    /// Measure one case only, or `ops`, `data` or `app`; can be repeated [default: everything]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Number of rounds
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds per measurement
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    seconds: f64,
    /// Items per training batch [default: the case's own]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Compute in bfloat16, here and in PyTorch
    #[arg(long)]
    bf16: bool,
    /// Device of Tinderbox
    #[arg(long, value_name = "DEV", default_value_t = DeviceSpec::Auto)]
    device: DeviceSpec,
    /// Device of PyTorch
    #[arg(long, value_name = "DEV", default_value = "cpu")]
    peer_device: String,
    /// Write the table to a file as well
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let options = Self::parse();
        options.check_names()?;
        Ok(options)
    }

    fn check_names(&self) -> Result<(), Box<dyn Error>> {
        let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
        names.extend([OPS, DATA, APP]);
        match self
            .only
            .iter()
            .find(|name| !names.contains(&name.as_str()))
        {
            Some(name) => {
                let known = names.join(", ");
                Err(format!("unknown case `{name}`; known cases are {known}").into())
            }
            None => Ok(()),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The networks that are measured.
    fn cases(&self) -> Vec<Case> {
        let mut cases = cases();
        cases.retain(|case| self.wants(case.name));
        for case in &mut cases {
            case.batch = self.batch.unwrap_or(case.batch);
        }
        cases
    }
}

/// Times of one case: a training step in ms, one item's inference in µs.
#[derive(Clone, Copy, Deserialize)]
struct Times {
    train_ms: f64,
    infer_us: f64,
    /// Numbers that the network learns, where a peer says so.
    parameters: Option<usize>,
}

/// Who is measured, and the rounds of each case.
type Rounds = BTreeMap<(&'static str, String), Vec<Times>>;

/// The ways of the data with the seconds per item of each round.
type Ways = Vec<(Work, Vec<f64>)>;

const OURS: &str = "Tinderbox";
const BARE: &str = "bare Burn";

/// What can be named besides the cases.
const OPS: &str = "ops";
const DATA: &str = "data";
const APP: &str = "app";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let mut opened = open(options.device)?;
    if options.bf16 {
        let config = DeviceConfig::default().float_dtype(FloatDType::BF16);
        opened.device.configure(config)?;
    }
    let mut peers = if options.alone {
        Vec::new()
    } else {
        peers::prepare(&options)?
    };
    let cases = options.cases();
    let mut rounds = Rounds::new();
    let mut ways: Ways = if options.wants(DATA) {
        works()?
            .into_iter()
            .map(|work| (work, Vec::new()))
            .collect()
    } else {
        Vec::new()
    };
    let mut ops = ops::Measured::new(&options);
    let mut app = app::Measured::default();
    for round in 1..=options.rounds {
        writeln!(std::io::stderr(), "round {round} of {}", options.rounds)?;
        for case in &cases {
            let (ours, bare) = measure(case, &opened, options.seconds)?;
            let name = || case.name.to_owned();
            rounds.entry((OURS, name())).or_default().push(ours);
            if let Some(bare) = bare {
                rounds.entry((BARE, name())).or_default().push(bare);
            }
        }
        for peer in &mut peers {
            for (case, times) in peer.round()? {
                same_size(peer.name, &case, &times, &cases, &opened)?;
                rounds.entry((peer.name, case)).or_default().push(times);
            }
        }
        ops.round(&options, &opened)?;
        for (work, seconds) in &mut ways {
            seconds.push(one_item(work, options.seconds)?);
        }
        if !options.alone && options.wants(APP) {
            app.round(&options)?;
        }
    }
    let page = page::write(&options, &opened, &rounds, &ops, &ways, &app)?;
    std::io::stdout().write_all(page.as_bytes())?;
    if let Some(out) = &options.out {
        fs::write(out, page)?;
    }
    Ok(())
}

/// Repeats `run`, which takes a count and gives the time of so many, for about `seconds`, and gives
/// the mean of the faster half of the portions, in seconds.
fn faster_half(
    seconds: f64,
    mut run: impl FnMut(usize) -> Result<Duration, Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    run(1)?;
    let once = run(2)?.as_secs_f64() / 2.0;
    let portion = ((seconds / 8.0 / once) as usize).clamp(1, 100_000);
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < 3 || started.elapsed().as_secs_f64() < seconds {
        times.push(run(portion)?.as_secs_f64() / portion as f64);
    }
    times.sort_by(f64::total_cmp);
    times.truncate(times.len().div_ceil(2));
    Ok(times.iter().sum::<f64>() / times.len() as f64)
}

fn measure(
    case: &Case,
    opened: &Opened,
    seconds: f64,
) -> Result<(Times, Option<Times>), Box<dyn Error>> {
    let device = &opened.device;
    let train = faster_half(seconds, |steps| case.train_through_the_loop(steps, device))?;
    let infer = faster_half(seconds / 2.0, |passes| case.infer(passes, device))?;
    let ours = Times {
        train_ms: train * 1e3,
        infer_us: infer * 1e6,
        parameters: None,
    };
    if case.train_by_hand(1, device).is_none() {
        return Ok((ours, None));
    }
    let bare = faster_half(seconds, |steps| {
        case.train_by_hand(steps, device)
            .ok_or_else(|| "there is no bare network".into())
    })?;
    let bare = Times {
        train_ms: bare * 1e3,
        infer_us: f64::NAN,
        parameters: None,
    };
    Ok((ours, Some(bare)))
}

/// Seconds that an item takes.
fn one_item(work: &Work, seconds: f64) -> Result<f64, Box<dyn Error>> {
    let pass = faster_half(seconds, |passes| {
        let started = Instant::now();
        for _ in 0..passes {
            (work.pass)()?;
        }
        Ok(started.elapsed())
    })?;
    Ok(pass / work.items as f64)
}

/// Refuses to compare a network with a larger or a smaller one.
fn same_size(
    peer: &str,
    name: &str,
    times: &Times,
    cases: &[Case],
    opened: &Opened,
) -> Result<(), Box<dyn Error>> {
    let case = cases.iter().find(|case| case.name == name);
    if let (Some(case), Some(theirs)) = (case, times.parameters) {
        let ours = case.parameters(&opened.device)?;
        if ours != theirs {
            let what = format!("`{name}` has {theirs} parameters in {peer} and {ours} in ours");
            return Err(what.into());
        }
    }
    Ok(())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The middle one of what is finite.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
