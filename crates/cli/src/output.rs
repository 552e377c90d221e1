//! What a person or a program reads.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinderbox_datasets::atomic_file::AtomicFile;

use crate::{Failure, OrInput as _};

/// Where results go: stdout, or a file that appears only when it is complete.
#[derive(Debug)]
pub enum Output {
    /// To stdout, at once.
    Stdout,
    /// To a file, as it comes, under a temporary name until the end.
    File(OutputFile),
}

/// A file that results are written to.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: AtomicFile,
}

impl Output {
    /// To a file if one is named, else to stdout, which `-` stands for too.
    ///
    /// # Errors
    ///
    /// If the file cannot be created.
    pub fn new(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file.filter(|path| !is_stdout(path)) else {
            return Ok(Self::Stdout);
        };
        let file = AtomicFile::create(path)
            .with_context(|| format!("cannot write `{}`", path.display()))
            .or_input()?;
        let path = path.to_owned();
        Ok(Self::File(OutputFile { path, file }))
    }

    /// Appends a line.
    ///
    /// # Errors
    ///
    /// If it cannot be written, as when the reader of stdout is gone.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self, "{line}")?;
        Ok(())
    }

    /// Appends a row of CSV.
    ///
    /// # Errors
    ///
    /// As for [`line`](Self::line).
    pub fn csv<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), Failure> {
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(cells.iter().map(|cell| cell.as_ref().as_bytes()))?;
        let line = line.into_inner();
        self.write_all(&line.map_err(|error| anyhow::anyhow!("{error}"))?)?;
        Ok(())
    }

    /// Makes the file appear.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Stdout => io::stdout().flush()?,
            Self::File(OutputFile { path, file }) => file.commit().map_err(at(&path))?,
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout => io::stdout().write(bytes),
            Self::File(OutputFile { path, file }) => file.write(bytes).map_err(at(path)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().flush(),
            Self::File(OutputFile { path, file }) => file.flush().map_err(at(path)),
        }
    }
}

/// Names the file in an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        io::Error::new(error.kind(), message)
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
        || cfg!(unix)
            && ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
                .iter()
                .any(|name| path == Path::new(name))
}

/// Tells a person something, on stderr.
pub fn note(text: &str) {
    // A message that nobody can read is no reason to stop.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Lays rows out in columns: to the right where a row has a number, else to the left.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let is_number = |cell: &String| cell.replace(' ', "").parse::<f64>().is_ok();
    let numeric: Vec<bool> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).any(is_number))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .zip(&numeric)
            .map(|((cell, &width), &numeric)| {
                if numeric {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        format!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A count with a space between thousands, as in `421 642`.
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn columns_of_numbers_end_together_and_others_begin_together() {
        let rows = [
            ["net", "size", "about"],
            ["a", "1 000", "8x8"],
            ["bcde", "5", "x"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let lines = [
            "  net    size  about",
            "  a     1 000  8x8",
            "  bcde      5  x",
        ];
        assert_eq!(table(&rows), lines.join("\n"));
    }

    #[test]
    fn thousands_are_set_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (421_642, "421 642"),
        ] {
            assert_eq!(thousands(count), text);
        }
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let mut output = Output::new(Some(&path)).unwrap();
        output.line("a,b").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n");
        // A file that cannot be written is found before anything is computed.
        for wrong in [dir.path().join("no/out.csv"), dir.path().to_owned()] {
            assert!(matches!(Output::new(Some(&wrong)), Err(Failure::Input(_))));
        }
        assert!(matches!(
            Output::new(Some(Path::new("-"))),
            Ok(Output::Stdout)
        ));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_error_while_writing_names_the_file() {
        let mut output = Output::new(Some(Path::new("/dev/full"))).unwrap();
        output.line("a").unwrap();
        let failure = output.finish().unwrap_err();
        let Failure::Other(error) = failure else {
            panic!("{failure:?}")
        };
        assert!(
            error.to_string().starts_with("cannot write `/dev/full`: "),
            "{error}"
        );
    }
}
