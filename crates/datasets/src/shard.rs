//! Parts of an input that several processes work on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Part `number` of `count` parts of about the same size.
///
/// ```
/// use tinderbox_datasets::Shard;
///
/// let shard: Shard = "2/3".parse()?;
/// assert_eq!(shard.items(100, 10), 30..60);
/// # Ok::<(), tinderbox_datasets::ShardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    count: u64,
}

/// Why a text is no [`Shard`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It is not two numbers.
    #[error("`{0}` is not of the form `I/N`, as in `2/16`")]
    Form(String),
    /// There are too many parts, or none.
    #[error("the number of parts must be between 1 and {MAX_SHARDS} (got {0})")]
    Count(u64),
    /// There is no such part.
    #[error("there is no part {number} of {count}: the number must be between 1 and {count}")]
    Number {
        /// Its number.
        number: u64,
        /// How many there are.
        count: u64,
    },
}

/// Most parts of an input.
pub const MAX_SHARDS: u64 = 100_000;

impl Shard {
    /// Part `number`, from 1, of `count`.
    ///
    /// # Errors
    ///
    /// If there is no such part.
    pub fn new(number: u64, count: u64) -> Result<Self, ShardError> {
        if !(1..=MAX_SHARDS).contains(&count) {
            return Err(ShardError::Count(count));
        }
        if !(1..=count).contains(&number) {
            return Err(ShardError::Number { number, count });
        }
        Ok(Self { number, count })
    }

    /// Its number, from 1.
    pub fn number(self) -> u64 {
        self.number
    }

    /// The number of parts.
    pub fn count(self) -> u64 {
        self.count
    }

    /// Where the part would begin and end in so many units, to the nearest unit below.
    pub(crate) fn ends(self, units: u64) -> [u64; 2] {
        let end = |parts: u64| {
            let end = u128::from(units) * u128::from(parts) / u128::from(self.count);
            // It is not beyond `units`.
            u64::try_from(end).unwrap_or(units)
        };
        [end(self.number - 1), end(self.number)]
    }

    /// The items of this part of so many; parts begin at multiples of `multiple`.
    pub fn items(self, items: u64, multiple: u64) -> Range<u64> {
        let [start, end] = self.ends(items.div_ceil(multiple));
        (start * multiple).min(items)..(end * multiple).min(items)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let form = || ShardError::Form(text.to_owned());
        let (number, count) = text.split_once('/').ok_or_else(form)?;
        let parse = |part: &str| part.parse().map_err(|_| form());
        Self::new(parse(number)?, parse(count)?)
    }
}

/// The part of an input that a [`Shard`] is.
///
/// Parts that follow each other are of one input if each begins with the hash that the one before it ends with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRange {
    /// Where it begins: a byte of text, a row group of Parquet, or a file of a folder.
    pub start: u64,
    /// Where the next part begins.
    pub end: u64,
    /// Units in the whole input.
    pub total: u64,
    /// Rows before the part.
    pub rows_before: u64,
    /// Lines before the part.
    pub lines_before: u64,
    /// Whether the number of quotes before the part is odd, of CSV.
    pub odd_quotes: bool,
    /// SHA-256 of the input up to the part, in hexadecimal; of a Parquet file or a folder, that of the whole.
    pub before: String,
    /// The same up to the end of the part.
    pub after: String,
}

impl InputRange {
    /// A part of an input that is known by one hash.
    pub fn of_whole(items: Range<u64>, total: u64, hash: String) -> Self {
        Self {
            start: items.start,
            end: items.end,
            total,
            rows_before: 0,
            lines_before: 0,
            odd_quotes: false,
            after: hash.clone(),
            before: hash,
        }
    }

    /// Whether `next` goes on where this part ends, in the same input.
    pub fn is_followed_by(&self, next: &Self) -> bool {
        self.end == next.start && self.after == next.before && self.total == next.total
    }
}

/// SHA-256 of a file, a piece at a time.
#[derive(Clone, Default)]
pub struct FileHash(Sha256);

impl FileHash {
    /// That of an empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash in hexadecimal.
    pub fn finish(self) -> String {
        let bytes = self.0.finalize();
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| char::from_digit(u32::from(digit), 16))
            .collect()
    }
}

impl Write for FileHash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of the files of a folder with their names, in hexadecimal; folders in it do not count.
///
/// # Errors
///
/// If it cannot be read.
pub fn hash_folder(dir: &Path) -> io::Result<String> {
    let entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    let mut hash = FileHash::new();
    for path in files {
        let name = path.file_name().unwrap_or_default();
        hash.update(name.as_encoded_bytes());
        let mut own = FileHash::new();
        io::copy(&mut File::open(&path)?, &mut own)?;
        hash.update(own.finish().as_bytes());
    }
    Ok(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_item_once_and_begin_at_multiples() {
        for (items, count, multiple) in
            [(100, 3, 10), (7, 16, 1), (10, 4, 4), (0, 2, 8), (5, 1, 64)]
        {
            let mut at = 0;
            for number in 1..=count {
                let part = Shard::new(number, count).unwrap().items(items, multiple);
                assert_eq!(part.start, at);
                assert!(part.is_empty() || part.start.is_multiple_of(multiple));
                at = part.end;
            }
            assert_eq!(at, items);
        }
        assert_eq!(Shard::new(3, 3).unwrap().ends(u64::MAX)[1], u64::MAX);
    }

    #[test]
    fn a_part_that_is_not_there_is_refused() {
        let refusal = |text: &str| text.parse::<Shard>().unwrap_err().to_string();
        assert_eq!("16/16".parse(), Shard::new(16, 16));
        assert_eq!(
            refusal("5/4"),
            "there is no part 5 of 4: the number must be between 1 and 4"
        );
        assert!(refusal("0/4").contains("between 1 and 4"));
        assert!(refusal("1/0").contains("must be between 1 and 100000 (got 0)"));
        for text in ["1", "/", "1/", "a/2", "-1/2", "1/2/3", "1.0/2"] {
            assert_eq!(
                refusal(text),
                format!("`{text}` is not of the form `I/N`, as in `2/16`")
            );
        }
    }

    #[test]
    fn a_folder_has_the_hash_of_its_files_and_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1").unwrap();
        let one = hash_folder(dir.path()).unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        assert_eq!(hash_folder(dir.path()).unwrap(), one);
        fs::rename(dir.path().join("a"), dir.path().join("c")).unwrap();
        assert_ne!(hash_folder(dir.path()).unwrap(), one);
        let mut hash = FileHash::new();
        hash.update(b"abc");
        assert!(hash.finish().starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn parts_of_another_input_do_not_follow() {
        let first = InputRange::of_whole(0..3, 6, "a".to_owned());
        let next = |start, hash: &str| InputRange::of_whole(start..6, 6, hash.to_owned());
        assert!(first.is_followed_by(&next(3, "a")));
        assert!(!first.is_followed_by(&next(4, "a")));
        assert!(!first.is_followed_by(&next(3, "b")));
    }
}
