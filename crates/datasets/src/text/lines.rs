//! Plain text with a text on every line.

use std::io::{BufRead, Read};

use super::TextOptions;
use super::error::{Location, TextError};
use super::rows::{TextReport, TextRow, TextSink};
use super::source::{binary, is_utf16, utf16};
use crate::table::Encoding;

/// Hands every line to `sink`. An empty line is an error of that line, so that answers stay in step with
/// lines; empty lines at the end do not count.
pub(super) fn each_plain_line(
    mut reader: impl BufRead,
    name: &str,
    options: &TextOptions,
    sink: &mut TextSink<'_>,
) -> Result<TextReport, TextError> {
    let report = TextReport {
        lines: true,
        ..TextReport::default()
    };
    let failed = |source| TextError::Read {
        file: name.to_owned(),
        source,
    };
    let encoding = options.encoding.unwrap_or(Encoding::UTF_8);
    let longest = options.max_bytes.saturating_add(1 << 16) as u64;
    let (mut line, mut number, mut empty) = (Vec::new(), 0_u64, Vec::new());
    loop {
        line.clear();
        number += 1;
        let read = (&mut reader).take(longest).read_until(b'\n', &mut line);
        let length = read.map_err(failed)?;
        if length == 0 {
            return Ok(report);
        }
        let location = Location::Line {
            file: name.to_owned(),
            line: number,
        };
        if length as u64 == longest && !line.ends_with(b"\n") {
            let limit = options.max_bytes;
            return Err(TextError::TooLong { location, limit });
        }
        if number == 1 && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if number == 1 && is_utf16(&line) {
            return Err(utf16(name));
        }
        // A NUL byte in a line after those that told the kind of file.
        if options.encoding.is_none() && line.contains(&0) {
            return Err(binary(name));
        }
        let (text, encoding, damaged) = encoding.decode(&line);
        let row = if damaged || text.contains('\0') {
            let encoding = encoding.name();
            Err(TextError::Encoding { location, encoding })
        } else {
            TextRow::new(&[text], Vec::new(), false, location.clone(), options)
        };
        if matches!(row, Err(TextError::EmptyText { .. })) && empty.len() < MAX_EMPTY {
            empty.push(row);
            continue;
        }
        for row in empty.drain(..).chain([row]) {
            if sink(row).is_break() {
                return Ok(report);
            }
        }
    }
}

/// Most empty lines that are held back to see whether a line follows them.
const MAX_EMPTY: usize = 1 << 16;
