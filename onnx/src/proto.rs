//! The protobuf messages of ONNX 1.23 (`onnx/onnx.proto3`, IR version 14), with
//! the official names in Rust's spelling.
//!
//! Scalars have proto3's presence: a field that equals its default is not
//! written, and one that is missing reads as its default. Fields this crate
//! does not list are skipped when reading: the multi-device annotations
//! (`ModelProto.configuration`, `NodeProto.device_configurations`), which place
//! nodes on devices and never change what a graph computes.

use prost::bytes::Bytes;
use prost::{Message, Oneof};

/// A key and its value, for metadata and external data.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The version of a domain's operator set that a model uses.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct OperatorSetIdProto {
    /// The domain; empty (or `ai.onnx`) for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version, from 1.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A whole model: the graph, and what is needed to interpret it.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// The version of the intermediate representation.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The operator sets that the graph uses.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// The tool that wrote the model.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// That tool's version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The model's namespace, in reverse-DNS form.
    #[prost(string, tag = "4")]
    pub domain: String,
    /// The version of the model itself.
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    /// Documentation, in Markdown.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The graph that is evaluated.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Named metadata; the keys are distinct.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// How to train the model, where it says so.
    #[prost(message, repeated, tag = "20")]
    pub training_info: Vec<TrainingInfoProto>,
    /// Functions local to the model.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// Training-specific graphs.
#[derive(Clone, PartialEq, Message)]
pub struct TrainingInfoProto {
    /// The graph that initializes the training.
    #[prost(message, optional, tag = "1")]
    pub initialization: Option<GraphProto>,
    /// The graph of one training step.
    #[prost(message, optional, tag = "2")]
    pub algorithm: Option<GraphProto>,
    /// Which initializer each output of `initialization` replaces.
    #[prost(message, repeated, tag = "3")]
    pub initialization_binding: Vec<StringStringEntryProto>,
    /// Which initializer each output of `algorithm` replaces.
    #[prost(message, repeated, tag = "4")]
    pub update_binding: Vec<StringStringEntryProto>,
}

/// A function local to a model: a reusable subgraph with attributes.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionProto {
    /// The name, which nodes give as their `op_type`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The names of the inputs.
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    /// The names of the outputs.
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    /// The attributes that a node must give.
    #[prost(string, repeated, tag = "6")]
    pub attribute: Vec<String>,
    /// The attributes that a node may give, with their defaults.
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<AttributeProto>,
    /// The nodes, in topological order.
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    /// Documentation, in Markdown.
    #[prost(string, tag = "8")]
    pub doc_string: String,
    /// The operator sets that the body uses.
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// The domain the function belongs to.
    #[prost(string, tag = "10")]
    pub domain: String,
    /// Tells functions of one name and domain apart.
    #[prost(string, tag = "13")]
    pub overload: String,
    /// Types of the values inside the body.
    #[prost(message, repeated, tag = "12")]
    pub value_info: Vec<ValueInfoProto>,
    /// Named metadata; the keys are distinct.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A graph of nodes, with its inputs, outputs and constants.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// The nodes, in topological order.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The graph's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Named constants, such as weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Named constants in sparse form.
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
    /// Documentation, in Markdown.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// The inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// The outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Types of the values in between.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Quantization parameters of tensors.
    #[prost(message, repeated, tag = "14")]
    pub quantization_annotation: Vec<TensorAnnotation>,
    /// Named metadata; the keys are distinct.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// Which tensors hold the quantization parameters of another.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct TensorAnnotation {
    /// The annotated tensor.
    #[prost(string, tag = "1")]
    pub tensor_name: String,
    /// A role (`SCALE_TENSOR`, `ZERO_POINT_TENSOR`) and the tensor that has it.
    #[prost(message, repeated, tag = "2")]
    pub quant_parameter_tensor_names: Vec<StringStringEntryProto>,
}

/// One application of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// The names of the inputs; empty for an optional one that is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// The names of the outputs; empty for an optional one that is left out.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// The node's name; only for people.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The operator's domain; empty for the standard one.
    #[prost(string, tag = "7")]
    pub domain: String,
    /// Tells functions of one name and domain apart.
    #[prost(string, tag = "8")]
    pub overload: String,
    /// The attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Documentation, in Markdown.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// Named metadata; the keys are distinct.
    #[prost(message, repeated, tag = "9")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A named attribute; `type` says which of the value fields holds.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// The attribute's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// In a function's body: the function's attribute that gives the value.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// Documentation, in Markdown.
    #[prost(string, tag = "13")]
    pub doc_string: String,
    /// Which of the fields below holds the value; must be set.
    #[prost(enumeration = "attribute_proto::AttributeType", tag = "20")]
    pub r#type: i32,
    /// The value of a `FLOAT`.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// The value of an `INT`.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// The value of a `STRING`, in UTF-8.
    #[prost(bytes = "bytes", tag = "4")]
    pub s: Bytes,
    /// The value of a `TENSOR`.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// The value of a `GRAPH`.
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphProto>,
    /// The value of a `SPARSE_TENSOR`.
    #[prost(message, optional, tag = "22")]
    pub sparse_tensor: Option<SparseTensorProto>,
    /// The value of a `TYPE_PROTO`.
    #[prost(message, optional, tag = "14")]
    pub tp: Option<TypeProto>,
    /// The value of `FLOATS`.
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    /// The value of `INTS`.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// The value of `STRINGS`, in UTF-8.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    /// The value of `TENSORS`.
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// The value of `GRAPHS`.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
    /// The value of `SPARSE_TENSORS`.
    #[prost(message, repeated, tag = "23")]
    pub sparse_tensors: Vec<SparseTensorProto>,
    /// The value of `TYPE_PROTOS`.
    #[prost(message, repeated, tag = "15")]
    pub type_protos: Vec<TypeProto>,
}

/// What belongs to [`AttributeProto`].
pub mod attribute_proto {
    /// The kind of an attribute's value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
    #[repr(i32)]
    pub enum AttributeType {
        /// Not set; never valid in a model.
        Undefined = 0,
        /// `f`
        Float = 1,
        /// `i`
        Int = 2,
        /// `s`
        String = 3,
        /// `t`
        Tensor = 4,
        /// `g`
        Graph = 5,
        /// `sparse_tensor`
        SparseTensor = 11,
        /// `tp`
        TypeProto = 13,
        /// `floats`
        Floats = 6,
        /// `ints`
        Ints = 7,
        /// `strings`
        Strings = 8,
        /// `tensors`
        Tensors = 9,
        /// `graphs`
        Graphs = 10,
        /// `sparse_tensors`
        SparseTensors = 12,
        /// `type_protos`
        TypeProtos = 14,
    }
}

/// A tensor with its values.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// The shape; empty for a scalar.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// The element type; must be set.
    #[prost(enumeration = "tensor_proto::DataType", tag = "2")]
    pub data_type: i32,
    /// The part of a larger tensor that this is.
    #[prost(message, optional, tag = "3")]
    pub segment: Option<tensor_proto::Segment>,
    /// Elements of `FLOAT`; of `COMPLEX64` in pairs.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Elements of the integer, boolean and small floating types of 32 bits or
    /// fewer, those of 4 and 2 bits packed into bytes.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Elements of `STRING`, in UTF-8.
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    /// Elements of `INT64`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// The tensor's name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Documentation, in Markdown.
    #[prost(string, tag = "12")]
    pub doc_string: String,
    /// All elements, row-major and little-endian; instead of the typed fields.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    /// Where the elements are, when `data_location` is `EXTERNAL`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// Whether the elements are in this message or in another file.
    #[prost(enumeration = "tensor_proto::DataLocation", tag = "14")]
    pub data_location: i32,
    /// Elements of `DOUBLE`; of `COMPLEX128` in pairs.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Elements of `UINT64` and `UINT32`.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Named metadata; the keys are distinct.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// What belongs to [`TensorProto`].
pub mod tensor_proto {
    /// The type of a tensor's elements.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
    #[repr(i32)]
    pub enum DataType {
        /// Not set; never valid in a model.
        Undefined = 0,
        /// IEEE 754, 32 bits.
        Float = 1,
        /// Unsigned, 8 bits.
        Uint8 = 2,
        /// Signed, 8 bits.
        Int8 = 3,
        /// Unsigned, 16 bits.
        Uint16 = 4,
        /// Signed, 16 bits.
        Int16 = 5,
        /// Signed, 32 bits.
        Int32 = 6,
        /// Signed, 64 bits.
        Int64 = 7,
        /// UTF-8 text.
        String = 8,
        /// Boolean, one byte each.
        Bool = 9,
        /// IEEE 754, 16 bits.
        Float16 = 10,
        /// IEEE 754, 64 bits.
        Double = 11,
        /// Unsigned, 32 bits.
        Uint32 = 12,
        /// Unsigned, 64 bits.
        Uint64 = 13,
        /// Two `FLOAT`s: real, imaginary.
        Complex64 = 14,
        /// Two `DOUBLE`s: real, imaginary.
        Complex128 = 15,
        /// The upper half of a `FLOAT`, 16 bits.
        Bfloat16 = 16,
        /// 8 bits, 4 of exponent; no infinities.
        Float8e4m3fn = 17,
        /// 8 bits, 4 of exponent; no infinities, no negative zero.
        Float8e4m3fnuz = 18,
        /// 8 bits, 5 of exponent.
        Float8e5m2 = 19,
        /// 8 bits, 5 of exponent; no infinities, no negative zero.
        Float8e5m2fnuz = 20,
        /// Unsigned, 4 bits.
        Uint4 = 21,
        /// Signed, 4 bits.
        Int4 = 22,
        /// 4 bits, 2 of exponent.
        Float4e2m1 = 23,
        /// 8 bits, exponent alone.
        Float8e8m0 = 24,
        /// Unsigned, 2 bits.
        Uint2 = 25,
        /// Signed, 2 bits.
        Int2 = 26,
        /// 6 bits, 2 of exponent.
        Float6e2m3 = 27,
        /// 6 bits, 3 of exponent.
        Float6e3m2 = 28,
    }

    /// Where a tensor's elements are stored.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
    #[repr(i32)]
    pub enum DataLocation {
        /// In the message.
        Default = 0,
        /// In another file, which `external_data` names.
        External = 1,
    }

    /// A part of a tensor that is stored in pieces.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
    pub struct Segment {
        /// The first element.
        #[prost(int64, tag = "1")]
        pub begin: i64,
        /// One past the last element.
        #[prost(int64, tag = "2")]
        pub end: i64,
    }
}

/// A tensor of which only the non-zero elements are stored.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorProto {
    /// The non-zero elements, \[nnz\]; its name is the sparse tensor's.
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    /// Their positions, \[nnz\] (linear) or \[nnz, rank\].
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    /// The shape of the dense tensor.
    #[prost(int64, repeated, tag = "3")]
    pub dims: Vec<i64>,
}

/// A value's name and type.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// The value's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// Documentation, in Markdown.
    #[prost(string, tag = "3")]
    pub doc_string: String,
    /// Named metadata; the keys are distinct.
    #[prost(message, repeated, tag = "4")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// The type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// The kind of type.
    #[prost(oneof = "type_proto::Value", tags = "1, 4, 5, 7, 8, 9")]
    pub value: Option<type_proto::Value>,
    /// A standard denotation of what the value means (`IMAGE`).
    #[prost(string, tag = "6")]
    pub denotation: String,
}

/// What belongs to [`TypeProto`].
pub mod type_proto {
    use super::{Message, Oneof, TensorShapeProto, TypeProto};

    /// The kinds of type.
    #[derive(Clone, PartialEq, Oneof)]
    pub enum Value {
        /// A dense tensor.
        #[prost(message, tag = "1")]
        TensorType(Tensor),
        /// A sequence of values of one type.
        #[prost(message, tag = "4")]
        SequenceType(Sequence),
        /// A map from keys to values.
        #[prost(message, tag = "5")]
        MapType(Map),
        /// A type that ONNX does not define.
        #[prost(message, tag = "7")]
        OpaqueType(Opaque),
        /// A sparse tensor.
        #[prost(message, tag = "8")]
        SparseTensorType(SparseTensor),
        /// A value that may be missing.
        #[prost(message, tag = "9")]
        OptionalType(Optional),
    }

    /// A dense tensor.
    #[derive(Clone, PartialEq, Message)]
    pub struct Tensor {
        /// The element type.
        #[prost(enumeration = "super::tensor_proto::DataType", tag = "1")]
        pub elem_type: i32,
        /// The shape; none when even the rank is unknown.
        #[prost(message, optional, tag = "2")]
        pub shape: Option<TensorShapeProto>,
    }

    /// A sequence.
    #[derive(Clone, PartialEq, Message)]
    pub struct Sequence {
        /// The type of its elements.
        #[prost(message, optional, boxed, tag = "1")]
        pub elem_type: Option<Box<TypeProto>>,
    }

    /// A map.
    #[derive(Clone, PartialEq, Message)]
    pub struct Map {
        /// The type of the keys: an integer or `STRING`.
        #[prost(enumeration = "super::tensor_proto::DataType", tag = "1")]
        pub key_type: i32,
        /// The type of the values.
        #[prost(message, optional, boxed, tag = "2")]
        pub value_type: Option<Box<TypeProto>>,
    }

    /// A value that may be missing.
    #[derive(Clone, PartialEq, Message)]
    pub struct Optional {
        /// The type it has when it is there.
        #[prost(message, optional, boxed, tag = "1")]
        pub elem_type: Option<Box<TypeProto>>,
    }

    /// A sparse tensor.
    #[derive(Clone, PartialEq, Message)]
    pub struct SparseTensor {
        /// The element type.
        #[prost(enumeration = "super::tensor_proto::DataType", tag = "1")]
        pub elem_type: i32,
        /// The shape; none when even the rank is unknown.
        #[prost(message, optional, tag = "2")]
        pub shape: Option<TensorShapeProto>,
    }

    /// A type that ONNX does not define.
    #[derive(Clone, PartialEq, Eq, Hash, Message)]
    pub struct Opaque {
        /// The domain that defines it.
        #[prost(string, tag = "1")]
        pub domain: String,
        /// Its name there.
        #[prost(string, tag = "2")]
        pub name: String,
    }
}

/// A tensor's shape, of which dimensions may be symbolic or unknown.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct TensorShapeProto {
    /// The dimensions; empty for a scalar.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<tensor_shape_proto::Dimension>,
}

/// What belongs to [`TensorShapeProto`].
pub mod tensor_shape_proto {
    use super::Message;

    /// One dimension.
    #[derive(Clone, PartialEq, Eq, Hash, Message)]
    pub struct Dimension {
        /// Its size or symbol; none when it is unknown.
        #[prost(oneof = "dimension::Value", tags = "1, 2")]
        pub value: Option<dimension::Value>,
        /// A standard denotation of what it means (`DATA_BATCH`).
        #[prost(string, tag = "3")]
        pub denotation: String,
    }

    /// What belongs to [`Dimension`].
    pub mod dimension {
        use super::super::Oneof;

        /// A dimension's size.
        #[derive(Clone, PartialEq, Eq, Hash, Oneof)]
        pub enum Value {
            /// Known.
            #[prost(int64, tag = "1")]
            DimValue(i64),
            /// A symbol; the same one is the same size wherever it stands.
            #[prost(string, tag = "2")]
            DimParam(String),
        }
    }
}
