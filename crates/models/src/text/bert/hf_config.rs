//! `config.json` of the Hugging Face hub.

use serde_json::{Map, Value};
use thiserror::Error;

use super::BertConfig;
use crate::config::ConfigError;
use crate::layers::Activation;

/// Why a `config.json` cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HfConfigError {
    /// It is not valid JSON.
    #[error("it is not valid JSON")]
    Json(#[from] serde_json::Error),
    /// It is not a JSON object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// It belongs to another family of networks.
    #[error("`model_type` must be `bert` or `distilbert` (got `{model_type}`, which {difference})")]
    Family {
        /// The family.
        model_type: String,
        /// How it differs from BERT.
        difference: &'static str,
    },
    /// A key is missing or its value is not supported.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Family of networks, which decides the names of the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Bert,
    DistilBert,
}

/// The contents of a `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct HfConfig {
    /// The sizes.
    pub bert: BertConfig,
    /// Names of the classes in the order of the logits, if there are any.
    pub labels: Vec<String>,
    pub(super) family: Family,
}

/// Differences of other families from BERT.
const DIFFERENCES: [(&str, &str); 12] = [
    ("roberta", "numbers positions from the padding token's id"),
    (
        "xlm-roberta",
        "numbers positions from the padding token's id",
    ),
    ("camembert", "numbers positions from the padding token's id"),
    ("albert", "shares the weights of all layers"),
    (
        "electra",
        "may have transformer_residual embeddings than layers",
    ),
    ("deberta", "has relative position embeddings"),
    ("deberta-v2", "has relative position embeddings"),
    ("mpnet", "has relative position embeddings"),
    (
        "modernbert",
        "has rotary position embeddings, gates and no biases",
    ),
    ("t5", "has a decoder and relative position embeddings"),
    ("gpt2", "is a causal language model"),
    ("llama", "is a causal language model"),
];

impl HfConfig {
    /// Parses the text of a `config.json`.
    ///
    /// # Errors
    ///
    /// If it is not the configuration of a supported network.
    pub fn parse(text: &str) -> Result<Self, HfConfigError> {
        let Value::Object(keys) = serde_json::from_str(text)? else {
            return Err(HfConfigError::NotAnObject);
        };
        let keys = Keys(keys);
        let config = match keys.text("model_type")? {
            "bert" => keys.bert()?,
            "distilbert" => keys.distilbert()?,
            found => return Err(family(found)),
        };
        config.bert.validate()?;
        Ok(config)
    }
}

fn family(found: &str) -> HfConfigError {
    let difference = DIFFERENCES.iter().find(|(name, _)| *name == found);
    HfConfigError::Family {
        model_type: found.chars().take(64).collect(),
        difference: difference.map_or("has other layers", |(_, text)| text),
    }
}

struct Keys(Map<String, Value>);

impl Keys {
    fn bert(&self) -> Result<HfConfig, HfConfigError> {
        self.refuse(
            "is_decoder",
            &Value::Bool(true),
            "false: decoders are not supported",
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
        text.ok_or_else(|| value(key, found, "a string"))
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

    /// `id2label` in the order of the class numbers.
    fn labels(&self) -> Result<Vec<String>, HfConfigError> {
        let Some(found) = self.0.get("id2label") else {
            return Ok(Vec::new());
        };
        let expected = "an object that maps \"0\", \"1\" and so on to names";
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
        None => "nothing".to_owned(),
        Some(found) => {
            let text = found.to_string();
            match text.char_indices().nth(60) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    };
    ConfigError::new(key, found, expected).into()
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
        let config = HfConfig::parse(BERT).unwrap();
        let expected = BertConfig::new(30522)
            .with_d_model(384)
            .with_n_layers(6)
            .with_d_hidden(1536)
            .with_dropout(0.05);
        assert_eq!(config.bert, expected);
        assert_eq!(config.labels, ["no", "yes"]);
        assert_eq!(config.family, Family::Bert);
    }

    #[test]
    fn distilbert_is_read() {
        let config = HfConfig::parse(DISTILBERT).unwrap();
        assert_eq!(
            config.bert,
            BertConfig::new(28996)
                .with_n_layers(6)
                .with_type_vocab_size(0)
        );
        assert!(config.labels.is_empty());
        assert_eq!(config.family, Family::DistilBert);
    }

    fn refused(text: &str) -> String {
        HfConfig::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn other_families_are_rejected_with_a_reason() {
        assert_eq!(
            refused(r#"{"model_type": "roberta"}"#),
            "`model_type` must be `bert` or `distilbert` (got `roberta`, which numbers positions from \
             the padding token's id)"
        );
        let unknown = refused(&format!(r#"{{"model_type": "{}"}}"#, "x".repeat(10_000)));
        assert!(unknown.ends_with("which has other layers)"), "{unknown}");
        assert!(unknown.len() < 200, "{unknown}");
    }

    #[test]
    fn messages_name_the_key() {
        for (from, to, message) in [
            (
                "30522",
                "\"many\"",
                "`vocab_size` must be a whole number (got \"many\")",
            ),
            (
                "30522",
                "-1",
                "`vocab_size` must be a whole number (got -1)",
            ),
            (
                "\"hidden_size\": 384,",
                "",
                "`hidden_size` must be a whole number (got nothing)",
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
                "`hidden_act` must be \"gelu\", \"relu\" or \"silu\" (got \"gelu_new\")",
            ),
            (
                "\"absolute\"",
                "\"relative_key\"",
                "`position_embedding_type` must be \"absolute\" (got \"relative_key\")",
            ),
            (
                "\"use_cache\": true",
                "\"is_decoder\": true",
                "`is_decoder` must be false: decoders are not supported (got true)",
            ),
            (
                "\"1\": \"yes\"",
                "\"2\": \"yes\"",
                "`id2label` must be an object that maps \"0\", \"1\" and so on to names (got \
                 {\"0\":\"no\",\"2\":\"yes\"})",
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
