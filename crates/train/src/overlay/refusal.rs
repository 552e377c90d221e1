//! Why a value was refused: its key and what it may be, which serde does not say of nested tables.

use toml::de::Error;
use toml::{Table, Value};

use super::suggest::joined;
use super::{OverlayError, Patchable, alternatives, merge, nested};

/// A word that no key takes.
const NONSENSE: &str = "\u{0}";

/// Finds the one of several values that was refused, by laying them over the recipe one by one.
pub(super) fn explain<T: Patchable>(base: Table, patch: Table, error: &Error) -> OverlayError {
    let mut at = base;
    let mut all = Vec::new();
    leaves(patch, "", &mut all);
    for (key, value) in all {
        let found = shown(&value);
        let is_list = value.is_array();
        if let Err(error) = merge::<T>(&mut at, nested(&key, value), "") {
            return error;
        }
        if let Err(error) = Value::Table(at.clone()).try_into::<T>() {
            let expected = expected(error.message(), is_list);
            return OverlayError::BadValue {
                key,
                expected,
                found,
            };
        }
    }
    OverlayError::Invalid(error.message().to_owned())
}

/// The values of a patch with their keys; `kind` comes first, as it decides what else there is.
fn leaves(table: Table, path: &str, all: &mut Vec<(String, Value)>) {
    let (kind, rest): (Vec<_>, Vec<_>) = table.into_iter().partition(|(name, _)| name == "kind");
    for (name, value) in kind.into_iter().chain(rest) {
        let key = joined(path, &name);
        match value {
            Value::Table(inner) => leaves(inner, &key, all),
            value => all.push((key, value)),
        }
    }
}

/// What serde expects, in the words of people who do not write Rust.
fn expected(message: &str, is_list: bool) -> String {
    let Some((_, expected)) = message.split_once("expected ") else {
        return message.to_owned();
    };
    let listed = if is_list { "a list of " } else { "" };
    let [number, whole] = if is_list {
        ["numbers", "whole numbers, 0 or more"]
    } else {
        ["a number", "a whole number, 0 or more"]
    };
    match expected.trim() {
        "usize" | "u8" | "u16" | "u32" | "u64" => format!("{listed}{whole}"),
        "f32" | "f64" => format!("{listed}{number}"),
        "a string" if is_list => "a list of text".to_owned(),
        other => match other.strip_prefix("one of ") {
            Some(list) => {
                let words: Vec<String> = list.split(", ").map(str::to_owned).collect();
                alternatives(&words).unwrap_or_default()
            }
            None => other.to_owned(),
        },
    }
}

/// A value as a person wrote it, with text in backticks.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

/// The words that a key takes, if it takes only some: what serde lists when it is given another.
pub fn choices<T: Patchable>(base: &Table, key: &str) -> Vec<String> {
    let mut table = base.clone();
    let word = Value::String(NONSENSE.to_owned());
    if merge::<T>(&mut table, nested(key, word), "").is_err() {
        return Vec::new();
    }
    let Err(error) = Value::Table(table).try_into::<T>() else {
        return Vec::new();
    };
    let message = error.message();
    let Some((start, list)) = message.split_once(", expected ") else {
        return Vec::new();
    };
    if !start.starts_with("unknown variant") {
        return Vec::new();
    }
    let words = list.split('`').skip(1).step_by(2);
    let section = key.strip_suffix(".kind");
    let is_refused = |word: &&str| section.is_some_and(|path| T::refuses_kind(path, word));
    words
        .filter(|word| !is_refused(word))
        .map(str::to_owned)
        .collect()
}

/// The kinds that a section comes in.
pub fn kinds<T: Patchable>(base: &Table, section: &str) -> Vec<String> {
    choices::<T>(base, &joined(section, "kind"))
}

/// For a key that only another kind of its section has: which.
pub(super) fn other_kind<T: Patchable>(base: &Table, key: &str) -> Option<String> {
    let (section, name) = key.rsplit_once('.')?;
    let mut table = base;
    for part in section.split('.') {
        table = table.get(part)?.as_table()?;
    }
    let own = table.get("kind")?.as_str()?;
    let kinds = kinds::<T>(base, section);
    let has = |kind: &&String| {
        T::variant(section, kind).is_some_and(|variant| variant.contains_key(name))
    };
    let having: Vec<String> = kinds
        .iter()
        .filter(has)
        .map(|kind| format!("`{section}.kind={kind}`"))
        .collect();
    let list = alternatives(&having)?;
    Some(format!(": it belongs to {list}, and this is `{own}`"))
}
