//! The weights of a published network: `model.safetensors` as the Hugging Face hub has it.
//!
//! Names and shapes are compared with `config.json` before anything is read, so that what does not
//! fit is named.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::slice;

use burn::module::Module;
use burn::nn::Linear;
use burn::store::{
    FloatCastAdapter, KeyRemapper, ModuleAdapter as _, ModuleSnapshot as _, PyTorchToBurnAdapter,
    SafetensorsStore,
};
use burn::tensor::{DType, Device};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use thiserror::Error;

use super::hf_config::{Description, DescriptionError, Family};
use super::tensor_names::{Row, Size, old_name};
use super::{Bert, BertClassifier, BertConfig, BertTagger};
use crate::config::ConfigError;
use crate::layers::Activation;

const CONFIG_FILE: &str = "config.json";
const WEIGHTS_FILE: &str = "model.safetensors";
const PICKLE_FILE: &str = "pytorch_model.bin";

/// Largest header, in bytes: those of the largest published networks are a hundredth of it.
const MAX_HEADER: u64 = 16 << 20;

/// Largest `config.json`, in bytes.
const MAX_CONFIG: u64 = 16 << 20;

/// Why a published network cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// The file system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `config.json` is refused.
    #[error("`{}` cannot be used", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DescriptionError,
    },
    /// There is no `model.safetensors`, but a pickle, which runs whatever code is in it.
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
    /// The file of weights is damaged.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file of weights lacks a tensor that `config.json` asks for.
    #[error("`{}` has no tensor `{tensor}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape than follows from `config.json`.
    #[error(
        "`{tensor}` in `{}` has shape {found:?}, but {CONFIG_FILE} asks for {expected:?}",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that follows from the sizes.
        expected: Vec<usize>,
    },
    /// A tensor does not hold floating-point numbers that can be converted.
    #[error(
        "`{tensor}` in `{}` holds {found}, expected F64, F32, F16 or BF16",
        path.display()
    )]
    Type {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// What it holds.
        found: String,
    },
    /// The head that is asked for cannot be built.
    #[error(transparent)]
    Head(#[from] ConfigError),
}

/// Which head a network gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The one that is stored with the weights.
    Stored,
    /// A new one for so many classes.
    New(usize),
}

/// Where the weights are.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// A published network: a folder with `config.json` and `model.safetensors`.
///
/// Weights of BERT, `DistilBERT` and `MiniLM` are known. Numbers of half precision become single.
#[derive(Debug)]
pub struct Pretrained {
    description: Description,
    header: Metadata,
    source: Source,
    /// What the names of the network's own tensors begin with, as `bert.`.
    prefix: &'static str,
}

impl Pretrained {
    /// Opens a folder: reads `config.json` and the header of `model.safetensors`, and compares them.
    ///
    /// # Errors
    ///
    /// If one is missing, damaged or of a network that is not known here, or if they disagree.
    pub fn open(dir: &Path) -> Result<Self, PretrainedError> {
        let path = dir.join(CONFIG_FILE);
        let refuse = |source| PretrainedError::Io {
            path: path.clone(),
            source,
        };
        let mut text = String::new();
        let file = File::open(&path).map_err(refuse)?;
        file.take(MAX_CONFIG)
            .read_to_string(&mut text)
            .map_err(refuse)?;
        let description = Description::parse(&text)
            .map_err(|source| PretrainedError::Description { path, source })?;
        let path = dir.join(WEIGHTS_FILE);
        let pickle = dir.join(PICKLE_FILE);
        if !path.exists() && pickle.exists() {
            return Err(PretrainedError::Pickle { path: pickle });
        }
        Self::new(description, Source::File(path))
    }

    /// As [`open`](Self::open), from the contents of both files.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_parts(config: &str, weights: Vec<u8>) -> Result<Self, PretrainedError> {
        let description = Description::parse(config).map_err(|source| {
            let path = CONFIG_FILE.into();
            PretrainedError::Description { path, source }
        })?;
        Self::new(description, Source::Memory(weights))
    }

    fn new(description: Description, source: Source) -> Result<Self, PretrainedError> {
        let header = read_header(&source)?;
        let mut pretrained = Self {
            prefix: "",
            description,
            header,
            source,
        };
        let named = |prefix: &str| format!("{prefix}embeddings.word_embeddings.weight");
        let family = pretrained.description.family.prefix();
        if pretrained.header.info(&named(family)).is_some() {
            pretrained.prefix = family;
        }
        let rows = pretrained.description.family.rows();
        pretrained.check(&rows, &pretrained.description.bert, 0)?;
        Ok(pretrained)
    }

    /// The sizes of the network.
    pub fn config(&self) -> &BertConfig {
        &self.description.bert
    }

    /// What stands behind the first layer of a head that classifies texts.
    pub fn head_activation(&self) -> Activation {
        match self.description.family {
            Family::Bert => Activation::Tanh,
            Family::DistilBert => Activation::Relu,
        }
    }

    /// Names of the classes of the stored head in the order of its scores, as far as there are any.
    pub fn labels(&self) -> &[String] {
        &self.description.labels
    }

    /// Number of classes of the stored head, if there is one.
    pub fn stored_classes(&self) -> Option<usize> {
        let head = self.header.info("classifier.weight")?;
        head.shape.first().copied()
    }

    /// Loads the network without a head.
    ///
    /// # Errors
    ///
    /// If the numbers cannot be read.
    pub fn bert(&self, device: &Device) -> Result<Bert, PretrainedError> {
        let rows = self.description.family.rows();
        self.fill(self.config().init(device), &rows)
    }

    /// Loads the network with a head that classifies texts. The layer between them is loaded where
    /// there is one, and new otherwise.
    ///
    /// # Errors
    ///
    /// If the numbers cannot be read, or a stored head is asked for and there is none.
    pub fn classifier(
        &self,
        head: Head,
        device: &Device,
    ) -> Result<BertClassifier, PretrainedError> {
        let family = self.description.family;
        let classes = self.classes(head)?;
        let pooler = family.pooler();
        let has_pooler = self.header.info(&self.name(&pooler, "weight")).is_some();
        if has_pooler || head == Head::Stored {
            self.check(slice::from_ref(&pooler), self.config(), classes)?;
        }
        let bert = self.bert(device)?;
        let activation = self.head_activation();
        let mut model = BertClassifier::new(bert, classes, activation, self.config().dropout)?;
        if has_pooler {
            model.pooler = self.linear(model.pooler, &pooler)?;
        }
        if head == Head::Stored {
            model.head = self.stored_head(model.head, classes)?;
        }
        Ok(model)
    }

    /// Loads the network with a head that classifies tokens.
    ///
    /// # Errors
    ///
    /// If the numbers cannot be read, or a stored head is asked for and there is none.
    pub fn tagger(&self, head: Head, device: &Device) -> Result<BertTagger, PretrainedError> {
        let classes = self.classes(head)?;
        let mut model = BertTagger::new(self.bert(device)?, classes, self.config().dropout)?;
        if head == Head::Stored {
            model.head = self.stored_head(model.head, classes)?;
        }
        Ok(model)
    }

    fn classes(&self, head: Head) -> Result<usize, PretrainedError> {
        match head {
            Head::New(classes) => Ok(classes),
            Head::Stored => {
                let missing = || self.missing("classifier.weight".to_owned());
                self.stored_classes().ok_or_else(missing)
            }
        }
    }

    fn stored_head(&self, head: Linear, classes: usize) -> Result<Linear, PretrainedError> {
        let row = Row::linear("classifier", "", [Size::Classes, Size::Model]);
        self.check(slice::from_ref(&row), self.config(), classes)?;
        self.linear(head, &row)
    }

    fn missing(&self, tensor: String) -> PretrainedError {
        let path = self.path();
        PretrainedError::Missing { path, tensor }
    }

    fn path(&self) -> PathBuf {
        match &self.source {
            Source::File(path) => path.clone(),
            Source::Memory(_) => WEIGHTS_FILE.into(),
        }
    }

    /// Compares names, shapes and types with what the sizes ask for.
    fn check(
        &self,
        rows: &[Row],
        config: &BertConfig,
        classes: usize,
    ) -> Result<(), PretrainedError> {
        for row in rows {
            for layer in 0..row.repetitions(config) {
                for (tensor, sizes) in row.tensors() {
                    let name = self.name(row, tensor).replace("{}", &layer.to_string());
                    let expected = sizes.iter().map(|size| size.of(config, classes)).collect();
                    self.check_tensor(name, expected)?;
                }
            }
        }
        Ok(())
    }

    /// The published name of a tensor of a layer.
    fn name(&self, row: &Row, tensor: &str) -> String {
        row.published(self.prefix, tensor)
    }

    fn check_tensor(&self, tensor: String, expected: Vec<usize>) -> Result<(), PretrainedError> {
        let info = self.header.info(&tensor);
        let Some(info) = info.or_else(|| self.header.info(&old_name(&tensor))) else {
            return Err(self.missing(tensor));
        };
        let path = self.path();
        if info.shape != expected {
            return Err(PretrainedError::Shape {
                path,
                tensor,
                found: info.shape.clone(),
                expected,
            });
        }
        if !matches!(
            info.dtype,
            Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16
        ) {
            return Err(PretrainedError::Type {
                path,
                tensor,
                found: info.dtype.to_string(),
            });
        }
        Ok(())
    }

    fn linear(&self, layer: Linear, row: &Row) -> Result<Linear, PretrainedError> {
        self.fill(layer, slice::from_ref(row))
    }

    /// Reads the tensors of rows into a module that has their names of ours.
    fn fill<M: Module>(&self, mut module: M, rows: &[Row]) -> Result<M, PretrainedError> {
        let damaged = |reason: String| PretrainedError::Damaged {
            path: self.path(),
            reason,
        };
        let patterns = rows.iter().flat_map(|row| row.patterns(self.prefix));
        let names = KeyRemapper::from_pattern_iter(patterns);
        let names = names.map_err(|error| damaged(error.to_string()))?;
        let store = match &self.source {
            Source::File(path) => SafetensorsStore::from_file(path),
            Source::Memory(bytes) => SafetensorsStore::from_bytes(Some(bytes.clone())),
        };
        let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
        let mut store = store.remap(names).with_from_adapter(adapter);
        let result = module.load_from(&mut store);
        result.map_err(|error| damaged(error.to_string()))?;
        Ok(module)
    }
}

/// Reads the header, and no more of the file.
fn read_header(source: &Source) -> Result<Metadata, PretrainedError> {
    let (path, header) = match source {
        Source::Memory(bytes) => {
            let len = bytes.len() as u64;
            (
                PathBuf::from(WEIGHTS_FILE),
                parse_header(bytes.as_slice(), len),
            )
        }
        Source::File(path) => {
            let refuse = |source| PretrainedError::Io {
                path: path.clone(),
                source,
            };
            let file = File::open(path).map_err(refuse)?;
            let len = file.metadata().map_err(refuse)?.len();
            (path.clone(), parse_header(file, len))
        }
    };
    header.map_err(|reason| PretrainedError::Damaged { path, reason })
}

fn parse_header(mut bytes: impl io::Read, len: u64) -> Result<Metadata, String> {
    let short = |_| format!("it ends within its header, after {len} bytes");
    let mut start = [0; 8];
    bytes.read_exact(&mut start).map_err(short)?;
    let header_len = u64::from_le_bytes(start);
    if header_len > MAX_HEADER {
        return Err(format!("its header claims to have {header_len} bytes"));
    }
    if header_len > len - 8 {
        return Err(format!("it ends within its header, after {len} bytes"));
    }
    // Not longer than the file.
    let mut header = vec![0; header_len as usize];
    bytes.read_exact(&mut header).map_err(short)?;
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|error| format!("its header: {error}"))?;
    let expected = 8 + header_len + header.data_len() as u64;
    if len != expected {
        return Err(format!(
            "it has {len} bytes, but its header describes {expected}"
        ));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::error::Error as _;
    use std::fs;

    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::Tensor;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::testing::values;

    const BERT: &str = r#"{"model_type": "bert", "vocab_size": 11, "hidden_size": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "hidden_act": "gelu", "max_position_embeddings": 10, "type_vocab_size": 2}"#;
    const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 11, "dim": 8,
        "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "activation": "gelu",
        "max_position_embeddings": 10}"#;

    /// Name, type, shape and bytes of each tensor.
    type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

    /// What a published file has: every tensor is full of a number of its own.
    fn published(config: &str, prefix: &str, rows: &[Row], classes: usize) -> Tensors {
        let config = Description::parse(config).unwrap().bert;
        let mut tensors = Tensors::new();
        for row in rows {
            for layer in 0..row.repetitions(&config) {
                for (tensor, sizes) in row.tensors() {
                    let name = row.published(prefix, tensor);
                    let name = name.replace("{}", &layer.to_string());
                    let shape: Vec<usize> =
                        sizes.iter().map(|size| size.of(&config, classes)).collect();
                    let number = tensors.len() as f32 + 1.0;
                    let bytes = number.to_le_bytes().repeat(shape.iter().product());
                    tensors.insert(name, (Dtype::F32, shape, bytes));
                }
            }
        }
        tensors
    }

    fn with_head(config: &str, prefix: &str) -> Tensors {
        let family = Description::parse(config).unwrap().family;
        let mut rows = family.rows();
        rows.push(family.pooler());
        rows.push(Row::linear("classifier", "", [Size::Classes, Size::Model]));
        published(config, prefix, &rows, 3)
    }

    fn bytes(tensors: &Tensors) -> Vec<u8> {
        let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
            let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
            (name.clone(), view)
        });
        safetensors::serialize(views, None).unwrap()
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
    fn every_published_tensor_is_read_whatever_the_prefix() {
        for (config, prefix) in [
            (BERT, "bert."),
            (BERT, ""),
            (DISTILBERT, "distilbert."),
            (DISTILBERT, ""),
        ] {
            let tensors = with_head(config, prefix);
            let pretrained = Pretrained::from_parts(config, bytes(&tensors)).unwrap();
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
    fn weights_are_turned_from_the_published_layout() {
        let mut tensors = with_head(BERT, "bert.");
        let name = "bert.encoder.layer.0.intermediate.dense.weight";
        let numbers: Vec<f32> = (0..96_u8).map(f32::from).collect();
        tensors.get_mut(name).unwrap().2 = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let pretrained = Pretrained::from_parts(BERT, bytes(&tensors)).unwrap();
        let model = pretrained.bert(&Device::flex()).unwrap();
        let weight = &model.layers[0].feed_forward.up.weight;
        assert_eq!(weight.dims(), [8, 12]);
        // Theirs is `[12, 8]`.
        assert_eq!(values(weight.val())[12 + 2].to_bits(), 17.0_f32.to_bits());
    }

    #[test]
    fn old_names_and_half_precision_are_read() {
        let device = Device::flex();
        let mut tensors = Tensors::new();
        for (name, (_, shape, bytes)) in with_head(BERT, "bert.") {
            let (chunks, _) = bytes.as_chunks::<4>();
            // The upper half of a single is a brain float.
            let halves = chunks
                .iter()
                .flat_map(|chunk| [chunk[2], chunk[3]])
                .collect();
            tensors.insert(old_name(&name), (Dtype::BF16, shape, halves));
        }
        assert!(tensors.contains_key("bert.encoder.layer.1.output.LayerNorm.gamma"));
        let pretrained = Pretrained::from_parts(BERT, bytes(&tensors)).unwrap();
        let old = pretrained.bert(&device).unwrap();
        let tensors = with_head(BERT, "bert.");
        let pretrained = Pretrained::from_parts(BERT, bytes(&tensors)).unwrap();
        assert_eq!(numbers(&old), numbers(&pretrained.bert(&device).unwrap()));
        assert_eq!(old.tokens.weight.val().dtype(), DType::F32);
    }

    #[test]
    fn a_new_head_keeps_the_rest() {
        let device = Device::flex();
        let tensors = with_head(BERT, "bert.");
        let pretrained = Pretrained::from_parts(BERT, bytes(&tensors)).unwrap();
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
        let rows = Family::Bert.rows();
        let pretrained = published(BERT, "", &rows, 0);
        let pretrained = Pretrained::from_parts(BERT, bytes(&pretrained)).unwrap();
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
    fn what_does_not_fit_is_named() {
        let refused = |change: &dyn Fn(&mut Tensors), config: &str| {
            let mut tensors = with_head(BERT, "bert.");
            change(&mut tensors);
            let refused = Pretrained::from_parts(config, bytes(&tensors));
            refused.unwrap_err().to_string()
        };
        let wider = BERT.replace("\"intermediate_size\": 12", "\"intermediate_size\": 16");
        assert_eq!(
            refused(&|_| (), &wider),
            "`bert.encoder.layer.0.intermediate.dense.weight` in `model.safetensors` has shape \
             [12, 8], but config.json asks for [16, 8]"
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
            format!("`{name}` in `model.safetensors` holds I32, expected F64, F32, F16 or BF16")
        );
    }

    fn with_header(header: &str, rest: &[u8]) -> Vec<u8> {
        let len = header.len() as u64;
        [&len.to_le_bytes(), header.as_bytes(), rest].concat()
    }

    #[test]
    fn damaged_and_hostile_files_are_refused() {
        let refused = |bytes: Vec<u8>| {
            let error = Pretrained::from_parts(BERT, bytes).unwrap_err();
            assert!(matches!(error, PretrainedError::Damaged { .. }), "{error}");
            error.to_string()
        };
        let whole = bytes(&with_head(BERT, "bert."));
        for len in [0, 7, 8, 9, 500, whole.len() - 1] {
            refused(whole[..len].to_vec());
        }
        refused([whole.clone(), vec![0]].concat());
        assert_eq!(
            refused([u64::MAX.to_le_bytes().to_vec(), vec![0; 100]].concat()),
            "`model.safetensors` is damaged: its header claims to have 18446744073709551615 bytes"
        );
        assert_eq!(
            refused([1000_u64.to_le_bytes().to_vec(), vec![b' '; 100]].concat()),
            "`model.safetensors` is damaged: it ends within its header, after 108 bytes"
        );
        for header in [
            "",
            "{",
            "[]",
            "{\"a\": 1}",
            // Offsets that lie outside, overlap, run backwards or leave a hole.
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#,
            // Shapes whose product overflows, or is another than there are bytes.
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
        ] {
            refused(with_header(header, &[0; 8]));
        }
        // And whatever bytes the header is made of.
        let header_len = usize::from(whole[0]) + 256 * usize::from(whole[1]);
        for place in (8..8 + header_len).step_by(7) {
            let mut changed = whole.clone();
            changed[place] ^= 0x15;
            let _ = Pretrained::from_parts(BERT, changed);
        }
    }

    #[test]
    fn a_folder_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Pretrained::open(dir.path()).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read `") && missing.ends_with("config.json`"));
        fs::write(dir.path().join(CONFIG_FILE), BERT).unwrap();
        let missing = Pretrained::open(dir.path()).unwrap_err().to_string();
        assert!(missing.ends_with("model.safetensors`"), "{missing}");
        let tensors = with_head(BERT, "bert.");
        fs::write(dir.path().join(WEIGHTS_FILE), bytes(&tensors)).unwrap();
        let device = Device::flex();
        let read = Pretrained::open(dir.path()).unwrap();
        let memory = Pretrained::from_parts(BERT, bytes(&tensors)).unwrap();
        let [read, memory] =
            [read, memory].map(|pretrained| pretrained.classifier(Head::Stored, &device).unwrap());
        assert_eq!(numbers(&read), numbers(&memory));
        fs::write(dir.path().join(CONFIG_FILE), "{}").unwrap();
        let error = Pretrained::open(dir.path()).unwrap_err();
        assert!(
            error.to_string().ends_with("config.json` cannot be used"),
            "{error}"
        );
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "`model_type` is missing, expected a name in quotes");
    }

    #[test]
    fn a_pickle_is_refused_with_the_line_that_converts_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(CONFIG_FILE), BERT).unwrap();
        fs::write(dir.path().join(PICKLE_FILE), [0x80, 2]).unwrap();
        let error = Pretrained::open(dir.path()).unwrap_err();
        assert!(matches!(error, PretrainedError::Pickle { .. }));
        let message = error.to_string();
        assert_eq!(message.lines().count(), 1);
        let command = "`python -c \"import torch, safetensors.torch as s; s.save_file({k: \
                       v.clone() for k, v in torch.load('pytorch_model.bin', map_location='cpu', \
                       weights_only=True).items()}, 'model.safetensors')\"`";
        assert!(message.ends_with(command), "{message}");
    }
}
