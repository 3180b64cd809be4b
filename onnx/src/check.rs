//! What must hold in every model before its tensors are used.

use crate::Invalid;
use crate::error::InvalidTensor;
use crate::proto::tensor_proto::{DataLocation, DataType};
use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto,
    TensorProto, TrainingInfoProto,
};

/// Checks `model`: its versions, its graph and every tensor in it.
pub(crate) fn model(model: &ModelProto) -> Result<(), Invalid> {
    require("ir_version", model.ir_version > 0)?;
    let graph = model.graph.as_ref().ok_or(missing("graph"))?;
    let versioned = |set: &crate::proto::OperatorSetIdProto| set.version > 0;
    let imports = &model.opset_import;
    require(
        "opset_import",
        !imports.is_empty() && imports.iter().all(versioned),
    )?;
    check_graph(graph, "graph")?;
    model.functions.iter().try_for_each(check_function)?;
    model.training_info.iter().try_for_each(check_training)
}

fn require(field: &'static str, present: bool) -> Result<(), Invalid> {
    if present { Ok(()) } else { Err(missing(field)) }
}

fn missing(field: &'static str) -> Invalid {
    Invalid::Missing { field }
}

fn check_graph(graph: &GraphProto, place: &str) -> Result<(), Invalid> {
    for tensor in &graph.initializer {
        let place = || format!("{place}, initializer `{}`", tensor.name);
        check_tensor(tensor).map_err(at(place))?;
    }
    for tensor in &graph.sparse_initializer {
        check_sparse(tensor).map_err(at(|| format!("{place}, sparse initializer")))?;
    }
    check_nodes(&graph.node, place)
}

fn check_function(function: &FunctionProto) -> Result<(), Invalid> {
    check_nodes(&function.node, &format!("function `{}`", function.name))
}

fn check_training(training: &TrainingInfoProto) -> Result<(), Invalid> {
    [&training.initialization, &training.algorithm]
        .into_iter()
        .flatten()
        .try_for_each(|graph| check_graph(graph, "training graph"))
}

fn check_nodes(nodes: &[NodeProto], place: &str) -> Result<(), Invalid> {
    nodes.iter().enumerate().try_for_each(|(index, node)| {
        node.attribute.iter().try_for_each(|attribute| {
            let place = || {
                let NodeProto { op_type, name, .. } = node;
                let attribute = &attribute.name;
                format!("{place}, node {index} ({op_type} `{name}`), attribute `{attribute}`")
            };
            check_attribute(attribute, place)
        })
    })
}

fn check_attribute(attribute: &AttributeProto, place: impl Fn() -> String) -> Result<(), Invalid> {
    for tensor in attribute.t.iter().chain(&attribute.tensors) {
        check_tensor(tensor).map_err(at(&place))?;
    }
    for tensor in attribute
        .sparse_tensor
        .iter()
        .chain(&attribute.sparse_tensors)
    {
        check_sparse(tensor).map_err(at(&place))?;
    }
    for graph in attribute.g.iter().chain(&attribute.graphs) {
        check_graph(graph, &place())?;
    }
    Ok(())
}

fn at(place: impl Fn() -> String) -> impl FnOnce(InvalidTensor) -> Invalid {
    move |reason| Invalid::Tensor {
        place: place(),
        reason,
    }
}

fn check_sparse(tensor: &SparseTensorProto) -> Result<(), InvalidTensor> {
    let part = |part: &'static str| InvalidTensor::IncompleteSparse(part);
    check_tensor(tensor.values.as_ref().ok_or(part("values"))?)?;
    check_tensor(tensor.indices.as_ref().ok_or(part("indices"))?)?;
    element_count(&tensor.dims).map(|_| ())
}

fn check_tensor(tensor: &TensorProto) -> Result<(), InvalidTensor> {
    if tensor.data_location == DataLocation::External as i32 {
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
