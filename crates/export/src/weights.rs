//! Weights as a SafeTensors file with the names and layouts of PyTorch.

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};
use tinderbox_predict::ModelFiles;

use crate::error::ExportError;
use crate::outputs::member_prefix;
use crate::python;

/// Most networks of a model folder.
const MAX_MEMBERS: u64 = 100;

/// The weights of a model for other software.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The SafeTensors file. Its metadata has `model.json` under `config`.
    pub weights: Vec<u8>,
    loader: Option<String>,
}

impl Weights {
    /// Python code that builds the network in PyTorch and loads the weights from a file of this name; `None`
    /// for an architecture that it has no code for.
    pub fn loader(&self, file: &str) -> Option<String> {
        let file = Value::from(file).to_string();
        let loader = self.loader.as_ref()?;
        Some(loader.replace("\"model.safetensors\"", &file))
    }
}

/// The weights of a model folder; those of networks that predict together are in one file, with `member.0.`,
/// `member.1.` and so on before their names.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn safetensors(files: &ModelFiles) -> Result<Weights, ExportError> {
    let spec: Value = files.spec(&files.kind()?)?;
    let members = spec.get("members").and_then(Value::as_u64).unwrap_or(1);
    let members = members.clamp(1, MAX_MEMBERS) as usize;
    let mut contents = Vec::with_capacity(members);
    for member in 0..members {
        contents.push(files.weights(member, Ok)?);
    }
    let mut tensors = Vec::new();
    for (member, content) in contents.iter().enumerate() {
        let prefix = member_prefix(member, members);
        for (name, tensor) in read(content)?.tensors() {
            tensors.push((format!("{prefix}{name}"), tensor));
        }
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut config = spec.clone();
    if let Some(config) = config.as_object_mut() {
        // Where the data lay is nobody else's business.
        config.remove("training");
    }
    let weights = write(tensors, &config)?;
    Ok(Weights {
        weights,
        loader: python::loader(&spec),
    })
}

fn read(bytes: &[u8]) -> Result<SafeTensors<'_>, ExportError> {
    SafeTensors::deserialize(bytes).map_err(|error| ExportError::Mismatch(error.to_string()))
}

fn write(tensors: Vec<(String, TensorView<'_>)>, config: &Value) -> Result<Vec<u8>, ExportError> {
    let mismatch = |error: &dyn std::fmt::Display| ExportError::Mismatch(error.to_string());
    let plain = safetensors::serialize(tensors, None).map_err(|error| mismatch(&error))?;
    // The crate writes metadata in a random order, so that no two files would be equal.
    let (length, _) = SafeTensors::read_metadata(&plain).map_err(|error| mismatch(&error))?;
    let (header, data) = plain[8..].split_at(length);
    let mut header: Map<String, Value> =
        serde_json::from_slice(header).map_err(|error| mismatch(&error))?;
    let metadata = json!({"config": config.to_string(), "format": "pt"});
    header.insert("__metadata__".to_owned(), metadata);
    let mut header = Value::Object(header).to_string();
    // Tensors begin at a multiple of 8.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let length = (header.len() as u64).to_le_bytes();
    Ok([&length, header.as_bytes(), data].concat())
}
