//! What a person or a program reads.

use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinderbox_datasets::atomic_file::AtomicFile;
use unicode_width::UnicodeWidthStr as _;

use crate::escape::{escape, escape_cell, without_formula};
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

    /// Appends a line for a person, or of JSON, with control characters escaped.
    ///
    /// # Errors
    ///
    /// If it cannot be written, as when the reader of stdout is gone.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self, "{}", escape(line))?;
        Ok(())
    }

    /// Appends a row of CSV in which no cell is a formula to a spreadsheet.
    ///
    /// # Errors
    ///
    /// As for [`line`](Self::line).
    pub fn csv<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), Failure> {
        let safe: Vec<_> = cells
            .iter()
            .map(|cell| without_formula(cell.as_ref()))
            .collect();
        self.csv_raw(&safe)
    }

    /// Appends a row of CSV with its cells as they are; only a terminal gets control characters
    /// escaped.
    ///
    /// # Errors
    ///
    /// As for [`line`](Self::line).
    pub fn csv_raw<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), Failure> {
        if matches!(self, Self::Stdout) && io::stdout().is_terminal() {
            let cells: Vec<_> = cells
                .iter()
                .map(|cell| escape_cell(cell.as_ref()))
                .collect();
            return self.record(&cells);
        }
        self.record(cells)
    }

    fn record<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), Failure> {
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

/// Checks that a file's name ends as what will be written to it; a device or a pipe has no such end.
///
/// # Errors
///
/// Names the ends that there are.
pub fn check_extension(path: &Path, known: &[&str]) -> Result<(), Failure> {
    let ends_as = |known: &&str| {
        let end = path.extension();
        end.is_some_and(|end| end.eq_ignore_ascii_case(known))
    };
    let special = fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir());
    if special || known.iter().any(ends_as) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|end| format!("`.{end}`")).collect();
    Err(Failure::input(format!(
        "cannot write `{}`: the file name must end in {}",
        path.display(),
        known.join(" or ")
    )))
}

/// Tells a person something, on stderr.
pub fn note(text: &str) {
    // A message that nobody can read is no reason to stop.
    let _ = writeln!(io::stderr(), "{}", escape(text));
}

/// Columns of the terminal that stderr goes to; none where it goes elsewhere.
pub fn stderr_width() -> Option<usize> {
    let (_, columns) = console::Term::stderr().size_checked()?;
    Some(columns.into())
}

/// Lays rows out in columns: to the right where a row has a number, else to the left. Control
/// characters in cells are escaped.
pub fn table(rows: &[Vec<String>]) -> String {
    let cells = |row: &Vec<String>| {
        row.iter()
            .map(|cell| escape_cell(cell).into_owned())
            .collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let column = |at: usize| rows.iter().filter_map(move |row| row.get(at));
    let widest = |at: usize| column(at).map(|cell| width(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let numeric: Vec<bool> = (0..columns)
        .map(|at| column(at).any(|cell| is_number(cell)))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).zip(&numeric);
        let cells = cells.map(|((cell, &width), &numeric)| pad(cell, width, numeric));
        format!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Columns of a terminal that text takes: some letters take two, some none.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Fills a cell up to a number of columns of a terminal, of which some letters take two.
pub fn pad(cell: &str, columns: usize, right: bool) -> String {
    let gap = " ".repeat(columns.saturating_sub(width(cell)));
    if right {
        format!("{gap}{cell}")
    } else {
        format!("{cell}{gap}")
    }
}

/// Whether a cell is a number or a percentage, as in `1,292` and `95.8%`.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_suffix('%').unwrap_or(cell).replace(',', "");
    digits.parse::<f64>().is_ok()
}

/// A count with a comma between thousands, as in `421,642`.
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage, as in `95.8%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// Cuts text to a number of columns of a terminal, with `…` at the end of what was cut.
pub fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        short.push(letter);
        if width(&short) >= columns {
            short.pop();
            break;
        }
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn columns_of_numbers_end_together_and_others_begin_together() {
        let rows = [
            ["net", "size", "about"],
            ["a", "1,000", "8x8"],
            ["bcde", "5", "x"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let lines = [
            "  net    size  about",
            "  a     1,000  8x8",
            "  bcde      5  x",
        ];
        assert_eq!(table(&rows), lines.join("\n"));
    }

    #[test]
    fn thousands_are_set_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (421_642, "421,642"),
        ] {
            assert_eq!(thousands(count), text);
        }
    }

    #[test]
    fn wide_letters_and_control_characters_keep_columns_straight() {
        let rows = [
            ["class", "rows"],
            ["中文", "7"],
            ["\x1b[1m", "95.8%"],
            ["a\nb", "1,292"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let lines = [
            "  class       rows",
            "  中文           7",
            "  \\u001b[1m  95.8%",
            "  a\\nb       1,292",
        ];
        assert_eq!(table(&rows), lines.join("\n"));
    }

    #[test]
    fn long_text_is_cut_to_columns() {
        for (text, width, short) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("中文字", 6, "中文字"),
            ("中文字", 5, "中文…"),
            ("中文字", 4, "中…"),
        ] {
            assert_eq!(shorten(text, width), short);
        }
    }

    #[test]
    fn rows_hold_no_formula_unless_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let mut output = Output::new(Some(&path)).unwrap();
        output.csv(&["=1+1", "-2", "a,b"]).unwrap();
        output.csv_raw(&["=1+1", "\x1b"]).unwrap();
        output.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "'=1+1,-2,\"a,b\"\n=1+1,\x1b\n");
    }

    #[test]
    fn a_file_holds_what_its_name_says() {
        for (name, fits) in [
            ("chart.svg", true),
            ("chart.SVG", true),
            ("chart.png", false),
            ("svg", false),
            ("chart.svg.pdf", false),
        ] {
            let checked = check_extension(Path::new(name), &["svg", "html"]);
            assert_eq!(checked.is_ok(), fits, "{name}");
            let told = format!("{:?}", checked.err());
            assert_eq!(
                told.contains("must end in `.svg` or `.html`"),
                !fits,
                "{told}"
            );
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
