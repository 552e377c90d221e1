//! The `generate` command.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::escape::escape_document;
use tinderbox_cli::output::thousands;
use tinderbox_cli::{Failure, Output, note, open_device};
use tinderbox_recipes::text::Sampling;

use crate::{failure, usage};

/// What `generate` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Run directory of a language model, or its model folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Prompt to continue
    #[arg(long, value_name = "TEXT", default_value = "\n")]
    prompt: String,
    /// Number of tokens to generate
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tokens: u32,
    /// Sampling temperature; 0 is greedy
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    temperature: f64,
    /// Sample from the K most likely tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Disable the key-value cache
    #[arg(long)]
    no_cache: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = open_device(args.device, env!("CARGO_PKG_NAME"))?.device;
    let model = usage::load(&args.run, &device)?;
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        seed: args.seed,
        cached: !args.no_cache,
    };
    let mut writer = model.write(&args.prompt, sampling).map_err(failure)?;
    let mut out = Output::Stdout;
    let mut shown = 0;
    let started = Instant::now();
    for _ in 0..args.tokens {
        writer.step().map_err(failure)?;
        if args.json {
            continue;
        }
        let text = writer.text().map_err(failure)?;
        // A letter of which only some bytes are there waits for the rest.
        if text.len() > shown && !text.ends_with('\u{fffd}') && text.is_char_boundary(shown) {
            write!(out, "{}", escape_document(&text[shown..]))?;
            out.flush()?;
            shown = text.len();
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let text = writer.text().map_err(failure)?;
    if args.json {
        let line = json!({
            "run": args.run,
            "prompt": args.prompt,
            "text": text,
            "tokens": args.tokens,
            "seconds": seconds,
        });
        return out.line(&line.to_string());
    }
    if text.is_char_boundary(shown) {
        writeln!(out, "{}", escape_document(&text[shown..]))?;
    }
    note(&format!(
        "{} tokens/s",
        thousands((f64::from(args.tokens) / seconds.max(f64::MIN_POSITIVE)) as usize)
    ));
    Ok(())
}
