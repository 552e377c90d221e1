//! One function for each parser of foreign bytes: whatever the input, it returns.
//!
//! `cargo fuzz` calls these with bytes that it makes up, and `crates/recipes/tests/corpus.rs` with
//! the files of `fuzz/corpus`, on stable Rust. Only public functions are called. A panic, an abort,
//! a hang or gigabytes of memory are faults; an error is the right answer to most inputs.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tempfile::TempDir;
use tinderbox_datasets::image::{DecodeOptions, decode_bytes, read_idx};
use tinderbox_datasets::raster::Raster;
use tinderbox_datasets::table::{ReadOptions, inspect, read, read_csv, read_csv_with};
use tinderbox_datasets::text::{TextOptions, read_tagged, read_tar, read_texts};
use tinderbox_models::text::PretrainedBert;
use tinderbox_models::text::bert::HfConfig;
use tinderbox_predict::text::{TextInput, TextTokenizer};
use tinderbox_recipes::{tabular, vision};
use tinderbox_train::checkpoint::Store;
use tinderbox_train::overlay::overlay;

/// A fuzzed parser: its name, which is also its folder in `fuzz/corpus`, and what it is called with.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every parser.
pub(crate) const TARGETS: [Target; 11] = [
    ("table_csv", table_csv),
    ("table_file", table_file),
    ("image", image),
    ("idx", idx),
    ("raster", raster),
    ("text_file", text_file),
    ("text_tar", text_tar),
    ("tokenizer", tokenizer),
    ("checkpoint", checkpoint),
    ("pretrained", pretrained),
    ("recipe", recipe),
];

/// A folder with one file that has these bytes.
struct TempInput {
    _dir: TempDir,
    path: PathBuf,
}

fn file(name: &str, data: &[u8]) -> Option<TempInput> {
    let dir = tempfile::tempdir().ok()?;
    let path = dir.path().join(name);
    fs::write(&path, data).ok()?;
    Some(TempInput { _dir: dir, path })
}

/// CSV from a stream: kinds inferred, inspected, and read again with the kinds that were found.
pub(crate) fn table_csv(data: &[u8]) {
    let options = ReadOptions::default();
    if let Ok((table, _)) = read_csv(data, "fuzz", &options) {
        let target = table
            .columns()
            .last()
            .map(|column| column.name().to_owned());
        let _ = inspect(&table, target.as_deref());
        let _ = read_csv_with(data, "fuzz", &table.schema(), &[], &options);
    }
}

/// A table file of any format, which its content decides: Parquet, gzip, JSON or CSV.
pub(crate) fn table_file(data: &[u8]) {
    if let Some(input) = file("table", data) {
        let _ = read(&input.path, &ReadOptions::default());
    }
}

/// An image of any format.
pub(crate) fn image(data: &[u8]) {
    let _ = decode_bytes(data, Path::new("fuzz"), &DecodeOptions::new(16, 16, 3));
}

/// An IDX file as the images and as the labels.
pub(crate) fn idx(data: &[u8]) {
    if let Some(input) = file("images-idx3-ubyte", data) {
        let _ = read_idx(&input.path, &input.path, &["a", "b"]);
    }
}

/// A `GeoTIFF` map.
pub(crate) fn raster(data: &[u8]) {
    if let Some(input) = file("map.tif", data) {
        let _ = Raster::read(&input.path);
    }
}

/// Labeled texts and tagged sentences in a file; the first byte chooses the file's name.
pub(crate) fn text_file(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let names = [
        "texts.csv",
        "texts.tsv",
        "texts.jsonl",
        "texts.json",
        "texts",
    ];
    let name = names[usize::from(*choice) % names.len()];
    if let Some(input) = file(name, data) {
        let _ = read_texts(&input.path, &TextOptions::default());
        let _ = read_tagged(&input.path);
    }
}

/// An archive of text files.
pub(crate) fn text_tar(data: &[u8]) {
    let _ = read_tar(Cursor::new(data), "fuzz", &TextOptions::default());
}

/// A `tokenizer.json`, and a text through it.
pub(crate) fn tokenizer(data: &[u8]) {
    if let Some(input) = file("tokenizer.json", data)
        && let Ok(tokenizer) = TextTokenizer::load(&input.path)
    {
        let _ = tokenizer.vocab_size();
        let texts = ["Hello, world! 你好 1.5", ""].map(|text| TextInput::Single(text.to_owned()));
        if let Ok(tokens) = tokenizer.encode(&texts, 16) {
            for tokens in tokens {
                let _ = tokenizer.decode(&tokens.ids);
            }
        }
    }
}

/// A checkpoint of a training run.
pub(crate) fn checkpoint(data: &[u8]) {
    if let Some(input) = file("step-000000001.ckpt", data)
        && let Some(dir) = input.path.parent()
    {
        let _ = Store::new(dir.to_owned()).latest();
    }
}

/// `config.json` and SafeTensors of a published model: the configuration up to the first zero byte.
pub(crate) fn pretrained(data: &[u8]) {
    let end = data
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(data.len());
    let (config, weights) = data.split_at(end);
    let Ok(config) = std::str::from_utf8(config) else {
        return;
    };
    let _ = HfConfig::parse(config);
    let weights = weights.get(1..).unwrap_or_default().to_vec();
    if let Ok(pretrained) = PretrainedBert::from_bytes(config, weights) {
        let _ = pretrained.bert(&Device::flex());
    }
}

/// A recipe in TOML over a built-in one.
pub(crate) fn recipe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(base) = tabular::Recipe::builtin("file")
        && let Ok(recipe) = overlay(&base, text)
    {
        let _ = recipe.validate();
    }
    if let Some(base) = vision::Recipe::builtin("digits")
        && let Ok(recipe) = overlay(&base, text)
    {
        let _ = recipe.validate();
    }
}
