//! Tokenizing text with ours and Python's `tokenizers`, in turn, with the same file and as many threads.
//!
//! ```text
//! cargo run -p tinderbox-benches --bin tokenize -- TEXT 100 python3
//! ```
//!
//! repeats TEXT to 100 MB. `RAYON_NUM_THREADS` sets the threads of both.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Parser;
use tinderbox_predict::text::{TextInput, TextTokenizer, TokenKind, TokenizerConfig};
use tinderbox_recipes::text::train_tokenizer;

/// Lines that are tokenized together; the peer takes as many.
const PORTION: usize = 65_536;

const ROUNDS: usize = 3;

/// Measure tokenization next to Python's `tokenizers`, with the same file and as many threads
#[derive(Parser, Debug)]
#[command(name = "tokenize")]
struct Options {
    /// Text file, repeated until it is large enough
    text: String,
    /// Size of the text, in MB
    megabytes: usize,
    /// Python interpreter with the package `tokenizers`
    #[arg(default_value = "python3")]
    python: String,
}

fn main() -> anyhow::Result<()> {
    let Options {
        text,
        megabytes,
        python,
    } = &Options::parse();
    let source = fs::read_to_string(text).with_context(|| format!("cannot read `{text}`"))?;
    let times = (megabytes * 1_000_000).div_ceil(source.len().max(1));
    let text = source.repeat(times);
    let dir = std::env::temp_dir().join(format!("tinderbox-tokenize-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let [tokenizer, file] = ["tokenizer.json", "text.txt"].map(|name| dir.join(name));
    let config = TokenizerConfig {
        kind: TokenKind::WordPiece,
        vocab_size: 8_000,
        min_frequency: 2,
        lowercase: true,
        max_len: 1 << 20,
        binary_counts: false,
    };
    let lines: Vec<&str> = source.split('\n').collect();
    let trained = train_tokenizer(&config, &lines)?;
    fs::write(&tokenizer, trained.to_json()?.unwrap_or_default())?;
    fs::write(&file, &text)?;
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (own, tokens) = ours(&TextTokenizer::load(&tokenizer)?, &text)?;
        let output = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/peers/tokenize_text.py"
            ))
            .args([&tokenizer, &file])
            .output()
            .with_context(|| format!("cannot run `{python}`"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut said = said.split_whitespace();
        let (Some(peer), Some(theirs)) = (said.next(), said.next()) else {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        };
        let peer: f64 = peer.parse()?;
        println!(
            "round {round}: ours {:.1} MB/s, {tokens} tokens; Python {:.1} MB/s, {theirs} tokens",
            text.len() as f64 / own / 1e6,
            text.len() as f64 / peer / 1e6
        );
        ratios.push(peer / own);
    }
    fs::remove_dir_all(&dir)?;
    ratios.sort_by(f64::total_cmp);
    println!("ours / Python, median: {:.2}", ratios[ROUNDS / 2]);
    Ok(())
}

/// Seconds and tokens.
fn ours(tokenizer: &TextTokenizer, text: &str) -> anyhow::Result<(f64, usize)> {
    let inputs: Vec<TextInput> = text
        .split('\n')
        .map(|line| TextInput::Single(line.to_owned()))
        .collect();
    let started = Instant::now();
    let mut tokens = 0;
    for portion in inputs.chunks(PORTION) {
        let encoded = tokenizer.encode(portion, usize::MAX)?;
        tokens += encoded.iter().map(|text| text.ids.len()).sum::<usize>();
    }
    Ok((started.elapsed().as_secs_f64(), tokens))
}
