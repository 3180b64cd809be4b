//! A walk over a file's protobuf structure before anything is built from it.
//!
//! Two bytes in a file can stand for an empty message that takes a kilobyte in
//! memory, and three of them while the list that it is in grows. The walk adds up
//! what decoding would take, bounds the nesting, and finds the place where a file is
//! cut short; it allocates nothing itself.
//!
//! Wire format: <https://protobuf.dev/programming-guides/encoding/>.

use prost::bytes::Bytes;

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
    /// A message in a place for one.
    #[error("it is there twice")]
    Twice,
    /// A small file that would take much memory.
    #[error("it would take more memory than a model of its size needs")]
    TooManyMessages,
}

/// What one number may take in a list: its room is up to twice as large as what it
/// holds, and the old one is there while that is moved into it.
const NUMBER: u64 = 3 * 8;

/// What the room of a text or of a list of numbers may have beyond that.
const LEAST: u64 = 8;

/// Checks that `bytes` are well-formed as a `ModelProto`.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Malformed> {
    // The file is in memory, too.
    let budget = FREE_MEMORY + (MEMORY_PER_BYTE - 1) * bytes.len() as u64;
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

/// What a field with a length holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A message, inside the one that it is in.
    One(Kind),
    /// A message, in memory of its own.
    Boxed(Kind),
    /// A message of a list.
    Many(Kind),
    /// A text or bytes of a list, each with so much beside what it holds.
    Texts(usize),
    /// Numbers of a list.
    Numbers,
}

use Content::{Boxed, Many, Numbers, One, Texts};

const TEXTS: Content = Texts(size_of::<String>());
const BYTES: Content = Texts(size_of::<Bytes>());

/// The fields that are messages or lists: where, number, name, what. All others are a
/// number, a text or bytes.
const FIELDS: &[(Kind, u64, &str, Content)] = &[
    (
        Kind::Annotation,
        2,
        "quant_parameter_tensor_names",
        Many(ENTRY),
    ),
    (Kind::Attribute, 5, "t", One(Kind::Tensor)),
    (Kind::Attribute, 6, "g", One(Kind::Graph)),
    (Kind::Attribute, 7, "floats", Numbers),
    (Kind::Attribute, 8, "ints", Numbers),
    (Kind::Attribute, 9, "strings", BYTES),
    (Kind::Attribute, 10, "tensors", Many(Kind::Tensor)),
    (Kind::Attribute, 11, "graphs", Many(Kind::Graph)),
    (Kind::Attribute, 14, "tp", One(Kind::Type)),
    (Kind::Attribute, 15, "type_protos", Many(Kind::Type)),
    (Kind::Attribute, 22, "sparse_tensor", One(Kind::Sparse)),
    (Kind::Attribute, 23, "sparse_tensors", Many(Kind::Sparse)),
    (Kind::Function, 4, "input", TEXTS),
    (Kind::Function, 5, "output", TEXTS),
    (Kind::Function, 6, "attribute", TEXTS),
    (Kind::Function, 7, "node", Many(Kind::Node)),
    (Kind::Function, 9, "opset_import", Many(OPSET)),
    (Kind::Function, 11, "attribute_proto", Many(Kind::Attribute)),
    (Kind::Function, 12, "value_info", Many(Kind::ValueInfo)),
    (Kind::Function, 14, "metadata_props", Many(ENTRY)),
    (Kind::Graph, 1, "node", Many(Kind::Node)),
    (Kind::Graph, 5, "initializer", Many(Kind::Tensor)),
    (Kind::Graph, 11, "input", Many(Kind::ValueInfo)),
    (Kind::Graph, 12, "output", Many(Kind::ValueInfo)),
    (Kind::Graph, 13, "value_info", Many(Kind::ValueInfo)),
    (
        Kind::Graph,
        14,
        "quantization_annotation",
        Many(Kind::Annotation),
    ),
    (Kind::Graph, 15, "sparse_initializer", Many(Kind::Sparse)),
    (Kind::Graph, 16, "metadata_props", Many(ENTRY)),
    (Kind::Map, 2, "value_type", Boxed(Kind::Type)),
    (Kind::Model, 7, "graph", One(Kind::Graph)),
    (Kind::Model, 8, "opset_import", Many(OPSET)),
    (Kind::Model, 14, "metadata_props", Many(ENTRY)),
    (Kind::Model, 20, "training_info", Many(Kind::Training)),
    (Kind::Model, 25, "functions", Many(Kind::Function)),
    (Kind::Node, 1, "input", TEXTS),
    (Kind::Node, 2, "output", TEXTS),
    (Kind::Node, 5, "attribute", Many(Kind::Attribute)),
    (Kind::Node, 9, "metadata_props", Many(ENTRY)),
    (Kind::Shape, 1, "dim", Many(DIMENSION)),
    (Kind::Sparse, 1, "values", One(Kind::Tensor)),
    (Kind::Sparse, 2, "indices", One(Kind::Tensor)),
    (Kind::Sparse, 3, "dims", Numbers),
    (Kind::Tensor, 1, "dims", Numbers),
    (Kind::Tensor, 3, "segment", One(SEGMENT)),
    (Kind::Tensor, 4, "float_data", Numbers),
    (Kind::Tensor, 5, "int32_data", Numbers),
    (Kind::Tensor, 6, "string_data", BYTES),
    (Kind::Tensor, 7, "int64_data", Numbers),
    (Kind::Tensor, 10, "double_data", Numbers),
    (Kind::Tensor, 11, "uint64_data", Numbers),
    (Kind::Tensor, 13, "external_data", Many(ENTRY)),
    (Kind::Tensor, 16, "metadata_props", Many(ENTRY)),
    (Kind::TensorType, 2, "shape", One(Kind::Shape)),
    (Kind::Training, 1, "initialization", One(Kind::Graph)),
    (Kind::Training, 2, "algorithm", One(Kind::Graph)),
    (Kind::Training, 3, "initialization_binding", Many(ENTRY)),
    (Kind::Training, 4, "update_binding", Many(ENTRY)),
    (Kind::Type, 1, "tensor_type", One(Kind::TensorType)),
    (Kind::Type, 4, "sequence_type", One(Kind::Wrapper)),
    (Kind::Type, 5, "map_type", One(Kind::Map)),
    (Kind::Type, 7, "opaque_type", One(OPAQUE)),
    (Kind::Type, 8, "sparse_tensor_type", One(Kind::TensorType)),
    (Kind::Type, 9, "optional_type", One(Kind::Wrapper)),
    (Kind::ValueInfo, 2, "type", One(Kind::Type)),
    (Kind::ValueInfo, 4, "metadata_props", Many(ENTRY)),
    (Kind::Wrapper, 1, "elem_type", Boxed(Kind::Type)),
];

/// Their numbers are smaller.
const FIELD_NUMBERS: usize = 26;

fn field_of(kind: Kind, field: u64) -> Option<(&'static str, Content)> {
    FIELDS
        .iter()
        .find(|(parent, number, ..)| *parent == kind && *number == field)
        .map(|(.., name, content)| (*name, *content))
}

struct Walk {
    /// Memory that may still be taken, in bytes.
    budget: u64,
}

impl Walk {
    fn message(&mut self, kind: Kind, mut at: Cursor, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(malformed(at.offset, Problem::TooDeep));
        }
        let mut counts = [0; FIELD_NUMBERS];
        while !at.bytes.is_empty() {
            let here = at.offset;
            let (number, content) = at.field()?;
            let Some(content) = content else {
                self.take(here, NUMBER + LEAST)?;
                continue;
            };
            let Some((name, what)) = field_of(kind, number) else {
                self.text(content)?;
                continue;
            };
            let count = &mut counts[number as usize];
            *count += 1;
            self.field(what, content, *count, depth)
                .map_err(|error| error.within(name))?;
        }
        Ok(())
    }

    /// A field that is in its message for the `count`th time.
    fn field(
        &mut self,
        what: Content,
        content: Cursor,
        count: usize,
        depth: usize,
    ) -> Result<(), Malformed> {
        let here = content.offset;
        match what {
            // Decoding merges both, and lists of the first grow on.
            One(_) | Boxed(_) if count > 1 => Err(malformed(here, Problem::Twice)),
            One(kind) => self.message(kind, content, depth + 1),
            Boxed(kind) => {
                self.take(here, kind.size() as u64)?;
                self.message(kind, content, depth + 1)
            }
            Many(kind) => {
                self.message(kind, content, depth + 1)?;
                self.grow(here, count, kind.size())
            }
            Texts(size) => {
                self.text(content)?;
                self.grow(here, count, size)
            }
            Numbers => self.take(here, NUMBER * content.bytes.len() as u64 + LEAST),
        }
    }

    /// Where a text is there again, its room grows as that of a list.
    fn text(&mut self, content: Cursor) -> Result<(), Malformed> {
        self.take(content.offset, 3 * content.bytes.len() as u64 + LEAST)
    }

    /// A list gets its `count`th element: when its room is full, all are moved into a
    /// larger one before the old one is free.
    fn grow(&mut self, offset: usize, count: usize, size: usize) -> Result<(), Malformed> {
        let (old, new) = (room(count - 1, size), room(count, size));
        if new > old {
            self.take(offset, new)?;
            self.budget += old;
        }
        Ok(())
    }

    fn take(&mut self, offset: usize, memory: u64) -> Result<(), Malformed> {
        self.budget = self
            .budget
            .checked_sub(memory)
            .ok_or_else(|| malformed(offset, Problem::TooManyMessages))?;
        Ok(())
    }
}

/// The bytes that `Vec` has for `count` elements of `size` that came one by one.
fn room(count: usize, size: usize) -> u64 {
    let least = if size > 1024 { 1 } else { 4 };
    match count {
        0 => 0,
        _ => (count.next_power_of_two().max(least) * size) as u64,
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
    fn every_row_is_a_field_of_the_reference_file() {
        let bytes = include_bytes!("../tests/fixtures/every-field.onnx");
        let mut seen = vec![];
        collect(Kind::Model, Cursor { bytes, offset: 0 }, &mut seen);
        for row @ (kind, number, ..) in FIELDS {
            let external = *kind == Kind::Tensor && *number == 13;
            assert!(external || seen.contains(&(*kind, *number)), "{row:?}");
        }
    }

    impl Content {
        fn message(self) -> Option<Kind> {
            match self {
                One(kind) | Boxed(kind) | Many(kind) => Some(kind),
                Texts(_) | Numbers => None,
            }
        }
    }

    fn collect(kind: Kind, mut at: Cursor, seen: &mut Vec<(Kind, u64)>) {
        while !at.bytes.is_empty() {
            let (number, content) = at.field().unwrap();
            seen.push((kind, number));
            let child = field_of(kind, number).and_then(|(_, what)| what.message());
            if let Some((content, child)) = content.zip(child) {
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
            for (_, number, _, what) in FIELDS.iter().filter(|row| row.0 == kind) {
                if let Some(child) = what.message()
                    && ways.iter().all(|(seen, _)| *seen != child)
                {
                    ways.push((child, [&way[..], &[*number]].concat()));
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
        for (parent, number, name, what) in FIELDS {
            let inner = |child| way(child, Kind::Tensor);
            let Some(inner) = what.message().and_then(inner) else {
                continue;
            };
            let outer = way(Kind::Model, *parent).unwrap();
            let numbers = outer.iter().chain([number]).chain(&inner);
            let content = numbers.rev().fold(external.to_vec(), |content, number| {
                field(*number as u8, &content)
            });
            let is_in_graph = content.starts_with(&[7 << 3 | 2]);
            let graph = if is_in_graph { vec![] } else { field(7, &[]) };
            let model = [&[8, 10][..], &field(8, &[0x10, 18]), &graph, &content].concat();
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

    /// While it grows, a list takes three times what it held before.
    #[test]
    fn lists_are_counted_with_the_room_that_they_grow_into() {
        let entries = |count: usize| check(&field(14, &[]).repeat(count));
        assert!(entries(1 << 22).is_ok());
        let error = entries((1 << 22) + 1).unwrap_err();
        assert_eq!(error.problem, Problem::TooManyMessages);
        assert_eq!(
            (error.offset, error.place.as_str()),
            (2 * (1 << 22) + 2, "metadata_props")
        );
    }

    #[test]
    fn message_that_there_is_one_of_is_refused_twice() {
        let error = check(&field(7, &[]).repeat(2)).unwrap_err();
        assert_eq!(error.problem, Problem::Twice);
        assert_eq!((error.offset, error.place.as_str()), (4, "graph"));
        // A text is the last of them.
        assert!(check(&field(2, b"name").repeat(2)).is_ok());
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
