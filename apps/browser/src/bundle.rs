//! The files of the page: compiled, completed and collected.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Error, anyhow, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tinderbox_cli::{Failure, OrUserError as _};
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";

/// Name of the library of this package.
const LIBRARY: &str = "browser_page";

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// The files that are written by hand.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");

/// A file of the page.
pub(crate) struct PageFile {
    /// Its path below the page's address.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    pub(crate) gzip: Vec<u8>,
}

impl PageFile {
    fn new(path: impl Into<String>, content: Vec<u8>) -> Result<Self, Error> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&content)?;
        let gzip = gzip.finish()?;
        let path = path.into();
        Ok(Self {
            path,
            content,
            gzip,
        })
    }
}

/// Compiles the program of the page and collects all files; `model` is the folder of the model that the
/// page opens with.
pub(crate) fn build(model: &Path) -> Result<Vec<PageFile>, Failure> {
    check_target()?;
    let mut files = with_glue(&compile()?)?;
    for name in file_names(Path::new(PAGE), &["css", "html", "js", "svg"])? {
        let content = read(&Path::new(PAGE).join(&name))?;
        files.push(PageFile::new(name, content)?);
    }
    // What inference reads.
    let names = file_names(model, &["json", "safetensors"]).or_user_error()?;
    for name in &names {
        let content = read(&model.join(name)).or_user_error()?;
        files.push(PageFile::new(format!("model/{name}"), content)?);
    }
    let names = serde_json::to_vec(&names)?;
    files.push(PageFile::new("model/files.json", names)?);
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Names of the files in a folder with one of these endings.
fn file_names(folder: &Path, endings: &[&str]) -> Result<Vec<String>, Error> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| {
        let path = PathBuf::from(entry.file_name());
        let ending = path.extension()?.to_str()?;
        endings
            .contains(&ending)
            .then(|| path.to_str().map(str::to_owned))?
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// Checks that the standard library for the browser is installed.
fn check_target() -> Result<(), Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .with_context(|| format!("cannot run `{}`", rustc.display()))
        .or_user_error()?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    Err(Failure::user(format!(
        "Rust cannot compile for a browser yet; install its target:\n\
         rustup target add {TARGET}"
    )))
}

/// Compiles the library and returns the path of the program.
fn compile() -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["rustc", "--package", env!("CARGO_PKG_NAME"), "--lib"])
        .args(["--crate-type", "cdylib", "--profile", "wasm"])
        .args(["--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(PACKAGE)
        // Of all ways to set flags the one that no setting of the user's overrides.
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo`")?;
    if !output.status.success() {
        bail!("the program of the page does not compile: see above");
    }
    let messages = output.stdout.split(|&byte| byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let programs = messages.filter(|message| message["target"]["name"] == LIBRARY);
    let mut paths = programs.flat_map(|message| match &message["filenames"] {
        Value::Array(paths) => paths.clone(),
        _ => Vec::new(),
    });
    let program = paths.find_map(|path| {
        let path = Path::new(path.as_str()?);
        let is_program = path.extension().is_some_and(|ending| ending == "wasm");
        is_program.then(|| path.to_owned())
    });
    program.ok_or_else(|| anyhow!("cargo does not name the program that it compiled"))
}

/// Vectors of 128 bits; and the program, which may be published, without the folders of this computer.
fn rust_flags() -> OsString {
    let mut flags = OsString::from("-Ctarget-feature=+simd128");
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let workspace = Path::new(PACKAGE).ancestors().nth(2);
    for folder in cargo.as_deref().into_iter().chain(workspace) {
        // The mark between flags.
        flags.push("\x1f--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
    }
    flags
}

/// The program with the JavaScript that connects it to the page.
fn with_glue(program: &Path) -> Result<Vec<PageFile>, Error> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(LIBRARY, read(program)?)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true);
    let folder = tempfile::tempdir()?;
    bindgen.generate(folder.path())?;
    let names = [format!("{LIBRARY}.js"), format!("{LIBRARY}_bg.wasm")];
    let files = names.map(|name| PageFile::new(name.clone(), read(&folder.path().join(name))?));
    files.into_iter().collect()
}
