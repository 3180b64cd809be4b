//! A walk over a file's protobuf structure before anything is built from it.
//!
//! Two bytes in a file can stand for an empty message that takes a kilobyte in
//! memory. The walk adds up what decoding would take, bounds the nesting, and
//! finds the place where a file is cut short; it allocates nothing itself.
//!
//! Wire format: <https://protobuf.dev/programming-guides/encoding/>.

use crate::proto;
use crate::proto::{tensor_proto, tensor_shape_proto, type_proto};

/// Messages within messages; the decoder has the same limit.
const MAX_DEPTH: usize = 100;

/// Memory that any file may take, in bytes.
pub(crate) const FREE_MEMORY: u64 = 64 << 20;

/// Memory that each byte of a file may take beyond that. Real
/// graphs, made of named nodes with attributes, take less.
pub(crate) const MEMORY_PER_BYTE: u64 = 32;

/// Bytes that are not a message of ONNX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}{}: {problem}", if place.is_empty() { String::new() } else { format!(", in `{place}`") })]
pub struct Malformed {
    /// The position in the file.
    pub offset: usize,
    /// The message it is in, as a path of fields.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with the structure of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file ends before a field does.
    #[error("a field of {declared} bytes is cut short, only {available} are there")]
    Truncated {
        /// The length the field says it has.
        declared: u64,
        /// The bytes that are left.
        available: usize,
    },
    /// A number of fields and types that cannot be one.
    #[error("there is no field where one should be")]
    NotAField,
    /// Messages within messages without end.
    #[error("messages are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A small file that would take much memory.
    #[error("it would take more memory than a model of its size needs")]
    TooManyMessages,
}

/// Checks that `bytes` are well-formed as a `ModelProto`.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Malformed> {
    let budget = FREE_MEMORY + MEMORY_PER_BYTE * bytes.len() as u64;
    Walk { budget }.message(Kind::Model, Cursor { bytes, offset: 0 }, 0)
}

/// The messages that can hold others; the rest are leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Annotation,
    Attribute,
    Function,
    Graph,
    Leaf(usize),
    Map,
    Model,
    Node,
    Shape,
    Sparse,
    Tensor,
    TensorType,
    Training,
    Type,
    ValueInfo,
    /// A sequence or an optional value.
    Wrapper,
}

impl Kind {
    /// What one takes in memory, without what is in its lists, in bytes.
    fn size(self) -> usize {
        match self {
            Self::Annotation => size_of::<proto::TensorAnnotation>(),
            Self::Attribute => size_of::<proto::AttributeProto>(),
            Self::Function => size_of::<proto::FunctionProto>(),
            Self::Graph => size_of::<proto::GraphProto>(),
            Self::Leaf(size) => size,
            Self::Map => size_of::<type_proto::Map>(),
            Self::Model => size_of::<proto::ModelProto>(),
            Self::Node => size_of::<proto::NodeProto>(),
            Self::Shape => size_of::<proto::TensorShapeProto>(),
            Self::Sparse => size_of::<proto::SparseTensorProto>(),
            Self::Tensor => size_of::<proto::TensorProto>(),
            Self::TensorType => size_of::<type_proto::Tensor>(),
            Self::Training => size_of::<proto::TrainingInfoProto>(),
            Self::Type => size_of::<proto::TypeProto>(),
            Self::ValueInfo => size_of::<proto::ValueInfoProto>(),
            Self::Wrapper => size_of::<type_proto::Sequence>(),
        }
    }
}

const ENTRY: Kind = Kind::Leaf(size_of::<proto::StringStringEntryProto>());
const OPSET: Kind = Kind::Leaf(size_of::<proto::OperatorSetIdProto>());
const SEGMENT: Kind = Kind::Leaf(size_of::<tensor_proto::Segment>());
const DIMENSION: Kind = Kind::Leaf(size_of::<tensor_shape_proto::Dimension>());
const OPAQUE: Kind = Kind::Leaf(size_of::<type_proto::Opaque>());

/// The fields that are messages: where, number, name, what.
const MESSAGES: &[(Kind, u64, &str, Kind)] = &[
    (Kind::Annotation, 2, "quant_parameter_tensor_names", ENTRY),
    (Kind::Attribute, 5, "t", Kind::Tensor),
    (Kind::Attribute, 6, "g", Kind::Graph),
    (Kind::Attribute, 10, "tensors", Kind::Tensor),
    (Kind::Attribute, 11, "graphs", Kind::Graph),
    (Kind::Attribute, 14, "tp", Kind::Type),
    (Kind::Attribute, 15, "type_protos", Kind::Type),
    (Kind::Attribute, 22, "sparse_tensor", Kind::Sparse),
    (Kind::Attribute, 23, "sparse_tensors", Kind::Sparse),
    (Kind::Function, 7, "node", Kind::Node),
    (Kind::Function, 9, "opset_import", OPSET),
    (Kind::Function, 11, "attribute_proto", Kind::Attribute),
    (Kind::Function, 12, "value_info", Kind::ValueInfo),
    (Kind::Function, 14, "metadata_props", ENTRY),
    (Kind::Graph, 1, "node", Kind::Node),
    (Kind::Graph, 5, "initializer", Kind::Tensor),
    (Kind::Graph, 11, "input", Kind::ValueInfo),
    (Kind::Graph, 12, "output", Kind::ValueInfo),
    (Kind::Graph, 13, "value_info", Kind::ValueInfo),
    (Kind::Graph, 14, "quantization_annotation", Kind::Annotation),
    (Kind::Graph, 15, "sparse_initializer", Kind::Sparse),
    (Kind::Graph, 16, "metadata_props", ENTRY),
    (Kind::Map, 2, "value_type", Kind::Type),
    (Kind::Model, 7, "graph", Kind::Graph),
    (Kind::Model, 8, "opset_import", OPSET),
    (Kind::Model, 14, "metadata_props", ENTRY),
    (Kind::Model, 20, "training_info", Kind::Training),
    (Kind::Model, 25, "functions", Kind::Function),
    (Kind::Node, 5, "attribute", Kind::Attribute),
    (Kind::Node, 9, "metadata_props", ENTRY),
    (Kind::Shape, 1, "dim", DIMENSION),
    (Kind::Sparse, 1, "values", Kind::Tensor),
    (Kind::Sparse, 2, "indices", Kind::Tensor),
    (Kind::Tensor, 3, "segment", SEGMENT),
    (Kind::Tensor, 13, "external_data", ENTRY),
    (Kind::Tensor, 16, "metadata_props", ENTRY),
    (Kind::TensorType, 2, "shape", Kind::Shape),
    (Kind::Training, 1, "initialization", Kind::Graph),
    (Kind::Training, 2, "algorithm", Kind::Graph),
    (Kind::Training, 3, "initialization_binding", ENTRY),
    (Kind::Training, 4, "update_binding", ENTRY),
    (Kind::Type, 1, "tensor_type", Kind::TensorType),
    (Kind::Type, 4, "sequence_type", Kind::Wrapper),
    (Kind::Type, 5, "map_type", Kind::Map),
    (Kind::Type, 7, "opaque_type", OPAQUE),
    (Kind::Type, 8, "sparse_tensor_type", Kind::TensorType),
    (Kind::Type, 9, "optional_type", Kind::Wrapper),
    (Kind::ValueInfo, 2, "type", Kind::Type),
    (Kind::ValueInfo, 4, "metadata_props", ENTRY),
    (Kind::Wrapper, 1, "elem_type", Kind::Type),
];

fn message_in(kind: Kind, field: u64) -> Option<(&'static str, Kind)> {
    MESSAGES
        .iter()
        .find(|(parent, number, ..)| *parent == kind && *number == field)
        .map(|(.., name, child)| (*name, *child))
}

struct Walk {
    /// Memory that messages may still take, in bytes.
    budget: u64,
}

impl Walk {
    fn message(&mut self, kind: Kind, mut at: Cursor, depth: usize) -> Result<(), Malformed> {
        let here = at.offset;
        if depth > MAX_DEPTH {
            return Err(malformed(here, Problem::TooDeep));
        }
        self.budget = self
            .budget
            .checked_sub(kind.size() as u64)
            .ok_or_else(|| malformed(here, Problem::TooManyMessages))?;
        while !at.bytes.is_empty() {
            let (field, content) = at.field()?;
            if let (Some(content), Some((name, child))) = (content, message_in(kind, field)) {
                self.message(child, content, depth + 1)
                    .map_err(|error| error.within(name))?;
            }
        }
        Ok(())
    }
}

fn malformed(offset: usize, problem: Problem) -> Malformed {
    Malformed {
        offset,
        place: String::new(),
        problem,
    }
}

impl Malformed {
    fn within(mut self, field: &str) -> Self {
        let dot = if self.place.is_empty() { "" } else { "." };
        self.place = format!("{field}{dot}{}", self.place);
        self
    }
}

/// Bytes that are still to be read, and where they are in the file.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// The next field's number, and its content if it has a length.
    fn field(&mut self) -> Result<(u64, Option<Cursor<'a>>), Malformed> {
        let start = self.offset;
        let key = self.varint()?;
        let content = match key & 7 {
            0 => self.varint().map(|_| None)?,
            1 => self.take(8).map(|_| None)?,
            2 => {
                let length = self.varint()?;
                Some(self.take(length)?)
            }
            5 => self.take(4).map(|_| None)?,
            _ => return Err(malformed(start, Problem::NotAField)),
        };
        match key >> 3 {
            0 => Err(malformed(start, Problem::NotAField)),
            field => Ok((field, content)),
        }
    }

    fn take(&mut self, length: u64) -> Result<Cursor<'a>, Malformed> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.bytes.split_at_checked(length));
        let Some((bytes, rest)) = split else {
            let problem = Problem::Truncated {
                declared: length,
                available: self.bytes.len(),
            };
            return Err(malformed(self.offset, problem));
        };
        let taken = Cursor {
            bytes,
            offset: self.offset,
        };
        self.offset += bytes.len();
        self.bytes = rest;
        Ok(taken)
    }

    /// A number of up to 64 bits, 7 in each byte, the lowest first.
    fn varint(&mut self) -> Result<u64, Malformed> {
        let start = self.offset;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.bytes[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed(start, Problem::NotAField))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A field with content: its number, then its length.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        prost::encoding::encode_varint(u64::from(number) << 3 | 2, &mut bytes);
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn every_row_is_a_message_of_the_reference_file() {
        let bytes = include_bytes!("../tests/fixtures/every-field.onnx");
        let mut seen = vec![];
        collect(Kind::Model, Cursor { bytes, offset: 0 }, &mut seen);
        for row @ (kind, number, ..) in MESSAGES {
            let external = *kind == Kind::Tensor && *number == 13;
            assert!(external || seen.contains(&(*kind, *number)), "{row:?}");
        }
    }

    fn collect(kind: Kind, mut at: Cursor, seen: &mut Vec<(Kind, u64)>) {
        while !at.bytes.is_empty() {
            let (number, content) = at.field().unwrap();
            if let (Some(content), Some((_, child))) = (content, message_in(kind, number)) {
                seen.push((kind, number));
                collect(child, content, seen);
            }
        }
    }

    /// The numbers of the fields that lead from one message to the other.
    fn way(from: Kind, to: Kind) -> Option<Vec<u64>> {
        let mut ways = vec![(from, vec![])];
        let mut next = 0;
        while next < ways.len() {
            let (kind, way) = ways[next].clone();
            if kind == to {
                return Some(way);
            }
            for (_, number, _, child) in MESSAGES.iter().filter(|row| row.0 == kind) {
                if ways.iter().all(|(seen, _)| seen != child) {
                    ways.push((*child, [&way[..], &[*number]].concat()));
                }
            }
            next += 1;
        }
        None
    }

    #[test]
    fn tensor_in_any_field_is_checked() {
        let external = [0x70, 1]; // data_location: EXTERNAL
        let mut fields = 0;
        for (parent, number, name, child) in MESSAGES {
            let Some(inner) = way(*child, Kind::Tensor) else {
                continue;
            };
            let outer = way(Kind::Model, *parent).unwrap();
            let numbers = outer.iter().chain([number]).chain(&inner);
            let content = numbers.rev().fold(external.to_vec(), |content, number| {
                field(*number as u8, &content)
            });
            let model = [
                &[8, 10][..],
                &field(8, &[0x10, 18]),
                &field(7, &[]),
                &content,
            ]
            .concat();
            let error = crate::decode(&model).unwrap_err();
            assert!(
                matches!(error, crate::Invalid::Tensor { .. }),
                "{parent:?}.{name}: {error}"
            );
            fields += 1;
        }
        assert_eq!(fields, 19);
    }

    #[test]
    fn small_file_that_would_take_much_memory_is_refused() {
        let node = field(1, &field(5, &[]).repeat(1_000_000));
        let error = check(&field(7, &node)).unwrap_err();
        assert_eq!(error.problem, Problem::TooManyMessages);
        assert_eq!(error.place, "graph.node.attribute");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let graph = (0..60).fold(vec![], |graph, _| field(1, &field(5, &field(6, &graph))));
        let error = check(&field(7, &graph)).unwrap_err();
        assert_eq!(error.problem, Problem::TooDeep);
    }

    #[test]
    fn cut_field_is_told_with_its_place() {
        // A graph with a node of which 3 of 9 bytes are there.
        let error = check(&field(7, &[0x0a, 9, 1, 2, 3])).unwrap_err();
        let expected = Malformed {
            offset: 4,
            place: "graph".to_owned(),
            problem: Problem::Truncated {
                declared: 9,
                available: 3,
            },
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn bytes_that_are_no_fields_are_refused() {
        for bytes in [&[0xff; 16][..], &[0x07], &[0x00, 0x01], &[0x0b], &[0x80]] {
            assert!(check(bytes).is_err(), "{bytes:?}");
        }
    }
}
