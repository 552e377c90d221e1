//! Sentences whose words have a tag each, as in the files of the `CoNLL` shared tasks.

use std::collections::BTreeSet;
use std::path::Path;

use burn::data::dataset::{Dataset, DatasetError};

use super::corpus::{MAX_CORPUS, read_utf8};
use super::error::{Place, TextError};
use super::set::numbers;

/// A sentence: words, and a tag for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedSentence {
    /// The words.
    pub tokens: Vec<String>,
    /// A tag for every word, a position in [`TaggedSet::tag_names`].
    pub tags: Vec<u16>,
}

/// Sentences whose words have a tag each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedSet {
    sentences: Vec<TaggedSentence>,
    tag_names: Vec<String>,
}

/// Reads a file with a word and its tag on every line and a blank line between sentences, packed with
/// gzip or not.
///
/// A tab stands between word and tag, or else white space. Where a line has more columns, as in the
/// files of CoNLL-2003, the first is the word and the last the tag; all lines have as many. Lines that
/// begin with `-DOCSTART-` are passed over. Tags are numbered by their names.
///
/// # Errors
///
/// If the file is missing, empty or not UTF-8, if a line has no tag or more or fewer columns than the
/// first (the line is named), or if there is one tag only.
pub fn read_tagged(path: &Path) -> Result<TaggedSet, TextError> {
    let file = path.display().to_string();
    let text = read_utf8(path, MAX_CORPUS)?;
    let sentences = sentences(&text, &file)?;
    let words = sentences.iter().flatten();
    let distinct: BTreeSet<&str> = words.map(|&(_, tag)| tag).collect();
    let tag_names: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
    match tag_names.as_slice() {
        [] => return Err(TextError::Empty { file }),
        [tag] => {
            let tag = tag.clone();
            return Err(TextError::OneTag { file, tag });
        }
        names if names.len() > 1 << 16 => {
            let found = names.len();
            return Err(TextError::TooManyClasses { file, found });
        }
        _ => {}
    }
    Ok(TaggedSet::gather(&sentences, tag_names))
}

/// A word and its tag.
type Word<'a> = (&'a str, &'a str);

fn sentences<'a>(text: &'a str, file: &str) -> Result<Vec<Vec<Word<'a>>>, TextError> {
    let mut sentences = vec![Vec::new()];
    let mut columns = None;
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            sentences.push(Vec::new());
            continue;
        }
        if line.starts_with("-DOCSTART-") {
            continue;
        }
        let place = || Place::Line {
            file: file.to_owned(),
            line: at as u64 + 1,
        };
        let word = word(line, &mut columns);
        let word = word.map_err(|expected| TextError::malformed(place(), line, expected))?;
        if let Some(sentence) = sentences.last_mut() {
            sentence.push(word);
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    Ok(sentences)
}

/// The first and the last cell of a line of as many columns as those before.
fn word<'a>(line: &'a str, columns: &mut Option<usize>) -> Result<Word<'a>, &'static str> {
    let cells: Vec<&str> = if line.contains('\t') {
        line.split('\t').map(str::trim).collect()
    } else {
        line.split_whitespace().collect()
    };
    let ([token, tag] | [token, .., tag]) = cells.as_slice() else {
        return Err("a word and its tag, with a tab or a space between");
    };
    if token.is_empty() || tag.is_empty() {
        return Err("a word and its tag: one of them is empty");
    }
    if *columns.get_or_insert(cells.len()) != cells.len() {
        return Err("a line of as many columns as the lines before it");
    }
    Ok((token, tag))
}

impl TaggedSet {
    fn gather(sentences: &[Vec<Word<'_>>], tag_names: Vec<String>) -> Self {
        let number = numbers(&tag_names);
        let sentence = |words: &Vec<Word<'_>>| TaggedSentence {
            tokens: words.iter().map(|(token, _)| (*token).to_owned()).collect(),
            tags: words.iter().map(|(_, tag)| number[tag]).collect(),
        };
        Self {
            sentences: sentences.iter().map(sentence).collect(),
            tag_names,
        }
    }

    /// The sentences.
    pub fn sentences(&self) -> &[TaggedSentence] {
        &self.sentences
    }

    /// The names of the tags.
    pub fn tag_names(&self) -> &[String] {
        &self.tag_names
    }
}

impl Dataset<TaggedSentence> for TaggedSet {
    fn get(&self, index: usize) -> Result<TaggedSentence, DatasetError> {
        Ok(self.sentences[index].clone())
    }

    fn len(&self) -> usize {
        self.sentences.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TaggedSet, TextError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.conll");
        std::fs::write(&path, text).unwrap();
        read_tagged(&path)
    }

    fn message(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn blank_lines_part_sentences() {
        let set = read("\nAnn\tB-PER\nleft\tO\n\n \nRome B-LOC\r\n\n").unwrap();
        assert_eq!(set.tag_names(), ["B-LOC", "B-PER", "O"]);
        assert_eq!(set.len(), 2);
        assert_eq!(set.get(0).unwrap().tokens, ["Ann", "left"]);
        assert_eq!(set.sentences()[0].tags, [1, 2]);
        assert_eq!(set.sentences()[1].tags, [0]);
    }

    #[test]
    fn of_more_columns_the_first_and_last_count() {
        let set = read("-DOCSTART- -X- -X- O\n\nAnn NNP B-NP B-PER\n# SYM O O\n").unwrap();
        assert_eq!(set.sentences()[0].tokens, ["Ann", "#"]);
        assert_eq!(set.tag_names(), ["B-PER", "O"]);
    }

    #[test]
    fn malformed_lines_are_named() {
        let text = message("Ann\tB-PER\n\nleft\n");
        assert!(
            text.contains("line 3: `left` is not a word and its tag"),
            "{text}"
        );
        let text = message("Ann\tB-PER\nleft\t\n");
        assert!(
            text.contains("line 2: `left\t` is not a word and its tag: one"),
            "{text}"
        );
        let text = message("Ann B-PER\nleft V O\n");
        assert!(
            text.contains("line 2: `left V O` is not a line of as many"),
            "{text}"
        );
        assert!(message("\n\n").ends_with("is empty"));
        let text = message("Ann O\nleft O\n");
        assert!(
            text.contains("all words of") && text.contains("`O`"),
            "{text}"
        );
    }
}
