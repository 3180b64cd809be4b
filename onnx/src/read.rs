//! Reading a model from untrusted bytes.

use std::io::{self, Read};
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;

use crate::proto::ModelProto;
use crate::{Error, Invalid, check, external, wire};

/// The largest model: protobuf's limit for one message, 2 GiB - 1.
pub const MAX_BYTES: u64 = (1 << 31) - 1;

/// Reads and checks the model at `path`.
///
/// # Errors
///
/// When the file cannot be read, is empty, larger than [`MAX_BYTES`], not ONNX
/// or cut short, or when its tensors contradict themselves or lie in other
/// files.
pub fn read(path: &Path) -> Result<ModelProto, Error> {
    read_with_bytes(path).map(|(model, _)| model)
}

/// As [`read`], with the bytes that were checked: what is given on to others
/// is then what was checked, even if the file changes in between. The model's
/// tensors share these bytes.
///
/// # Errors
///
/// As [`read`].
pub fn read_with_bytes(path: &Path) -> Result<(ModelProto, Bytes), Error> {
    let bytes = Bytes::from(read_limited(path)?);
    let model = decode_shared(bytes.clone()).map_err(Error::invalid(path))?;
    Ok((model, bytes))
}

/// As [`read`], with tensors that lie in files beside the model: in its own
/// folder, under a name without a path, no link to elsewhere. Afterwards the
/// model holds all of them.
///
/// # Errors
///
/// As [`read`], and when such a file is elsewhere, a link or too short.
pub fn read_with_external_data(path: &Path) -> Result<ModelProto, Error> {
    let bytes = Bytes::from(read_limited(path)?);
    let mut model = parse(bytes).map_err(Error::invalid(path))?;
    external::load(path, &mut model)?;
    check::model(&model).map_err(Error::invalid(path))?;
    Ok(model)
}

/// The checked model that `bytes` hold.
///
/// # Errors
///
/// When the bytes are not ONNX or are cut short, or when the tensors contradict
/// themselves or lie in other files.
pub fn decode(bytes: &[u8]) -> Result<ModelProto, Invalid> {
    decode_shared(Bytes::copy_from_slice(bytes))
}

fn decode_shared(bytes: Bytes) -> Result<ModelProto, Invalid> {
    let model = parse(bytes)?;
    check::model(&model)?;
    Ok(model)
}

/// The messages, whatever they say.
fn parse(bytes: Bytes) -> Result<ModelProto, Invalid> {
    if bytes.is_empty() {
        return Err(Invalid::Empty);
    }
    wire::check(&bytes)?;
    Ok(ModelProto::decode(bytes)?)
}

/// The file's bytes; the limit holds for growing files too.
fn read_limited(path: &Path) -> Result<Vec<u8>, Error> {
    let file = artifact::open_regular(path).map_err(artifact::Error::new("open", path))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    if bytes > MAX_BYTES {
        return Err(Error::invalid(path)(Invalid::TooLarge { bytes }));
    }
    let content = read_up_to(file, MAX_BYTES, bytes).map_err(artifact::Error::new("read", path))?;
    match content.len() as u64 {
        bytes if bytes > MAX_BYTES => Err(Error::invalid(path)(Invalid::TooLarge { bytes })),
        _ => Ok(content),
    }
}

/// Up to one byte more than `limit`.
fn read_up_to(reader: impl Read, limit: u64, expected: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(expected as usize);
    reader.take(limit + 1).read_to_end(&mut content)?;
    Ok(content)
}
