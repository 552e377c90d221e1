//! The command `report` of every app, and the report that `train` leaves.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::escape::shell_word;
use clap::Args;
use tinderbox_datasets::files::is_same_file;
use tinderbox_report::{CARD_FILE, CARD_START, REPORT_FILE, ReportError, Run, card, html, page};

use crate::output::check_extension;
use crate::{Failure, Output, note};

/// What `report` takes.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Directories of finished runs; several are compared side by side
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    pub run: Vec<PathBuf>,
    /// Write the page to this file [default: report.html in the run directory, with README.md next to it; of
    /// several runs report.html in the working directory]
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

/// Writes the report of finished runs and prints where it is.
pub(crate) fn run(args: &ReportArgs, app: &str) -> Result<(), Failure> {
    if let Some(out) = &args.out {
        check_extension(out, &["html", "htm"])?;
    }
    let runs: Vec<Run> = distinct(&args.run)
        .into_iter()
        .map(|dir| Run::read(dir).map_err(|error| not_reported(error, app)))
        .collect::<Result<_, _>>()?;
    let files = match (&args.out, runs.as_slice()) {
        (Some(out), _) => vec![write_page(out, &page(&runs))?],
        (None, [run]) => of_run(run)?,
        (None, _) => vec![write_page(Path::new(REPORT_FILE), &page(&runs))?],
    };
    files
        .iter()
        .try_for_each(|file| Output::Stdout.line(&format!("report {}", file.display())))
}

/// Writes the report of a run that has just finished. One that cannot be written is a warning: the model is
/// trained already.
pub(crate) fn after_training(dir: &Path, quiet: bool) {
    match Run::read(dir)
        .map_err(of_report)
        .and_then(|run| of_run(&run))
    {
        Ok(files) if !quiet => {
            if let Some(file) = files.first() {
                note(&format!("report {}", file.display()));
            }
        }
        Ok(_) => {}
        Err(failure) => note(&format!("warning: no report: {}", failure.message())),
    }
}

/// The directories without those that are named a second time.
fn distinct(dirs: &[PathBuf]) -> Vec<&Path> {
    let mut distinct: Vec<&Path> = Vec::new();
    for dir in dirs {
        if distinct.iter().any(|other| is_same_file(other, dir)) {
            note(&format!(
                "`{}` is named twice and shown once",
                dir.display()
            ));
        } else {
            distinct.push(dir);
        }
    }
    distinct
}

/// The error of a run that cannot be reported, with the command that ends it if that is missing.
fn not_reported(error: ReportError, app: &str) -> Failure {
    if let ReportError::Unfinished(dir) = &error {
        let dir = shell_word(dir);
        return Failure::user(format!(
            "{error}; resume it with `{app} train --resume {dir}`"
        ));
    }
    of_report(error)
}

fn of_report(error: ReportError) -> Failure {
    let input = ReportError::is_input(&error);
    Failure::of(error, false, input)
}

/// Writes page and card of a run into its directory.
fn of_run(run: &Run) -> Result<Vec<PathBuf>, Failure> {
    let page = page(std::slice::from_ref(run));
    let mut files = vec![write_page(&run.dir().join(REPORT_FILE), &page)?];
    let file = run.dir().join(CARD_FILE);
    if is_foreign(&file) {
        note(&format!(
            "warning: `{}` was not written by this program and stays as it is: no model card",
            file.display()
        ));
    } else {
        files.push(write(&file, &card(run))?);
    }
    Ok(files)
}

/// Whether somebody else has written a file where the card belongs.
fn is_foreign(file: &Path) -> bool {
    file.exists() && !fs::read_to_string(file).is_ok_and(|text| text.starts_with(CARD_START))
}

/// Writes a page, unless somebody else has written the file that is there.
fn write_page(file: &Path, page: &str) -> Result<PathBuf, Failure> {
    // An empty file, a pipe or a device has nothing to lose.
    let has_content = fs::metadata(file).is_ok_and(|file| file.is_file() && file.len() > 0);
    if has_content && !fs::read_to_string(file).is_ok_and(|text| html::is_own(&text)) {
        return Err(Failure::user(format!(
            "`{}` exists and is not a report of this program; it stays as it is: name another file with `--out`",
            file.display()
        )));
    }
    write(file, page)
}

fn write(file: &Path, text: &str) -> Result<PathBuf, Failure> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Failure::user(format!(
            "cannot write `{}`: there is no folder `{}`; create it first",
            file.display(),
            folder.display()
        )));
    }
    let mut out = Output::new(Some(file))?;
    out.write_all(text.as_bytes())?;
    out.finish()?;
    Ok(file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("recipe.toml"), "name = \"a\"\n").unwrap();
        fs::write(dir.path().join("summary.json"), "{\"recipe\": \"a\"}").unwrap();
        dir
    }

    fn command(runs: &[&Path], out: Option<&Path>) -> Result<(), Failure> {
        let args = ReportArgs {
            run: runs.iter().map(|run| run.to_path_buf()).collect(),
            out: out.map(Path::to_path_buf),
        };
        run(&args, "vision")
    }

    #[test]
    fn a_run_gets_a_page_and_a_card_unless_a_file_is_named() {
        let dir = finished();
        let own = dir.path().join("own.html");
        command(&[dir.path()], Some(&own)).unwrap();
        assert!(own.exists() && !dir.path().join(REPORT_FILE).exists());
        command(&[dir.path()], None).unwrap();
        let card = fs::read_to_string(dir.path().join(CARD_FILE)).unwrap();
        assert!(card.starts_with(CARD_START));
        assert!(dir.path().join(REPORT_FILE).exists());
        // Ours is replaced.
        fs::write(dir.path().join(CARD_FILE), format!("{CARD_START}old")).unwrap();
        command(&[dir.path()], None).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join(CARD_FILE)).unwrap(),
            card
        );
    }

    #[test]
    fn a_readme_of_somebody_else_stays() {
        let dir = finished();
        fs::write(dir.path().join(CARD_FILE), "# Mine").unwrap();
        command(&[dir.path()], None).unwrap();
        let card = fs::read_to_string(dir.path().join(CARD_FILE)).unwrap();
        assert_eq!(card, "# Mine");
        assert!(dir.path().join(REPORT_FILE).exists());
    }

    #[test]
    fn a_page_of_somebody_else_stays() {
        let dir = finished();
        let other = dir.path().join("other.html");
        for text in ["<p>mine</p>", "\u{feff}<!doctype html>"] {
            fs::write(&other, text).unwrap();
            let failure = command(&[dir.path()], Some(&other)).unwrap_err();
            assert!(matches!(failure, Failure::UserError(_)), "{failure:?}");
            assert_eq!(fs::read_to_string(&other).unwrap(), text);
        }
        fs::write(&other, "").unwrap();
        for _ in 0..2 {
            command(&[dir.path()], Some(&other)).unwrap();
        }
        fs::write(dir.path().join(REPORT_FILE), "mine").unwrap();
        let failure = command(&[dir.path()], None).unwrap_err();
        assert!(failure.message().contains("`--out`"), "{failure:?}");
        after_training(dir.path(), true);
        assert_eq!(
            fs::read_to_string(dir.path().join(REPORT_FILE)).unwrap(),
            "mine"
        );
    }

    #[test]
    fn mistakes_are_the_users_and_write_nothing() {
        let dir = finished();
        let unfinished = tempfile::tempdir().unwrap();
        fs::write(unfinished.path().join("recipe.toml"), "").unwrap();
        let page = dir.path().join("page.html");
        let text = dir.path().join("page.txt");
        let missing = dir.path().join("missing");
        for (runs, out) in [
            (vec![unfinished.path()], &page),
            (vec![dir.path(), unfinished.path()], &page),
            (vec![missing.as_path()], &page),
            (vec![dir.path()], &text),
        ] {
            let failure = command(&runs, Some(out)).unwrap_err();
            assert!(matches!(failure, Failure::UserError(_)), "{failure:?}");
            assert!(!out.exists());
        }
    }

    #[test]
    fn an_unfinished_run_comes_with_the_command_that_resumes_it() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("run copy");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("recipe.toml"), "").unwrap();
        let message = command(&[dir.as_path()], None).unwrap_err().message();
        let wanted = format!("`vision train --resume '{}'`", dir.display());
        assert!(message.contains(&wanted), "{message}");
    }

    #[test]
    fn a_report_that_cannot_be_written_fails_no_run() {
        let dir = finished();
        // A folder where the page should be.
        fs::create_dir(dir.path().join(REPORT_FILE)).unwrap();
        after_training(dir.path(), true);
        assert!(command(&[dir.path()], None).is_err());
        after_training(&dir.path().join("missing"), true);
    }
}
