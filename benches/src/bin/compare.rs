//! Our training steps and inference beside PyTorch's, alternately in one run, as a table.
//!
//! ```text
//! cargo run -p tinderbox-benches --bin compare -- --python python3 --out docs/benchmarks.md
//! ```
//!
//! Without a Python that has PyTorch the columns of PyTorch are left out, and the table says so.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tinderbox_backend::{DeviceSpec, Opened, open};
use tinderbox_benches::{Case, cases};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/torch_steps.py");

/// What the command line asks for.
struct Options {
    python: String,
    compile: bool,
    rounds: usize,
    seconds: f64,
    device: DeviceSpec,
    /// Where PyTorch runs.
    peer_device: String,
    out: Option<String>,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            python: "python3".to_owned(),
            compile: false,
            rounds: 5,
            seconds: 2.0,
            device: DeviceSpec::Auto,
            peer_device: "cpu".to_owned(),
            out: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` takes a value"));
            match word.as_str() {
                "--python" => options.python = value()?,
                "--compile" => options.compile = true,
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.seconds = value()?.parse()?,
                "--device" => options.device = value()?.parse()?,
                "--peer-device" => options.peer_device = value()?,
                "--out" => options.out = Some(value()?),
                _ => {
                    return Err(format!(
                        "`{word}` is none of --python, --compile, --rounds, --seconds, --device, \
                         --peer-device, --out"
                    )
                    .into());
                }
            }
        }
        Ok(options)
    }
}

/// Times of one case: a training step in ms, one item's inference in µs.
#[derive(Clone, Copy, Deserialize)]
struct Times {
    train_ms: f64,
    infer_us: f64,
}

#[derive(Deserialize)]
struct PeerLine {
    case: String,
    #[serde(flatten)]
    times: Times,
}

/// Who is measured, and the rounds of each case.
type Rounds = BTreeMap<(&'static str, String), Vec<Times>>;

const OURS: &str = "Tinderbox";
const BARE: &str = "bare Burn";
const TORCH: &str = "PyTorch";
const COMPILED: &str = "torch.compile";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    let opened = open(options.device)?;
    let mut rounds = Rounds::new();
    for round in 1..=options.rounds {
        writeln!(std::io::stderr(), "round {round} of {}", options.rounds)?;
        for case in cases() {
            let (ours, bare) = measure(&case, &opened, options.seconds)?;
            let name = || case.name.to_owned();
            rounds.entry((OURS, name())).or_default().push(ours);
            if let Some(bare) = bare {
                rounds.entry((BARE, name())).or_default().push(bare);
            }
        }
        for line in peers(&options, false) {
            let key = (TORCH, line.case);
            rounds.entry(key).or_default().push(line.times);
        }
        if options.compile {
            for line in peers(&options, true) {
                let key = (COMPILED, line.case);
                rounds.entry(key).or_default().push(line.times);
            }
        }
    }
    let page = page(&options, &opened, &rounds)?;
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
    let infer = faster_half(seconds / 2.0, |passes| Ok(case.infer(passes, device)?))?;
    let ours = Times {
        train_ms: train * 1e3,
        infer_us: infer * 1e6,
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
    };
    Ok((ours, Some(bare)))
}

/// One round of PyTorch, empty where it cannot run.
fn peers(options: &Options, compile: bool) -> Vec<PeerLine> {
    let threads = threads().to_string();
    let mut command = Command::new(&options.python);
    let seconds = options.seconds.to_string();
    command.args([PEER, "--threads", &threads, "--seconds", &seconds]);
    if compile {
        command.arg("--compile");
    }
    command.args(["--device", &options.peer_device]);
    let Ok(output) = command.output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn median(rounds: &Rounds, who: &'static str, case: &str, pick: fn(&Times) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = rounds
        .get(&(who, case.to_owned()))?
        .iter()
        .map(pick)
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn page(options: &Options, opened: &Opened, rounds: &Rounds) -> Result<String, Box<dyn Error>> {
    let mut page = String::from(
        "# Benchmarks\n\nMade by `cargo run -p tinderbox-benches --bin compare`, which runs all of \
         them alternately and\nprints the median of its rounds. A ratio above 1 means that \
         Tinderbox is faster.\n\n",
    );
    let versions = first_line(
        &options.python,
        &["-c", "import torch; print(torch.__version__)"],
    );
    writeln!(page, "- machine: {}, {} threads", processor(), threads())?;
    writeln!(
        page,
        "- device: `{}` ({}), PyTorch on `{}`",
        opened.spec, opened.backend, options.peer_device
    )?;
    writeln!(
        page,
        "- versions: Tinderbox {}, Burn 0.22.1, PyTorch {}",
        env!("CARGO_PKG_VERSION"),
        versions.unwrap_or("not found".to_owned())
    )?;
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
    writeln!(page, "- commit: {}", commit.unwrap_or("unknown".to_owned()))?;
    writeln!(
        page,
        "- rounds: {}, {} s each\n",
        options.rounds, options.seconds
    )?;
    let train: fn(&Times) -> f64 = |times| times.train_ms;
    let infer: fn(&Times) -> f64 = |times| times.infer_us;
    for (title, unit, pick) in [
        ("One training step", "ms", train),
        ("One item's inference", "µs", infer),
    ] {
        writeln!(page, "## {title}, {unit}\n")?;
        let present = |who: &&'static str| {
            cases()
                .iter()
                .any(|case| median(rounds, who, case.name, pick).is_some())
        };
        let others: Vec<&str> = [BARE, TORCH, COMPILED]
            .into_iter()
            .filter(present)
            .collect();
        write!(page, "| case | {OURS} |")?;
        for other in &others {
            write!(page, " {other} | ratio |")?;
        }
        writeln!(page, "\n|---|---|{}", "---|---|".repeat(others.len()))?;
        for case in cases() {
            let Some(ours) = median(rounds, OURS, case.name, pick) else {
                continue;
            };
            let batch = if unit == "ms" { case.batch } else { 1 };
            write!(page, "| {}, batch {batch} | {} |", case.name, rounded(ours))?;
            for other in &others {
                match median(rounds, other, case.name, pick) {
                    Some(time) => write!(page, " {} | {:.2} |", rounded(time), time / ours)?,
                    None => write!(page, " - | - |")?,
                }
            }
            writeln!(page)?;
        }
        writeln!(page)?;
    }
    Ok(page)
}

/// Three digits.
fn rounded(value: f64) -> String {
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 3);
    format!("{value:.*}", digits as usize)
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(ToOwned::to_owned)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": "))
        .map_or("an unknown processor", |(_, name)| name)
        .to_owned()
}
