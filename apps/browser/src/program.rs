//! The command line.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use browser_page::Session;
use clap::Parser;
use tinderbox_cli::{Failure, OrUserError as _, finish};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::model_dir::locate;

use crate::bundle::{PageFile, build};
use crate::serve::serve;

/// The model of digits that the page opens with.
const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page/digits");

/// Use trained models in a web page that sends nothing
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Open the page with the model of this run, or with this model folder, instead of digits
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Port to serve the page on, for this computer only; 0 for a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Write the page to a folder, for any web server, and do not serve it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    finish(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let model = cli.run.as_deref().map(model_folder).transpose()?;
    let files = build(model.as_deref().unwrap_or(Path::new(DIGITS)))?;
    let size: usize = files.iter().map(|file| file.gzip.len()).sum();
    let size = format!("{:.2} MB gzipped", size as f64 / 1e6);
    match &cli.out {
        Some(out) => {
            write(&files, out).or_user_error()?;
            say(&format!("page in {}, {size}", out.display()))
        }
        None => serve(files, cli.port, |address| {
            say(&format!("page at {address}, {size}; stop with Ctrl-C"))
        }),
    }
}

/// The model folder of a run, if the page can use it.
fn model_folder(run: &Path) -> Result<PathBuf, Failure> {
    let folder = locate(run).map_or_else(|| run.to_owned(), |located| located.dir);
    Session::open(&ModelFiles::open(&folder)).or_user_error()?;
    Ok(folder)
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn write(files: &[PageFile], folder: &Path) -> Result<(), anyhow::Error> {
    for file in files {
        let path = folder.join(&file.path);
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, &file.content)
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
