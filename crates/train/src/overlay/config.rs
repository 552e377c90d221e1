//! Configurations of networks in recipes: without the fields that follow from the data.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Serializes a configuration without some of its fields: those that follow from the data.
///
/// # Errors
///
/// If the configuration is no table, or cannot be written.
pub fn serialize_without<T: Serialize, S: Serializer>(
    config: &T,
    fields: &[&str],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut table = table(config).map_err(S::Error::custom)?;
    for field in fields {
        table.remove(*field);
    }
    table.serialize(serializer)
}

/// Deserializes a configuration over the default one of its `kind`: fields that are absent, such as
/// those that follow from the data, have their defaults.
///
/// # Errors
///
/// If the kind or a field is unknown, or a value of the wrong type.
pub fn deserialize_over<'de, T: Serialize + DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
    kinds: &'static [&'static str],
    of_kind: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let patch = Map::deserialize(deserializer)?;
    let kind = patch.get("kind").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| D::Error::missing_field("kind"))?;
    let base = of_kind(kind).ok_or_else(|| D::Error::unknown_variant(kind, kinds))?;
    let mut config = table(&base).map_err(D::Error::custom)?;
    for (field, value) in patch {
        let Some(slot) = config.get_mut(&field) else {
            return Err(D::Error::custom(format!("unknown field `{field}`")));
        };
        *slot = value;
    }
    serde_json::from_value(Value::Object(config)).map_err(D::Error::custom)
}

fn table(config: &impl Serialize) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(config)? {
        Value::Object(table) => Ok(table),
        _ => Err(serde::ser::Error::custom("a configuration must be a table")),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    enum Net {
        Mlp { d_input: usize, hidden: Vec<usize> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Recipe {
        #[serde(serialize_with = "without_input", deserialize_with = "over_default")]
        net: Net,
    }

    fn without_input<S: Serializer>(net: &Net, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_without(net, &["d_input"], serializer)
    }

    fn over_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Net, D::Error> {
        let default = |kind: &str| {
            (kind == "mlp").then(|| Net::Mlp {
                d_input: 0,
                hidden: vec![8],
            })
        };
        deserialize_over(deserializer, &["mlp"], default)
    }

    #[test]
    fn fields_of_the_data_are_no_keys_and_absent_fields_have_their_defaults() {
        let net = Net::Mlp {
            d_input: 3,
            hidden: vec![4],
        };
        let text = toml::to_string(&Recipe { net }).unwrap();
        assert_eq!(text, "[net]\nhidden = [4]\nkind = \"mlp\"\n");
        let read = |text: &str| toml::from_str::<Recipe>(text);
        let Net::Mlp { d_input, hidden } = read("net = { kind = \"mlp\" }").unwrap().net;
        assert_eq!((d_input, hidden), (0, vec![8]));
        for (text, words) in [
            ("net = { kind = \"cnn\" }", "unknown variant `cnn`"),
            ("net = { kind = \"mlp\", width = 3 }", "unknown field `width`"),
            ("net = { hidden = [3] }", "missing field `kind`"),
            ("net = { kind = \"mlp\", hidden = 3 }", "expected a sequence"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
