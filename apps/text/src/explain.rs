//! The `explain` command.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::escape::{escape, escape_cell, escape_markup};
use tinderbox_cli::output::check_extension;
use tinderbox_cli::{Failure, Output, open_device};
use tinderbox_recipes::text::{Input, ReadOptions, Weighted};

use crate::{failure, input, usage};

/// What `explain` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Write a web page with colored words
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Print one JSON line per text
    #[arg(long)]
    json: bool,
    /// Read each plain text file as one text
    #[arg(long)]
    whole: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
    /// Texts, tables, JSON, folders or plain text files; `-` reads stdin
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

/// A text with the class that it is given and what its words do for that.
struct Explained {
    text: String,
    label: String,
    words: Vec<Weighted>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(path) = &args.out {
        check_extension(path, &["html", "htm"])?;
    }
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = usage::load(&args.run, &device)?;
    let mut all = Vec::new();
    for argument in &args.inputs {
        let how = ReadOptions {
            whole: args.whole.then_some(true),
            ..ReadOptions::default()
        };
        for read in input::all_texts(&model, argument, &how)? {
            let text = match &read.input {
                Input::Two(first, second) => format!("{first}\t{second}"),
                other => other.joined(),
            };
            let (label, words) = model.explain(&text).map_err(failure)?;
            all.push(Explained { text, label, words });
        }
    }
    usage::warn_truncated(&model);
    if let Some(path) = &args.out {
        let mut page = Output::new(Some(path))?;
        page.write_all(html(&all).as_bytes())?;
        page.finish()?;
    }
    let mut out = Output::Stdout;
    let colored = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for explained in &all {
        let Explained { text, label, words } = explained;
        if args.json {
            out.line(&json!({ "input": text, "label": label, "words": words }).to_string())?;
        } else if colored {
            writeln!(out, "{}: {}", escape_cell(label), painted(explained))?;
        } else {
            out.line(&format!("{label}: {text}"))?;
            out.line(&strongest(words))?;
        }
    }
    Ok(())
}

/// The words that did most, without colors.
fn strongest(words: &[Weighted]) -> String {
    let mut order: Vec<&Weighted> = words.iter().collect();
    order.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
    let word = |word: &&Weighted| format!("{} {:+.2}", word.text, word.effect);
    let first: Vec<String> = order.iter().take(8).map(word).collect();
    format!("  {}", first.join(", "))
}

/// From -1 for the word that speaks most against the class to 1 for the one that speaks most for it.
fn strengths(words: &[Weighted]) -> Vec<f64> {
    let effects = words.iter().map(|word| word.effect.abs());
    // Where no word does anything, none is colored.
    let most = effects.fold(0.1, f64::max);
    words.iter().map(|word| word.effect / most).collect()
}

/// Words for the class in green, words against it in red.
fn painted(explained: &Explained) -> String {
    let mut line = String::new();
    let mut at = 0;
    for (word, strength) in explained.words.iter().zip(strengths(&explained.words)) {
        line.push_str(&escape(&explained.text[at..word.at.start]));
        let level = (strength.abs() * 4.0).round() as usize;
        let color = match (level, strength > 0.0) {
            (0, _) => None,
            (level, true) => Some([22, 28, 34, 40][level.min(4) - 1]),
            (level, false) => Some([52, 88, 124, 160][level.min(4) - 1]),
        };
        match color {
            Some(color) => {
                let word = escape(&word.text);
                let _ = write!(line, "\x1b[48;5;{color};38;5;231m{word}\x1b[0m");
            }
            None => line.push_str(&escape(&word.text)),
        }
        at = word.at.end;
    }
    line.push_str(&escape(&explained.text[at..]));
    line
}

fn html(all: &[Explained]) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Which words decided</title>\n\
         <style>\nbody{font:17px/1.7 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;\
         color:#1a1a1a;background:#fff}\nsection{border-top:1px solid #ddd;padding:.8rem 0}\n\
         h2{font-size:1rem;margin:0}\np{white-space:pre-wrap;margin:.3rem 0}\n\
         span{border-radius:3px;padding:1px 2px}\n\
         small{color:#555}\n</style>\n<h1>Which words decided</h1>\n\
         <small>Green words speak for the class, red words against it, the stronger the color the more. \
         Point at a word to see what leaving it out takes from the log-odds.</small>\n",
    );
    for explained in all {
        let _ = write!(
            page,
            "<section>\n<h2>{}</h2>\n<p>",
            escape_markup(&explained.label)
        );
        let mut at = 0;
        for (word, strength) in explained.words.iter().zip(strengths(&explained.words)) {
            page.push_str(&escape_markup(&explained.text[at..word.at.start]));
            let color = if strength > 0.0 {
                "0,140,60"
            } else {
                "200,30,30"
            };
            let _ = write!(
                page,
                "<span title=\"{:+.2}\" style=\"background:rgba({color},{:.2})\">{}</span>",
                word.effect,
                0.55 * strength.abs(),
                escape_markup(&word.text)
            );
            at = word.at.end;
        }
        page.push_str(&escape_markup(&explained.text[at..]));
        page.push_str("</p>\n</section>\n");
    }
    page.push_str("</html>\n");
    page
}
