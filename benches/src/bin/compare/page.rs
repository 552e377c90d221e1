//! The table, as Markdown.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use tinderbox_backend::Opened;
use tinderbox_benches::Case;

use crate::peers::{CANDLE, COMPILED, TORCH};
use crate::{APP, BARE, OURS, Options, Rounds, Times, Ways, app, median, ops, threads};

pub(crate) fn write(
    options: &Options,
    opened: &Opened,
    rounds: &Rounds,
    ops: &ops::Measured,
    ways: &Ways,
    app: &app::Measured,
) -> Result<String, Box<dyn Error>> {
    let mut page = head(options, opened, ops)?;
    let train: fn(&Times) -> f64 = |times| times.train_ms;
    let infer: fn(&Times) -> f64 = |times| times.infer_us;
    if !rounds.is_empty() {
        let cases = options.cases();
        steps(&mut page, &cases, rounds, "One training step", "ms", train)?;
        steps(
            &mut page,
            &cases,
            rounds,
            "One item's inference",
            "µs",
            infer,
        )?;
    }
    ops.write(&mut page)?;
    if !ways.is_empty() {
        data(&mut page, ways)?;
    }
    if options.wants(APP) {
        the_app(&mut page, app)?;
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    Ok(page)
}

/// How fast data is read and prepared.
fn data(page: &mut String, ways: &Ways) -> Result<(), std::fmt::Error> {
    writeln!(page, "## Data, a second\n\n| what | {OURS} |\n|---|---|")?;
    for (work, seconds) in ways {
        let item = median(seconds.iter().copied());
        let a_second = item.map_or("-".to_owned(), |item| format!("{:.0}", item.recip()));
        writeln!(page, "| {} | {a_second} |", work.what)?;
    }
    writeln!(page)
}

fn the_app(page: &mut String, app: &app::Measured) -> Result<(), std::fmt::Error> {
    writeln!(
        page,
        "## The app\n\n| what | {OURS} | {TORCH} | ratio |\n|---|---|---|---|"
    )?;
    for (what, values) in app.rows() {
        let ratio = values[0].zip(values[1]).map(|(ours, theirs)| theirs / ours);
        let [ours, theirs, ratio] =
            [values[0], values[1], ratio].map(|value| value.map_or("-".to_owned(), rounded));
        writeln!(page, "| {what} | {ours} | {theirs} | {ratio} |")?;
    }
    Ok(())
}

fn head(options: &Options, opened: &Opened, ops: &ops::Measured) -> Result<String, Box<dyn Error>> {
    let mut page = String::from(
        "# Benchmarks\n\nMade by `cargo run -p tinderbox-benches --bin compare`, which runs all of \
         them alternately and\nprints the median of its rounds. A ratio above 1 means that \
         Tinderbox is faster, or takes less.\n\n",
    );
    let torch = first_line(
        &options.python,
        &["-c", "import torch; print(torch.__version__)"],
    );
    writeln!(page, "- machine: {}, {} threads", processor(), threads())?;
    if let Some(peak) = ops.peak() {
        writeln!(page, "- peak: {peak}")?;
    }
    writeln!(
        page,
        "- device: `{}` ({}), PyTorch on `{}`, in {}",
        opened.spec,
        opened.backend,
        options.peer_device,
        if options.bf16 { "bfloat16" } else { "float32" }
    )?;
    writeln!(
        page,
        "- versions: Tinderbox {}, Burn 0.22.1, PyTorch {}, Candle 0.11.1",
        env!("CARGO_PKG_VERSION"),
        torch.unwrap_or("not found".to_owned())
    )?;
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
    writeln!(page, "- commit: {}", commit.unwrap_or("unknown".to_owned()))?;
    writeln!(
        page,
        "- rounds: {}, {} s each\n",
        options.rounds, options.seconds
    )?;
    Ok(page)
}

fn steps(
    page: &mut String,
    cases: &[Case],
    rounds: &Rounds,
    title: &str,
    unit: &str,
    pick: fn(&Times) -> f64,
) -> Result<(), std::fmt::Error> {
    let median = |who: &'static str, case: &str| {
        let times = rounds.get(&(who, case.to_owned()))?;
        median(times.iter().map(pick))
    };
    writeln!(page, "## {title}, {unit}\n")?;
    let present = |who: &&'static str| {
        let mut cases = cases.iter();
        cases.any(|case| median(who, case.name).is_some())
    };
    let others: Vec<&str> = [BARE, TORCH, COMPILED, CANDLE]
        .into_iter()
        .filter(present)
        .collect();
    write!(page, "| case | {OURS} |")?;
    for other in &others {
        write!(page, " {other} | ratio |")?;
    }
    writeln!(page, "\n|---|---|{}", "---|---|".repeat(others.len()))?;
    for case in cases {
        let Some(ours) = median(OURS, case.name) else {
            continue;
        };
        let batch = if unit == "ms" { case.batch } else { 1 };
        write!(page, "| {}, batch {batch} | {} |", case.name, rounded(ours))?;
        for other in &others {
            match median(other, case.name) {
                Some(time) => write!(page, " {} | {:.2} |", rounded(time), time / ours)?,
                None => write!(page, " - | - |")?,
            }
        }
        writeln!(page)?;
    }
    writeln!(page)
}

/// Three digits.
pub(crate) fn rounded(value: f64) -> String {
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
