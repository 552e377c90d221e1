//! Texts from the command line, files and stdin.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use tinderbox_cli::{Failure, OrUserError as _};
use tinderbox_datasets::text::{Place, TextReport};
use tinderbox_recipes::text::{Predictor, ReadOptions, ReadText, ReadTextSink};

use crate::failure;

/// Most bytes of a file of texts that is read whole, 1 GiB.
const MAX_FILE: u64 = 1 << 30;

/// Extensions that an argument has if a file is meant, and not a text.
const FILES: [&str; 21] = [
    "csv", "tsv", "txt", "text", "md", "json", "jsonl", "ndjson", "gz", "tgz", "tar", "zip",
    "conll", "iob2", "parquet", "xlsx", "xls", "pdf", "docx", "html", "eml",
];

/// The whole of a file, or of stdin for `-`, as text.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_FILE + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read `{name}`"))
        .or_user_error()?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Failure::user(format!(
            "`{name}` has more than {MAX_FILE} bytes: split it"
        )));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid]
            .split(|&byte| byte == b'\n')
            .count();
        Failure::user(anyhow!(
            "`{name}` line {line} is not UTF-8: convert the file, e.g. with `iconv -t UTF-8`"
        ))
    })?;
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        text = rest.to_owned();
    }
    Ok(text)
}

/// Whether an argument is a text itself, and not a file, a folder or stdin.
///
/// # Errors
///
/// If it looks like a file that is not there, or is not UTF-8.
fn as_text(argument: &Path) -> Result<Option<&str>, Failure> {
    // A pipe with a name is a file too.
    if argument.as_os_str() == "-" || argument.exists() {
        return Ok(None);
    }
    let text = argument.to_str();
    let text = text.ok_or_else(|| Failure::user("an input is not UTF-8"))?;
    let extension = argument
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    let is_name = !text.contains(char::is_whitespace)
        && extension.is_some_and(|end| FILES.contains(&end.as_str()));
    if is_name {
        return Err(Failure::user(format!(
            "there is no file `{text}`; to classify these words as a text, pipe them in: `echo {text} \
             | text predict --run DIR -`"
        )));
    }
    if text.trim().is_empty() {
        return Err(Failure::user("an input is empty: there is no text in it"));
    }
    Ok(Some(text))
}

/// Hands every text of an argument to `sink`: those of a file, a folder or stdin, or the argument itself,
/// where it is none of them.
pub(crate) fn each_text(
    model: &Predictor,
    argument: &Path,
    how: &ReadOptions,
    sink: &mut ReadTextSink<'_>,
) -> Result<TextReport, Failure> {
    let Some(text) = as_text(argument)? else {
        return model.each_text(argument, how, sink).map_err(failure);
    };
    let read = model.input(text).map(|input| ReadText {
        input,
        name: text.trim().to_owned(),
        cells: Vec::new(),
        place: Place::File("the command line".to_owned()),
    });
    let _: ControlFlow<()> = sink(read);
    Ok(TextReport::default())
}

/// All texts of an argument; the first that cannot be used is an error.
pub(crate) fn all_texts(
    model: &Predictor,
    argument: &Path,
    how: &ReadOptions,
) -> Result<Vec<ReadText>, Failure> {
    let (mut texts, mut failed) = (Vec::new(), None);
    each_text(model, argument, how, &mut |text| match text {
        Ok(text) => {
            texts.push(text);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(failure(error));
            ControlFlow::Break(())
        }
    })?;
    match failed {
        Some(failed) => Err(failed),
        None if texts.is_empty() => Err(nothing(argument)),
        None => Ok(texts),
    }
}

/// An input without a text.
pub(crate) fn nothing(argument: &Path) -> Failure {
    Failure::user(format!(
        "`{}` is empty: there is no text in it",
        argument.display()
    ))
}
