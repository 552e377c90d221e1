//! From the bytes of a file to checked UTF-8, a buffer at a time.

use std::cell::Cell;
use std::io::{self, BufRead, ErrorKind, Read};
use std::rc::Rc;

use encoding_rs::{Decoder, DecoderResult, UTF_8};
use thiserror::Error;

use super::options::Encoding;

/// Most bytes of one row.
pub(crate) const MAX_ROW: u64 = 64 << 20;

/// Most delimiters of one row, in cells or between them: of more, the row would take its size many times
/// over.
const MAX_DELIMITERS: u64 = 4 << 20;

/// What is wrong with the text of a file. It travels inside an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub(crate) enum Fault {
    #[error("line {line}: byte {byte:#04x} is not {encoding}")]
    Encoding {
        line: u64,
        byte: u8,
        encoding: &'static str,
    },
    #[error("line {line}: NUL")]
    Nul { line: u64 },
    #[error("a row is too long")]
    LongRow,
    #[error("a row has too many cells")]
    ManyCells,
}

/// What has passed through a [`TextReader`], for the one who reads rows from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passed {
    bytes: Rc<Cell<u64>>,
    since_row: Rc<Cell<u64>>,
    delimiters: Rc<Cell<u64>>,
    odd_quotes: Rc<Cell<bool>>,
}

impl Passed {
    /// A row ends here.
    pub(crate) fn row(&self) {
        self.since_row.set(0);
        self.delimiters.set(0);
    }

    /// How many bytes were handed on.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Whether the number of quotes so far is odd.
    pub(crate) fn odd_quotes(&self) -> bool {
        self.odd_quotes.get()
    }
}

/// Gives UTF-8 without NUL and without a byte order mark, whose last line ends like all others, or an
/// error that holds a [`Fault`].
pub(crate) struct TextReader<'a> {
    inner: Box<dyn BufRead + 'a>,
    encoding: Encoding,
    /// `None` for UTF-8, which is only checked.
    decoder: Option<Decoder>,
    /// The start of a letter whose rest has not been read.
    carry: Vec<u8>,
    /// Lines that have passed.
    lines: u64,
    /// Whether the last line has been ended.
    ended: bool,
    passed: Passed,
    delimiter: Option<u8>,
    spaces: Option<Spaces>,
}

impl<'a> TextReader<'a> {
    /// Looks for a byte order mark; `encoding` wins over it.
    pub(crate) fn new(
        mut inner: Box<dyn BufRead + 'a>,
        encoding: Option<Encoding>,
    ) -> io::Result<Self> {
        let start = inner.fill_buf()?;
        let (marked, mark) = match encoding_rs::Encoding::for_bom(start) {
            Some((marked, bytes)) if encoding.is_none_or(|set| set.0 == marked) => {
                (Some(marked), bytes)
            }
            _ => (None, 0),
        };
        inner.consume(mark);
        let encoding = encoding.map_or(marked.unwrap_or(UTF_8), |set| set.0);
        Ok(Self::within(inner, Encoding(encoding)))
    }

    /// Text from the middle of a file, whose encoding is known, behind an odd or even number of quotes.
    pub(crate) fn behind(
        inner: Box<dyn BufRead + 'a>,
        encoding: Encoding,
        odd_quotes: bool,
    ) -> Self {
        let reader = Self::within(inner, encoding);
        reader.passed.odd_quotes.set(odd_quotes);
        reader
    }

    fn within(inner: Box<dyn BufRead + 'a>, encoding: Encoding) -> Self {
        let decoder = (encoding.0 != UTF_8).then(|| encoding.0.new_decoder_without_bom_handling());
        Self {
            inner,
            encoding,
            decoder,
            carry: Vec::new(),
            lines: 0,
            ended: true,
            passed: Passed::default(),
            delimiter: None,
            spaces: None,
        }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(crate) fn passed(&self) -> Passed {
        self.passed.clone()
    }

    /// From here on, refuses rows with far too many cells.
    pub(crate) fn count_cells(&mut self, delimiter: u8) {
        self.delimiter = Some(delimiter);
    }

    /// From here on, takes away spaces between a delimiter and a quote.
    pub(crate) fn skip_spaces(&mut self, spaces: Spaces) {
        self.spaces = Some(spaces);
    }

    fn read_utf8(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let carried = self.carry.len();
        out[..carried].copy_from_slice(&self.carry);
        self.carry.clear();
        let read = retry(|| self.inner.read(&mut out[carried..]))?;
        let filled = carried + read;
        let end = match std::str::from_utf8(&out[..filled]) {
            Ok(_) => filled,
            Err(error) if error.error_len().is_none() && read > 0 => error.valid_up_to(),
            Err(error) => return Err(self.fault(&out[..filled], error.valid_up_to())),
        };
        self.carry.extend_from_slice(&out[end..filled]);
        Ok(end)
    }

    fn read_other(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let (source, decoder) = (self.inner.fill_buf()?, self.decoder.as_mut());
            let Some(decoder) = decoder else { return Ok(0) };
            let last = source.is_empty();
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(source, out, last);
            if let DecoderResult::Malformed(length, after) = result {
                let at = read.saturating_sub(usize::from(length) + usize::from(after));
                let byte = source.get(at).copied().unwrap_or(0);
                let before = out[..written].to_vec();
                return Err(self.fault_of(&before, byte));
            }
            self.inner.consume(read);
            if written > 0 {
                return Ok(written);
            }
            if last {
                // The decoder must not be asked again.
                self.decoder = None;
                return Ok(0);
            }
        }
    }

    fn fault(&self, text: &[u8], at: usize) -> io::Error {
        self.fault_of(&text[..at], text[at])
    }

    fn fault_of(&self, before: &[u8], byte: u8) -> io::Error {
        io::Error::other(Fault::Encoding {
            line: self.lines + count(before, b'\n') + 1,
            byte,
            encoding: self.encoding.name(),
        })
    }

    /// Checks and counts what is about to be handed on.
    fn pass(&mut self, text: &[u8]) -> io::Result<()> {
        if text.contains(&0) {
            let at = text.iter().take_while(|&&byte| byte != 0).count();
            let line = self.lines + count(&text[..at], b'\n') + 1;
            return Err(io::Error::other(Fault::Nul { line }));
        }
        self.lines += count(text, b'\n');
        let odd = count(text, b'"') % 2 == 1;
        self.passed
            .odd_quotes
            .set(self.passed.odd_quotes.get() != odd);
        let since = self.passed.since_row.get() + text.len() as u64;
        self.passed.since_row.set(since);
        if since > MAX_ROW {
            return Err(io::Error::other(Fault::LongRow));
        }
        if let Some(delimiter) = self.delimiter {
            let delimiters = self.passed.delimiters.get() + count(text, delimiter);
            self.passed.delimiters.set(delimiters);
            if delimiters > MAX_DELIMITERS {
                return Err(io::Error::other(Fault::ManyCells));
            }
        }
        Ok(())
    }
}

impl TextReader<'_> {
    fn hand_on(&self, bytes: usize) -> usize {
        self.passed
            .bytes
            .set(self.passed.bytes.get() + bytes as u64);
        bytes
    }
}

impl Read for TextReader<'_> {
    /// `out` must have room for a letter, 4 bytes.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let written = if self.decoder.is_some() || self.encoding != Encoding::UTF_8 {
                self.read_other(out)?
            } else {
                self.read_utf8(out)?
            };
            self.pass(&out[..written])?;
            let kept = match &mut self.spaces {
                Some(spaces) => spaces.skip(&mut out[..written]),
                None => written,
            };
            if kept > 0 {
                self.ended = out[kept - 1] == b'\n';
                return Ok(self.hand_on(kept));
            }
            if written == 0 && self.carry.is_empty() {
                if self.ended {
                    return Ok(0);
                }
                self.ended = true;
                out[0] = b'\n';
                return Ok(self.hand_on(1));
            }
        }
    }
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// How often `byte` stands in `text`. Counted in runs short enough for a `u8`, which the compiler
/// turns into vector instructions.
pub(crate) fn count(text: &[u8], byte: u8) -> u64 {
    text.chunks(255)
        .map(|run| {
            u64::from(
                run.iter()
                    .fold(0_u8, |n, &b| n.wrapping_add(u8::from(b == byte))),
            )
        })
        .sum()
}

/// Takes away the spaces before an opening quote, which RFC 4180 knows nothing of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spaces {
    delimiter: u8,
    state: Place,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    CellStart,
    Plain,
    Quoted,
    /// After a quote within a quoted cell: it ends there, or a second quote follows.
    Quote,
}

impl Spaces {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: Place::CellStart,
        }
    }

    /// Whether `text` has spaces before a quote.
    pub(crate) fn are_in(mut self, text: &[u8]) -> bool {
        let mut spaces = false;
        text.iter().any(|&byte| {
            let found = self.state == Place::CellStart && spaces && byte == b'"';
            spaces = self.state == Place::CellStart && byte == b' ';
            self.step(byte);
            found
        })
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (Place::Quoted, b'"') => Place::Quote,
            (Place::Quoted, _) | (Place::Quote | Place::CellStart, b'"') => Place::Quoted,
            (_, b'\n') => Place::CellStart,
            (_, byte) if byte == self.delimiter => Place::CellStart,
            (Place::CellStart, b' ') => Place::CellStart,
            _ => Place::Plain,
        };
    }

    /// Moves what is kept to the front of `text` and says how much that is.
    pub(crate) fn skip(&mut self, text: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..text.len() {
            let byte = text[at];
            let skipped = self.state == Place::CellStart && byte == b' ';
            self.step(byte);
            if !skipped {
                text[kept] = byte;
                kept += 1;
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], encoding: Option<&str>, room: usize) -> Result<String, Fault> {
        let encoding = encoding.map(|label| label.parse().unwrap());
        // A small buffer, so that letters are cut.
        let inner = Box::new(io::BufReader::with_capacity(3, bytes));
        let mut reader = TextReader::new(inner, encoding).unwrap();
        let (mut text, mut buffer) = (Vec::new(), vec![0; room]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => {
                    let mut text = String::from_utf8(text).unwrap();
                    assert_eq!(text.pop(), Some('\n'));
                    return Ok(text);
                }
                Ok(read) => text.extend_from_slice(&buffer[..read]),
                Err(error) => return Err(*error.get_ref().unwrap().downcast_ref().unwrap()),
            }
        }
    }

    #[test]
    fn letters_may_be_cut_by_the_buffer() {
        let text = "aé€😀\nß";
        for room in 4..12 {
            assert_eq!(decode(text.as_bytes(), None, room).as_deref(), Ok(text));
        }
    }

    #[test]
    fn byte_order_marks_tell_the_encoding_and_are_removed() {
        let utf16 = |units: &dyn Fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{FEFF}aé😀".encode_utf16().flat_map(units).collect()
        };
        assert_eq!(
            decode("\u{FEFF}aé".as_bytes(), None, 8).as_deref(),
            Ok("aé")
        );
        assert_eq!(
            decode(&utf16(&u16::to_le_bytes), None, 8).as_deref(),
            Ok("aé😀")
        );
        assert_eq!(
            decode(&utf16(&u16::to_be_bytes), None, 8).as_deref(),
            Ok("aé😀")
        );
    }

    #[test]
    fn an_encoding_that_is_set_is_used() {
        assert_eq!(
            decode(b"caf\xE9 \x80", Some("latin1"), 8).as_deref(),
            Ok("café €")
        );
        assert_eq!(decode(b"a\0b\0", Some("utf-16le"), 8).as_deref(), Ok("ab"));
    }

    #[test]
    fn the_line_of_a_bad_byte_is_named() {
        let fault = |line, byte, encoding| {
            Err(Fault::Encoding {
                line,
                byte,
                encoding,
            })
        };
        assert_eq!(decode(b"a\nb\ncaf\xE9\n", None, 8), fault(3, 0xE9, "UTF-8"));
        assert_eq!(decode(b"a\n\xE2\x82", None, 8), fault(2, 0xE2, "UTF-8"));
        assert!(matches!(
            decode(b"a\0b", Some("utf-16le"), 8),
            Err(Fault::Encoding { line: 1, .. })
        ));
        assert_eq!(decode(b"a\nb\0", None, 8), Err(Fault::Nul { line: 2 }));
    }

    #[test]
    fn counts_are_right_in_long_texts() {
        assert_eq!(count(&[b'\n'; 1000], b'\n'), 1000);
        assert_eq!(count(b"a\nb\n", b'\n'), 2);
    }

    #[test]
    fn spaces_before_quotes_are_seen_and_removed() {
        let spaces = Spaces::new(b',');
        let mut text = b"a, \"b, \"\"c\"\"\", d\n \"e\"".to_vec();
        assert!(spaces.are_in(&text));
        let length = { spaces }.skip(&mut text);
        assert_eq!(text[..length], *b"a,\"b, \"\"c\"\"\",d\n\"e\"");
        for text in ["a, b", "\"x, \"\"y\"\"\",z", "a \"b\" c"] {
            assert!(!spaces.are_in(text.as_bytes()), "{text}");
        }
    }
}
