//! Configurations in recipes: without the sizes that follow from the data.

use burn::config::Config;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A network's configuration of which some fields follow from the data, such as the number of
/// classes. They are the arguments of its `new`, which a recipe does not have.
pub trait DataSized: Config {
    /// Names of the fields that follow from the data.
    const DATA_FIELDS: &'static [&'static str];

    /// The defaults. The fields that follow from the data are 0 or empty, which no network is
    /// built from.
    fn template() -> Self;
}

/// A configuration as a recipe has it: without the fields that follow from the data.
///
/// A missing key has its default; an unknown key, or one that follows from the data, is an error.
/// (A Burn configuration alone refuses the former and ignores the latter.) In an enum with a tag,
/// one variant describes a network completely:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tinderbox_models::layers::MlpConfig;
/// use tinderbox_models::vision::CnnConfig;
/// use tinderbox_models::Template;
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(tag = "kind", rename_all = "kebab-case")]
/// enum Architecture {
///     Mlp(Template<MlpConfig>),
///     Cnn(Template<CnnConfig>),
/// }
///
/// let model = r#"{"kind": "cnn", "block_channels": [8, 16]}"#;
/// let Ok(Architecture::Cnn(Template(cnn))) = serde_json::from_str(model) else { panic!() };
/// let [in_channels, height, width, num_classes] = [1, 28, 28, 10];
/// let config = CnnConfig { in_channels, height, width, num_classes, ..cnn };
/// assert_eq!(config, CnnConfig::new(1, 28, 28, 10).with_block_channels(vec![8, 16]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Template<C>(pub C);

impl<C: DataSized> Default for Template<C> {
    fn default() -> Self {
        Self(C::template())
    }
}

impl<C: DataSized> Serialize for Template<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(&self.0).map_err(S::Error::custom)?;
        for field in C::DATA_FIELDS {
            fields.remove(*field);
        }
        fields.serialize(serializer)
    }
}

impl<'de, C: DataSized> Deserialize<'de> for Template<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = fields(&C::template()).map_err(D::Error::custom)?;
        for (key, value) in Map::deserialize(deserializer)? {
            let is_known = fields.contains_key(&key) && !C::DATA_FIELDS.contains(&key.as_str());
            if !is_known {
                let message = format!("unknown field `{key}`, expected {}", known::<C>(&fields));
                return Err(D::Error::custom(message));
            }
            fields.insert(key, value);
        }
        let config = serde_json::from_value(Value::Object(fields));
        config.map(Self).map_err(D::Error::custom)
    }
}

fn fields<C: Config>(config: &C) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(config)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(serde::ser::Error::custom(
            "the configuration is not a struct",
        )),
    }
}

/// The keys that a recipe may have.
fn known<C: DataSized>(fields: &Map<String, Value>) -> String {
    let keys = fields.keys().map(String::as_str);
    let keys: Vec<String> = keys
        .filter(|key| !C::DATA_FIELDS.contains(key))
        .map(|key| format!("`{key}`"))
        .collect();
    keys.join(", ")
}

/// Implements [`DataSized`] from the arguments of `new` and other fields that follow from the data.
macro_rules! data_sized {
    ($config:ident::new($($argument:ident),*) $(, $field:ident)*) => {
        impl $crate::template::DataSized for $config {
            const DATA_FIELDS: &'static [&'static str] =
                &[$(stringify!($argument),)* $(stringify!($field)),*];

            fn template() -> Self {
                Self::new($($crate::template::data_sized!(@empty $argument)),*)
            }
        }
    };
    (@empty $argument:ident) => {
        Default::default()
    };
}

pub(crate) use data_sized;

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::layers::{Activation, MlpConfig};
    use crate::rl::{ActorCriticConfig, QNetworkConfig};
    use crate::tabular::{
        AutoencoderConfig, FtTransformerConfig, TabMConfig, TabularMlpConfig, TabularResNetConfig,
    };
    use crate::text::{
        ByteEncoderConfig, FastTextConfig, GptConfig, TextCnnConfig, TextEncoderConfig,
        TextRnnConfig,
    };
    use crate::vision::{CnnConfig, EfficientNetLiteConfig, ResNetConfig, UNetConfig};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    enum Architecture {
        Mlp(Template<MlpConfig>),
        Resnet(Template<ResNetConfig>),
    }

    fn check<C: DataSized + PartialEq + Debug>() {
        let template = Template::<C>::default();
        let written = toml::to_string(&template).unwrap();
        for field in C::DATA_FIELDS {
            let start = format!("{field} ");
            assert!(
                !written.lines().any(|line| line.starts_with(&start)),
                "{written}"
            );
            // Each is a field of the configuration.
            assert!(fields(&template.0).unwrap().contains_key(*field), "{field}");
        }
        assert_eq!(toml::from_str::<Template<C>>(&written).unwrap(), template);
        assert_eq!(toml::from_str::<Template<C>>("").unwrap(), template);
    }

    #[test]
    fn every_configuration_can_be_in_a_recipe() {
        check::<MlpConfig>();
        check::<CnnConfig>();
        check::<ResNetConfig>();
        check::<EfficientNetLiteConfig>();
        check::<UNetConfig>();
        check::<TextEncoderConfig>();
        check::<ByteEncoderConfig>();
        check::<GptConfig>();
        check::<FastTextConfig>();
        check::<TextCnnConfig>();
        check::<TextRnnConfig>();
        check::<TabularMlpConfig>();
        check::<TabularResNetConfig>();
        check::<FtTransformerConfig>();
        check::<TabMConfig>();
        check::<AutoencoderConfig>();
        check::<QNetworkConfig>();
        check::<ActorCriticConfig>();
    }

    #[test]
    fn a_tagged_enum_holds_configurations() {
        let text = "kind = \"mlp\"\nhidden = [4]\nactivation = \"tanh\"\n";
        let read: Architecture = toml::from_str(text).unwrap();
        let expected = MlpConfig::new(0, 0)
            .with_hidden(vec![4])
            .with_activation(Activation::Tanh);
        assert_eq!(read, Architecture::Mlp(Template(expected)));
        let written = toml::to_string(&read).unwrap();
        assert!(written.contains("kind = \"mlp\"") && written.contains("dropout = 0.1"));
        assert_eq!(toml::from_str::<Architecture>(&written).unwrap(), read);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), read);
    }

    #[test]
    fn keys_that_a_recipe_does_not_have_are_refused() {
        for key in ["num_classes", "in_channels", "banana"] {
            let text = format!("kind = \"resnet\"\n{key} = 3\n");
            let message = toml::from_str::<Architecture>(&text)
                .unwrap_err()
                .to_string();
            let expected = format!(
                "unknown field `{key}`, expected `base_channels`, `block`, `blocks_per_stage`, \
                 `dropout`, `stem`"
            );
            assert!(message.contains(&expected), "{message}");
        }
    }
}
