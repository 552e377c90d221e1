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
