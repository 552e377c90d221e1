//! Patches over a recipe: a TOML file or `--set key=value`, with every key checked.
//!
//! serde alone is not enough. A patch must reach into a nested table without repeating it, a
//! misspelled key must name its nearest neighbor, and a section that changes its `kind` must drop
//! the keys of the old one.

mod docs;
mod refusal;
mod suggest;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use docs::{KeyDoc, Omitted, annotated, reference, undocumented};
pub use refusal::{choices, kinds};
pub use suggest::{keys, suggest};

use suggest::joined;

/// Why a patch was refused.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// The patch is not TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// `--set` without an equals sign.
    #[error("`{0}` is not of the form `key=value`, as in `train.seed=3`")]
    NotAnAssignment(String),
    /// A key that the recipe does not have.
    #[error("unknown key `{key}`{hint}")]
    UnknownKey {
        /// The key with its path.
        key: String,
        /// What was probably meant, as the end of a sentence; empty if nothing is like it.
        hint: String,
    },
    /// A value that the recipe's type refuses.
    #[error("`{key}` must be {expected} (got {found})")]
    BadValue {
        /// The key with its path.
        key: String,
        /// What it may be.
        expected: String,
        /// What the patch says.
        found: String,
    },
    /// A recipe that another version wrote.
    #[error(
        "the recipe has format {found}, and Tinderbox {} reads format {RECIPE_FORMAT}; {}",
        env!("CARGO_PKG_VERSION"), advice(*.found)
    )]
    Format {
        /// Its format.
        found: i64,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Invalid(String),
    /// The recipe itself cannot be written as TOML: a mistake of ours.
    #[error("this recipe cannot be written as TOML: {0}")]
    Unwritable(#[from] toml::ser::Error),
}

/// Version of the keys of recipes, as `format` in `recipe.toml`.
pub const RECIPE_FORMAT: i64 = 1;

fn advice(found: i64) -> &'static str {
    if found > RECIPE_FORMAT {
        "update this program"
    } else {
        "start from a recipe of this version"
    }
}

/// A resolved recipe as `recipe.toml` holds it, with its format.
///
/// # Errors
///
/// If it cannot be written as TOML.
pub fn document(recipe: &impl Serialize) -> Result<String, toml::ser::Error> {
    Ok(format!(
        "format = {RECIPE_FORMAT}\n{}",
        toml::to_string(recipe)?
    ))
}

/// Reads the text of a stored recipe and writes it as this version does; `None` if it cannot be read.
pub type Reread = fn(&str) -> Option<String>;

/// [`Reread`] for a kind of recipes: keys that are newer than the text have the default that serde gives them, which is
/// what the program did before: a new key of a recipe needs such a default, or runs of older versions cannot be resumed.
/// A text with a key that this version does not have cannot be read.
pub fn reread<R: Serialize + DeserializeOwned>(stored: &str) -> Option<String> {
    let mut table: Table = stored.parse().ok()?;
    let format = table.remove("format");
    let stored = keys(&table);
    let recipe: R = Value::Table(table).try_into().ok()?;
    let known = keys(&Table::try_from(&recipe).ok()?);
    if stored.iter().any(|key| !known.contains(key)) {
        return None;
    }
    let text = toml::to_string(&recipe).ok()?;
    Some(match format {
        Some(format) => format!("format = {format}\n{text}"),
        None => text,
    })
}

/// A recipe that can be patched.
pub trait Patchable: Serialize + DeserializeOwned {
    /// The table that stands at `path` when its `kind` is the given one, for each section that
    /// comes in kinds; `None` where it does not.
    fn variant(path: &str, kind: &str) -> Option<Table> {
        let _ = (path, kind);
        None
    }

    /// Whether recipes refuse a kind of the section at `path` that their type has, so that no list names it.
    fn refuses_kind(path: &str, kind: &str) -> bool {
        let _ = (path, kind);
        false
    }

    /// The section at `path` that a recipe may have or lack, as one that only names a key of it gets it.
    fn optional(path: &str) -> Option<Table> {
        let _ = path;
        None
    }

    /// The keys of the section at `path` that all its kinds have: they keep their values when the
    /// kind changes.
    fn common_keys(path: &str) -> &'static [&'static str] {
        let _ = path;
        &[]
    }

    /// What each key means.
    fn docs() -> &'static [&'static [KeyDoc]] {
        &[]
    }
}

/// Lays a TOML document over `base`.
///
/// # Errors
///
/// If it is no TOML, has a key that `base` lacks, or a value of the wrong type.
pub fn overlay<T: Patchable>(base: &T, patch: &str) -> Result<T, OverlayError> {
    let mut patch: Table = patch
        .parse()
        .map_err(|error: toml::de::Error| OverlayError::Syntax(error.to_string()))?;
    // A recipe written by hand need not have one.
    if let Some(found) = patch
        .remove("format")
        .and_then(|format| format.as_integer())
        && found != RECIPE_FORMAT
    {
        return Err(OverlayError::Format { found });
    }
    overlay_table(base, patch)
}

/// Lays assignments such as `train.epochs=3` over `base`, in their order.
///
/// A value that is no TOML is taken as a string, so quotes are not needed at a shell.
///
/// # Errors
///
/// As for [`overlay`].
pub fn assign<T: Patchable>(base: T, assignments: &[String]) -> Result<T, OverlayError> {
    assignments.iter().try_fold(base, |base, assignment| {
        let (key, value) = assignment
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| OverlayError::NotAnAssignment(assignment.clone()))?;
        overlay_table(&base, nested(key.trim(), parse_value(value.trim())))
    })
}

/// A recipe with all of its keys.
///
/// # Errors
///
/// If it cannot be written as TOML.
pub fn recipe_table<T: Patchable>(recipe: &T) -> Result<Table, toml::ser::Error> {
    Ok(with_optional::<T>(Table::try_from(recipe)?))
}

/// A recipe with the texts and flags that it leaves out.
fn with_optional<T: Patchable>(mut recipe: Table) -> Table {
    for doc in T::docs().iter().copied().flatten() {
        let Some(omitted) = doc.omitted else { continue };
        let (section, name) = doc.key.rsplit_once('.').unwrap_or(("", doc.key));
        let sections = section.split('.').filter(|part| !part.is_empty());
        let mut table = Some(&mut recipe);
        for part in sections {
            let section = table.and_then(|table| match omitted {
                Omitted::EmptyText => table.get_mut(part),
                Omitted::Flag(_) => {
                    let empty = || Value::Table(Table::new());
                    Some(table.entry(part).or_insert_with(empty))
                }
            });
            table = section.and_then(Value::as_table_mut);
        }
        if let Some(table) = table {
            table.entry(name).or_insert_with(|| omitted.value());
        }
    }
    recipe
}

fn overlay_table<T: Patchable>(base: &T, patch: Table) -> Result<T, OverlayError> {
    let base = recipe_table(base)?;
    let mut resolved = base.clone();
    merge::<T>(&mut resolved, patch.clone(), "").map_err(|error| error.with_hint::<T>(&base))?;
    let resolved = Value::Table(resolved).try_into();
    resolved.map_err(|error| refusal::explain::<T>(base, patch, &error))
}

impl OverlayError {
    /// Adds what was probably meant by an unknown key, and the words that a key takes.
    fn with_hint<T: Patchable>(self, base: &Table) -> Self {
        let key = match self {
            Self::UnknownKey { key, .. } => key,
            Self::BadValue {
                key,
                expected,
                found,
            } => {
                let words = refusal::choices::<T>(base, &key);
                let words = words.iter().map(|word| format!("`{word}`"));
                let expected = alternatives(&words.collect::<Vec<_>>())
                    .or_else(|| optional_text::<T>(&key))
                    .unwrap_or(expected);
                return Self::BadValue {
                    key,
                    expected,
                    found,
                };
            }
            other => return other,
        };
        let hint = refusal::other_kind::<T>(base, &key).or_else(|| {
            let keys = keys(base);
            suggest(&keys, &key).map(|meant| format!(", did you mean `{meant}`?"))
        });
        let hint = hint.unwrap_or_default();
        Self::UnknownKey { key, hint }
    }
}

/// What a text may be that recipes can leave out.
fn optional_text<T: Patchable>(key: &str) -> Option<String> {
    let mut docs = T::docs().iter().copied().flatten();
    let doc = docs.find(|doc| doc.omitted == Some(Omitted::EmptyText) && doc.key == key)?;
    Some(doc.allowed.to_owned())
}

/// `a`, `a or b`, or `a, b or c`.
fn alternatives(words: &[String]) -> Option<String> {
    let (last, rest) = words.split_last()?;
    if rest.is_empty() {
        return Some(last.clone());
    }
    Some(format!("{} or {last}", rest.join(", ")))
}

fn parse_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn nested(key: &str, value: Value) -> Table {
    let mut parts = key.rsplit('.');
    let last = parts.next().unwrap_or(key);
    let leaf = Table::from_iter([(last.to_owned(), value)]);
    parts.fold(leaf, |inner, part| {
        Table::from_iter([(part.to_owned(), Value::Table(inner))])
    })
}

fn merge<T: Patchable>(base: &mut Table, patch: Table, path: &str) -> Result<(), OverlayError> {
    if let Some(Value::String(kind)) = patch.get("kind")
        && base.get("kind").and_then(Value::as_str) != Some(kind)
        && let Some(other) = T::variant(path, kind)
    {
        change_kind::<T>(base, other, path);
    }
    for (name, value) in patch {
        let key = joined(path, &name);
        if !base.contains_key(&name)
            && let Some(section) = T::optional(&key)
        {
            base.insert(name.clone(), Value::Table(section));
        }
        let Some(slot) = base.get_mut(&name) else {
            let hint = String::new();
            return Err(OverlayError::UnknownKey { key, hint });
        };
        *slot = match (std::mem::replace(slot, Value::Boolean(false)), value) {
            (Value::Table(mut inner), Value::Table(patch)) => {
                merge::<T>(&mut inner, patch, &key)?;
                Value::Table(inner)
            }
            (Value::Float(_), Value::Integer(whole)) => Value::Float(whole as f64),
            (Value::String(old), Value::Boolean(yes)) if is_choice(&old) => {
                Value::String(if yes { "yes" } else { "no" }.to_owned())
            }
            (old, new) if old.same_type(&new) => new,
            (old, new) => {
                return Err(OverlayError::BadValue {
                    key,
                    expected: describe(&old).to_owned(),
                    found: refusal::shown(&new),
                });
            }
        };
    }
    Ok(())
}

/// Replaces the section at `path` by one of another kind.
fn change_kind<T: Patchable>(section: &mut Table, other: Table, path: &str) {
    let common = T::common_keys(path);
    let old = std::mem::replace(section, other);
    section.extend(
        old.into_iter()
            .filter(|(name, _)| common.contains(&name.as_str())),
    );
}

/// Whether a key takes `auto`, `yes` or `no`, of which `true` and `false` mean the latter two.
fn is_choice(value: &str) -> bool {
    ["auto", "yes", "no"].contains(&value)
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "`true` or `false`",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// The candidate that looks most like `word`, if one looks like it at all.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetricsOptions;
    use crate::docs::METRICS_DOCS;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
    enum Model {
        Mlp { hidden: Vec<usize> },
        Cnn { width: usize },
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Train {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        budget: String,
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct WithTrain {
        train: Train,
        #[serde(default, skip_serializing_if = "MetricsOptions::is_default")]
        metrics: MetricsOptions,
    }

    impl Patchable for WithTrain {
        fn docs() -> &'static [&'static [KeyDoc]] {
            const DOCS: &[KeyDoc] = &[KeyDoc::new("train.budget", "b", "c").optional()];
            &[DOCS, METRICS_DOCS]
        }
    }

    fn with_train() -> WithTrain {
        WithTrain {
            train: Train {
                budget: String::new(),
            },
            metrics: MetricsOptions::default(),
        }
    }

    #[test]
    fn a_section_that_is_left_out_where_it_is_the_default_can_be_set() {
        let base = with_train();
        let assign = |text: &str| assign(overlay(&base, "").unwrap(), &[text.to_owned()]);
        let changed = assign("metrics.tensorboard=true").unwrap();
        assert!(changed.metrics.tensorboard && changed.metrics.report);
        let text = "[metrics]\ntensorboard = true\n";
        assert_eq!(overlay(&base, text).unwrap(), changed);
        let text = document(&changed).unwrap();
        assert!(text.contains("tensorboard = true"), "{text}");
        assert_eq!(overlay(&base, &text).unwrap(), changed);
        let back = super::assign(changed, &["metrics.tensorboard=false".to_owned()]).unwrap();
        assert_eq!(back, base);
        let error = assign("metrics.tensorbord=true").unwrap_err().to_string();
        assert!(
            error.contains("did you mean `metrics.tensorboard`"),
            "{error}"
        );
        let error = assign("metrics.report=0").unwrap_err().to_string();
        assert_eq!(error, "`metrics.report` must be `true` or `false` (got 0)");
        let page = annotated(&base).unwrap();
        assert!(page.contains("\nreport = true"), "{page}");
    }

    #[test]
    fn a_stored_recipe_gets_the_defaults_of_newer_keys() {
        #[derive(Serialize, Deserialize)]
        struct Newer {
            epochs: u32,
            #[serde(default)]
            flip: bool,
        }
        for format in ["", "format = 1\n"] {
            let stored = format!("{format}epochs = 3\n");
            let full = format!("{stored}flip = false\n");
            assert_eq!(reread::<Newer>(&stored).unwrap(), full);
            assert_eq!(reread::<Newer>(&full).unwrap(), full);
        }
        assert_eq!(reread::<Newer>("flip = true\n"), None);
        assert_eq!(reread::<Newer>("epochs = 3\nfloat = true\n"), None);
        assert_eq!(reread::<Newer>("epochs = [\n"), None);
    }

    #[test]
    fn a_key_that_is_left_out_where_it_is_empty_can_be_set() {
        let base = with_train();
        assert_eq!(document(&base).unwrap(), "format = 1\n[train]\n");
        assert!(keys(&recipe_table(&base).unwrap()).contains(&"train.budget".to_owned()));
        let set = |text: &str| assign(overlay(&base, "").unwrap(), &[text.to_owned()]);
        let changed = set("train.budget=20m").unwrap();
        assert_eq!(changed.train.budget, "20m");
        assert_eq!(
            overlay(&base, &document(&changed).unwrap()).unwrap(),
            changed
        );
        let error = set("train.budgets=20m").unwrap_err().to_string();
        assert!(error.contains("did you mean `train.budget`"), "{error}");
        let error = set("train.budget=20").unwrap_err().to_string();
        assert_eq!(error, "`train.budget` must be c (got 20)");
        let page = annotated(&base).unwrap();
        assert!(page.contains("budget = \"\""), "{page}");
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone, Copy)]
    #[serde(rename_all = "kebab-case")]
    enum MonitorMode {
        Min,
        Max,
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Recipe {
        name: String,
        rate: f64,
        monitor_mode: MonitorMode,
        model: Model,
    }

    impl Patchable for Recipe {
        fn variant(path: &str, kind: &str) -> Option<Table> {
            let model = match (path, kind) {
                ("model", "mlp") => Model::Mlp { hidden: vec![8] },
                ("model", "cnn") => Model::Cnn { width: 16 },
                _ => return None,
            };
            Table::try_from(model).ok()
        }
    }

    fn base() -> Recipe {
        Recipe {
            name: "base".into(),
            rate: 0.5,
            monitor_mode: MonitorMode::Min,
            model: Model::Mlp { hidden: vec![4, 4] },
        }
    }

    #[test]
    fn a_recipe_of_another_version_is_refused_by_both_versions() {
        let text = document(&base()).unwrap();
        assert!(text.starts_with("format = 1\n"));
        assert_eq!(overlay(&base(), &text).unwrap(), base());
        let later = overlay(&base(), "format = 2").unwrap_err().to_string();
        assert!(
            later.contains("format 2") && later.contains("reads format 1"),
            "{later}"
        );
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let patched = overlay(&base(), "rate = 1\n[model]\nhidden = [2]").unwrap();
        let model = Model::Mlp { hidden: vec![2] };
        assert_eq!(
            patched,
            Recipe {
                rate: 1.0,
                model,
                ..base()
            }
        );
    }

    #[test]
    fn another_kind_brings_its_own_keys() {
        let patched = assign(base(), &["model.kind=cnn".into(), "model.width=3".into()]).unwrap();
        assert_eq!(patched.model, Model::Cnn { width: 3 });
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = overlay(&base(), "[model]\nhiden = [2]").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown key `model.hiden`, did you mean `model.hidden`?"
        );
    }

    #[test]
    fn a_key_of_another_kind_names_that_kind() {
        let error = assign(base(), &["model.width=3".into()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown key `model.width`: it belongs to `model.kind=cnn`, and this is `mlp`"
        );
    }

    #[test]
    fn a_bad_value_names_its_key_and_what_it_may_be() {
        for (key, value, message) in [
            ("rate", "\"fast\"", "`rate` must be a number (got `fast`)"),
            ("name", "3", "`name` must be text (got 3)"),
            (
                "monitor_mode",
                "\"up\"",
                "`monitor_mode` must be `min` or `max` (got `up`)",
            ),
            (
                "monitor_mode",
                "true",
                "`monitor_mode` must be `min` or `max` (got true)",
            ),
            (
                "model.kind",
                "\"gnn\"",
                "`model.kind` must be `mlp` or `cnn` (got `gnn`)",
            ),
            (
                "model.hidden",
                "[4, -1]",
                "`model.hidden` must be a list of whole numbers, 0 or more (got [4, -1])",
            ),
            ("model.hidden", "8", "`model.hidden` must be a list (got 8)"),
            (
                "model.hidden",
                "[\"a\"]",
                "`model.hidden` must be a list of whole numbers, 0 or more (got [\"a\"])",
            ),
            ("model", "3", "`model` must be a section (got 3)"),
        ] {
            let set = assign(base(), &[format!("{key}={value}")]).unwrap_err();
            let file = overlay(&base(), &format!("{key} = {value}")).unwrap_err();
            assert_eq!([set.to_string(), file.to_string()], [message; 2]);
        }
        let patch = "rate = 1\n[model]\nkind = \"cnn\"\nwidth = -3";
        let error = overlay(&base(), patch).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`model.width` must be a whole number, 0 or more (got -3)"
        );
    }

    #[test]
    fn text_needs_no_quotes() {
        assert_eq!(
            assign(base(), &["name=my run".into()]).unwrap().name,
            "my run"
        );
    }

    #[test]
    fn an_assignment_needs_an_equals_sign() {
        let error = assign(base(), &["rate".into()]).unwrap_err().to_string();
        assert!(error.contains("`rate` is not of the form"), "{error}");
    }
}
