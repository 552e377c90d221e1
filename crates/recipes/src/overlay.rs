//! Patches over a recipe: a TOML file or `--set key=value`, with every key checked.
//!
//! serde alone is not enough. A patch must reach into a nested table without repeating it, a
//! misspelt key must name its nearest neighbour, and a section that changes its `kind` must drop
//! the keys of the old one.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Why a patch was refused.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// The patch is not TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// `--set` without an equals sign.
    #[error("`{0}` is not of the form `key=value`, as in `train.epochs=3`")]
    NotAnAssignment(String),
    /// A key that the recipe does not have.
    #[error("unknown key `{key}`{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// The key with its path.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value of another type than the recipe's.
    #[error("`{key}` must be {expected}, and `{found}` is not")]
    WrongType {
        /// The key with its path.
        key: String,
        /// What the recipe holds there.
        expected: &'static str,
        /// What the patch says.
        found: String,
    },
    /// A value that the recipe's type refuses.
    #[error("{0}")]
    Invalid(String),
    /// The recipe itself cannot be written as TOML: a mistake of ours.
    #[error("this recipe cannot be written as TOML: {0}")]
    Unwritable(#[from] toml::ser::Error),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!(", did you mean `{key}`?"))
}

/// A recipe that can be patched.
pub trait Patchable: Serialize + DeserializeOwned {
    /// The table that stands at `path` when its `kind` is the given one, for each section that
    /// comes in kinds; `None` where it does not.
    fn variant(path: &str, kind: &str) -> Option<Table> {
        let _ = (path, kind);
        None
    }
}

/// Lays a TOML document over `base`.
///
/// # Errors
///
/// If it is no TOML, has a key that `base` lacks, or a value of the wrong type.
pub fn overlay<T: Patchable>(base: &T, patch: &str) -> Result<T, OverlayError> {
    let patch: Table = patch
        .parse()
        .map_err(|error: toml::de::Error| OverlayError::Syntax(error.to_string()))?;
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

fn overlay_table<T: Patchable>(base: &T, patch: Table) -> Result<T, OverlayError> {
    let mut resolved = Table::try_from(base)?;
    merge::<T>(&mut resolved, patch, "")?;
    let invalid = |error: toml::de::Error| OverlayError::Invalid(error.message().to_owned());
    Value::Table(resolved).try_into().map_err(invalid)
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
        *base = other;
    }
    for (name, value) in patch {
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let Some(slot) = base.get_mut(&name) else {
            let nearest = nearest(&name, base.keys().map(String::as_str)).map(|near| {
                if path.is_empty() {
                    near.to_owned()
                } else {
                    format!("{path}.{near}")
                }
            });
            return Err(OverlayError::UnknownKey { key, nearest });
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
                return Err(OverlayError::WrongType {
                    key,
                    expected: describe(&old),
                    found: new.to_string(),
                });
            }
        };
    }
    Ok(())
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
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
    enum Model {
        Mlp { hidden: Vec<usize> },
        Cnn { width: usize },
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Recipe {
        name: String,
        rate: f64,
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
            model: Model::Mlp { hidden: vec![4, 4] },
        }
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
    fn an_unknown_kind_lists_the_known_ones() {
        let error = assign(base(), &["model.kind=gnn".into()])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`mlp`") && error.contains("`cnn`"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_type_says_what_is_expected() {
        let error = assign(base(), &["rate=fast".into()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`rate` must be a number, and `\"fast\"` is not"
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
