//! Builds the graph of an ONNX file: values, nodes and constants.

use std::collections::HashSet;

use prost::Message as _;

use crate::error::ExportError;
use crate::onnx::{
    Attribute, Dimension, DimensionValue, GraphProto, IR_VERSION, ML_DOMAIN, ML_OPSET, ModelProto,
    NodeProto, OPSET, OperatorSetId, StringStringEntry, TensorProto, TensorShape, TensorType,
    TypeProto, ValueInfo,
};

/// Most bytes of a file, which Protocol Buffers set.
const MAX_BYTES: usize = (1 << 31) - 1;

/// Type of the elements of a tensor, with the number that ONNX gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Float = 1,
    Int64 = 7,
    Text = 8,
    Double = 11,
}

/// Size of an axis.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Axis {
    /// Known.
    Size(usize),
    /// Chosen by the caller, by name.
    Any(&'static str),
}

/// A tensor in the graph, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value(String);

/// A number of elements as ONNX has it.
pub(crate) fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An attribute with an integer.
pub(crate) fn int(name: &str, value: i64) -> Attribute {
    let (i, kind) = (Some(value), 2);
    named(name, Attribute { i, kind, ..empty() })
}

/// An attribute with several integers.
pub(crate) fn ints(name: &str, values: &[usize]) -> Attribute {
    ints_signed(name, values.iter().map(|&value| size(value)))
}

/// An attribute with several integers of any sign.
pub(crate) fn ints_signed(name: &str, values: impl Iterator<Item = i64>) -> Attribute {
    let (ints, kind) = (values.collect(), 7);
    let attribute = Attribute {
        ints,
        kind,
        ..empty()
    };
    named(name, attribute)
}

/// An attribute with a number.
pub(crate) fn float(name: &str, value: f64) -> Attribute {
    let (f, kind) = (Some(value as f32), 1);
    named(name, Attribute { f, kind, ..empty() })
}

/// An attribute with a word.
pub(crate) fn word(name: &str, value: &str) -> Attribute {
    let (s, kind) = (Some(value.as_bytes().to_vec()), 3);
    named(name, Attribute { s, kind, ..empty() })
}

/// An attribute with several words.
pub(crate) fn words<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> Attribute {
    let strings = values.map(|value| value.as_bytes().to_vec()).collect();
    let kind = 8;
    let attribute = Attribute {
        strings,
        kind,
        ..empty()
    };
    named(name, attribute)
}

fn empty() -> Attribute {
    Attribute::default()
}

fn named(name: &str, attribute: Attribute) -> Attribute {
    let name = name.to_owned();
    Attribute { name, ..attribute }
}

/// A graph that grows node by node.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    proto: GraphProto,
    /// Names of the weights.
    weights: HashSet<String>,
    uses_ml: bool,
    metadata: Vec<StringStringEntry>,
}

impl Graph {
    /// An input, described for its users.
    pub(crate) fn input(
        &mut self,
        name: &str,
        element: Element,
        axes: &[Axis],
        doc: &str,
    ) -> Value {
        self.proto.input.push(value_info(name, element, axes, doc));
        Value(name.to_owned())
    }

    /// Gives a value its name as an output.
    pub(crate) fn output(
        &mut self,
        value: &Value,
        name: &str,
        element: Element,
        axes: &[Axis],
        doc: &str,
    ) {
        self.proto.output.push(value_info(name, element, axes, doc));
        self.proto.node.push(NodeProto {
            input: vec![value.0.clone()],
            output: vec![name.to_owned()],
            name: format!("output_{name}"),
            op_type: "Identity".to_owned(),
            ..NodeProto::default()
        });
    }

    /// A fact about the model that no graph can express.
    pub(crate) fn describe(&mut self, key: &str, value: impl Into<String>) {
        let (key, value) = (key.to_owned(), value.into());
        self.metadata.push(StringStringEntry { key, value });
    }

    /// Stands for an input that an operator can do without.
    pub(crate) fn none() -> Value {
        Value(String::new())
    }

    /// The result of an operator.
    pub(crate) fn op(&mut self, kind: &str, inputs: &[&Value]) -> Value {
        self.op_with(kind, inputs, Vec::new())
    }

    /// The result of an operator with attributes.
    pub(crate) fn op_with(
        &mut self,
        kind: &str,
        inputs: &[&Value],
        attribute: Vec<Attribute>,
    ) -> Value {
        self.node(kind, "", inputs, attribute)
    }

    /// The result of an operator of classical machine learning.
    pub(crate) fn ml_op(
        &mut self,
        kind: &str,
        inputs: &[&Value],
        attribute: Vec<Attribute>,
    ) -> Value {
        self.uses_ml = true;
        self.node(kind, ML_DOMAIN, inputs, attribute)
    }

    fn node(
        &mut self,
        kind: &str,
        domain: &str,
        inputs: &[&Value],
        attribute: Vec<Attribute>,
    ) -> Value {
        // No tensor of a network and no column has such a name.
        let name = format!("{kind}#{}", self.proto.node.len());
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: kind.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
        Value(name)
    }

    /// Weights under their name; those that the graph has already are used again.
    pub(crate) fn weight(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        if !self.weights.insert(name.to_owned()) {
            return Value(name.to_owned());
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.tensor(name.to_owned(), Element::Float, shape, bytes.collect())
    }

    /// A constant of this shape.
    pub(crate) fn floats(&mut self, shape: &[usize], values: &[f32]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(Element::Float, shape, bytes.collect())
    }

    /// The same with double precision.
    pub(crate) fn doubles(&mut self, shape: &[usize], values: &[f64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(Element::Double, shape, bytes.collect())
    }

    /// The same with integers.
    pub(crate) fn integers(&mut self, shape: &[usize], values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(Element::Int64, shape, bytes.collect())
    }

    /// A number.
    pub(crate) fn scalar(&mut self, value: f32) -> Value {
        self.floats(&[], &[value])
    }

    /// Integers in a row, as for the axes and shapes that operators take.
    pub(crate) fn list(&mut self, values: &[i64]) -> Value {
        self.integers(&[values.len()], values)
    }

    fn constant(&mut self, element: Element, shape: &[usize], bytes: Vec<u8>) -> Value {
        let name = format!("constant#{}", self.proto.initializer.len());
        self.tensor(name, element, shape, bytes)
    }

    fn tensor(
        &mut self,
        name: String,
        element: Element,
        shape: &[usize],
        raw_data: Vec<u8>,
    ) -> Value {
        self.proto.initializer.push(TensorProto {
            dims: shape.iter().map(|&side| size(side)).collect(),
            data_type: element as i32,
            name: name.clone(),
            raw_data,
        });
        Value(name)
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// If it is too large for the format.
    pub(crate) fn finish(mut self, name: &str, doc: &str) -> Result<Vec<u8>, ExportError> {
        name.clone_into(&mut self.proto.name);
        let opset = |domain: &str, version| OperatorSetId {
            domain: domain.to_owned(),
            version,
        };
        let mut opset_import = vec![opset("", OPSET)];
        if self.uses_ml {
            opset_import.push(opset(ML_DOMAIN, ML_OPSET));
        }
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import,
            producer_name: "tinderbox".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: doc.to_owned(),
            graph: Some(self.proto),
            metadata_props: self.metadata,
        };
        let bytes = model.encoded_len();
        if bytes > MAX_BYTES {
            return Err(ExportError::TooLarge { bytes });
        }
        Ok(model.encode_to_vec())
    }
}

/// Arithmetic and shapes.
impl Graph {
    pub(crate) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Add", &[a, b])
    }

    pub(crate) fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Sub", &[a, b])
    }

    pub(crate) fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Mul", &[a, b])
    }

    pub(crate) fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Div", &[a, b])
    }

    pub(crate) fn matmul(&mut self, a: &Value, b: &Value) -> Value {
        self.op("MatMul", &[a, b])
    }

    /// Whether a number differs from itself: tract has `IsNaN` in single precision only.
    pub(crate) fn is_nan(&mut self, x: &Value) -> Value {
        let is_equal = self.op("Equal", &[x, x]);
        self.op("Not", &[&is_equal])
    }

    pub(crate) fn cast(&mut self, x: &Value, to: Element) -> Value {
        self.op_with("Cast", &[x], vec![int("to", to as i64)])
    }

    pub(crate) fn choose(&mut self, condition: &Value, yes: &Value, no: &Value) -> Value {
        self.op("Where", &[condition, yes, no])
    }

    pub(crate) fn concat(&mut self, parts: &[Value], axis: i64) -> Value {
        if let [only] = parts {
            return only.clone();
        }
        let parts: Vec<&Value> = parts.iter().collect();
        self.op_with("Concat", &parts, vec![int("axis", axis)])
    }

    pub(crate) fn gather(&mut self, from: &Value, indices: &Value, axis: i64) -> Value {
        self.op_with("Gather", &[from, indices], vec![int("axis", axis)])
    }

    /// With another shape, of which 0 keeps an axis and -1 is what is left.
    pub(crate) fn reshape(&mut self, x: &Value, shape: &[i64]) -> Value {
        let shape = self.list(shape);
        self.op("Reshape", &[x, &shape])
    }

    pub(crate) fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        self.op_with("Transpose", &[x], vec![ints("perm", order)])
    }

    pub(crate) fn unsqueeze(&mut self, x: &Value, axis: i64) -> Value {
        let axes = self.list(&[axis]);
        self.op("Unsqueeze", &[x, &axes])
    }

    pub(crate) fn squeeze(&mut self, x: &Value, axis: i64) -> Value {
        let axes = self.list(&[axis]);
        self.op("Squeeze", &[x, &axes])
    }

    /// The part of an axis from `start` to before `end`.
    pub(crate) fn slice(&mut self, x: &Value, axis: i64, start: i64, end: i64) -> Value {
        let [start, end, axis] = [start, end, axis].map(|value| self.list(&[value]));
        self.op("Slice", &[x, &start, &end, &axis])
    }

    pub(crate) fn softmax(&mut self, x: &Value, axis: i64) -> Value {
        self.op_with("Softmax", &[x], vec![int("axis", axis)])
    }

    /// The mean over an axis, which disappears.
    pub(crate) fn mean(&mut self, x: &Value, axis: usize) -> Value {
        let attributes = vec![ints("axes", &[axis]), int("keepdims", 0)];
        self.op_with("ReduceMean", &[x], attributes)
    }

    /// The sum over an axis, which remains with size 1 if `keep`.
    pub(crate) fn sum(&mut self, x: &Value, axis: i64, keep: bool) -> Value {
        let axes = self.list(&[axis]);
        self.op_with(
            "ReduceSum",
            &[x, &axes],
            vec![int("keepdims", i64::from(keep))],
        )
    }

    /// The mean of several values of one shape.
    pub(crate) fn mean_of(&mut self, values: &[Value]) -> Option<Value> {
        let mut values = values.iter();
        let mut sum = values.next()?.clone();
        let count = 1 + values.len();
        for value in values {
            sum = self.add(&sum, value);
        }
        if count > 1 {
            let count = self.scalar(count as f32);
            sum = self.div(&sum, &count);
        }
        Some(sum)
    }
}

fn value_info(name: &str, element: Element, axes: &[Axis], doc: &str) -> ValueInfo {
    let dim = axes.iter().map(|axis| Dimension {
        value: Some(match axis {
            Axis::Size(count) => DimensionValue::Size(size(*count)),
            Axis::Any(name) => DimensionValue::Name((*name).to_owned()),
        }),
    });
    let shape = Some(TensorShape { dim: dim.collect() });
    let tensor_type = Some(TensorType {
        elem_type: element as i32,
        shape,
    });
    ValueInfo {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type }),
        doc_string: doc.to_owned(),
    }
}
