//! Sentences whose words have a tag each, as in the files of the `CoNLL` shared tasks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use super::TextOptions;
use super::corpus::{MAX_CORPUS_BYTES, read_utf8, utf8_of};
use super::error::{Location, TextError};
use super::json::{Object, each_object};
use super::lines::each_plain_line;
use super::rows::TextReport;
use super::set::numbers;
use super::source::{Opened, TextFormat, binary, is_binary};

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

/// Reads a file with a word and its tag on every line and a blank line between sentences, or JSON with a
/// list of `tokens` and a list of `tags` in every object; packed with gzip or not.
///
/// A tab stands between word and tag, or else white space. Where a line has more columns, as in the
/// files of CoNLL-2003, the first is the word and the last the tag; all lines have as many. Lines that
/// begin with `-DOCSTART-` are passed over. In JSON, the words may also be called `words`, and the tags
/// `ner_tags`, `pos_tags` or `labels`. Tags are numbered by their names.
///
/// # Errors
///
/// If the file is missing, empty or not UTF-8, if a line has no tag or more or fewer columns than the
/// first (the line is named), or if there is one tag only.
pub fn read_tagged(path: &Path) -> Result<TaggedSet, TextError> {
    read_tagged_with_report(path, &TextOptions::default()).map(|(set, _)| set)
}

/// As [`read_tagged`], with the tags that may occur if [`TextOptions::classes`] are given, and with what
/// was found out about the file.
///
/// # Errors
///
/// As [`read_tagged`], and if a tag is none of those given.
pub fn read_tagged_with_report(
    path: &Path,
    options: &TextOptions,
) -> Result<(TaggedSet, TextReport), TextError> {
    let file = path.display().to_string();
    let opened = Opened::open(path)?;
    let (mut found, mut report) = (Vec::new(), TextReport::default());
    match opened.format {
        TextFormat::JsonLines | TextFormat::JsonArray => {
            let mut failed = None;
            each_object(opened, options, &mut |object| {
                match object.and_then(|object| of_object(&object)) {
                    Ok(sentence) => found.push(sentence),
                    Err(error) => failed = Some(error),
                }
                if failed.is_some() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            let before = found.len();
            found.retain(|sentence: &Sentence| !sentence.words.is_empty());
            report.empty = before - found.len();
        }
        TextFormat::Plain | TextFormat::Tar => {
            drop(opened);
            found = sentences(&read_utf8(path, MAX_CORPUS_BYTES)?, &file)?;
        }
    }
    Ok((TaggedSet::gather(&found, &file, options)?, report))
}

/// Takes the words of each sentence and where it is, or the reason why one cannot be used, and decides
/// whether to continue.
pub type SentenceSink<'s> =
    dyn FnMut(Result<(Vec<String>, Location), TextError>) -> ControlFlow<()> + 's;

/// Hands every sentence of a file or of standard input (`-`) to `sink`, in order: of JSON with a list of
/// `tokens`, of a file with a word and its tag on every line, or of a file with a sentence on every line.
/// Of the latter two, it is the former if its first lines end with one of `tags`.
///
/// # Errors
///
/// If the file cannot be read any further. An error of one sentence goes to `sink`.
pub fn for_each_sentence(
    path: &Path,
    tags: &[String],
    options: &TextOptions,
    sink: &mut SentenceSink<'_>,
) -> Result<TextReport, TextError> {
    let opened = Opened::open(path)?;
    match opened.format {
        TextFormat::JsonLines | TextFormat::JsonArray => {
            each_object(opened, options, &mut |object| {
                sink(object.and_then(|object| tokens_of(&object)))
            })?;
        }
        _ if has_tags(&opened.head, tags) => {
            let Opened { name, reader, .. } = opened;
            let text = utf8_of(reader, &name, MAX_CORPUS_BYTES)?;
            for Sentence { words, location } in sentences(&text, &name)? {
                let words = words.into_iter().map(|(word, _)| word).collect();
                if sink(Ok((words, location))).is_break() {
                    break;
                }
            }
        }
        _ => {
            let Opened {
                name, reader, head, ..
            } = opened;
            if options.encoding.is_none() && is_binary(&head) {
                return Err(binary(&name));
            }
            return each_plain_line(reader, &name, options, &mut |row| {
                sink(row.and_then(|row| {
                    let words = row.texts.iter().flat_map(|text| text.split_whitespace());
                    let words = words.filter(|word| !is_invisible(word));
                    let words: Vec<String> = words.map(str::to_owned).collect();
                    let location = row.location;
                    if words.is_empty() {
                        return Err(TextError::EmptyText { location });
                    }
                    Ok((words, location))
                }))
            });
        }
    }
    Ok(TextReport::default())
}

/// The words of an object.
fn tokens_of(object: &Object) -> Result<(Vec<String>, Location), TextError> {
    let location = object.location().clone();
    let tokens = TOKENS.iter().find_map(|key| object.list(key));
    match tokens {
        Some(tokens) if tokens.is_empty() => Err(TextError::EmptyText { location }),
        Some(tokens) => match tokens.iter().position(|word| is_invisible(word)) {
            Some(at) => Err(TextError::InvisibleWord {
                location,
                number: at + 1,
            }),
            None => Ok((tokens, location)),
        },
        None => Err(TextError::Malformed {
            location,
            found: object.keys().join(", "),
            expected: "an object with a list of `tokens`",
        }),
    }
}

/// Whether nothing of a word can be seen: it has only white space, control characters and characters without
/// width, of which a tokenizer keeps nothing.
pub fn is_invisible(word: &str) -> bool {
    word.chars().all(|sign| {
        sign.is_whitespace()
            || sign.is_control()
            || matches!(
                sign,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}'
            )
    })
}

/// Whether the first lines hold a word and one of `tags` each.
fn has_tags(head: &[u8], tags: &[String]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let tagged = |line: &str| {
        let mut cells = line.split_whitespace();
        let last = cells.next_back();
        cells.next().is_some() && last.is_some_and(|last| tags.iter().any(|tag| tag == last))
    };
    let first: Vec<&str> = lines.by_ref().take(TAGGED_LINES).collect();
    !first.is_empty()
        && first
            .iter()
            .all(|line| line.starts_with("-DOCSTART-") || tagged(line))
}

/// Lines that show whether a file has tags.
const TAGGED_LINES: usize = 20;

/// The words of an object and their tags.
fn of_object(object: &Object) -> Result<Sentence, TextError> {
    let list = |names: &[&str]| {
        let known = names.iter().find(|name| object.list(name).is_some());
        known.and_then(|name| object.list(name))
    };
    let location = object.location().clone();
    let (Some(tokens), Some(tags)) = (list(&TOKENS), list(&TAGS)) else {
        return Err(TextError::Malformed {
            location,
            found: object.keys().join(", "),
            expected: "an object with a list of `tokens` and a list of `tags`",
        });
    };
    if tokens.len() != tags.len() {
        return Err(TextError::Malformed {
            location,
            found: format!("{} tokens, {} tags", tokens.len(), tags.len()),
            expected: "an object with a tag for every token",
        });
    }
    if let Some(at) = tokens.iter().position(|word| is_invisible(word)) {
        let number = at + 1;
        return Err(TextError::InvisibleWord { location, number });
    }
    let words = tokens.into_iter().zip(tags).collect();
    Ok(Sentence { words, location })
}

/// Keys of a list of words.
const TOKENS: [&str; 2] = ["tokens", "words"];

/// Keys of a list of tags.
const TAGS: [&str; 4] = ["tags", "ner_tags", "pos_tags", "labels"];

/// The words of a sentence with their tags.
struct Sentence {
    words: Vec<(String, String)>,
    location: Location,
}

fn sentences(text: &str, file: &str) -> Result<Vec<Sentence>, TextError> {
    let mut sentences: Vec<Sentence> = Vec::new();
    let (mut columns, mut open) = (None, false);
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            open = false;
            continue;
        }
        if line.starts_with("-DOCSTART-") {
            continue;
        }
        let location = || Location::Line {
            file: file.to_owned(),
            line: at as u64 + 1,
        };
        let word = word(line, &mut columns);
        let (token, tag) =
            word.map_err(|expected| TextError::malformed(location(), line, expected))?;
        if is_invisible(token) {
            let before = sentences.last().filter(|_| open);
            return Err(TextError::InvisibleWord {
                location: location(),
                number: before.map_or(0, |sentence| sentence.words.len()) + 1,
            });
        }
        let word = (token.to_owned(), tag.to_owned());
        match sentences.last_mut() {
            Some(sentence) if open => sentence.words.push(word),
            _ => sentences.push(Sentence {
                words: vec![word],
                location: location(),
            }),
        }
        open = true;
    }
    Ok(sentences)
}

/// The first and the last cell of a line of as many columns as those before.
fn word<'a>(
    line: &'a str,
    columns: &mut Option<usize>,
) -> Result<(&'a str, &'a str), &'static str> {
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
    fn gather(
        sentences: &[Sentence],
        file: &str,
        options: &TextOptions,
    ) -> Result<Self, TextError> {
        let words = sentences.iter().flat_map(|sentence| &sentence.words);
        let distinct: BTreeSet<&str> = words.map(|(_, tag)| tag.as_str()).collect();
        let found = || distinct.iter().map(|&tag| tag.to_owned()).collect();
        let tag_names: Vec<String> = options.classes.clone().unwrap_or_else(found);
        let file = file.to_owned();
        if sentences.is_empty() {
            return Err(TextError::Empty { file });
        }
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
        let number = numbers(&tag_names);
        let sentence = |sentence: &Sentence| {
            let tag = |(_, tag): &(String, String)| {
                number
                    .get(tag.as_str())
                    .copied()
                    .ok_or_else(|| TextError::UnknownClass {
                        location: sentence.location.clone(),
                        label: tag.clone(),
                        classes: tag_names.clone(),
                    })
            };
            Ok(TaggedSentence {
                tags: sentence.words.iter().map(tag).collect::<Result<_, _>>()?,
                tokens: sentence
                    .words
                    .iter()
                    .map(|(token, _)| token.clone())
                    .collect(),
            })
        };
        let sentences: Result<Vec<TaggedSentence>, TextError> =
            sentences.iter().map(sentence).collect();
        Ok(Self {
            sentences: sentences?,
            tag_names,
        })
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

#[cfg(test)]
mod tests {
    use burn::data::dataset::Dataset;

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
    fn tokens_and_tags_of_json_are_read() {
        let lines = "{\"tokens\": [\"Ann\", \"left\"], \"ner_tags\": [1, 0]}\n\
                     {\"tokens\": [], \"ner_tags\": []}\n\
                     {\"tokens\": [\"Rome\"], \"ner_tags\": [2]}\n";
        let set = read(lines).unwrap();
        assert_eq!(set.tag_names(), ["0", "1", "2"]);
        assert_eq!(set.sentences()[0].tokens, ["Ann", "left"]);
        assert_eq!((set.len(), &set.sentences()[0].tags[..]), (2, &[1, 0][..]));
        let array = "[{\"words\": [\"Ann\", \"left\"], \"tags\": [\"PER\", \"O\"]}]";
        assert_eq!(read(array).unwrap().tag_names(), ["O", "PER"]);
        let text = message("{\"tokens\": [\"Ann\"], \"tags\": [\"O\", \"O\"]}\n");
        assert!(text.contains("line 1: `1 tokens, 2 tags` is not"), "{text}");
        let text = message("{\"text\": \"Ann\", \"label\": \"O\"}\n");
        assert!(
            text.contains("a list of `tokens` and a list of `tags`"),
            "{text}"
        );
    }

    #[test]
    fn sentences_to_be_tagged_come_from_every_kind_of_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let tags = ["O", "B-PER"].map(str::to_owned);
        for text in [
            "Ann left\nRome fell\n",
            "Ann B-PER\nleft O\n\nRome O\nfell O\n",
            "{\"tokens\": [\"Ann\", \"left\"]}\n{\"words\": [\"Rome\", \"fell\"], \"tags\": []}\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let mut found = Vec::new();
            for_each_sentence(&path, &tags, &TextOptions::default(), &mut |sentence| {
                found.push(sentence.unwrap().0.join(" "));
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(found, ["Ann left", "Rome fell"], "{text}");
        }
    }

    #[test]
    fn a_tag_that_is_none_of_those_given_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.conll");
        std::fs::write(&path, "Ann PER\n\nRome LOC\n").unwrap();
        let options = TextOptions {
            classes: Some(["O", "PER"].map(str::to_owned).to_vec()),
            ..TextOptions::default()
        };
        let text = read_tagged_with_report(&path, &options)
            .unwrap_err()
            .to_string();
        assert!(text.contains("line 3: unknown class `LOC`"), "{text}");
    }

    #[test]
    fn words_that_nobody_sees_are_named() {
        for text in [
            "{\"tokens\": [\"Ann\", \"\", \"Rome\"], \"tags\": [\"P\", \"O\", \"L\"]}\n",
            "{\"tokens\": [\"Ann\", \" \", \"Rome\"], \"tags\": [\"P\", \"O\", \"L\"]}\n",
            "{\"tokens\": [\"Ann\", \"\\u200b\"], \"tags\": [\"P\", \"O\"]}\n",
        ] {
            let error = message(text);
            assert!(
                error.contains("line 1: token 2 is empty or invisible"),
                "{error}"
            );
        }
        let error = message("Ann P\nleft O\n\u{200b} O\n");
        assert!(
            error.contains("line 3: token 3 is empty or invisible"),
            "{error}"
        );

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        std::fs::write(&path, "{\"tokens\": [\"Ann\", \"\", \"Rome\"]}\n").unwrap();
        let mut found = Vec::new();
        for_each_sentence(&path, &[], &TextOptions::default(), &mut |sentence| {
            found.push(sentence.unwrap_err().to_string());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(
            found[0].contains("line 1: token 2 is empty or invisible"),
            "{found:?}"
        );
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
            text.contains("line 2: `left ` is not a word and its tag: one"),
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
