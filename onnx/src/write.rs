//! Writing a model without a copy of its tensors in memory.
//!
//! The fields of a message may come in any order: the large ones are left to
//! the end and pass through as they are.

use std::io::{self, Write};
use std::path::Path;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::proto::{GraphProto, ModelProto, TensorProto};
use crate::read::MAX_BYTES;
use crate::{Error, Invalid, external};

/// The field `graph` of a model.
const GRAPH: u32 = 7;

/// The field `initializer` of a graph.
const INITIALIZER: u32 = 5;

/// The field `raw_data` of a tensor.
const RAW_DATA: u32 = 9;

/// The bytes of `model`; equal models give equal bytes.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(model.encoded_len());
    // Writing to memory never fails.
    let _ = write_model(model, &mut bytes);
    bytes
}

/// Writes `model` to `path`, whole or not at all.
///
/// A model that is larger than a protobuf message may be, [`MAX_BYTES`], has its
/// tensors in a file beside it, as [`crate::write_external`] does.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(path: &Path, model: &ModelProto) -> Result<(), Error> {
    if model.encoded_len() as u64 > MAX_BYTES {
        return external::write_external(path, model);
    }
    write_alone(path, model)?;
    external::remove_stale(path, None);
    Ok(())
}

/// Writes the message alone, which must not be too large for one.
pub(crate) fn write_alone(path: &Path, model: &ModelProto) -> Result<(), Error> {
    let bytes = model.encoded_len() as u64;
    if bytes > MAX_BYTES {
        return Err(Error::invalid(path)(Invalid::TooLarge { bytes }));
    }
    Ok(artifact::write(path, |file| write_model(model, file))?)
}

fn write_model(model: &ModelProto, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = model.clone();
    let graph = rest.graph.take();
    out.write_all(&rest.encode_to_vec())?;
    match graph {
        Some(graph) => {
            start(out, GRAPH, graph.encoded_len())?;
            write_graph(graph, out)
        }
        None => Ok(()),
    }
}

fn write_graph(mut graph: GraphProto, out: &mut dyn Write) -> io::Result<()> {
    let initializers = std::mem::take(&mut graph.initializer);
    out.write_all(&graph.encode_to_vec())?;
    for tensor in initializers {
        start(out, INITIALIZER, tensor.encoded_len())?;
        write_tensor(tensor, out)?;
    }
    Ok(())
}

fn write_tensor(mut tensor: TensorProto, out: &mut dyn Write) -> io::Result<()> {
    let elements = std::mem::take(&mut tensor.raw_data);
    out.write_all(&tensor.encode_to_vec())?;
    if elements.is_empty() {
        return Ok(());
    }
    start(out, RAW_DATA, elements.len())?;
    out.write_all(&elements)
}

/// The number of a field and the length of what follows.
fn start(out: &mut dyn Write, field: u32, length: usize) -> io::Result<()> {
    let mut bytes = Vec::new();
    encode_key(field, WireType::LengthDelimited, &mut bytes);
    encode_varint(length as u64, &mut bytes);
    out.write_all(&bytes)
}
