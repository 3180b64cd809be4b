//! The tensors of a file of weights, by name and in order, unread until they
//! are needed.
//!
//! `.safetensors` is the format of Hugging Face; anything else is taken for
//! what `torch.save` writes: a zip archive, or before PyTorch 1.6 a stream of
//! pickles. Of a pickle, only tensors are read; it runs no code.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use burn::tensor::{DType, TensorData};
use burn_store::burn_pack::{Error as PackError, Tensor};
use burn_store::{ModuleStore, SafetensorsStore, bridge};
use pytorch_reader::PytorchReader;
use zip::{CompressionMethod, ZipArchive};

use super::pickle;
use crate::Error;

/// The tensors of a file.
pub(super) struct Stored {
    /// In the order of the file, where it has one, else sorted by name.
    pub(super) tensors: Vec<Tensor>,
    /// Whether that is the order in which the layers were made.
    pub(super) in_order: bool,
    /// Names of tensors beside the `state_dict` of a checkpoint.
    pub(super) beside: Vec<String>,
}

/// The largest file that is read: a network of 500 million parameters.
const MAX_BYTES: u64 = 1 << 31;

/// The largest header of a safetensors file: one of ten thousand tensors.
const MAX_HEADER: u64 = 1 << 20;

/// Under these names, checkpoints keep what `load_state_dict` takes.
const STATE_DICTS: [&str; 2] = ["model_state_dict.", "state_dict."];

/// Reads the names, types and shapes of the tensors at `path`.
///
/// # Errors
///
/// When the file cannot be read, is damaged, or declares more than it has.
pub(super) fn open(path: &Path) -> Result<Stored, Error> {
    let metadata = fs::metadata(path).map_err(artifact::Error::new("read", path))?;
    let bytes = metadata.len();
    if bytes > MAX_BYTES || !metadata.is_file() {
        return Err(Error::NotWeights {
            path: path.to_owned(),
            problem: format!("it is no file of up to {MAX_BYTES} bytes"),
        });
    }
    let tensors = if path
        .extension()
        .is_some_and(|extension| extension == "safetensors")
    {
        safetensors(path)
    } else {
        pytorch(path, bytes)
    };
    tensors.map_err(|problem| Error::NotWeights {
        path: path.to_owned(),
        problem,
    })
}

fn safetensors(path: &Path) -> Result<Stored, String> {
    let bytes = artifact::read_at_most(path, MAX_BYTES).map_err(|error| error.to_string())?;
    check_header(&bytes)?;
    let mut store = SafetensorsStore::from_bytes(Some(bytes));
    let tensors = store.get_all_tensors().map_err(|error| error.to_string())?;
    let mut tensors: Vec<Tensor> = tensors.values().cloned().collect();
    // The format sorts its names; numbers among them are meant as numbers.
    tensors.sort_by(|one, other| natural(&one.name, &other.name));
    Ok(Stored {
        tensors,
        in_order: false,
        beside: Vec::new(),
    })
}

/// The header of a safetensors file, JSON behind its length, is read once for
/// each tensor.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    match bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length))
    {
        Some(length) if length > MAX_HEADER => Err(format!(
            "its header has {length} bytes, more than the {MAX_HEADER} that are read"
        )),
        Some(_) | None => Ok(()),
    }
}

/// How an archive begins, with files and without: what the reader takes for one.
const ARCHIVES: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Refuses files that stand for more than they are, and formats of before PyTorch 0.4.
fn check_container(path: &Path, bytes: u64) -> Result<(), String> {
    let start = start_of(path).map_err(|error| error.to_string())?;
    if ARCHIVES.iter().any(|magic| start.starts_with(magic)) {
        return check_archive(path);
    }
    match start.get(257..262) {
        Some(b"ustar") => Err("it is a tar archive, as PyTorch 0.1 wrote them".to_owned()),
        _ => pickle::check_legacy(&start, bytes > PICKLE),
    }
}

/// `torch.save` compresses nothing.
fn check_archive(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive = ZipArchive::new(file).map_err(|error| error.to_string())?;
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| error.to_string())?;
        let name = entry.name().map_err(|error| error.to_string())?;
        let name = name.into_owned();
        if entry.compression() != CompressionMethod::Stored {
            return Err(format!("`{name}` in it is compressed"));
        }
        if name.ends_with("data.pkl") {
            if entry.size() > PICKLE {
                return Err(format!("`{name}` in it has more than {PICKLE} bytes"));
            }
            let pickle = start(entry).map_err(|error| error.to_string())?;
            pickle::check(&pickle)?;
        }
    }
    Ok(())
}

fn pytorch(path: &Path, bytes: u64) -> Result<Stored, String> {
    check_container(path, bytes)?;
    let reader = PytorchReader::new(path).map_err(|error| error.to_string())?;
    let tensors: Vec<_> = reader.into_tensors().into_values().collect();
    let prefix = STATE_DICTS
        .into_iter()
        .find(|prefix| tensors.iter().any(|tensor| tensor.name.starts_with(prefix)))
        .unwrap_or_default();
    let (mut tensors, beside): (Vec<_>, Vec<_>) = tensors
        .into_iter()
        .partition(|tensor| tensor.name.starts_with(prefix));
    for tensor in &mut tensors {
        tensor.name.drain(..prefix.len());
    }
    // What stands beside them is not read, and may be the same bytes once more.
    let declared = tensors.iter().try_fold(0_u64, |sum, tensor| {
        sum.checked_add(tensor.byte_len() as u64)
    });
    if declared.is_none_or(|declared| declared > bytes) {
        return Err(format!(
            "it declares more tensors than its {bytes} bytes can hold"
        ));
    }
    let pickle = start_of(path).map_err(|error| error.to_string())?;
    let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let places = places(&pickle, &names);
    tensors.sort_by(|one, other| natural(&one.name, &other.name));
    tensors.sort_by_cached_key(|tensor| {
        let place = places.get(tensor.name.as_bytes());
        place.copied().unwrap_or(usize::MAX)
    });
    let mut beside: Vec<String> = beside.into_iter().map(|tensor| tensor.name).collect();
    beside.sort();
    Ok(Stored {
        tensors: tensors.into_iter().map(deferred).collect(),
        in_order: true,
        beside,
    })
}

/// A tensor of a `.pth` as one of burn-store's.
fn deferred(tensor: pytorch_reader::Tensor) -> Tensor {
    let (name, dtype, shape, read) = tensor.into_parts();
    let dtype = burn_type(dtype);
    let declared = shape.clone();
    bridge::deferred(name, dtype, shape.into(), None, move || {
        let bytes = read().map_err(|error| PackError::IoError(error.to_string()))?;
        Ok(TensorData::from_bytes_vec(bytes, declared.clone(), dtype))
    })
}

fn burn_type(dtype: pytorch_reader::DType) -> DType {
    use pytorch_reader::DType as Stored;
    match dtype {
        Stored::F64 => DType::F64,
        Stored::F32 => DType::F32,
        Stored::F16 => DType::F16,
        Stored::BF16 => DType::BF16,
        Stored::I64 => DType::I64,
        Stored::I32 => DType::I32,
        Stored::I16 => DType::I16,
        Stored::I8 => DType::I8,
        Stored::U64 => DType::U64,
        Stored::U32 => DType::U32,
        Stored::U16 => DType::U16,
        Stored::U8 => DType::U8,
        Stored::Bool => DType::Bool(burn::tensor::BoolStore::Native),
    }
}

/// The largest pickle, and the bytes at the start of a file that are searched for
/// names: `torch.save` writes the pickle first.
const PICKLE: u64 = 1 << 20;

fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    start(artifact::open_regular(path)?)
}

fn start(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(PICKLE).read_to_end(&mut start)?;
    Ok(start)
}

/// The longest name whose place is looked for.
const LONGEST_NAME: usize = 1 << 10;

/// Where names stand in the pickle: the order of a `state_dict` is the order of its keys there,
/// and the reader's map has none. A string follows its opcode and length: BINUNICODE, from
/// protocol 4 on SHORT_BINUNICODE (CPython, `Lib/pickletools.py`).
fn places<'a>(pickle: &[u8], names: &'a [String]) -> HashMap<&'a [u8], usize> {
    let names: HashSet<&[u8]> = names.iter().map(String::as_bytes).collect();
    let mut places = HashMap::new();
    for at in 0..pickle.len() {
        if let Some(string) = string_at(&pickle[at..])
            && let Some(&name) = names.get(string)
        {
            places.entry(name).or_insert(at);
        }
    }
    places
}

/// The string that a pickle begins with, if it is one.
fn string_at(pickle: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match pickle {
        [b'X', a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [0x8c, length, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    rest.get(..length).filter(|_| length <= LONGEST_NAME)
}

/// The order of two names by their parts: `features.2` comes before `features.10`.
fn natural(one: &str, other: &str) -> Ordering {
    parts(one).cmp(parts(other))
}

/// A name's words, each with the number at its end.
pub(super) fn parts(name: &str) -> impl Iterator<Item = (&str, u64)> {
    name.split(['.', '_']).map(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        (word, part[word.len()..].parse().unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = [
            "layer1.10.w",
            "layer1.2.w",
            "conv2.w",
            "conv12.w",
            "conv1.w",
        ];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(
            names,
            [
                "conv1.w",
                "conv2.w",
                "conv12.w",
                "layer1.2.w",
                "layer1.10.w"
            ]
        );
    }

    #[test]
    fn names_are_found_as_strings_of_their_own() {
        let pickle = b"....X\x09\x00\x00\x00a.weights....\x8c\x08a.weight\x8c\x08a.weight";
        let names = ["a.weight", "a.weights", "b.weight"].map(str::to_owned);
        let found = places(pickle, &names);
        let expected: [(&[u8], usize); 2] = [(b"a.weight", 22), (b"a.weights", 4)];
        assert_eq!(found, HashMap::from(expected));
    }
}
