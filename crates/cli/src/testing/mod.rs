//! Helpers for the tests of apps, which run the real binary: feature `testing`.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a helper that fails is a test that fails"
)]

mod export;
mod mistakes;
mod report;
mod serve;
mod shards;
mod sweep;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tinderbox_train::overlay::{Patchable, undocumented};

use crate::recipe::Catalogue;

pub use mistakes::{AppUnderTest, check_mistakes};
pub use report::check_report;
pub use serve::{Request, check_serve};
pub use shards::check_shards;
pub use sweep::check_sweep;

/// A folder for one test, in which a binary is run.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
    binary: PathBuf,
}

/// What a binary did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none if it was killed.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed to stderr.
    pub stderr: String,
}

impl Place {
    /// An empty folder; `binary` is `env!("CARGO_BIN_EXE_…")`.
    pub fn new(binary: &str) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            binary: binary.into(),
        }
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and gives its name back.
    pub fn write<'a>(&self, name: &'a str, content: impl AsRef<[u8]>) -> &'a str {
        fs::write(self.path(name), content).unwrap();
        name
    }

    /// The binary with these arguments, in the folder and without a network or a cache.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(self.dir.path())
            .args(args)
            .stdin(Stdio::null())
            .env("TINDERBOX_CACHE", self.path("cache"))
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("ALL_PROXY", "http://127.0.0.1:9");
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// Succeeded.
    pub fn ok(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Failed with one clear message that has all of `words`, and no panic.
    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        let lines = self.stderr.lines();
        let errors = lines.filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{}", self.stderr);
        let (_, message) = self.stderr.split_once("error: ").unwrap();
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(!self.stderr.contains("RUST_BACKTRACE"), "{}", self.stderr);
    }
}

/// What a run must repeat to the byte: the model, and the metrics without their clocks.
pub fn result(run: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(run.join("model")).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless = metrics
        .lines()
        .map(|line| line.split(",\"wall_s\":").next().unwrap().to_owned());
    let timeless = timeless.collect::<Vec<_>>().join("\n").into_bytes();
    files.push(("metrics.jsonl".to_owned(), timeless));
    files
}

/// Checks the comments of an app's recipes, and its part of `docs/recipes.md`; with
/// `TINDERBOX_UPDATE_DOCS` in the environment it writes that part.
pub fn check_recipe_docs<T: Patchable + PartialEq + std::fmt::Debug>(
    app: &str,
    recipes: &Catalogue<T>,
) {
    let all = recipes.all();
    assert_eq!(undocumented(&all).unwrap(), Vec::<String>::new());
    for ((name, _), recipe) in recipes.names.iter().zip(&all) {
        let text = recipes.text(name).unwrap();
        let path = Path::new("recipe.toml");
        assert_eq!(recipes.load(&text, path).unwrap(), *recipe, "{name}");
        let keys = |line: &&str| !line.starts_with(['#', '[']) && !line.is_empty();
        let lines: Vec<&str> = text.lines().collect();
        let bare = lines
            .windows(2)
            .filter(|pair| keys(&pair[1]) && !pair[0].starts_with('#'));
        assert_eq!(bare.count(), 0, "a key of `{name}` has no comment");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        format!("<!-- begin {app} -->\n"),
        format!("<!-- end {app} -->\n"),
    );
    let (head, rest) = page.split_once(&begin).unwrap();
    let (stored, tail) = rest.split_once(&end).unwrap();
    let part = recipes.reference().unwrap();
    if std::env::var_os("TINDERBOX_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}{begin}{part}{end}{tail}")).unwrap();
        return;
    }
    assert!(
        stored == part,
        "docs/recipes.md is out of date: run `TINDERBOX_UPDATE_DOCS=1 cargo test -p {app} docs`"
    );
}
