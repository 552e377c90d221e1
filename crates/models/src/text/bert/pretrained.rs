//! Published BERT networks: folders with `config.json` and `model.safetensors`, as the Hugging Face
//! hub has them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use burn::nn::Linear;
use burn::tensor::Device;
use thiserror::Error;

use super::hf_config::{Family, HfConfig, HfConfigError};
use super::{Bert, BertClassifier, BertConfig, BertTagger};
use crate::config::ConfigError;
use crate::layers::Activation;
use crate::pretrained::{NameTable, SafeTensorsError, SafeTensorsFile};

const CONFIG_FILE: &str = "config.json";
const WEIGHTS_FILE: &str = "model.safetensors";
const PICKLE_FILE: &str = "pytorch_model.bin";

/// Name of the last layer of a stored head.
const HEAD: &str = "classifier";

/// Largest `config.json`, in bytes.
const MAX_CONFIG: u64 = 16 << 20;

/// Why a published network cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// `config.json` cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `config.json` is not that of a supported network.
    #[error("cannot use `{}`", path.display())]
    HfConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: HfConfigError,
    },
    /// There is no `model.safetensors`, but a pickle, which runs any code that is in it.
    #[error(
        "`{}` is a pickle, which could run any code; convert it in its folder with `python -c \
         \"import torch, safetensors.torch as s; \
         s.save_file({{k: v.clone() for k, v in torch.load('{PICKLE_FILE}', map_location='cpu', \
         weights_only=True).items()}}, '{WEIGHTS_FILE}')\"`",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// The weights cannot be loaded.
    #[error(transparent)]
    Weights(#[from] SafeTensorsError),
    /// The requested head cannot be built.
    #[error(transparent)]
    Head(#[from] ConfigError),
}

/// The head of a classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The one that is stored with the weights.
    Stored,
    /// A new one with this number of classes.
    New(usize),
}

/// A published network of BERT, `DistilBERT` or `MiniLM`.
#[derive(Debug)]
pub struct PretrainedBert {
    config: HfConfig,
    weights: SafeTensorsFile,
    /// Prefix of the network's own tensors, as `bert.`.
    prefix: &'static str,
}

impl PretrainedBert {
    /// Opens a folder: reads `config.json` and the header of `model.safetensors`. Loading compares
    /// them.
    ///
    /// # Errors
    ///
    /// If one is missing, damaged or of a network that is not supported.
    pub fn open(dir: &Path) -> Result<Self, PretrainedError> {
        let path = dir.join(CONFIG_FILE);
        let text = read_config(&path).map_err(|source| {
            let path = path.clone();
            PretrainedError::Io { path, source }
        })?;
        let config =
            HfConfig::parse(&text).map_err(|source| PretrainedError::HfConfig { path, source })?;
        let path = dir.join(WEIGHTS_FILE);
        let pickle = dir.join(PICKLE_FILE);
        if !path.exists() && pickle.exists() {
            return Err(PretrainedError::Pickle { path: pickle });
        }
        Ok(Self::new(config, SafeTensorsFile::open(path)?))
    }

    /// As [`open`](Self::open), from the contents of both files.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_bytes(config: &str, weights: Vec<u8>) -> Result<Self, PretrainedError> {
        let config = HfConfig::parse(config).map_err(|source| {
            let path = CONFIG_FILE.into();
            PretrainedError::HfConfig { path, source }
        })?;
        Ok(Self::new(config, SafeTensorsFile::from_bytes(weights)?))
    }

    fn new(config: HfConfig, weights: SafeTensorsFile) -> Self {
        let prefix = config.family.prefix();
        let first = format!("{prefix}embeddings.word_embeddings.weight");
        let prefix = if weights.shape(&first).is_some() {
            prefix
        } else {
            ""
        };
        Self {
            config,
            weights,
            prefix,
        }
    }

    /// The sizes of the network.
    pub fn config(&self) -> &BertConfig {
        &self.config.bert
    }

    /// Activation after the first layer of a head that classifies texts.
    pub fn head_activation(&self) -> Activation {
        match self.config.family {
            Family::Bert => Activation::Tanh,
            Family::DistilBert => Activation::Relu,
        }
    }

    /// Names of the classes of the stored head in the order of its scores, where there are any.
    pub fn labels(&self) -> &[String] {
        &self.config.labels
    }

    /// Number of classes of the stored head, if there is one.
    pub fn stored_classes(&self) -> Option<usize> {
        let head = self.weights.shape(&format!("{HEAD}.weight"))?;
        head.first().copied()
    }

    /// Loads the network without a head.
    ///
    /// # Errors
    ///
    /// If the weights do not have the names and shapes that `config.json` asks for, or cannot be
    /// read.
    pub fn bert(&self, device: &Device) -> Result<Bert, PretrainedError> {
        let names = self.config.family.names(self.prefix, self.config());
        Ok(self.weights.load(self.config().init(device), &names)?)
    }

    /// Loads the network with a head that classifies texts. The layer between them is loaded if it
    /// is stored, and new otherwise.
    ///
    /// # Errors
    ///
    /// As [`bert`](Self::bert), or if a stored head is requested and there is none.
    pub fn classifier(
        &self,
        head: Head,
        device: &Device,
    ) -> Result<BertClassifier, PretrainedError> {
        let num_classes = self.num_classes(head)?;
        let pooler = self.config.family.pooler(self.prefix);
        let has_pooler = self.weights.shape(&format!("{pooler}.weight")).is_some();
        let bert = self.bert(device)?;
        let (activation, dropout) = (self.head_activation(), self.config().dropout);
        let mut model = BertClassifier::new(bert, num_classes, activation, dropout)?;
        if has_pooler || head == Head::Stored {
            model.pooler = self.linear(model.pooler, &pooler)?;
        }
        if head == Head::Stored {
            model.head = self.linear(model.head, HEAD)?;
        }
        Ok(model)
    }

    /// Loads the network with a head that classifies tokens.
    ///
    /// # Errors
    ///
    /// As [`classifier`](Self::classifier).
    pub fn tagger(&self, head: Head, device: &Device) -> Result<BertTagger, PretrainedError> {
        let num_classes = self.num_classes(head)?;
        let mut model = BertTagger::new(self.bert(device)?, num_classes, self.config().dropout)?;
        if head == Head::Stored {
            model.head = self.linear(model.head, HEAD)?;
        }
        Ok(model)
    }

    fn num_classes(&self, head: Head) -> Result<usize, PretrainedError> {
        match head {
            Head::New(num_classes) => Ok(num_classes),
            Head::Stored => {
                let missing = || self.weights.missing(format!("{HEAD}.weight"));
                Ok(self.stored_classes().ok_or_else(missing)?)
            }
        }
    }

    fn linear(&self, layer: Linear, name: &str) -> Result<Linear, SafeTensorsError> {
        let names = NameTable::new().linear(name, "").ignore_others();
        self.weights.load(layer, &names)
    }
}

fn read_config(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_CONFIG)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::error::Error as _;
    use std::fs;

    use burn::module::{Module, ModuleVisitor, Param};
    use burn::tensor::{DType, Tensor};
    use safetensors::Dtype;

    use super::*;
    use crate::testing::{Tensors, insert_f32, safetensors_bytes, values};

    const BERT: &str = r#"{"model_type": "bert", "vocab_size": 11, "hidden_size": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "hidden_act": "gelu", "max_position_embeddings": 10, "type_vocab_size": 2}"#;
    const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 11, "dim": 8,
        "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "activation": "gelu",
        "max_position_embeddings": 10}"#;

    /// The tensors of a published file: each filled with its own number.
    fn published(config: &str, prefix: &str) -> Tensors {
        let mut tensors = Tensors::new();
        let mut add = |name: String, shape: &[usize]| {
            let number = tensors.len() as f32 + 1.0;
            insert_f32(
                &mut tensors,
                &name,
                shape,
                &vec![number; shape.iter().product()],
            );
        };
        let is_bert = config == BERT;
        add(
            format!("{prefix}embeddings.word_embeddings.weight"),
            &[11, 8],
        );
        add(
            format!("{prefix}embeddings.position_embeddings.weight"),
            &[10, 8],
        );
        if is_bert {
            add(
                format!("{prefix}embeddings.token_type_embeddings.weight"),
                &[2, 8],
            );
        }
        add(format!("{prefix}embeddings.LayerNorm.weight"), &[8]);
        add(format!("{prefix}embeddings.LayerNorm.bias"), &[8]);
        let (stack, linears, norms) = if is_bert {
            (
                "encoder.layer",
                [
                    ("attention.self.query", [8, 8]),
                    ("attention.self.key", [8, 8]),
                    ("attention.self.value", [8, 8]),
                    ("attention.output.dense", [8, 8]),
                    ("intermediate.dense", [12, 8]),
                    ("output.dense", [8, 12]),
                ],
                ["attention.output.LayerNorm", "output.LayerNorm"],
            )
        } else {
            (
                "transformer.layer",
                [
                    ("attention.q_lin", [8, 8]),
                    ("attention.k_lin", [8, 8]),
                    ("attention.v_lin", [8, 8]),
                    ("attention.out_lin", [8, 8]),
                    ("ffn.lin1", [12, 8]),
                    ("ffn.lin2", [8, 12]),
                ],
                ["sa_layer_norm", "output_layer_norm"],
            )
        };
        for layer in 0..2 {
            for (linear, shape) in linears {
                add(format!("{prefix}{stack}.{layer}.{linear}.weight"), &shape);
                add(
                    format!("{prefix}{stack}.{layer}.{linear}.bias"),
                    &shape[..1],
                );
            }
            for norm in norms {
                add(format!("{prefix}{stack}.{layer}.{norm}.weight"), &[8]);
                add(format!("{prefix}{stack}.{layer}.{norm}.bias"), &[8]);
            }
        }
        tensors
    }

    fn with_head(config: &str, prefix: &str) -> Tensors {
        let mut tensors = published(config, prefix);
        let pooler = if config == BERT {
            format!("{prefix}pooler.dense")
        } else {
            "pre_classifier".to_owned()
        };
        for (name, shape) in [(pooler.as_str(), [8, 8]), ("classifier", [3, 8])] {
            let number = tensors.len() as f32 + 1.0;
            let weight = vec![number; shape[0] * shape[1]];
            insert_f32(&mut tensors, &format!("{name}.weight"), &shape, &weight);
            let bias = vec![number + 1.0; shape[0]];
            insert_f32(&mut tensors, &format!("{name}.bias"), &shape[..1], &bias);
        }
        tensors
    }

    /// The name of a normalization's tensor in the oldest files.
    fn old_name(name: &str) -> String {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    }

    fn number(tensors: &Tensors, name: &str) -> f32 {
        let (_, _, bytes) = &tensors[name];
        f32::from_le_bytes(bytes[..4].try_into().unwrap())
    }

    /// The first number of each parameter, all of which are equal.
    fn numbers<M: Module>(module: &M) -> BTreeMap<String, f32> {
        #[derive(Default)]
        struct Numbers {
            path: Vec<String>,
            found: BTreeMap<String, f32>,
        }

        impl ModuleVisitor for Numbers {
            fn enter_module(&mut self, name: &str, _container: &str) {
                self.path.push(name.into());
            }

            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let values = values(param.val());
                assert!(
                    values
                        .iter()
                        .all(|value| value.to_bits() == values[0].to_bits())
                );
                self.found.insert(self.path.join("."), values[0]);
            }

            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.path.pop();
            }
        }

        let mut visitor = Numbers::default();
        module.visit(&mut visitor);
        visitor.found
    }

    #[test]
    fn every_published_tensor_is_loaded_with_any_prefix() {
        for (config, prefix) in [
            (BERT, "bert."),
            (BERT, ""),
            (DISTILBERT, "distilbert."),
            (DISTILBERT, ""),
        ] {
            let tensors = with_head(config, prefix);
            let pretrained =
                PretrainedBert::from_bytes(config, safetensors_bytes(&tensors)).unwrap();
            let model = pretrained
                .classifier(Head::Stored, &Device::flex())
                .unwrap();
            let found = numbers(&model);
            // Each of the file's numbers is in one parameter.
            let mut expected: Vec<f32> =
                tensors.keys().map(|name| number(&tensors, name)).collect();
            let mut all: Vec<f32> = found.values().copied().collect();
            expected.sort_by(f32::total_cmp);
            all.sort_by(f32::total_cmp);
            assert_eq!(all, expected);
            let (theirs, query) = if config == BERT {
                (
                    "encoder.layer.1.attention.self.query.bias",
                    "pooler.dense.weight",
                )
            } else {
                (
                    "transformer.layer.1.attention.q_lin.bias",
                    "pre_classifier.weight",
                )
            };
            let query_prefix = if config == BERT { prefix } else { "" };
            let layer = number(&tensors, &format!("{prefix}{theirs}"));
            assert_eq!(
                found["bert.layers.1.attention.query.bias"].to_bits(),
                layer.to_bits()
            );
            let pooler = number(&tensors, &format!("{query_prefix}{query}"));
            assert_eq!(found["pooler.weight"].to_bits(), pooler.to_bits());
        }
    }

    #[test]
    fn linear_weights_are_transposed() {
        let mut tensors = with_head(BERT, "bert.");
        let name = "bert.encoder.layer.0.intermediate.dense.weight";
        let numbers: Vec<f32> = (0..96_u8).map(f32::from).collect();
        tensors.get_mut(name).unwrap().2 = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let pretrained = PretrainedBert::from_bytes(BERT, safetensors_bytes(&tensors)).unwrap();
        let model = pretrained.bert(&Device::flex()).unwrap();
        let weight = &model.layers[0].feed_forward.up.weight;
        assert_eq!(weight.dims(), [8, 12]);
        // Theirs is `[12, 8]`.
        assert_eq!(values(weight.val())[12 + 2].to_bits(), 17.0_f32.to_bits());
    }

    #[test]
    fn old_names_and_half_precision_are_loaded() {
        let device = Device::flex();
        let mut tensors = Tensors::new();
        for (name, (_, shape, bytes)) in with_head(BERT, "bert.") {
            let (chunks, _) = bytes.as_chunks::<4>();
            // The upper half of an `f32` is a `bf16`.
            let halves = chunks
                .iter()
                .flat_map(|chunk| [chunk[2], chunk[3]])
                .collect();
            tensors.insert(old_name(&name), (Dtype::BF16, shape, halves));
        }
        assert!(tensors.contains_key("bert.encoder.layer.1.output.LayerNorm.gamma"));
        let pretrained = PretrainedBert::from_bytes(BERT, safetensors_bytes(&tensors)).unwrap();
        let old = pretrained.bert(&device).unwrap();
        let tensors = with_head(BERT, "bert.");
        let pretrained = PretrainedBert::from_bytes(BERT, safetensors_bytes(&tensors)).unwrap();
        assert_eq!(numbers(&old), numbers(&pretrained.bert(&device).unwrap()));
        assert_eq!(old.tokens.weight.val().dtype(), DType::F32);
    }

    #[test]
    fn a_new_head_keeps_the_rest() {
        let device = Device::flex();
        let tensors = with_head(BERT, "bert.");
        let pretrained = PretrainedBert::from_bytes(BERT, safetensors_bytes(&tensors)).unwrap();
        assert_eq!(pretrained.stored_classes(), Some(3));
        let model = pretrained.classifier(Head::New(5), &device).unwrap();
        assert_eq!(model.head.weight.dims(), [8, 5]);
        let pooler = number(&tensors, "bert.pooler.dense.weight");
        assert_eq!(
            values(model.pooler.weight.val())[0].to_bits(),
            pooler.to_bits()
        );
        let tagger = pretrained.tagger(Head::Stored, &device).unwrap();
        let head = number(&tensors, "classifier.weight");
        assert_eq!(
            values(tagger.head.weight.val())[0].to_bits(),
            head.to_bits()
        );
        assert_eq!(numbers(tagger.bert()), numbers(model.bert()));
    }

    #[test]
    fn a_network_without_a_head_has_none_to_load() {
        let device = Device::flex();
        let pretrained = published(BERT, "");
        let pretrained = PretrainedBert::from_bytes(BERT, safetensors_bytes(&pretrained)).unwrap();
        assert_eq!(pretrained.stored_classes(), None);
        assert!(pretrained.classifier(Head::New(2), &device).is_ok());
        let error = pretrained.classifier(Head::Stored, &device).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`model.safetensors` has no tensor `classifier.weight`"
        );
        let error = pretrained.tagger(Head::New(0), &device).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`num_classes` must be between 1 and 65536 (got 0)"
        );
    }

    #[test]
    fn mismatches_are_named() {
        let refused = |change: &dyn Fn(&mut Tensors), config: &str| {
            let mut tensors = with_head(BERT, "bert.");
            change(&mut tensors);
            let pretrained =
                PretrainedBert::from_bytes(config, safetensors_bytes(&tensors)).unwrap();
            pretrained.bert(&Device::flex()).unwrap_err().to_string()
        };
        let wider = BERT.replace("\"intermediate_size\": 12", "\"intermediate_size\": 16");
        assert_eq!(
            refused(&|_| (), &wider),
            "`bert.encoder.layer.0.intermediate.dense.weight` in `model.safetensors` has shape \
             [12, 8], expected [16, 8]"
        );
        let deeper = BERT.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
        assert_eq!(
            refused(&|_| (), &deeper),
            "`model.safetensors` has no tensor `bert.encoder.layer.2.attention.self.query.weight`"
        );
        let name = "bert.embeddings.position_embeddings.weight";
        let remove = |tensors: &mut Tensors| drop(tensors.remove(name));
        assert_eq!(
            refused(&remove, BERT),
            format!("`model.safetensors` has no tensor `{name}`")
        );
        let integers = |tensors: &mut Tensors| {
            let (dtype, _, _) = tensors.get_mut(name).unwrap();
            *dtype = Dtype::I32;
        };
        assert_eq!(
            refused(&integers, BERT),
            format!("`{name}` in `model.safetensors` has type I32, expected F64, F32, F16 or BF16")
        );
    }

    #[test]
    fn a_folder_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let missing = PretrainedBert::open(dir.path()).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read `") && missing.ends_with("config.json`"));
        fs::write(dir.path().join(CONFIG_FILE), BERT).unwrap();
        let missing = PretrainedBert::open(dir.path()).unwrap_err().to_string();
        assert!(missing.ends_with("model.safetensors`"), "{missing}");
        let tensors = with_head(BERT, "bert.");
        fs::write(dir.path().join(WEIGHTS_FILE), safetensors_bytes(&tensors)).unwrap();
        let device = Device::flex();
        let read = PretrainedBert::open(dir.path()).unwrap();
        let memory = PretrainedBert::from_bytes(BERT, safetensors_bytes(&tensors)).unwrap();
        let [read, memory] =
            [read, memory].map(|pretrained| pretrained.classifier(Head::Stored, &device).unwrap());
        assert_eq!(numbers(&read), numbers(&memory));
        fs::write(dir.path().join(CONFIG_FILE), "{}").unwrap();
        let error = PretrainedBert::open(dir.path()).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot use `")
                && error.to_string().ends_with("config.json`"),
            "{error}"
        );
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "`model_type` must be a string (got nothing)");
    }

    #[test]
    fn a_pickle_is_rejected_with_the_command_that_converts_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(CONFIG_FILE), BERT).unwrap();
        fs::write(dir.path().join(PICKLE_FILE), [0x80, 2]).unwrap();
        let error = PretrainedBert::open(dir.path()).unwrap_err();
        assert!(matches!(error, PretrainedError::Pickle { .. }));
        let message = error.to_string();
        assert_eq!(message.lines().count(), 1);
        let command = "`python -c \"import torch, safetensors.torch as s; s.save_file({k: \
                       v.clone() for k, v in torch.load('pytorch_model.bin', map_location='cpu', \
                       weights_only=True).items()}, 'model.safetensors')\"`";
        assert!(message.ends_with(command), "{message}");
    }
}
