//! What must hold in every model before its tensors are used.

use prost::Message;

use crate::Invalid;
use crate::error::InvalidTensor;
use crate::proto::tensor_proto::{DataLocation, DataType};
use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto,
    TensorProto,
};
use crate::wire::{FREE_MEMORY, MEMORY_PER_BYTE};

/// Checks `model`: its versions, and every tensor in it, wherever it is.
pub(crate) fn model(model: &ModelProto) -> Result<(), Invalid> {
    require("ir_version", model.ir_version > 0)?;
    let graph = model.graph.as_ref().ok_or(missing("graph"))?;
    let versioned = |set: &crate::proto::OperatorSetIdProto| set.version > 0;
    let imports = &model.opset_import;
    require(
        "opset_import",
        !imports.is_empty() && imports.iter().all(versioned),
    )?;
    let mut walk = Walk { dense: FREE_MEMORY };
    walk.graph(graph).map_err(within(|| "graph".to_owned()))?;
    for function in &model.functions {
        let place = || format!("function `{}`", function.name);
        walk.function(function).map_err(within(place))?;
    }
    for training in &model.training_info {
        let graphs = training.initialization.iter().chain(&training.algorithm);
        for graph in graphs {
            let place = || "training graph".to_owned();
            walk.graph(graph).map_err(within(place))?;
        }
    }
    Ok(())
}

fn require(field: &'static str, present: bool) -> Result<(), Invalid> {
    if present { Ok(()) } else { Err(missing(field)) }
}

fn missing(field: &'static str) -> Invalid {
    Invalid::Missing { field }
}

/// Places an error in the tensor itself.
fn at(place: impl FnOnce() -> String) -> impl FnOnce(InvalidTensor) -> Invalid {
    move |reason| Invalid::Tensor {
        place: place(),
        reason,
    }
}

/// Adds the outer place to that of an error, on its way up: in a model without
/// one no place is ever written down.
fn within(outer: impl FnOnce() -> String) -> impl FnOnce(Invalid) -> Invalid {
    move |error| match error {
        Invalid::Tensor { place, reason } => Invalid::Tensor {
            place: format!("{}, {place}", outer()),
            reason,
        },
        other => other,
    }
}

/// A walk to every message that can hold a tensor: those of `wire`'s table from
/// which one is reached.
struct Walk {
    /// The bytes that sparse tensors may still take, written out, beyond those that
    /// their own bytes allow.
    dense: u64,
}

impl Walk {
    fn graph(&mut self, graph: &GraphProto) -> Result<(), Invalid> {
        for tensor in &graph.initializer {
            check_tensor(tensor).map_err(at(|| format!("initializer `{}`", tensor.name)))?;
        }
        for tensor in &graph.sparse_initializer {
            self.sparse(tensor)
                .map_err(at(|| "sparse initializer".to_owned()))?;
        }
        self.nodes(&graph.node)
    }

    fn function(&mut self, function: &FunctionProto) -> Result<(), Invalid> {
        self.attributes(&function.attribute_proto)?;
        self.nodes(&function.node)
    }

    fn nodes(&mut self, nodes: &[NodeProto]) -> Result<(), Invalid> {
        nodes.iter().enumerate().try_for_each(|(index, node)| {
            let NodeProto { op_type, name, .. } = node;
            let place = || format!("node {index} ({op_type} `{name}`)");
            self.attributes(&node.attribute).map_err(within(place))
        })
    }

    fn attributes(&mut self, attributes: &[AttributeProto]) -> Result<(), Invalid> {
        attributes
            .iter()
            .try_for_each(|attribute| self.attribute(attribute))
    }

    fn attribute(&mut self, attribute: &AttributeProto) -> Result<(), Invalid> {
        let place = || format!("attribute `{}`", attribute.name);
        for tensor in attribute.t.iter().chain(&attribute.tensors) {
            check_tensor(tensor).map_err(at(place))?;
        }
        let sparse = &attribute.sparse_tensors;
        for tensor in attribute.sparse_tensor.iter().chain(sparse) {
            self.sparse(tensor).map_err(at(place))?;
        }
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            self.graph(graph).map_err(within(place))?;
        }
        Ok(())
    }

    fn sparse(&mut self, tensor: &SparseTensorProto) -> Result<(), InvalidTensor> {
        let part = |part: &'static str| InvalidTensor::IncompleteSparse(part);
        let values = tensor.values.as_ref().ok_or(part("values"))?;
        check_tensor(values)?;
        check_tensor(tensor.indices.as_ref().ok_or(part("indices"))?)?;
        let allowed = MEMORY_PER_BYTE * tensor.encoded_len() as u64;
        let bytes = Layout::of(values.data_type)?.raw_bytes(element_count(&tensor.dims)?);
        self.dense = bytes
            .and_then(|bytes| self.dense.checked_sub(bytes.saturating_sub(allowed)))
            .ok_or_else(|| InvalidTensor::TooDense(tensor.dims.clone()))?;
        Ok(())
    }
}

fn check_tensor(tensor: &TensorProto) -> Result<(), InvalidTensor> {
    // Of a location that is there twice, readers of unknown numbers take the last,
    // and others the last that they know: only one that is not there is the same
    // to all.
    if tensor.data_location != DataLocation::Default as i32 || !tensor.external_data.is_empty() {
        return Err(InvalidTensor::External);
    }
    let layout = Layout::of(tensor.data_type)?;
    let elements = element_count(&tensor.dims)?;
    let fields: Vec<_> = value_fields(tensor)
        .into_iter()
        .filter(|(_, found)| *found > 0)
        .collect();
    let (field, found) = match fields[..] {
        [] => (layout.field, 0),
        [field] if layout.allows(field.0) => field,
        _ => return Err(layout.wrong_field(&fields)),
    };
    let raw = field == RAW;
    let expected = if raw {
        layout.raw_bytes(elements)
    } else {
        layout.entries(elements)
    };
    match expected {
        Some(expected) if expected == found as u64 => Ok(()),
        Some(expected) => Err(InvalidTensor::WrongSize {
            field,
            unit: if raw { "bytes" } else { "values" },
            found,
            expected,
            dims: tensor.dims.clone(),
        }),
        None => Err(InvalidTensor::ShapeOverflow(tensor.dims.clone())),
    }
}

/// The bytes that a tensor's elements take in `raw_data`.
pub(crate) fn raw_bytes(tensor: &TensorProto) -> Result<u64, InvalidTensor> {
    let layout = Layout::of(tensor.data_type)?;
    let elements = element_count(&tensor.dims)?;
    layout
        .raw_bytes(elements)
        .ok_or_else(|| InvalidTensor::ShapeOverflow(tensor.dims.clone()))
}

/// The product of the dimensions; 1 for a scalar.
fn element_count(dims: &[i64]) -> Result<u64, InvalidTensor> {
    dims.iter().try_fold(1_u64, |count, &dim| {
        let dim =
            u64::try_from(dim).map_err(|_| InvalidTensor::NegativeDimension(dims.to_owned()))?;
        count
            .checked_mul(dim)
            .ok_or_else(|| InvalidTensor::ShapeOverflow(dims.to_owned()))
    })
}

const RAW: &str = "raw_data";

/// The fields that can hold values, and how many bytes or values each has.
fn value_fields(tensor: &TensorProto) -> [(&'static str, usize); 7] {
    [
        (RAW, tensor.raw_data.len()),
        ("float_data", tensor.float_data.len()),
        ("int32_data", tensor.int32_data.len()),
        ("int64_data", tensor.int64_data.len()),
        ("string_data", tensor.string_data.len()),
        ("double_data", tensor.double_data.len()),
        ("uint64_data", tensor.uint64_data.len()),
    ]
}

/// How the elements of a type are stored.
struct Layout {
    /// The typed field.
    field: &'static str,
    /// Both fields in words.
    expected: &'static str,
    /// Bits of one element in `raw_data`; none where that is not allowed.
    raw_bits: Option<u64>,
    /// Entries of the typed field for so many elements.
    ratio: Ratio,
}

/// Entries of a typed field that a number of elements takes.
#[derive(Clone, Copy)]
struct Ratio {
    entries: u64,
    elements: u64,
}

impl Layout {
    fn of(data_type: i32) -> Result<Self, InvalidTensor> {
        use DataType as T;
        let unknown = || InvalidTensor::UnknownType(data_type);
        let layout = match DataType::try_from(data_type).map_err(|_| unknown())? {
            T::Undefined => return Err(unknown()),
            T::Float => Self::new("float_data", "`float_data` or `raw_data`", 32),
            T::Complex64 => Self::new("float_data", "`float_data` or `raw_data`", 64).pairs(),
            T::Double => Self::new("double_data", "`double_data` or `raw_data`", 64),
            T::Complex128 => Self::new("double_data", "`double_data` or `raw_data`", 128).pairs(),
            T::Int64 => Self::new("int64_data", "`int64_data` or `raw_data`", 64),
            T::Uint32 => Self::new("uint64_data", "`uint64_data` or `raw_data`", 32),
            T::Uint64 => Self::new("uint64_data", "`uint64_data` or `raw_data`", 64),
            T::Int32 => Self::int32(32),
            T::Int16 | T::Uint16 | T::Float16 | T::Bfloat16 => Self::int32(16),
            T::Int8 | T::Uint8 | T::Bool | T::Float8e8m0 => Self::int32(8),
            T::Float8e4m3fn | T::Float8e4m3fnuz | T::Float8e5m2 | T::Float8e5m2fnuz => {
                Self::int32(8)
            }
            T::Float6e2m3 | T::Float6e3m2 => Self::int32(6),
            T::Int4 | T::Uint4 | T::Float4e2m1 => Self::int32(4).packed(2),
            T::Int2 | T::Uint2 => Self::int32(2).packed(4),
            T::String => Self {
                raw_bits: None,
                ..Self::new("string_data", "`string_data`", 0)
            },
        };
        Ok(layout)
    }

    fn new(field: &'static str, expected: &'static str, bits: u64) -> Self {
        let ratio = Ratio {
            entries: 1,
            elements: 1,
        };
        Self {
            field,
            expected,
            raw_bits: Some(bits),
            ratio,
        }
    }

    fn int32(bits: u64) -> Self {
        Self::new("int32_data", "`int32_data` or `raw_data`", bits)
    }

    /// Each element takes two entries.
    fn pairs(mut self) -> Self {
        self.ratio.entries = 2;
        self
    }

    /// Each entry holds so many elements.
    fn packed(mut self, elements: u64) -> Self {
        self.ratio.elements = elements;
        self
    }

    fn allows(&self, field: &str) -> bool {
        field == self.field || (field == RAW && self.raw_bits.is_some())
    }

    /// Bytes of `raw_data`; none when they overflow.
    fn raw_bytes(&self, elements: u64) -> Option<u64> {
        Some(elements.checked_mul(self.raw_bits?)?.div_ceil(8))
    }

    /// Entries of the typed field; none when they overflow.
    fn entries(&self, elements: u64) -> Option<u64> {
        let Ratio {
            entries,
            elements: per,
        } = self.ratio;
        Some(elements.checked_mul(entries)?.div_ceil(per))
    }

    fn wrong_field(&self, found: &[(&'static str, usize)]) -> InvalidTensor {
        let fields: Vec<_> = found
            .iter()
            .map(|(field, _)| format!("`{field}`"))
            .collect();
        InvalidTensor::WrongField {
            fields: fields.join(" and "),
            expected: self.expected,
        }
    }
}
