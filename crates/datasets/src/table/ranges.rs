//! Parts of a CSV file: where rows begin, found in one pass over the bytes before the end of the part.
//!
//! Whether a line feed ends a row depends on the quotes before it, so a part cannot begin at any line. The pass
//! looks at line feeds and quotes only, and makes a hash of what it passes; it takes a fraction of the time that
//! the rows take to be read.

use std::fs::File;
use std::io::{self, Read};

use csv::ByteRecord;
use memchr::{memchr, memchr_iter, memchr2};

use super::decode::Spaces;
use super::sniff::{Dialect, is_blank};
use crate::shard::{FileHash, InputRange, Shard};

/// Bytes read at once.
const BUFFER: usize = 1 << 20;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// How the rows of a file are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) dialect: Dialect,
    /// Takes away spaces before quotes, if the file has some.
    pub(super) spaces: Option<Spaces>,
    /// Lines above the first row.
    pub(super) above: u64,
    /// Whether the first row has the names of the columns.
    pub(super) header: bool,
}

/// A file on the way from row to row.
struct Pass {
    file: File,
    form: Form,
    /// What has been read, from the first row on that has not been passed.
    buffer: Vec<u8>,
    /// Where that row begins in the buffer.
    at: usize,
    /// Bytes of the buffer that are in the hash.
    hashed: usize,
    /// Where the buffer begins in the file.
    offset: u64,
    is_end: bool,
    rows: u64,
    lines: u64,
    odd_quotes: bool,
    hash: FileHash,
}

/// A place between two rows.
struct Place {
    offset: u64,
    rows: u64,
    lines: u64,
    odd_quotes: bool,
    hash: String,
}

/// Finds the part `shard` of a file of so many bytes. Parts begin at multiples of `multiple` rows.
pub(super) fn find(
    file: File,
    bytes: u64,
    form: Form,
    shard: Shard,
    multiple: u64,
) -> io::Result<InputRange> {
    let mut pass = Pass::new(file, form)?;
    let [start, end] = shard.ends(bytes);
    // The first part begins behind the names, and the last one ends with the file.
    let start = pass.advance(if shard.number() == 1 { 0 } else { start }, multiple)?;
    let end = if shard.number() == shard.count() {
        u64::MAX
    } else {
        end
    };
    let end = pass.advance(end, multiple)?;
    Ok(InputRange {
        start: start.offset,
        end: end.offset,
        total: bytes,
        rows_before: start.rows,
        lines_before: start.lines,
        odd_quotes: start.odd_quotes,
        before: start.hash,
        after: end.hash,
    })
}

impl Pass {
    fn new(file: File, form: Form) -> io::Result<Self> {
        let mut pass = Self {
            file,
            form,
            buffer: Vec::new(),
            at: 0,
            hashed: 0,
            offset: 0,
            is_end: false,
            rows: 0,
            lines: 0,
            odd_quotes: false,
            hash: FileHash::new(),
        };
        pass.read()?;
        if pass.buffer.starts_with(MARK) {
            pass.at = MARK.len();
        }
        for _ in 0..form.above {
            pass.step(|_, rest| memchr(b'\n', rest).map(|end| end + 1))?;
        }
        while form.header && pass.rows == 0 && pass.row()? {}
        pass.rows = 0;
        Ok(pass)
    }

    /// Goes on to the first place at `offset` or behind it where a part may begin.
    fn advance(&mut self, offset: u64, multiple: u64) -> io::Result<Place> {
        while self.offset + (self.at as u64) < offset || !self.rows.is_multiple_of(multiple) {
            if !self.row()? {
                break;
            }
        }
        self.take_stock();
        Ok(Place {
            offset: self.offset + self.at as u64,
            rows: self.rows,
            lines: self.lines,
            odd_quotes: self.odd_quotes,
            hash: self.hash.clone().finish(),
        })
    }

    /// Passes a row, an empty line or a comment; `false` at the end.
    fn row(&mut self) -> io::Result<bool> {
        let start = self.at;
        let read = self.offset;
        if !self.step(Form::end_of_row)? {
            return Ok(false);
        }
        // Reading on has moved the row to the front of the buffer.
        let start = if self.offset == read { start } else { 0 };
        let row = &self.buffer[start..self.at];
        self.rows += u64::from(self.form.is_row(row));
        Ok(true)
    }

    /// Passes what `end` finds the end of, or the rest of the file; `false` if there is nothing more.
    fn step(&mut self, end: impl Fn(&Form, &[u8]) -> Option<usize>) -> io::Result<bool> {
        let length = loop {
            let rest = &self.buffer[self.at..];
            match end(&self.form, rest) {
                Some(length) => break length,
                None if self.is_end => break rest.len(),
                None => self.read()?,
            }
        };
        let passed = &self.buffer[self.at..self.at + length];
        self.lines += memchr_iter(self.form.dialect.terminator, passed).count() as u64;
        self.at += length;
        Ok(length > 0)
    }

    /// Reads on, with the current row at the front of the buffer.
    fn read(&mut self) -> io::Result<()> {
        self.take_stock();
        self.buffer.drain(..self.at);
        self.offset += self.at as u64;
        (self.at, self.hashed) = (0, 0);
        // Double the buffer for a long row, because it is scanned again from its start.
        let more = self.buffer.len().max(BUFFER) as u64;
        let read = (&mut self.file).take(more).read_to_end(&mut self.buffer)?;
        self.is_end = read == 0;
        Ok(())
    }

    /// Takes the bytes since the last time into account.
    fn take_stock(&mut self) {
        let passed = &self.buffer[self.hashed..self.at];
        self.hash.update(passed);
        let odd = memchr_iter(b'"', passed).count() % 2 == 1;
        self.odd_quotes = self.odd_quotes != odd;
        self.hashed = self.at;
    }
}

impl Form {
    /// The length of the row at the beginning of `text`, its end included; none if `text` ends before.
    fn end_of_row(&self, text: &[u8]) -> Option<usize> {
        let terminator = self.dialect.terminator;
        if self.is_comment(text) {
            return memchr(b'\n', text).map(|end| end + 1);
        }
        if !self.dialect.quoting {
            return memchr(terminator, text).map(|end| end + 1);
        }
        let mut at = 0;
        loop {
            let found = at + memchr2(terminator, b'"', &text[at..])?;
            if text[found] == terminator {
                return Some(found + 1);
            }
            at = if self.is_start_of_cell(&text[..found]) {
                end_of_quotes(text, found + 1)?
            } else {
                found + 1
            };
        }
    }

    /// Whether a cell begins behind this part of a row.
    fn is_start_of_cell(&self, before: &[u8]) -> bool {
        let before = if self.spaces.is_some() {
            let spaces = before
                .iter()
                .rev()
                .take_while(|&&byte| byte == b' ')
                .count();
            &before[..before.len() - spaces]
        } else {
            before
        };
        before
            .last()
            .is_none_or(|&last| last == self.dialect.delimiter)
    }

    fn is_comment(&self, row: &[u8]) -> bool {
        self.dialect.comment.is_some() && self.dialect.comment == row.first().copied()
    }

    /// Whether it is more than an empty line or a comment.
    fn is_row(&self, row: &[u8]) -> bool {
        let is_empty = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'"';
        if !row.iter().all(is_empty) {
            return !self.is_comment(row);
        }
        let mut row = row.to_vec();
        if let Some(mut spaces) = self.spaces {
            let kept = spaces.skip(&mut row);
            row.truncate(kept);
        }
        let mut record = ByteRecord::new();
        let read = self.dialect.reader(&row[..]).read_byte_record(&mut record);
        read.is_ok_and(|is_record| is_record && !is_blank(&record))
    }
}

/// The place behind the quote that ends a cell, which begins at `at`; none if `text` ends before it is certain.
fn end_of_quotes(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let quote = at + memchr(b'"', &text[at..])?;
        if *text.get(quote + 1)? != b'"' {
            return Some(quote + 1);
        }
        at = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::table::{Passthrough, ReadOptions, TableError, TableReader, read};
    use crate::{InputRange, Shard};

    /// Rows of a part.
    const MULTIPLE: usize = 4;

    /// The rows of each chunk: their numbers, lines and cells.
    type Chunks = Vec<Vec<(u64, u64, Vec<String>)>>;

    fn open(path: &Path, options: &ReadOptions) -> TableReader {
        let (table, _) = read(path, options).unwrap();
        TableReader::open(path, &table.schema(), &[], Passthrough::All, options).unwrap()
    }

    fn chunks(mut reader: TableReader) -> Chunks {
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next_chunk(MULTIPLE) {
            let chunk = chunk.unwrap();
            let row = |at: usize| {
                let cells = chunk.passthrough.iter().map(|cells| cells[at].clone());
                (chunk.rows[at], chunk.table.line(at), cells.collect())
            };
            chunks.push((0..chunk.rows.len()).map(row).collect());
        }
        chunks
    }

    fn in_parts(path: &Path, options: &ReadOptions, count: u64) -> (Chunks, Vec<InputRange>) {
        let (mut all, mut ranges) = (Vec::new(), Vec::new());
        for number in 1..=count {
            let mut reader = open(path, options);
            let shard = Shard::new(number, count).unwrap();
            let range = reader.range(path, shard, MULTIPLE as u64).unwrap();
            reader.restrict(path, &range).unwrap();
            all.extend(chunks(reader));
            ranges.push(range);
        }
        (all, ranges)
    }

    fn check(path: &Path, options: &ReadOptions) -> Vec<InputRange> {
        let whole = chunks(open(path, options));
        let mut last = Vec::new();
        for count in [1, 2, 3, 5, 16, 40] {
            let (parts, ranges) = in_parts(path, options, count);
            assert_eq!(parts, whole, "{count} parts");
            assert!(
                ranges
                    .windows(2)
                    .all(|pair| pair[0].is_followed_by(&pair[1]))
            );
            last = ranges;
        }
        last
    }

    /// Many rows.
    fn rows(row: impl Fn(usize) -> String) -> String {
        (0..61).map(row).collect()
    }

    /// Quotes wherever they may stand, and where they are letters.
    fn quoted(at: usize) -> String {
        match at % 9 {
            0 => format!("{at},\"two\nlines, \"\"quoted\"\"\n\n\",x\n"),
            1 => format!("{at},5\" pipe,\"\"\n\n  \n\"\"\n"),
            2 => format!("{at},\"a\"b\"c,\"\"\"\"\r\n"),
            3 => format!("{at},\"\n\n\n\",\",\"\n"),
            _ => format!("{at},plain,y\n"),
        }
    }

    fn spaced(at: usize) -> String {
        match at % 3 {
            0 => format!("{at}, \"x\ny\", \"z\"\n"),
            1 => format!("{at}, x \"y\" , z\n"),
            _ => format!("{at},  x,  z\n"),
        }
    }

    fn check_text(text: &str, options: &ReadOptions) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        fs::write(&path, text).unwrap();
        check(&path, options);
    }

    #[test]
    fn parts_are_the_rows_of_the_whole_file() {
        let plain = rows(|at| format!("{at},{at}.5,y\n"));
        let delimited = rows(|at| format!("{at};\"a;\nb\"\n"));
        let tabs = rows(|at| format!("{at}\t\"a\tb\nc\"\n\t\n"));
        let (quoted, spaced) = (rows(quoted), rows(spaced));
        for text in [
            format!("n,text,more\n{quoted}"),
            format!("\u{feff}n,text,more\n{quoted}"),
            format!("Sales\n\"of\" today\n\nn,x,more\n{plain}"),
            format!("n,text,more\n{spaced}"),
            format!("n\ttext\n{tabs}"),
            format!("n,x,more\n{plain}").replace('\n', "\r"),
            format!("n,text,more\n{quoted}7,x,\"y\nz\""),
            format!("sep=;\nn;text\n{delimited}"),
        ] {
            check_text(&text, &ReadOptions::default());
        }
    }

    #[test]
    fn parts_keep_what_is_set_about_the_file() {
        let comments = ReadOptions {
            comment: Some('#'),
            ..ReadOptions::default()
        };
        let text = rows(|at| format!("# it's \"{at}\n{at},x,y\n"));
        check_text(&format!("n,text,more\n{text}"), &comments);
        let no_header = ReadOptions {
            header: Some(false),
            ..ReadOptions::default()
        };
        check_text(&rows(|at| format!("{at},x,\"y\n\"\n")), &no_header);
        let latin = ReadOptions {
            encoding: Some("latin1".parse().unwrap()),
            ..ReadOptions::default()
        };
        let text = rows(|at| format!("{at},caf\u{e9},\"\u{e9}\n\"\n"));
        let bytes: Vec<u8> = "n,text,more\n"
            .chars()
            .chain(text.chars())
            .map(|letter| letter as u8)
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        fs::write(&path, bytes).unwrap();
        check(&path, &latin);
    }

    #[test]
    fn rows_longer_than_a_buffer_are_one_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.csv");
        let long = "line\n".repeat(300_000);
        let row = |at| format!("{at},\"{}\"\n", if at % 7 == 3 { &long } else { "" });
        let rows: String = (0..20).map(row).collect();
        fs::write(&path, format!("n,text\n{rows}")).unwrap();
        let ranges = check(&path, &ReadOptions::default());
        assert!(ranges.iter().any(|range| range.lines_before > 600_000));
    }

    #[test]
    fn another_file_of_the_same_size_has_other_hashes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let row = |at| format!("{at:02},x\n");
        let text: String = (0..50).map(row).collect();
        fs::write(&path, format!("n,text\n{text}")).unwrap();
        let first = check(&path, &ReadOptions::default());
        fs::write(&path, format!("n,text\n{}", text.replace("49,x", "49,y"))).unwrap();
        let second = check(&path, &ReadOptions::default());
        assert_eq!(first[0], second[0]);
        assert_ne!(first.last().unwrap().after, second.last().unwrap().after);
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn groups_of_parquet_are_parts() {
        use crate::table::{CellKind, TableWriter};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let columns = [
            ("n", CellKind::Whole),
            ("text", CellKind::Text),
            ("x", CellKind::Number),
        ];
        let columns = columns.map(|(name, kind)| (name.to_owned(), kind));
        let mut writer = TableWriter::new(fs::File::create(&path).unwrap(), &columns).unwrap();
        for at in 0..200_000 {
            let words = ["a", "b", "c"];
            writer
                .row(&[at.to_string().as_str(), words[at % 3], "0.5"])
                .unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(crate::table::written_columns(&path).unwrap(), columns);
        let read = |count: u64| {
            let mut rows = Vec::new();
            for number in 1..=count {
                let mut reader = open(&path, &ReadOptions::default());
                let range = reader
                    .range(&path, Shard::new(number, count).unwrap(), 4096)
                    .unwrap();
                reader.restrict(&path, &range).unwrap();
                assert!(reader.rows().unwrap() <= 200_000);
                while let Some(chunk) = reader.next_chunk(4096) {
                    rows.push(chunk.unwrap().rows);
                }
                assert_eq!(reader.position(), reader.rows().unwrap());
            }
            rows
        };
        let whole = read(1);
        assert_eq!(whole.iter().map(Vec::len).sum::<usize>(), 200_000);
        assert_eq!(whole.last().unwrap().last(), Some(&200_000));
        for count in [3, 16] {
            assert_eq!(read(count), whole);
        }
        // Rows that are added to a table give the same bytes as rows that are written.
        let copy = dir.path().join("b.parquet");
        let mut writer = TableWriter::new(fs::File::create(&copy).unwrap(), &columns).unwrap();
        writer.append(&path).unwrap();
        writer.finish().unwrap();
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&path).unwrap());
    }

    #[test]
    fn what_is_no_plain_file_of_rows_has_no_parts() {
        let dir = tempfile::tempdir().unwrap();
        let refusal = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            let reader = open(&path, &ReadOptions::default());
            let error = reader
                .range(&path, Shard::new(1, 2).unwrap(), 1)
                .unwrap_err();
            assert!(matches!(error, TableError::NoParts { .. }), "{error}");
            error.to_string()
        };
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"a,b\n1,2\n3,4\n").unwrap();
        assert!(refusal("a.csv.gz", &packed.finish().unwrap()).contains("unpack it first"));
        assert!(refusal("a.json", b"[{\"a\": 1}, {\"a\": 2}]").contains("it is JSON"));
        let wide: Vec<u8> = "\u{feff}a,b\n1,2\n3,4\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(refusal("a.csv", &wide).ends_with("it is UTF-16; save it as UTF-8 first"));
    }
}
