//! Checks a `tokenizer.json` before it is handed to the tokenizers crate, which trusts it: a damaged or
//! hostile file would make it panic, hang, or take all memory.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Largest file of a tokenizer, in bytes. The largest published ones have about 35 MB.
pub(super) const MAX_FILE: u64 = 64 << 20;

/// Most values in a file, which take 32 bytes each in memory: those of the largest vocabulary with its
/// merges.
const MAX_VALUES: usize = 8 << 20;

/// Most tokens, and the largest number of one.
const MAX_TOKENS: usize = 1 << 20;

/// Most bytes of a token or another string.
const MAX_STRING: usize = 4096;

/// Most characters of a regular expression.
const MAX_PATTERN: usize = 2000;

/// Most steps of a normalizer, pre-tokenizer, post-processor or decoder, nested ones included.
const MAX_STEPS: usize = 64;

/// How much longer a normalizer may make a text.
const MAX_EXPANSION: f64 = 16.0;

/// Most characters of a word: WordPiece tries all of its parts.
const MAX_WORD: u64 = 1000;

type Checked = Result<(), String>;

/// A file that was checked.
pub(super) struct CheckedFile {
    /// The file without padding and truncation, which are not used here.
    pub(super) json: Vec<u8>,
    /// The tokens added to the vocabulary, with the numbers that they must get.
    pub(super) added: Vec<(String, usize)>,
}

/// Parses a `tokenizer.json` and checks every size in it.
pub(super) fn checked(bytes: &[u8]) -> Result<CheckedFile, String> {
    let values = bytes
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
        .count();
    check_count("the file", values, MAX_VALUES)?;
    let json: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Value::Object(mut json) = json else {
        return Err("it is not a JSON object".to_owned());
    };
    let Some(Value::Object(model)) = json.get("model") else {
        return Err("it has no section `model`".to_owned());
    };
    let mut ids = check_model(model)?;
    let added = check_added(json.get("added_tokens"))?;
    ids.extend(added.iter().map(|(_, id)| *id));
    for section in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
        let mut steps = Steps {
            section,
            ids: &ids,
            count: 0,
            expansion: 1.0,
        };
        steps.check(json.get(section).unwrap_or(&Value::Null))?;
    }
    json.insert("truncation".to_owned(), Value::Null);
    json.insert("padding".to_owned(), Value::Null);
    let json = serde_json::to_vec(&json).map_err(|error| error.to_string())?;
    Ok(CheckedFile { json, added })
}

/// Checks the model, and gives the numbers of its tokens.
fn check_model(model: &Map<String, Value>) -> Result<HashSet<usize>, String> {
    let kind = model.get("type").and_then(Value::as_str);
    if !matches!(
        kind,
        None | Some("BPE" | "WordPiece" | "WordLevel" | "Unigram")
    ) {
        let kind = model.get("type").unwrap_or(&Value::Null);
        return Err(format!(
            "the model type {} is unknown",
            shorten(&kind.to_string())
        ));
    }
    for key in [
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
    ] {
        if let Some(text) = model.get(key).and_then(Value::as_str) {
            check_string(key, text)?;
        }
    }
    if model
        .get("dropout")
        .and_then(Value::as_f64)
        .is_some_and(|dropout| dropout != 0.0)
    {
        return Err(
            "`model.dropout` is not 0, so equal texts would get different tokens".to_owned(),
        );
    }
    if let Some(most) = model.get("max_input_chars_per_word")
        && !most
            .as_u64()
            .is_some_and(|most| (1..=MAX_WORD).contains(&most))
    {
        return Err(format!(
            "`model.max_input_chars_per_word` is {}, and must be from 1 to {MAX_WORD}",
            shorten(&most.to_string())
        ));
    }
    match model.get("vocab") {
        Some(Value::Object(vocab)) => {
            let ids = check_numbered(vocab)?;
            let unknown = model.get("unk_token").and_then(Value::as_str);
            if let Some(unknown) = unknown.filter(|unknown| !vocab.contains_key(*unknown)) {
                return Err(format!(
                    "`model.unk_token` `{}` is no token",
                    shorten(unknown)
                ));
            }
            check_merges(model, vocab)?;
            Ok(ids)
        }
        Some(Value::Array(pieces)) => check_scored(pieces, model.get("unk_id")),
        _ => Err("it has no `model.vocab`".to_owned()),
    }
}

fn check_count(what: &str, count: usize, most: usize) -> Checked {
    if count > most {
        return Err(format!("{what} has {count} entries, more than {most}"));
    }
    Ok(())
}

fn check_string(what: &str, text: &str) -> Checked {
    if text.len() > MAX_STRING {
        return Err(format!(
            "{what} has a text of {} bytes, more than {MAX_STRING}",
            text.len()
        ));
    }
    Ok(())
}

/// Tokens with their numbers: of WordPiece, BPE and whole words.
fn check_numbered(vocab: &Map<String, Value>) -> Result<HashSet<usize>, String> {
    if vocab.is_empty() {
        return Err("`model.vocab` is empty".to_owned());
    }
    check_count("`model.vocab`", vocab.len(), MAX_TOKENS)?;
    let mut ids = HashSet::with_capacity(vocab.len());
    for (token, id) in vocab {
        check_string("`model.vocab`", token)?;
        if !ids.insert(check_id(token, id)?) {
            return Err(format!("two tokens of `model.vocab` have the number {id}"));
        }
    }
    Ok(ids)
}

fn check_id(token: &str, id: &Value) -> Result<usize, String> {
    let number = id.as_u64().and_then(|id| usize::try_from(id).ok());
    number.filter(|&id| id < MAX_TOKENS).ok_or_else(|| {
        format!(
            "the token `{}` has the number {}, and must have one from 0 to {}",
            shorten(token),
            shorten(&id.to_string()),
            MAX_TOKENS - 1
        )
    })
}

/// Both sides of a merge are tokens, and the second begins with the prefix of subwords inside a word.
fn check_merges(model: &Map<String, Value>, vocab: &Map<String, Value>) -> Checked {
    let Some(merges) = model.get("merges") else {
        return Ok(());
    };
    let Value::Array(merges) = merges else {
        return Err("`model.merges` is not a list".to_owned());
    };
    check_count("`model.merges`", merges.len(), MAX_TOKENS)?;
    let prefix = model
        .get("continuing_subword_prefix")
        .and_then(Value::as_str);
    for (at, merge) in merges.iter().enumerate() {
        let parts = match merge {
            Value::String(text) => text.split_once(' '),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(first), Value::String(second)] => Some((&**first, &**second)),
                _ => None,
            },
            _ => None,
        };
        // A first line such as `#version: 0.2` is passed over by the parser.
        let fits = parts.is_some_and(|(first, second)| {
            first.starts_with("#version")
                || (vocab.contains_key(first)
                    && vocab.contains_key(second)
                    && second.starts_with(prefix.unwrap_or_default()))
        });
        if !fits {
            return Err(format!(
                "entry {} of `model.merges` is {}, which does not join two tokens",
                at + 1,
                shorten(&merge.to_string())
            ));
        }
    }
    Ok(())
}

/// Tokens with their scores: of Unigram.
fn check_scored(pieces: &[Value], unknown: Option<&Value>) -> Result<HashSet<usize>, String> {
    check_count("`model.vocab`", pieces.len(), MAX_TOKENS)?;
    let mut seen = HashSet::with_capacity(pieces.len());
    for (at, piece) in pieces.iter().enumerate() {
        let fits = match piece.as_array().map(Vec::as_slice) {
            Some([Value::String(token), score]) => {
                check_string("`model.vocab`", token)?;
                let finite = score.as_f64().is_some_and(|score| score.abs() < 1e9);
                !token.is_empty() && finite && seen.insert(token.as_str())
            }
            _ => false,
        };
        if !fits {
            return Err(format!(
                "entry {} of `model.vocab` is {}, and must be another token with its score",
                at + 1,
                shorten(&piece.to_string())
            ));
        }
    }
    match unknown.filter(|unknown| !unknown.is_null()) {
        Some(id) if id.as_u64().is_none_or(|id| id >= pieces.len() as u64) => Err(format!(
            "`model.unk_id` is {}, and there are {} tokens",
            shorten(&id.to_string()),
            pieces.len()
        )),
        _ if pieces.is_empty() => Err("`model.vocab` is empty".to_owned()),
        _ => Ok((0..pieces.len()).collect()),
    }
}

fn check_added(added: Option<&Value>) -> Result<Vec<(String, usize)>, String> {
    let tokens = match added {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(tokens)) => tokens,
        Some(_) => return Err("`added_tokens` is not a list".to_owned()),
    };
    check_count("`added_tokens`", tokens.len(), MAX_TOKENS / 16)?;
    let mut added = Vec::with_capacity(tokens.len());
    for token in tokens {
        let content = token.get("content").and_then(Value::as_str);
        let Some(content) = content.filter(|content| !content.is_empty()) else {
            return Err(format!(
                "{} in `added_tokens` has no `content`",
                shorten(&token.to_string())
            ));
        };
        check_string("`added_tokens`", content)?;
        let id = check_id(content, token.get("id").unwrap_or(&Value::Null))?;
        added.push((content.to_owned(), id));
    }
    Ok(added)
}

/// The steps of a section, one within the other.
struct Steps<'a> {
    section: &'static str,
    ids: &'a HashSet<usize>,
    count: usize,
    expansion: f64,
}

impl Steps<'_> {
    fn check(&mut self, step: &Value) -> Checked {
        if step.is_null() {
            return Ok(());
        }
        let section = self.section;
        let Some(step) = step.as_object() else {
            return Err(format!("a step of `{section}` is not an object"));
        };
        self.count += 1;
        if self.count > MAX_STEPS {
            return Err(format!("`{section}` has more than {MAX_STEPS} steps"));
        }
        let inner = ["normalizers", "pretokenizers", "processors", "decoders"];
        for key in inner {
            if let Some(Value::Array(steps)) = step.get(key) {
                steps.iter().try_for_each(|step| self.check(step))?;
            }
        }
        let rest = step
            .iter()
            .filter(|(key, _)| !inner.contains(&key.as_str()));
        for (key, value) in rest {
            match (key.as_str(), value) {
                ("pattern", pattern) => self.check_pattern(pattern)?,
                ("precompiled_charsmap", Value::String(text)) => check_charsmap(text)?,
                (key, value) => check_value(&format!("`{section}.{key}`"), value)?,
            }
        }
        match step.get("type").and_then(Value::as_str) {
            Some("Replace") => self.expand(step),
            Some("FixedLength") if step.get("length").and_then(Value::as_u64) == Some(0) => {
                Err(format!("`{section}.length` is 0"))
            }
            Some("TemplateProcessing") => self.check_template(step),
            Some("BertProcessing" | "RobertaProcessing") => {
                for key in ["sep", "cls"] {
                    let id = step.get(key).and_then(|token| token.get(1));
                    self.check_known(id.unwrap_or(&Value::Null))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_pattern(&self, pattern: &Value) -> Checked {
        let section = self.section;
        let (text, is_regex) = match pattern {
            Value::Object(kinds) => match (kinds.get("Regex"), kinds.get("String")) {
                (Some(Value::String(text)), _) => (text, true),
                (_, Some(Value::String(text))) => (text, false),
                _ => {
                    return Err(format!(
                        "`{section}.pattern` has neither `Regex` nor `String`"
                    ));
                }
            },
            Value::String(text) => (text, false),
            _ => return Err(format!("`{section}.pattern` is no pattern")),
        };
        if text.is_empty() || text.chars().count() > MAX_PATTERN {
            return Err(format!(
                "`{section}.pattern` has {} characters, and must have 1 to {MAX_PATTERN}",
                text.chars().count()
            ));
        }
        if is_regex && backtracks(text) {
            return Err(format!(
                "`{section}.pattern` is `{}`, which could take forever: it repeats what is repeated \
                 inside, or refers back",
                shorten(text)
            ));
        }
        Ok(())
    }

    /// Counts how much longer the replacements of a normalizer may make a text, one after the other.
    fn expand(&mut self, step: &Map<String, Value>) -> Checked {
        let content = step
            .get("content")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let pattern = step
            .get("pattern")
            .and_then(|pattern| pattern.get("String"));
        let from = pattern
            .and_then(Value::as_str)
            .map_or(1, |text| text.chars().count());
        self.expansion *= (content.chars().count() as f64 / from.max(1) as f64).max(1.0);
        if self.expansion > MAX_EXPANSION {
            return Err(format!(
                "the replacements of `{}` can make a text more than {MAX_EXPANSION} times as long",
                self.section
            ));
        }
        Ok(())
    }

    fn check_template(&self, step: &Map<String, Value>) -> Checked {
        let tokens = step.get("special_tokens").and_then(Value::as_object);
        for token in tokens.into_iter().flat_map(Map::values) {
            let ids = token.get("ids").and_then(Value::as_array);
            ids.into_iter()
                .flatten()
                .try_for_each(|id| self.check_known(id))?;
        }
        Ok(())
    }

    /// Numbers that are put around a text must be those of tokens.
    fn check_known(&self, id: &Value) -> Checked {
        let known = id
            .as_u64()
            .is_some_and(|id| self.ids.contains(&(id as usize)));
        if known {
            return Ok(());
        }
        Err(format!(
            "`{}` puts in the token {}, which does not exist",
            self.section,
            shorten(&id.to_string())
        ))
    }
}

/// Bounds strings, lists and numbers, in whatever they lie.
fn check_value(what: &str, value: &Value) -> Checked {
    match value {
        Value::String(text) => check_string(what, text),
        Value::Number(number) if number.as_f64().is_none_or(|number| number.abs() > 1e6) => {
            Err(format!("{what} is {number}, more than any tokenizer needs"))
        }
        Value::Array(values) => {
            check_count(what, values.len(), MAX_STRING)?;
            values.iter().try_for_each(|value| check_value(what, value))
        }
        Value::Object(values) => {
            check_count(what, values.len(), MAX_STRING)?;
            values
                .values()
                .try_for_each(|value| check_value(what, value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The table of SentencePiece begins with its length, which is allocated before it is read.
fn check_charsmap(text: &str) -> Checked {
    let refuse = || Err("`normalizer.precompiled_charsmap` is damaged".to_owned());
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'a'..=b'z' => Some(u64::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u64::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let bits = text.bytes().take(8).map(digit);
    let Some(bits) = bits
        .collect::<Option<Vec<u64>>>()
        .filter(|bits| bits.len() == 8)
    else {
        return refuse();
    };
    let bytes = bits.iter().fold(0, |all, bits| (all << 6) | bits) >> 16;
    let length = u64::from((bytes as u32).swap_bytes());
    if 4 + length > text.len() as u64 / 4 * 3 || length == 0 {
        return refuse();
    }
    Ok(())
}

/// Whether a regular expression may take exponentially long: it is one that is searched by backtracking,
/// and has a group with an unbounded repetition that is itself repeated, or a reference back to a group.
fn backtracks(pattern: &str) -> bool {
    // Without these, a pattern is searched in linear time.
    const LOOKING: [&str; 10] = [
        "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?(", "++", "*+", "?+", "\\G",
    ];
    let looks = LOOKING.iter().any(|sign| pattern.contains(sign));
    let bytes = pattern.as_bytes();
    let mut groups = vec![false];
    let (mut at, mut in_class) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let next = bytes.get(at + 1).copied().unwrap_or_default();
                if !in_class && (next.is_ascii_digit() && next != b'0' || next == b'k') {
                    return true;
                }
                at += 1;
            }
            b'[' => in_class = true,
            b']' => in_class = false,
            _ if in_class => {}
            b'(' => groups.push(false),
            b')' => {
                let repeats = groups.pop().unwrap_or(false);
                if looks && repeats && is_repeated(&bytes[at + 1..]) {
                    return true;
                }
                if let Some(outer) = groups.last_mut() {
                    *outer |= repeats;
                }
            }
            b'*' | b'+' | b'{' if is_repeated(&bytes[at..]) => {
                if let Some(group) = groups.last_mut() {
                    *group = true;
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Whether there is a repetition without a small bound here.
fn is_repeated(rest: &[u8]) -> bool {
    match rest.first() {
        Some(b'*' | b'+') => true,
        Some(b'{') => {
            let inner: Vec<u8> = rest[1..]
                .iter()
                .copied()
                .take_while(|&b| b != b'}')
                .collect();
            let most = inner
                .rsplit(|&byte| byte == b',')
                .next()
                .unwrap_or_default();
            let most = std::str::from_utf8(most).unwrap_or_default().trim();
            most.parse::<u32>().map_or(true, |most| most > 16)
        }
        _ => false,
    }
}

/// A piece of the file for a message.
fn shorten(text: &str) -> String {
    tinderbox_datasets::format::shorten(text, 61)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TextTokenizer;
    use serde_json::json;

    /// A tokenizer in which each damage below is the only one.
    fn good() -> Value {
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": [{
                "id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            }],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
                {"type": "Lowercase"}
            ]},
            "pre_tokenizer": {
                "type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|\\p{N}{1,3}|_"},
                "behavior": "Isolated", "invert": false
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[UNK]", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"[UNK]": {"id": "[UNK]", "ids": [0], "tokens": ["[UNK]"]}}
            },
            "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
            "model": {
                "type": "BPE", "dropout": null, "unk_token": "[UNK]",
                "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                "byte_fallback": false, "ignore_merges": false,
                "vocab": {"[UNK]": 0, "a": 1, "b": 2, "ab": 3, "_": 4},
                "merges": [["a", "b"]]
            }
        })
    }

    fn load(json: &Value) -> Result<TextTokenizer, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        std::fs::write(&path, json.to_string()).unwrap();
        TextTokenizer::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_good_file_is_used() {
        let tokenizer = load(&good()).unwrap();
        let input = crate::text::TextInput::Single("ab AB".to_owned());
        let tokens = tokenizer.encode(&[input], 16).unwrap();
        assert_eq!(tokens[0].ids, [0, 3, 4, 3]);
    }

    /// A damaged file: what is set where, and what the message says.
    type Damage = (&'static str, Value, &'static str);

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table of all damages")]
    fn every_damaged_or_hostile_file_is_refused_with_its_reason() {
        let long = "x".repeat(5000);
        let sequence = |step: Value| json!({"type": "Sequence", "normalizers": [step]});
        let grow = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaa"});
        let many = vec![json!({"type": "Lowercase"}); 70];
        let damages: Vec<Damage> = vec![
            ("/model", Value::Null, "no section `model`"),
            (
                "/model/type",
                json!("GPT"),
                "the model type \"GPT\" is unknown",
            ),
            ("/model/vocab", json!({}), "is empty"),
            ("/model/vocab", json!(7), "no `model.vocab`"),
            (
                "/model/vocab/ab",
                json!(4_294_967_295_u64),
                "must have one from 0 to 1048575",
            ),
            ("/model/vocab/ab", json!(-1), "the number -1"),
            (
                "/model/vocab/ab",
                json!(1),
                "two tokens of `model.vocab` have the number 1",
            ),
            ("/model/unk_token", json!("none"), "`none` is no token"),
            ("/model/unk_token", json!(long), "more than 4096"),
            ("/model/dropout", json!(0.5), "`model.dropout` is not 0"),
            (
                "/model/max_input_chars_per_word",
                json!(u64::MAX),
                "from 1 to 1000",
            ),
            // Each of these three panics in the crate, or is undefined behavior.
            (
                "/model/continuing_subword_prefix",
                json!("##"),
                "does not join two tokens",
            ),
            (
                "/model/merges",
                json!([["a", "c"]]),
                "does not join two tokens",
            ),
            ("/model/merges", json!(["ab"]), "entry 1 of `model.merges`"),
            (
                "/added_tokens/0/id",
                json!(u32::MAX),
                "the token `[UNK]` has the number",
            ),
            ("/added_tokens/0/id", json!(9), "has the number 9"),
            ("/added_tokens/0/content", json!(""), "has no `content`"),
            ("/added_tokens", json!({}), "`added_tokens` is not a list"),
            // Would allocate 16 GB.
            (
                "/normalizer",
                sequence(
                    json!({"type": "Precompiled", "precompiled_charsmap": "/////wAAAAAAAAAA"}),
                ),
                "precompiled_charsmap` is damaged",
            ),
            // Its table points outside of itself.
            (
                "/normalizer",
                sequence(
                    json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8AAAAA"}),
                ),
                "cannot be used as a tokenizer",
            ),
            (
                "/normalizer",
                json!({"type": "Sequence", "normalizers": [grow, grow]}),
                "more than 16 times as long",
            ),
            (
                "/normalizer",
                json!({"type": "Sequence", "normalizers": many}),
                "more than 64 steps",
            ),
            (
                "/normalizer/normalizers/0/pattern",
                json!({"String": ""}),
                "0 characters",
            ),
            (
                "/pre_tokenizer/pattern",
                json!({"Regex": "(a+)+b|(?!x)"}),
                "could take forever",
            ),
            (
                "/pre_tokenizer/pattern",
                json!({"Regex": "(a)(?=b)\\1"}),
                "could take forever",
            ),
            (
                "/pre_tokenizer/pattern",
                json!({"Regex": "(("}),
                "cannot be used as a tokenizer",
            ),
            (
                "/pre_tokenizer/pattern",
                json!({"Regex": "x".repeat(3000)}),
                "3000 characters",
            ),
            (
                "/pre_tokenizer",
                json!({"type": "FixedLength", "length": 0}),
                "length` is 0",
            ),
            (
                "/post_processor/special_tokens/[UNK]/ids",
                json!([77]),
                "puts in the token 77",
            ),
            (
                "/post_processor",
                json!({"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}),
                "puts in the token 102",
            ),
            (
                "/decoder",
                json!({"type": "Strip", "content": "a", "start": 0, "stop": u64::MAX}),
                "`decoder.stop` is 18446744073709551615",
            ),
        ];
        for (place, value, expected) in damages {
            let mut json = good();
            if let Some(slot) = json.pointer_mut(place) {
                *slot = value;
            } else {
                let (parent, key) = place.rsplit_once('/').unwrap();
                json.pointer_mut(parent).unwrap()[key] = value;
            }
            let error = load(&json).unwrap_err();
            assert!(error.contains(expected), "{place}: {error}");
            assert!(error.contains("tokenizer.json"), "{place}: {error}");
        }
    }

    #[test]
    fn scored_pieces_are_checked() {
        let unigram = |vocab: Value, unknown: Value| {
            let mut json = good();
            json["normalizer"] = Value::Null;
            json["post_processor"] = Value::Null;
            json["added_tokens"] = json!([]);
            json["model"] = json!({"type": "Unigram", "unk_id": unknown, "vocab": vocab});
            load(&json)
        };
        assert!(unigram(json!([["<unk>", 0.0], ["a", -1.0]]), json!(0)).is_ok());
        for (vocab, unknown, expected) in [
            (json!([["<unk>", 0.0]]), json!(1), "`model.unk_id` is 1"),
            (json!([["<unk>", 0.0], ["", -1.0]]), json!(0), "entry 2"),
            (
                json!([["<unk>", 0.0], ["<unk>", -1.0]]),
                json!(0),
                "entry 2",
            ),
            (json!([["<unk>", 1e300]]), json!(0), "entry 1"),
            (json!([["<unk>"]]), json!(0), "entry 1"),
            (json!([]), Value::Null, "is empty"),
        ] {
            let error = unigram(vocab, unknown).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn published_patterns_are_accepted() {
        for pattern in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r" ?[^(\s|[.,!?…。，、।۔،])]+",
            r" {2,}",
            // Without a look around, these are searched in linear time.
            "(a*)*",
            "(?:x+)+y",
        ] {
            assert!(!backtracks(pattern), "{pattern}");
        }
        for pattern in [
            "(a*)*(?=b)",
            "((a{2,})b)+(?!c)",
            "(?<=z)(?:x+)+y",
            r"(.)\1",
            "(a{1,100}){5,}(?!b)",
        ] {
            assert!(backtracks(pattern), "{pattern}");
        }
    }
}
