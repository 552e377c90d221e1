//! Texts from the command line, files and stdin.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use tinderbox_cli::{Failure, OrInput as _};

/// Most bytes of a file of texts, 1 GiB.
const MAX_FILE: u64 = 1 << 30;

/// Most bytes of one text, 16 MiB.
const MAX_TEXT: usize = 16 << 20;

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
        .or_input()?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Failure::input(format!(
            "`{name}` has more than {MAX_FILE} bytes: give it in parts"
        )));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
        Failure::input(anyhow!(
            "`{name}` is not UTF-8: line {line} has a byte that no letter begins with; convert it, as \
             with `iconv -t UTF-8`"
        ))
    })?;
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        text = rest.to_owned();
    }
    Ok(text)
}

/// The texts of an argument: the lines of a file or of stdin, the file as a whole, or the argument
/// itself, where it is no file.
pub(crate) fn texts(argument: &Path, whole: bool) -> Result<Vec<String>, Failure> {
    // A pipe with a name is one too.
    let is_file = argument.as_os_str() == "-" || (argument.exists() && !argument.is_dir());
    let text = if is_file {
        read(argument)?
    } else {
        let text = argument.to_str();
        let text = text.ok_or_else(|| Failure::input("an input is not UTF-8"))?;
        if argument.is_dir() {
            return Err(Failure::input(format!(
                "`{text}` is a folder: name the files in it, as with `{text}/*.txt`"
            )));
        }
        text.to_owned()
    };
    let name = argument.display();
    if text.trim().is_empty() {
        return Err(Failure::input(format!(
            "`{name}` is empty: there is no text in it"
        )));
    }
    let lines: Vec<&str> = if whole || !is_file {
        vec![&text]
    } else {
        text.trim_end_matches(['\n', '\r']).split('\n').collect()
    };
    let mut texts = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        let number = at + 1;
        if line.trim().is_empty() {
            return Err(Failure::input(format!(
                "line {number} of `{name}` is empty: take it out, or read the file as one text with \
                 `--whole`"
            )));
        }
        if line.len() > MAX_TEXT {
            return Err(Failure::input(format!(
                "line {number} of `{name}` has {} bytes, and a text has at most {MAX_TEXT}: is it a \
                 text?",
                line.len()
            )));
        }
        texts.push(line.trim().to_owned());
    }
    Ok(texts)
}
