//! What a published network is: `config.json` as the Hugging Face hub has it.

use serde_json::{Map, Value};
use thiserror::Error;

use super::BertConfig;
use crate::config::ConfigError;
use crate::layers::Activation;

/// Why a `config.json` is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HfConfigError {
    /// It is no JSON.
    #[error("it is not valid JSON")]
    Json(#[from] serde_json::Error),
    /// It is JSON, but no object.
    #[error("it is not a JSON object")]
    NoObject,
    /// Something is missing or of another kind.
    #[error("`{key}` is {found}, expected {expected}")]
    Value {
        /// Its name.
        key: String,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// It describes another family of networks.
    #[error("its `model_type` is `{found}`, expected `bert` or `distilbert`; {difference}")]
    Family {
        /// The family.
        found: String,
        /// What it does differently.
        difference: &'static str,
    },
    /// A size is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Which names the weights have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Bert,
    DistilBert,
}

/// What `config.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct HfConfig {
    /// The sizes.
    pub bert: BertConfig,
    /// Names of the classes in the order of the scores, if there are any.
    pub labels: Vec<String>,
    pub(super) family: Family,
}

/// What other families do differently.
const DIFFERENCES: [(&str, &str); 12] = [
    (
        "roberta",
        "it counts places from the number of the padding token",
    ),
    (
        "xlm-roberta",
        "it counts places from the number of the padding token",
    ),
    (
        "camembert",
        "it counts places from the number of the padding token",
    ),
    ("albert", "all of its layers share their weights"),
    ("electra", "its embedding may be narrower than its layers"),
    ("deberta", "its attention looks at distances"),
    ("deberta-v2", "its attention looks at distances"),
    ("mpnet", "its attention looks at distances"),
    ("modernbert", "it has rotary places, gates and no biases"),
    ("t5", "it has a decoder and looks at distances"),
    ("gpt2", "it writes texts and looks backwards only"),
    ("llama", "it writes texts and looks backwards only"),
];

impl HfConfig {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it; the caller knows where it is.
    pub fn parse(text: &str) -> Result<Self, HfConfigError> {
        let Value::Object(keys) = serde_json::from_str(text)? else {
            return Err(HfConfigError::NoObject);
        };
        let keys = Keys(keys);
        let description = match keys.text("model_type")? {
            "bert" => keys.bert()?,
            "distilbert" => keys.distilbert()?,
            found => return Err(family(found)),
        };
        description.bert.validate()?;
        Ok(description)
    }
}

fn family(found: &str) -> HfConfigError {
    let difference = DIFFERENCES.iter().find(|(name, _)| *name == found);
    HfConfigError::Family {
        found: found.chars().take(64).collect(),
        difference: difference.map_or("other networks have other layers", |(_, text)| text),
    }
}

struct Keys(Map<String, Value>);

impl Keys {
    fn bert(&self) -> Result<HfConfig, HfConfigError> {
        self.refuse(
            "is_decoder",
            &Value::Bool(true),
            "false: it would look backwards only",
        )?;
        let bert = BertConfig::new(self.size("vocab_size")?)
            .with_max_len(self.size("max_position_embeddings")?)
            .with_type_vocab_size(self.size("type_vocab_size")?)
            .with_d_model(self.size("hidden_size")?)
            .with_n_heads(self.size("num_attention_heads")?)
            .with_n_layers(self.size("num_hidden_layers")?)
            .with_d_hidden(self.size("intermediate_size")?)
            .with_activation(self.activation("hidden_act")?)
            .with_epsilon(self.number("layer_norm_eps", 1e-12)?)
            .with_dropout(self.number("hidden_dropout_prob", 0.1)?);
        self.with_labels(bert, Family::Bert)
    }

    fn distilbert(&self) -> Result<HfConfig, HfConfigError> {
        let bert = BertConfig::new(self.size("vocab_size")?)
            .with_max_len(self.size("max_position_embeddings")?)
            .with_type_vocab_size(0)
            .with_d_model(self.size("dim")?)
            .with_n_heads(self.size("n_heads")?)
            .with_n_layers(self.size("n_layers")?)
            .with_d_hidden(self.size("hidden_dim")?)
            .with_activation(self.activation("activation")?)
            .with_dropout(self.number("dropout", 0.1)?);
        self.with_labels(bert, Family::DistilBert)
    }

    fn with_labels(&self, bert: BertConfig, family: Family) -> Result<HfConfig, HfConfigError> {
        let absolute = self
            .0
            .get("position_embedding_type")
            .and_then(Value::as_str);
        if let Some(other) = absolute.filter(|kind| *kind != "absolute") {
            let found = Value::from(other);
            return Err(value(
                "position_embedding_type",
                Some(&found),
                "\"absolute\"",
            ));
        }
        Ok(HfConfig {
            bert,
            labels: self.labels()?,
            family,
        })
    }

    fn refuse(
        &self,
        key: &str,
        refused: &Value,
        expected: &'static str,
    ) -> Result<(), HfConfigError> {
        match self.0.get(key) {
            Some(found) if found == refused => Err(value(key, Some(found), expected)),
            _ => Ok(()),
        }
    }

    fn text(&self, key: &str) -> Result<&str, HfConfigError> {
        let found = self.0.get(key);
        let text = found.and_then(Value::as_str);
        text.ok_or_else(|| value(key, found, "a name in quotes"))
    }

    fn size(&self, key: &str) -> Result<usize, HfConfigError> {
        let found = self.0.get(key);
        let size = found.and_then(Value::as_u64);
        size.and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| value(key, found, "a whole number"))
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, HfConfigError> {
        match self.0.get(key) {
            None => Ok(default),
            Some(found) => {
                let number = found.as_f64();
                number.ok_or_else(|| value(key, Some(found), "a number"))
            }
        }
    }

    fn activation(&self, key: &str) -> Result<Activation, HfConfigError> {
        match self.text(key)? {
            "gelu" => Ok(Activation::Gelu),
            "relu" => Ok(Activation::Relu),
            "silu" | "swish" => Ok(Activation::Silu),
            _ => Err(value(
                key,
                self.0.get(key),
                "\"gelu\", \"relu\" or \"silu\"",
            )),
        }
    }

    /// `id2label`, in the order of its numbers.
    fn labels(&self) -> Result<Vec<String>, HfConfigError> {
        let Some(found) = self.0.get("id2label") else {
            return Ok(Vec::new());
        };
        let expected = "an object from \"0\", \"1\" and so on to names";
        let refuse = || value("id2label", Some(found), expected);
        let labels = found.as_object().ok_or_else(refuse)?;
        let label = |index: usize| labels.get(&index.to_string()).and_then(Value::as_str);
        (0..labels.len())
            .map(|index| label(index).map(str::to_owned).ok_or_else(refuse))
            .collect()
    }
}

fn value(key: &str, found: Option<&Value>, expected: &'static str) -> HfConfigError {
    let found = match found {
        None => "missing".to_owned(),
        Some(found) => {
            let text = found.to_string();
            match text.char_indices().nth(60) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    };
    HfConfigError::Value {
        key: key.to_owned(),
        found,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: &str = r#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
        "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.05, "max_position_embeddings": 512,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "id2label": {"1": "yes", "0": "no"},
        "position_embedding_type": "absolute", "use_cache": true}"#;

    const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 28996, "dim": 768,
        "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "activation": "gelu",
        "max_position_embeddings": 512, "dropout": 0.1, "sinusoidal_pos_embds": false}"#;

    #[test]
    fn bert_is_read() {
        let description = HfConfig::parse(BERT).unwrap();
        let expected = BertConfig::new(30522)
            .with_d_model(384)
            .with_n_layers(6)
            .with_d_hidden(1536)
            .with_dropout(0.05);
        assert_eq!(description.bert, expected);
        assert_eq!(description.labels, ["no", "yes"]);
        assert_eq!(description.family, Family::Bert);
    }

    #[test]
    fn distilbert_is_read() {
        let description = HfConfig::parse(DISTILBERT).unwrap();
        assert_eq!(
            description.bert,
            BertConfig::new(28996)
                .with_n_layers(6)
                .with_type_vocab_size(0)
        );
        assert!(description.labels.is_empty());
        assert_eq!(description.family, Family::DistilBert);
    }

    fn refused(text: &str) -> String {
        HfConfig::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn other_families_are_refused_with_what_they_do_differently() {
        assert_eq!(
            refused(r#"{"model_type": "roberta"}"#),
            "its `model_type` is `roberta`, expected `bert` or `distilbert`; it counts places \
             from the number of the padding token"
        );
        let unknown = refused(&format!(r#"{{"model_type": "{}"}}"#, "x".repeat(10_000)));
        assert!(
            unknown.ends_with("other networks have other layers"),
            "{unknown}"
        );
        assert!(unknown.len() < 200, "{unknown}");
    }

    #[test]
    fn messages_name_the_key() {
        for (from, to, message) in [
            (
                "30522",
                "\"many\"",
                "`vocab_size` is \"many\", expected a whole number",
            ),
            ("30522", "-1", "`vocab_size` is -1, expected a whole number"),
            (
                "\"hidden_size\": 384,",
                "",
                "`hidden_size` is missing, expected a whole number",
            ),
            (
                "384",
                "100000000000",
                "`d_model` must be between 1 and 65536 (got 100000000000)",
            ),
            (
                "384",
                "380",
                "`d_model` must be a multiple of `n_heads` = 12 (got 380)",
            ),
            (
                "\"gelu\"",
                "\"gelu_new\"",
                "`hidden_act` is \"gelu_new\", expected \"gelu\", \"relu\" or \"silu\"",
            ),
            (
                "\"absolute\"",
                "\"relative_key\"",
                "`position_embedding_type` is \"relative_key\", expected \"absolute\"",
            ),
            (
                "\"use_cache\": true",
                "\"is_decoder\": true",
                "`is_decoder` is true, expected false: it would look backwards only",
            ),
            (
                "\"1\": \"yes\"",
                "\"2\": \"yes\"",
                "`id2label` is {\"0\":\"no\",\"2\":\"yes\"}, expected an object from \"0\", \"1\" \
                 and so on to names",
            ),
            (
                "0.05",
                "1.5",
                "`dropout` must be at least 0 and below 1 (got 1.5)",
            ),
        ] {
            assert!(BERT.contains(from));
            assert_eq!(refused(&BERT.replacen(from, to, 1)), message);
        }
        assert_eq!(refused("[]"), "it is not a JSON object");
        assert_eq!(refused("{"), "it is not valid JSON");
    }
}
