//! Loads published weights: SafeTensors files whose tensors have the names of another framework.
//!
//! A [`NameTable`] lists the published name of every parameter of a network; a network's file has
//! its table. [`SafeTensorsFile::load`] compares the file with the network before it reads a number:
//! a missing tensor, one of another shape or type and one that nothing uses are errors that name it.
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::{Device, Tensor};
//! use safetensors::tensor::{Dtype, TensorView};
//! use tinderbox_models::pretrained::{NameTable, SafeTensorsFile};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // PyTorch stores `[outputs, inputs]`.
//! let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
//! let weight = TensorView::new(Dtype::F32, vec![1, 3], &bytes)?;
//! let file = SafeTensorsFile::from_bytes(safetensors::serialize([("fc.weight", weight)], None)?)?;
//!
//! let device = Device::flex();
//! let layer = LinearConfig::new(3, 1).with_bias(false).init(&device);
//! let layer = file.load(layer, &NameTable::new().transposed("fc.weight", "weight"))?;
//! let sum: f32 = layer.forward(Tensor::<2>::ones([1, 3], &device)).into_scalar();
//! assert!((sum - 6.0).abs() < 1e-6);
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData, bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use thiserror::Error;

/// Maximum size of the header, in bytes, a hundred times that of the largest published networks.
const MAX_HEADER: u64 = 16 << 20;

/// Name of a file that is in memory.
const IN_MEMORY: &str = "model.safetensors";

/// Side of the tiles in which a matrix is transposed.
const TILE: usize = 32;

/// Why published weights cannot be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SafeTensorsError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is damaged.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file lacks a tensor that the network has a parameter for.
    #[error("`{}` has no tensor `{tensor}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
    },
    /// A tensor has another shape than the network's configuration asks for.
    #[error("`{tensor}` in `{}` has shape {shape:?}, expected {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The shape that the network asks for, in the published layout.
        expected: Vec<usize>,
    },
    /// A tensor does not hold floating-point numbers that can be converted.
    #[error("`{tensor}` in `{}` has type {dtype}, expected F64, F32, F16 or BF16", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its type.
        dtype: String,
    },
    /// The file has tensors that the table neither maps nor ignores.
    #[error("`{}` has tensors that the network does not use: {}", path.display(), list(tensors))]
    Unused {
        /// The file.
        path: PathBuf,
        /// Their names.
        tensors: Vec<String>,
    },
    /// A parameter of the network is not in the name table.
    #[error("the name table has no tensor for the parameter `{parameter}`")]
    Unmapped {
        /// Path of the parameter.
        parameter: String,
    },
    /// The name table has a parameter that the network lacks.
    #[error("the name table maps `{tensor}` to `{parameter}`, which the network lacks")]
    UnknownParameter {
        /// Name of the tensor.
        tensor: String,
        /// Path of the parameter.
        parameter: String,
    },
}

/// The first few names, for a message.
fn list(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(3)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len() {
        0..=3 => shown.join(", "),
        n => format!("{} and {} more", shown.join(", "), n - 3),
    }
}

/// How a published tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// As the parameter.
    Same,
    /// A matrix with its axes exchanged: PyTorch stores the weights of a linear layer as
    /// `[outputs, inputs]`, Burn as `[inputs, outputs]`. As a convolution of single pixels it is
    /// `[outputs, inputs, 1, 1]`.
    Transposed,
}

impl Layout {
    /// The published shape of a parameter.
    fn of(self, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if self == Self::Transposed {
            shape.reverse();
        }
        shape
    }
}

#[derive(Clone, Debug)]
struct Entry {
    /// The published name.
    tensor: String,
    /// Its name in older files.
    old_tensor: Option<String>,
    /// Path of the parameter in the network, as in `layers.0.attention.query.weight`.
    parameter: String,
    layout: Layout,
}

/// The published name of every parameter of a network.
///
/// The methods for layers take the names of a layer in PyTorch and in the network, without
/// `.weight` and `.bias`.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    entries: Vec<Entry>,
    ignored: BTreeSet<String>,
    allows_unused: bool,
    turns_kernels: bool,
    /// Paths of layers that are not loaded.
    kept: Vec<String>,
}

impl NameTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor that is stored as the parameter is.
    #[must_use]
    pub fn same(self, tensor: impl Into<String>, parameter: impl Into<String>) -> Self {
        self.entry(tensor.into(), None, parameter.into(), Layout::Same)
    }

    /// Adds a matrix that is stored transposed.
    #[must_use]
    pub fn transposed(self, tensor: impl Into<String>, parameter: impl Into<String>) -> Self {
        self.entry(tensor.into(), None, parameter.into(), Layout::Transposed)
    }

    /// Adds a linear layer with a bias.
    #[must_use]
    pub fn linear(self, tensor: &str, parameter: &str) -> Self {
        self.transposed(format!("{tensor}.weight"), join(parameter, "weight"))
            .same(format!("{tensor}.bias"), join(parameter, "bias"))
    }

    /// Adds an embedding, or a convolution without a bias.
    #[must_use]
    pub fn weight(self, tensor: &str, parameter: &str) -> Self {
        self.same(format!("{tensor}.weight"), join(parameter, "weight"))
    }

    /// Adds a layer normalization; in the oldest files its tensors are `gamma` and `beta`.
    #[must_use]
    pub fn layer_norm(self, tensor: &str, parameter: &str) -> Self {
        let fields = [("weight", "gamma"), ("bias", "beta")];
        fields.into_iter().fold(self, |table, (new, old)| {
            let old_tensor = Some(format!("{tensor}.{old}"));
            let parameter = join(parameter, old);
            table.entry(
                format!("{tensor}.{new}"),
                old_tensor,
                parameter,
                Layout::Same,
            )
        })
    }

    /// Adds a batch normalization with its running statistics. The number of batches they were
    /// measured on is ignored.
    #[must_use]
    pub fn batch_norm(self, tensor: &str, parameter: &str) -> Self {
        let fields = [
            ("weight", "gamma"),
            ("bias", "beta"),
            ("running_mean", "running_mean"),
            ("running_var", "running_var"),
        ];
        fields
            .into_iter()
            .fold(self, |table, (theirs, ours)| {
                table.same(format!("{tensor}.{theirs}"), join(parameter, ours))
            })
            .ignore(format!("{tensor}.num_batches_tracked"))
    }

    /// Adds a convolution and its batch normalization, which are the fields `conv` and `norm` of `layer`.
    pub(crate) fn conv_norm(self, [conv, norm]: [&str; 2], layer: &str) -> Self {
        self.weight(conv, &format!("{layer}.conv"))
            .batch_norm(norm, &format!("{layer}.norm"))
    }

    /// Keeps a layer of the network as it is, such as a new classifier, and ignores its tensors.
    #[must_use]
    pub fn keep(mut self, layer: &str) -> Self {
        let (kept, loaded) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| is_within(&entry.parameter, layer));
        self.entries = loaded;
        let kept: Vec<Entry> = kept;
        for entry in kept {
            self.ignored.insert(entry.tensor);
            self.ignored.extend(entry.old_tensor);
        }
        self.kept.push(layer.to_owned());
        self
    }

    /// Ignores a tensor, if the file has it.
    #[must_use]
    pub fn ignore(mut self, tensor: impl Into<String>) -> Self {
        self.ignored.insert(tensor.into());
        self
    }

    /// Ignores all tensors that are not in the table, such as those of a head.
    #[must_use]
    pub fn ignore_others(mut self) -> Self {
        self.allows_unused = true;
        self
    }

    /// Turns the kernels of all convolutions by 180 degrees, for a network that reads turned images.
    #[must_use]
    pub fn with_turned_kernels(mut self) -> Self {
        self.turns_kernels = true;
        self
    }

    /// Published names and paths of parameters, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries.iter();
        entries.map(|entry| (entry.tensor.as_str(), entry.parameter.as_str()))
    }

    /// Published names and shapes of the tensors of a network, in the order they were added; those that it
    /// lacks are left out.
    pub fn shapes<M: Module>(&self, network: &M) -> Vec<(&str, Vec<usize>)> {
        let mut shapes = Shapes::default();
        network.visit(&mut shapes);
        let published = |entry: &Entry| Some(entry.layout.of(shapes.shapes.get(&entry.parameter)?));
        let entries = self.entries.iter();
        entries
            .filter_map(|entry| Some((entry.tensor.as_str(), published(entry)?)))
            .collect()
    }

    fn entry(
        mut self,
        tensor: String,
        old_tensor: Option<String>,
        parameter: String,
        layout: Layout,
    ) -> Self {
        self.entries.push(Entry {
            tensor,
            old_tensor,
            parameter,
            layout,
        });
        self
    }
}

/// Whether a parameter belongs to a layer.
fn is_within(parameter: &str, layer: &str) -> bool {
    let rest = parameter.strip_prefix(layer);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Where the bytes are.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// A SafeTensors file of which the header has been read and checked.
#[derive(Debug)]
pub struct SafeTensorsFile {
    header: Metadata,
    /// Offset of the tensor data, in bytes.
    data_start: u64,
    source: Source,
}

impl SafeTensorsFile {
    /// Opens a file and reads its header, and no more of it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SafeTensorsError> {
        let path = path.into();
        let io = |source| SafeTensorsError::Io {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        Self::with_header(parse_header(file, len), Source::File(path))
    }

    /// As [`open`](Self::open), for a file in memory.
    ///
    /// # Errors
    ///
    /// If it is damaged.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SafeTensorsError> {
        let len = bytes.len() as u64;
        let header = parse_header(bytes.as_slice(), len);
        Self::with_header(header, Source::Memory(bytes))
    }

    fn with_header(
        header: Result<(Metadata, u64), String>,
        source: Source,
    ) -> Result<Self, SafeTensorsError> {
        match header {
            Ok((header, data_start)) => Ok(Self {
                header,
                data_start,
                source,
            }),
            Err(reason) => Err(SafeTensorsError::Damaged {
                path: source.path().to_owned(),
                reason,
            }),
        }
    }

    /// Path of the file; `model.safetensors` for one in memory.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Shape of a tensor, if there is one of this name.
    pub fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.header.info(tensor).map(|info| info.shape.as_slice())
    }

    /// Names and shapes of all tensors, by name.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let tensors = self.header.tensors().into_iter();
        let mut tensors: Vec<_> = tensors
            .map(|(name, info)| (name, info.shape.clone()))
            .collect();
        tensors.sort_unstable();
        tensors
    }

    /// Loads the tensors into a network, converted to single precision. Parameters
    /// that were not initialized yet draw no random numbers.
    ///
    /// # Errors
    ///
    /// If a tensor is missing, has another shape or type, or is not used; if the table does not
    /// match the network; if the numbers cannot be read.
    pub fn load<M: Module>(&self, network: M, table: &NameTable) -> Result<M, SafeTensorsError> {
        let tensors = self.check(&network, table)?;
        let mut mapper = Loader {
            reader: self.source.reader()?,
            file: self,
            tensors,
            turns_kernels: table.turns_kernels,
            path: Vec::new(),
            error: None,
        };
        let network = network.map(&mut mapper);
        match mapper.error {
            None => Ok(network),
            Some(error) => Err(error),
        }
    }

    /// Checks that the file has a tensor of the right shape for every parameter, and no other, without
    /// reading any.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn fits<M: Module>(&self, network: &M, table: &NameTable) -> Result<(), SafeTensorsError> {
        self.check(network, table).map(|_| ())
    }

    /// Compares the file with the network and returns the tensor of each parameter.
    fn check<M: Module>(
        &self,
        network: &M,
        table: &NameTable,
    ) -> Result<BTreeMap<String, (&TensorInfo, Layout)>, SafeTensorsError> {
        let mut shapes = Shapes::default();
        network.visit(&mut shapes);
        let mut tensors = BTreeMap::new();
        let mut used: BTreeSet<&str> = table.ignored.iter().map(String::as_str).collect();
        for entry in &table.entries {
            let Some(shape) = shapes.shapes.get(&entry.parameter) else {
                return Err(SafeTensorsError::UnknownParameter {
                    tensor: entry.tensor.clone(),
                    parameter: entry.parameter.clone(),
                });
            };
            let (name, info) = self.find(entry)?;
            self.check_tensor(name, info, shape, entry.layout)?;
            used.insert(name);
            tensors.insert(entry.parameter.clone(), (info, entry.layout));
        }
        let unmapped = shapes.shapes.into_keys().find(|parameter| {
            let is_kept = table.kept.iter().any(|layer| is_within(parameter, layer));
            !is_kept && !tensors.contains_key(parameter)
        });
        if let Some(parameter) = unmapped {
            return Err(SafeTensorsError::Unmapped { parameter });
        }
        if !table.allows_unused {
            self.check_unused(&used)?;
        }
        Ok(tensors)
    }

    /// The tensor under its name or its old one.
    fn find<'a>(&self, entry: &'a Entry) -> Result<(&'a str, &TensorInfo), SafeTensorsError> {
        let names = std::iter::once(&entry.tensor).chain(&entry.old_tensor);
        for name in names {
            if let Some(info) = self.header.info(name) {
                return Ok((name, info));
            }
        }
        Err(self.missing(entry.tensor.clone()))
    }

    /// The error about a tensor that the file lacks.
    pub(crate) fn missing(&self, tensor: String) -> SafeTensorsError {
        SafeTensorsError::Missing {
            path: self.path().to_owned(),
            tensor,
        }
    }

    fn check_tensor(
        &self,
        name: &str,
        info: &TensorInfo,
        shape: &[usize],
        layout: Layout,
    ) -> Result<(), SafeTensorsError> {
        let (path, tensor) = (self.path().to_owned(), name.to_owned());
        let expected = layout.of(shape);
        let is_convolution = layout == Layout::Transposed
            && matches!(&info.shape[..], [matrix @ .., 1, 1] if *matrix == expected);
        if info.shape != expected && !is_convolution {
            return Err(SafeTensorsError::Shape {
                path,
                tensor,
                shape: info.shape.clone(),
                expected,
            });
        }
        match info.dtype {
            Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(()),
            other => Err(SafeTensorsError::Dtype {
                path,
                tensor,
                dtype: other.to_string(),
            }),
        }
    }

    fn check_unused(&self, used: &BTreeSet<&str>) -> Result<(), SafeTensorsError> {
        let names = self.header.tensors().into_keys();
        let mut tensors: Vec<String> = names.filter(|name| !used.contains(name.as_str())).collect();
        if tensors.is_empty() {
            return Ok(());
        }
        tensors.sort_unstable();
        Err(SafeTensorsError::Unused {
            path: self.path().to_owned(),
            tensors,
        })
    }
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(_) => Path::new(IN_MEMORY),
        }
    }

    fn reader(&self) -> Result<Reader<'_>, SafeTensorsError> {
        match self {
            Self::Memory(bytes) => Ok(Reader::Memory(io::Cursor::new(bytes))),
            Self::File(path) => {
                let file = File::open(path).map_err(|source| SafeTensorsError::Io {
                    path: path.clone(),
                    source,
                })?;
                Ok(Reader::File(file))
            }
        }
    }
}

enum Reader<'a> {
    File(File),
    Memory(io::Cursor<&'a Vec<u8>>),
}

impl Reader<'_> {
    fn read(&mut self, start: u64, len: usize) -> io::Result<Vec<u8>> {
        // Not longer than the file: its header was compared with its length.
        let mut bytes = vec![0; len];
        match self {
            Self::File(file) => {
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut bytes)?;
            }
            Self::Memory(memory) => {
                memory.set_position(start);
                memory.read_exact(&mut bytes)?;
            }
        }
        Ok(bytes)
    }
}

/// The shape of every parameter, by path.
#[derive(Default)]
struct Shapes {
    path: Vec<String>,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        self.shapes.insert(self.path.join("."), shape);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

/// Replaces every parameter by its tensor.
struct Loader<'a> {
    reader: Reader<'a>,
    file: &'a SafeTensorsFile,
    tensors: BTreeMap<String, (&'a TensorInfo, Layout)>,
    turns_kernels: bool,
    path: Vec<String>,
    /// The first, after which nothing is read.
    error: Option<SafeTensorsError>,
}

impl Loader<'_> {
    /// The numbers of a tensor in the network's layout, as single precision.
    fn read(&mut self, info: &TensorInfo, layout: Layout) -> Result<TensorData, SafeTensorsError> {
        let (start, end) = info.data_offsets;
        let bytes = self
            .reader
            .read(self.file.data_start + start as u64, end - start);
        let bytes = bytes.map_err(|source| SafeTensorsError::Io {
            path: self.file.path().to_owned(),
            source,
        })?;
        let mut values = to_f32(&bytes, info.dtype);
        if let ([_, _, height, width], true) = (&info.shape[..], self.turns_kernels) {
            let kernels = values.chunks_exact_mut((height * width).max(1));
            kernels.for_each(<[f32]>::reverse);
        }
        Ok(match (layout, &info.shape[..]) {
            (Layout::Transposed, &[rows, columns] | &[rows, columns, 1, 1]) => {
                TensorData::new(transpose(&values, [rows, columns]), [columns, rows])
            }
            (_, shape) => TensorData::new(values, shape),
        })
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let Some((info, layout)) = self.tensors.remove(&self.path.join(".")) else {
            return param;
        };
        match self.read(info, layout) {
            Ok(data) => {
                let (id, device) = (param.id, param.lazy_device());
                let tensor = Tensor::from_data(data, (&device, DType::F32));
                param.transform_for_load(tensor, id)
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

fn to_f32(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    match dtype {
        Dtype::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        // No other type passes the check.
        _ => convert(bytes, f32::from_le_bytes),
    }
}

fn convert<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| number(chunk)).collect()
}

/// Exchanges the axes of a matrix, tile by tile: a whole row at a time would miss the cache.
fn transpose(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut output = vec![0.0; values.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for row in top..(top + TILE).min(rows) {
                for column in left..(left + TILE).min(columns) {
                    output[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    output
}

/// Reads the header only; returns it and its end, in bytes.
fn parse_header(mut bytes: impl Read, len: u64) -> Result<(Metadata, u64), String> {
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
    Ok((header, 8 + header_len))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use burn::nn::{BatchNormConfig, Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;
    use crate::testing::{Tensors, insert_f32, safetensors_bytes, values};

    /// A linear layer of PyTorch with 3 inputs and 2 outputs.
    fn tensors() -> Tensors {
        let mut tensors = Tensors::new();
        insert_f32(
            &mut tensors,
            "fc.weight",
            &[2, 3],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        );
        insert_f32(&mut tensors, "fc.bias", &[2], &[7.0, 8.0]);
        tensors
    }

    fn names() -> NameTable {
        NameTable::new().linear("fc", "")
    }

    fn load(tensors: &Tensors, names: &NameTable) -> Result<Linear, SafeTensorsError> {
        let file = SafeTensorsFile::from_bytes(safetensors_bytes(tensors)).unwrap();
        file.load(LinearConfig::new(3, 2).init(&Device::flex()), names)
    }

    #[test]
    fn a_linear_layer_is_transposed() {
        let layer = load(&tensors(), &names()).unwrap();
        assert_eq!(values(layer.weight.val()), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(values(layer.bias.unwrap().val()), [7.0, 8.0]);
    }

    #[test]
    fn a_large_matrix_is_transposed_across_tiles() {
        let [rows, columns] = [2 * TILE + 3, TILE + 5];
        let matrix: Vec<f32> = (0..rows * columns).map(|index| index as f32).collect();
        let transposed = transpose(&matrix, [rows, columns]);
        for row in 0..rows {
            for column in 0..columns {
                let (theirs, ours) = (row * columns + column, column * rows + row);
                assert_eq!(transposed[ours].to_bits(), matrix[theirs].to_bits());
            }
        }
    }

    #[test]
    fn a_batch_norm_is_loaded_with_its_statistics() {
        let mut tensors = Tensors::new();
        for (index, field) in ["weight", "bias", "running_mean", "running_var"]
            .iter()
            .enumerate()
        {
            insert_f32(
                &mut tensors,
                &format!("bn.{field}"),
                &[2],
                &[index as f32 + 1.0; 2],
            );
        }
        let count = (Dtype::I64, vec![], vec![0; 8]);
        tensors.insert("bn.num_batches_tracked".to_owned(), count);
        let file = SafeTensorsFile::from_bytes(safetensors_bytes(&tensors)).unwrap();
        let norm = BatchNormConfig::new(2).init(&Device::flex());
        let norm = file
            .load(norm, &NameTable::new().batch_norm("bn", ""))
            .unwrap();
        assert_eq!(values(norm.gamma.val()), [1.0; 2]);
        assert_eq!(values(norm.beta.val()), [2.0; 2]);
        assert_eq!(values(norm.running_mean.value()), [3.0; 2]);
        assert_eq!(values(norm.running_var.value()), [4.0; 2]);
    }

    #[test]
    fn every_precision_becomes_single() {
        for (dtype, bytes) in [
            (Dtype::F64, 1.5_f64.to_le_bytes().to_vec()),
            (Dtype::F32, 1.5_f32.to_le_bytes().to_vec()),
            (Dtype::F16, f16::from_f32(1.5).to_le_bytes().to_vec()),
            (Dtype::BF16, bf16::from_f32(1.5).to_le_bytes().to_vec()),
        ] {
            let mut tensors = tensors();
            tensors.insert("fc.bias".to_owned(), (dtype, vec![2], bytes.repeat(2)));
            let bias = load(&tensors, &names()).unwrap().bias.unwrap();
            assert_eq!(values(bias.val()), [1.5; 2], "{dtype}");
            assert_eq!(bias.val().dtype(), DType::F32);
        }
    }

    #[test]
    fn mismatches_are_named() {
        let refused = |change: &dyn Fn(&mut Tensors), names: &NameTable| {
            let mut tensors = tensors();
            change(&mut tensors);
            load(&tensors, names).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&|tensors| drop(tensors.remove("fc.bias")), &names()),
            "`model.safetensors` has no tensor `fc.bias`"
        );
        assert_eq!(
            refused(
                &|tensors| insert_f32(tensors, "fc.weight", &[3, 2], &[0.0; 6]),
                &names()
            ),
            "`fc.weight` in `model.safetensors` has shape [3, 2], expected [2, 3]"
        );
        let integers = |tensors: &mut Tensors| {
            tensors.insert("fc.bias".to_owned(), (Dtype::I32, vec![2], vec![0; 8]));
        };
        assert_eq!(
            refused(&integers, &names()),
            "`fc.bias` in `model.safetensors` has type I32, expected F64, F32, F16 or BF16"
        );
        let more = |tensors: &mut Tensors| {
            for name in ["a", "b", "c", "d"] {
                insert_f32(tensors, name, &[1], &[0.0]);
            }
        };
        assert_eq!(
            refused(&more, &names()),
            "`model.safetensors` has tensors that the network does not use: `a`, `b`, `c` and 1 more"
        );
        assert_eq!(
            refused(&|_| (), &NameTable::new().weight("fc", "").ignore_others()),
            "`fc.weight` in `model.safetensors` has shape [2, 3], expected [3, 2]"
        );
        assert_eq!(
            refused(&|_| (), &NameTable::new().same("fc.bias", "bias")),
            "the name table has no tensor for the parameter `weight`"
        );
        assert_eq!(
            refused(&|_| (), &names().same("fc.bias", "scale")),
            "the name table maps `fc.bias` to `scale`, which the network lacks"
        );
    }

    #[test]
    fn other_tensors_may_be_ignored() {
        let mut more = tensors();
        insert_f32(&mut more, "head.weight", &[1], &[0.0]);
        assert!(load(&more, &names()).is_err());
        assert!(load(&more, &names().ignore("head.weight")).is_ok());
        assert!(load(&more, &names().ignore_others()).is_ok());
    }

    #[test]
    fn a_file_on_disk_is_loaded_as_one_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.safetensors");
        let missing = SafeTensorsFile::open(&path).unwrap_err();
        assert!(matches!(missing, SafeTensorsError::Io { .. }));
        fs::write(&path, safetensors_bytes(&tensors())).unwrap();
        let file = SafeTensorsFile::open(&path).unwrap();
        assert_eq!(file.shape("fc.weight"), Some(&[2, 3][..]));
        let layer = LinearConfig::new(3, 2).init(&Device::flex());
        let layer = file.load(layer, &names()).unwrap();
        let memory = load(&tensors(), &names()).unwrap();
        assert_eq!(values(layer.weight.val()), values(memory.weight.val()));
        // The file shrinks after its header was read.
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let layer = LinearConfig::new(3, 2).init(&Device::flex());
        let error = file.load(layer, &names()).unwrap_err();
        assert!(matches!(error, SafeTensorsError::Io { .. }), "{error}");
    }

    fn with_header(header: &str, rest: &[u8]) -> Vec<u8> {
        let len = header.len() as u64;
        [&len.to_le_bytes(), header.as_bytes(), rest].concat()
    }

    #[test]
    fn damaged_and_hostile_files_are_refused() {
        let refused = |bytes: Vec<u8>| {
            let error = SafeTensorsFile::from_bytes(bytes).unwrap_err();
            assert!(matches!(error, SafeTensorsError::Damaged { .. }), "{error}");
            error.to_string()
        };
        let whole = safetensors_bytes(&tensors());
        for len in [0, 7, 8, 9, 100, whole.len() - 1] {
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
        // Any change of the header is an error or harmless, never a panic.
        let header_len = usize::from(whole[0]) + 256 * usize::from(whole[1]);
        for position in (8..8 + header_len).step_by(7) {
            let mut changed = whole.clone();
            changed[position] ^= 0x15;
            let _ = SafeTensorsFile::from_bytes(changed);
        }
    }
}
