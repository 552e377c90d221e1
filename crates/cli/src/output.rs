//! What a person or a program reads.

use std::borrow::Cow;
use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinderbox_datasets::atomic_file::AtomicFile;
use unicode_width::UnicodeWidthStr as _;

use crate::escape::{escape, escape_cell, without_formula};
use crate::{Failure, OrUserError as _};

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
            .or_user_error()?;
        let path = path.to_owned();
        Ok(Self::File(OutputFile { path, file }))
    }

    /// Appends a line for a person, or of JSON, with control characters escaped.
    ///
    /// # Errors
    ///
    /// If it cannot be written, as when the reader of stdout is gone.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        let line = escape(line);
        // A line of JSON is for programs, also where a person looks on.
        let columns = match self {
            Self::Stdout if !line.starts_with('{') => stdout_width(),
            _ => None,
        };
        match columns {
            Some(columns) => writeln!(self, "{}", wrap(&line, columns))?,
            None => writeln!(self, "{line}")?,
        }
        Ok(())
    }

    /// Appends rows of CSV. Unless they are `raw`, no cell is a formula to a spreadsheet; a terminal gets control
    /// characters escaped in any case.
    ///
    /// # Errors
    ///
    /// As for [`line`](Self::line).
    pub fn csv_rows(&mut self, rows: &[Vec<String>], raw: bool) -> Result<(), Failure> {
        let terminal = matches!(self, Self::Stdout) && io::stdout().is_terminal();
        let text = csv_text(rows, raw, terminal)?;
        self.write_all(&text)?;
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

/// Rows as CSV: with cells that are no formula to a spreadsheet unless they are `raw`, and with control characters
/// escaped for a terminal.
pub(crate) fn csv_text(
    rows: &[Vec<String>],
    raw: bool,
    terminal: bool,
) -> Result<Vec<u8>, Failure> {
    let mut text = csv::Writer::from_writer(Vec::with_capacity(64 * rows.len()));
    for row in rows {
        for cell in row {
            let cell = if raw {
                Cow::Borrowed(cell.as_str())
            } else {
                without_formula(cell)
            };
            let cell = if terminal {
                Cow::Owned(escape_cell(&cell).into_owned())
            } else {
                cell
            };
            text.write_field(&*cell)?;
        }
        text.write_record(None::<&[u8]>)?;
    }
    text.into_inner()
        .map_err(|error| anyhow::anyhow!("{error}").into())
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
    Err(Failure::user(format!(
        "cannot write `{}`: the file name must end in {}",
        path.display(),
        known.join(" or ")
    )))
}

/// Whether nothing is printed: by ranks other than the first of a training on several processes.
#[cfg(feature = "mpi")]
static SILENT: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Prints nothing from now on.
#[cfg(feature = "mpi")]
pub(crate) fn silence() {
    SILENT.store(true, std::sync::atomic::Ordering::SeqCst);
}

/// Tells a person something, on stderr.
pub fn note(text: &str) {
    #[cfg(feature = "mpi")]
    if SILENT.load(std::sync::atomic::Ordering::SeqCst) {
        return;
    }
    let text = escape(text);
    let text = match stderr_width() {
        Some(columns) => wrap(&text, columns),
        None => text.into_owned(),
    };
    // A message that nobody can read is no reason to stop.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Breaks lines that are longer than a terminal is wide, between words; what follows is indented.
pub fn wrap(text: &str, columns: usize) -> String {
    let lines = text.split('\n').map(|line| wrap_line(line, columns));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let (mut text, mut at) = (line[..indent].to_owned(), indent);
    for (number, word) in line[indent..].split(' ').enumerate() {
        let gap = usize::from(number > 0);
        if number > 0 && at + gap + width(word) > columns {
            text.push('\n');
            text.push_str(&" ".repeat(indent + 2));
            at = indent + 2;
        } else if gap > 0 {
            text.push(' ');
            at += 1;
        }
        text.push_str(word);
        at += width(word);
    }
    text
}

/// Columns of the terminal that stdout goes to; none where it goes elsewhere.
pub fn stdout_width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(columns.into())
}

/// Columns of the terminal that stderr goes to; none where it goes elsewhere.
pub fn stderr_width() -> Option<usize> {
    let (_, columns) = console::Term::stderr().size_checked()?;
    Some(columns.into())
}

/// Lays rows out in columns: to the right where a row has a number, else to the left. Control
/// characters in cells are escaped. Where a terminal is too narrow, the columns are shown in turn,
/// each time behind the first.
pub fn table(rows: &[Vec<String>]) -> String {
    table_within(rows, stdout_width().or_else(stderr_width))
}

fn table_within(rows: &[Vec<String>], room: Option<usize>) -> String {
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
    let line = |row: &Vec<String>, shown: &[usize]| {
        let cell = |at: &usize| Some(pad(row.get(*at)?, widths[*at], numeric[*at]));
        let cells: Vec<String> = shown.iter().filter_map(cell).collect();
        format!("  {}", cells.join("  ").trim_end())
    };
    let block = |shown: Vec<usize>| {
        let lines = rows.iter().map(|row| line(row, &shown));
        lines.collect::<Vec<_>>().join("\n")
    };
    let blocks = blocks(&widths, room.unwrap_or(usize::MAX));
    blocks
        .into_iter()
        .map(block)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Which columns are shown together: as many as fit, each time with the first.
fn blocks(widths: &[usize], room: usize) -> Vec<Vec<usize>> {
    let mut blocks = vec![Vec::new()];
    let mut used = 0;
    for (at, width) in widths.iter().enumerate() {
        if at > 1 && used + 2 + width > room {
            blocks.push(vec![0]);
            used = 2 + widths[0];
        }
        used += 2 + width;
        if let Some(block) = blocks.last_mut() {
            block.push(at);
        }
    }
    blocks
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
        assert_eq!(table_within(&rows, None), lines.join("\n"));
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
        assert_eq!(table_within(&rows, None), lines.join("\n"));
    }

    #[test]
    fn a_table_wider_than_the_terminal_is_shown_in_parts() {
        let rows = [
            ["test", "accuracy", "loss"],
            ["this model", "0.9800", "0.0500"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let first = "  test        accuracy\n  this model    0.9800";
        let second = "  test          loss\n  this model  0.0500";
        for (room, parts) in [
            (Some(29), vec![first, second]),
            (Some(1), vec![first, second]),
        ] {
            assert_eq!(table_within(&rows, room), parts.join("\n\n"));
        }
        let whole = table_within(&rows, None);
        assert_eq!(table_within(&rows, Some(30)), whole);
        assert_eq!(whole.lines().count(), 2);
    }

    #[test]
    fn long_lines_break_between_words() {
        for (text, columns, wrapped) in [
            ("a few words", 20, "a few words"),
            ("a few words", 6, "a few\n  words"),
            ("  indented words", 12, "  indented\n    words"),
            ("unbreakable", 4, "unbreakable"),
            ("one\ntwo three", 5, "one\ntwo\n  three"),
            ("", 4, ""),
        ] {
            assert_eq!(wrap(text, columns), wrapped);
        }
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
        let rows = |cells: &[&str]| vec![cells.iter().map(ToString::to_string).collect()];
        output
            .csv_rows(&rows(&["=1+1", "-2", "a,b"]), false)
            .unwrap();
        output.csv_rows(&rows(&["=1+1", "\x1b"]), true).unwrap();
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
            assert!(matches!(
                Output::new(Some(&wrong)),
                Err(Failure::UserError(_))
            ));
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
