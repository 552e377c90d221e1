//! Sections of a recipe that hold a network's own configuration, without the sizes that are inferred
//! from the data.

use ciborium::Value as Ordered;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

/// Serializes a section without the keys in `inferred`, in the order of its fields.
///
/// With [`deserialize`] it lets a recipe hold the configuration of a network, which needs sizes that
/// only the data has:
///
/// ```
/// # use serde::{Deserialize, Deserializer, Serialize, Serializer};
/// use tinderbox_train::overlay::inferred;
///
/// #[derive(Serialize, Deserialize)]
/// struct NetConfig {
///     d_input: usize,
///     d_hidden: usize,
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Recipe {
///     #[serde(with = "model")]
///     model: NetConfig,
/// }
///
/// mod model {
/// #   use super::*;
///     const INFERRED: [&str; 1] = ["d_input"];
///
///     pub fn serialize<S: Serializer>(model: &NetConfig, to: S) -> Result<S::Ok, S::Error> {
///         inferred::serialize(model, &INFERRED, to)
///     }
///
///     pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NetConfig, D::Error> {
///         inferred::deserialize(&INFERRED, from)
///     }
/// }
///
/// let model = NetConfig { d_input: 30, d_hidden: 8 };
/// let text = toml::to_string(&Recipe { model }).unwrap();
/// assert_eq!(text, "[model]\nd_hidden = 8\n");
/// let recipe: Recipe = toml::from_str(&text).unwrap();
/// assert_eq!(recipe.model.d_input, 0);
/// ```
///
/// # Errors
///
/// If the section cannot be serialized, or is not a map.
pub fn serialize<T: Serialize, S: Serializer>(
    section: &T,
    inferred: &[&str],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let fields = match Ordered::serialized(section).map_err(S::Error::custom)? {
        Ordered::Map(fields) => fields,
        _ => return Err(S::Error::custom("the section is not a map")),
    };
    let is_stored = |key: &Ordered| key.as_text().is_none_or(|key| !inferred.contains(&key));
    let stored = fields.iter().filter(|(key, _)| is_stored(key));
    serializer.collect_map(stored.map(|(key, value)| (key, value)))
}

/// Deserializes a section whose keys in `inferred` are not stored; they are 0.
///
/// # Errors
///
/// If the section does not fit `T`.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    inferred: &[&str],
    deserializer: D,
) -> Result<T, D::Error> {
    let mut section = Table::deserialize(deserializer)?;
    for &key in inferred {
        section.insert(key.to_owned(), Value::Integer(0));
    }
    section
        .try_into()
        .map_err(|error| D::Error::custom(error.message()))
}

/// The section as a table, for [`Patchable::variant`](super::Patchable::variant).
pub fn table(section: &impl Serialize, inferred: &[&str]) -> Option<Table> {
    let mut table = Table::try_from(section).ok()?;
    for key in inferred {
        table.remove(*key);
    }
    Some(table)
}

/// Deserializes a section that comes in kinds over the default one of its kind: keys that are not
/// stored have the values of that one. For inferred values that are no numbers.
///
/// # Errors
///
/// If the kind or a key is unknown, or the section does not fit `T`.
pub fn deserialize_over<'de, T: Serialize + DeserializeOwned, D: Deserializer<'de>>(
    kinds: &'static [&'static str],
    of_kind: impl FnOnce(&str) -> Option<T>,
    deserializer: D,
) -> Result<T, D::Error> {
    let stored = Table::deserialize(deserializer)?;
    let kind = stored.get("kind").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| D::Error::missing_field("kind"))?;
    let base = of_kind(kind).ok_or_else(|| D::Error::unknown_variant(kind, kinds))?;
    let mut section = Table::try_from(base).map_err(D::Error::custom)?;
    for (key, value) in stored {
        match section.get_mut(&key) {
            Some(slot) => *slot = value,
            None => return Err(D::Error::custom(format!("unknown key `{key}`"))),
        }
    }
    section
        .try_into()
        .map_err(|error| D::Error::custom(error.message()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    enum Net {
        Mlp {
            cardinalities: Vec<usize>,
            hidden: Vec<usize>,
        },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Recipe {
        #[serde(with = "net")]
        net: Net,
    }

    mod net {
        use super::*;

        pub(super) fn serialize<S: Serializer>(net: &Net, to: S) -> Result<S::Ok, S::Error> {
            super::super::serialize(net, &["cardinalities"], to)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Net, D::Error> {
            let default = |kind: &str| {
                (kind == "mlp").then(|| Net::Mlp {
                    cardinalities: Vec::new(),
                    hidden: vec![8],
                })
            };
            deserialize_over(&["mlp"], default, from)
        }
    }

    #[test]
    fn inferred_fields_are_no_keys_and_absent_fields_have_their_defaults() {
        let net = Net::Mlp {
            cardinalities: vec![3],
            hidden: vec![4],
        };
        let text = toml::to_string(&Recipe { net }).unwrap();
        assert_eq!(text, "[net]\nkind = \"mlp\"\nhidden = [4]\n");
        let read = |text: &str| toml::from_str::<Recipe>(text);
        let net = Net::Mlp {
            cardinalities: Vec::new(),
            hidden: vec![8],
        };
        assert_eq!(read("net = { kind = \"mlp\" }").unwrap().net, net);
        for (text, words) in [
            ("net = { kind = \"cnn\" }", "unknown variant `cnn`"),
            ("net = { kind = \"mlp\", width = 3 }", "unknown key `width`"),
            ("net = { hidden = [3] }", "missing field `kind`"),
            (
                "net = { kind = \"mlp\", hidden = 3 }",
                "expected a sequence",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
