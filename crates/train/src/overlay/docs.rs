//! What the keys of recipes mean, as comments in TOML and as a page.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use toml::{Table, Value};

use super::suggest::joined;
use super::{OverlayError, Patchable, change_kind, choices, kinds, with_optional};

/// Columns of a comment.
const WIDTH: usize = 90;

/// What a key of a recipe, or a section, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key with its path. A section that comes in kinds may name the kind that the entry is
    /// about, as in `model(cnn).hidden`.
    pub key: &'static str,
    /// What it is, in a few words.
    pub text: &'static str,
    /// What it may be; empty where the recipe's type lists the words it takes.
    pub allowed: &'static str,
    /// The value with which recipes leave the key out; none if they always have it.
    pub omitted: Option<Omitted>,
}

/// A value that a recipe need not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omitted {
    /// An empty text.
    EmptyText,
    /// This flag; a section with nothing else is left out, too.
    Flag(bool),
}

impl Omitted {
    /// The value.
    pub(super) fn value(self) -> Value {
        match self {
            Self::EmptyText => Value::String(String::new()),
            Self::Flag(flag) => Value::Boolean(flag),
        }
    }
}

impl KeyDoc {
    /// An entry.
    pub const fn new(key: &'static str, text: &'static str, allowed: &'static str) -> Self {
        Self {
            key,
            text,
            allowed,
            omitted: None,
        }
    }

    /// The same of a text that recipes leave out where it is empty.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.omitted = Some(Omitted::EmptyText);
        self
    }

    /// The same of a flag that recipes leave out, with its section, where it has this value.
    #[must_use]
    pub const fn optional_flag(mut self, omitted: bool) -> Self {
        self.omitted = Some(Omitted::Flag(omitted));
        self
    }
}

/// The entry of a key in a section of this kind.
fn find<T: Patchable>(key: &str, kind: Option<&str>) -> Option<&'static KeyDoc> {
    let all = || T::docs().iter().copied().flatten();
    let of_kind = kind.and_then(|kind| {
        let (section, name) = key.rsplit_once('.')?;
        let wanted = format!("{section}({kind}).{name}");
        all().find(|doc| doc.key == wanted)
    });
    of_kind.or_else(|| all().find(|doc| doc.key == key))
}

/// Where the entry of a key stands among all.
fn position<T: Patchable>(key: &str, kind: Option<&str>) -> usize {
    let doc = find::<T>(key, kind);
    let all = T::docs().iter().copied().flatten();
    all.enumerate()
        .find(|(_, other)| Some(*other) == doc)
        .map_or(usize::MAX, |(at, _)| at)
}

/// What a key may be.
fn allowed<T: Patchable>(doc: &KeyDoc, recipe: &Table, key: &str) -> String {
    if doc.allowed.is_empty() {
        return choices::<T>(recipe, key).join(", ");
    }
    doc.allowed.to_owned()
}

/// A recipe as TOML in which a comment explains every key: a file to save and edit.
///
/// # Errors
///
/// If the recipe cannot be written as TOML.
pub fn annotated<T: Patchable>(recipe: &T) -> Result<String, OverlayError> {
    let table = to_table(recipe)?;
    let mut text = String::new();
    write_table::<T>(&table, &table, "", &mut text);
    Ok(text.trim_start().to_owned())
}

/// A recipe with its numbers as its file holds them: in a table of its own making, one of single
/// precision would gain digits.
fn to_table<T: Patchable>(recipe: &T) -> Result<Table, OverlayError> {
    let text = toml::to_string(recipe)?;
    let table: Result<Table, toml::de::Error> = text.parse();
    let table = table.map_err(|error| OverlayError::Syntax(error.to_string()))?;
    Ok(with_optional::<T>(table))
}

fn write_table<T: Patchable>(recipe: &Table, table: &Table, path: &str, text: &mut String) {
    let kind = table.get("kind").and_then(Value::as_str);
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| position::<T>(&joined(path, name), kind));
    let (sections, values): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(_, value)| value.is_table());
    if !path.is_empty() {
        text.push('\n');
        if let Some(doc) = find::<T>(path, None) {
            comment(text, doc.text);
        }
        let _ = writeln!(text, "[{path}]");
    }
    for (name, value) in values {
        let key = joined(path, name);
        if let Some(doc) = find::<T>(&key, kind) {
            let allowed = allowed::<T>(doc, recipe, &key);
            comment(text, &format!("{}: {allowed}", doc.text));
        }
        let _ = writeln!(text, "{name} = {value}");
    }
    for (name, value) in sections {
        if let Value::Table(inner) = value {
            write_table::<T>(recipe, inner, &joined(path, name), text);
        }
    }
}

/// A comment, on as many lines as it takes.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split(' ') {
        if line.len() + 1 + word.len() > WIDTH && line != "#" {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// Every recipe that shows a key of its own: the given ones, and the first of them with each other
/// kind of each of its sections.
fn with_all_kinds<T: Patchable>(recipes: &[Table]) -> Vec<Table> {
    let mut all = recipes.to_vec();
    for recipe in recipes {
        for section in sections(recipe) {
            for kind in kinds::<T>(recipe, &section) {
                if let Some(variant) = T::variant(&section, &kind) {
                    let mut other = recipe.clone();
                    replace(&mut other, &section, &|table| {
                        change_kind::<T>(table, variant.clone(), &section);
                    });
                    all.push(other);
                }
            }
        }
    }
    all
}

/// Sections that come in kinds.
fn sections(table: &Table) -> Vec<String> {
    let keys = super::keys(table);
    let kinds = keys.iter().filter_map(|key| key.strip_suffix(".kind"));
    kinds.map(str::to_owned).collect()
}

/// Changes the section at `path`.
fn replace(table: &mut Table, path: &str, change: &dyn Fn(&mut Table)) {
    let (name, rest) = path
        .split_once('.')
        .map_or((path, None), |(a, b)| (a, Some(b)));
    match (table.get_mut(name), rest) {
        (Some(Value::Table(inner)), Some(rest)) => replace(inner, rest, change),
        (Some(Value::Table(inner)), None) => change(inner),
        _ => {}
    }
}

/// Keys without an entry, and entries without a key, over all kinds of the recipes.
///
/// # Errors
///
/// If a recipe cannot be written as TOML.
pub fn undocumented<T: Patchable>(recipes: &[T]) -> Result<Vec<String>, OverlayError> {
    let tables: Vec<Table> = recipes.iter().map(to_table).collect::<Result<_, _>>()?;
    let (mut problems, mut used) = (BTreeSet::new(), BTreeSet::new());
    for table in with_all_kinds::<T>(&tables) {
        visit(&table, "", &mut |key, kind, _, value| {
            let Some(doc) = find::<T>(key, kind) else {
                problems.insert(format!("`{key}` has no entry"));
                return;
            };
            used.insert(doc.key);
            if value.is_some() && allowed::<T>(doc, &table, key).is_empty() {
                problems.insert(format!("`{key}` does not say what it may be"));
            }
        });
    }
    let unused = T::docs().iter().copied().flatten();
    let unused = unused.filter(|doc| !used.contains(doc.key));
    problems.extend(unused.map(|doc| format!("the entry `{}` is of no key", doc.key)));
    Ok(problems.into_iter().collect())
}

/// Takes a key, the kind of its section, the section, and the value unless the key is a section.
type Visitor<'a> = dyn FnMut(&str, Option<&str>, &str, Option<&Value>) + 'a;

/// Calls `see` with every key.
fn visit(table: &Table, path: &str, see: &mut Visitor<'_>) {
    let kind = table.get("kind").and_then(Value::as_str);
    for (name, value) in table {
        let key = joined(path, name);
        match value {
            Value::Table(inner) => {
                see(&key, kind, path, None);
                visit(inner, &key, see);
            }
            value => see(&key, kind, path, Some(value)),
        }
    }
}

/// A page of all keys: a table for each section, with the value in the first recipe that has the
/// key.
///
/// # Errors
///
/// If a recipe cannot be written as TOML.
pub fn reference<T: Patchable>(recipes: &[T]) -> Result<String, OverlayError> {
    let tables: Vec<Table> = recipes.iter().map(to_table).collect::<Result<_, _>>()?;
    let mut rows: Vec<Row> = Vec::new();
    for table in with_all_kinds::<T>(&tables) {
        visit(&table, "", &mut |key, kind, section, value| {
            let (Some(doc), Some(value)) = (find::<T>(key, kind), value) else {
                return;
            };
            let known = rows.iter_mut().find(|row| row.doc == doc && row.key == key);
            if let Some(row) = known {
                row.kinds.extend(kind.map(str::to_owned));
                // Recipes of another task may have other choices.
                if doc.allowed.is_empty() {
                    row.allow(choices::<T>(&table, key));
                }
                return;
            }
            rows.push(Row {
                doc,
                key: key.to_owned(),
                section: section.to_owned(),
                kinds: kind.map(str::to_owned).into_iter().collect(),
                allowed: allowed::<T>(doc, &table, key),
                value: value.to_string(),
            });
        });
    }
    Ok(page::<T>(&rows))
}

struct Row {
    doc: &'static KeyDoc,
    key: String,
    section: String,
    kinds: BTreeSet<String>,
    allowed: String,
    value: String,
}

impl Row {
    /// Adds choices that are not listed yet.
    fn allow(&mut self, choices: Vec<String>) {
        for choice in choices {
            if !self.allowed.split(", ").any(|known| known == choice) {
                self.allowed.push_str(", ");
                self.allowed.push_str(&choice);
            }
        }
    }
}

fn page<T: Patchable>(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut order: Vec<&str> = Vec::new();
    for doc in T::docs().iter().copied().flatten() {
        let of_doc = rows.iter().filter(|row| row.doc == doc);
        for row in of_doc {
            if !order.contains(&row.section.as_str()) {
                order.push(&row.section);
            }
        }
    }
    for section in order {
        let title = find::<T>(section, None).map_or("The recipe", |doc| doc.text);
        let name = if section.is_empty() {
            title.to_owned()
        } else {
            format!("`[{section}]`: {title}")
        };
        // A kind that no table shows has the keys of the other kinds.
        let all = rows.iter().filter(|row| row.section == section);
        let all: BTreeSet<String> = all.flat_map(|row| row.kinds.clone()).collect();
        let _ = writeln!(
            text,
            "\n### {name}\n\n| key | meaning | values | e.g. |\n|---|---|---|---|"
        );
        for doc in T::docs().iter().copied().flatten() {
            for row in rows
                .iter()
                .filter(|row| row.doc == doc && row.section == section)
            {
                let _ = writeln!(text, "{}", line(row, &all));
            }
        }
    }
    text
}

/// One row; a key that not all kinds of its section have says which.
fn line(row: &Row, all: &BTreeSet<String>) -> String {
    let name = row.key.rsplit('.').next().unwrap_or(&row.key);
    let some = row.kinds.len() < all.len() && !row.kinds.is_empty();
    let kinds: Vec<&str> = row.kinds.iter().map(String::as_str).collect();
    let only = if some {
        format!(" (`{}`)", kinds.join("`, `"))
    } else {
        String::new()
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    format!(
        "| `{name}`{only} | {} | {} | `{}` |",
        cell(row.doc.text),
        cell(&row.allowed),
        row.value.replace('|', "\\|")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
    enum Net {
        Mlp { hidden: Vec<usize> },
        Cnn { hidden: usize },
    }

    #[derive(Serialize, Deserialize)]
    struct Recipe {
        rate: f64,
        net: Net,
    }

    const DOCS: &[KeyDoc] = &[
        KeyDoc::new("rate", "Learning rate", "above 0"),
        KeyDoc::new("net", "Network", ""),
        KeyDoc::new("net.kind", "Architecture", ""),
        KeyDoc::new("net(mlp).hidden", "Width of each layer", "list"),
        KeyDoc::new("net.hidden", "Width of the layer", "1 or more"),
    ];

    impl Patchable for Recipe {
        fn variant(path: &str, kind: &str) -> Option<Table> {
            let net = match (path, kind) {
                ("net", "mlp") => Net::Mlp { hidden: vec![8] },
                ("net", "cnn") => Net::Cnn { hidden: 4 },
                _ => return None,
            };
            Table::try_from(net).ok()
        }

        fn docs() -> &'static [&'static [KeyDoc]] {
            &[DOCS]
        }
    }

    fn recipe() -> Recipe {
        Recipe {
            rate: 0.5,
            net: Net::Mlp { hidden: vec![8] },
        }
    }

    #[test]
    fn every_key_has_a_comment_and_the_file_still_parses() {
        let text = annotated(&recipe()).unwrap();
        let expected = "# Learning rate: above 0\nrate = 0.5\n\n# Network\n[net]\n\
                        # Architecture: mlp, cnn\nkind = \"mlp\"\n\
                        # Width of each layer: list\nhidden = [8]\n";
        assert_eq!(text, expected);
        let parsed: Table = text.parse().unwrap();
        assert_eq!(parsed, Table::try_from(recipe()).unwrap());
    }

    #[test]
    fn the_page_tells_kinds_apart() {
        let page = reference(&[recipe()]).unwrap();
        for line in [
            "| `rate` | Learning rate | above 0 | `0.5` |",
            "### `[net]`: Network",
            "| `kind` | Architecture | mlp, cnn | `\"mlp\"` |",
            "| `hidden` (`mlp`) | Width of each layer | list | `[8]` |",
            "| `hidden` (`cnn`) | Width of the layer | 1 or more | `4` |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert_eq!(undocumented(&[recipe()]).unwrap(), Vec::<String>::new());
    }
}
