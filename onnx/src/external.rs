//! Tensors in a file beside their model ("external data").
//!
//! Format: <https://onnx.ai/onnx/repo-docs/ExternalData.html>.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use artifact::Sha256;

use crate::check::raw_bytes;
use crate::error::{ExternalProblem, InvalidTensor};
use crate::proto::tensor_proto::DataLocation;
use crate::proto::{ModelProto, StringStringEntryProto, TensorProto};
use crate::write::write_alone;
use crate::{Error, Invalid};

/// Tensors start at multiples of this, a page, so that they can be mapped.
const ALIGNMENT: u64 = 4096;

/// Smaller tensors stay in the model.
const SMALLEST: usize = 1024;

/// The digits of the content's SHA-256 in the name of a file.
const DIGITS: usize = 16;

/// The end of the name of a file with tensors.
const SUFFIX: &str = ".data";

/// Writes `model` to `path`, with the elements of its larger initializers in
/// one file beside it: both or none.
///
/// That file's name holds a digest of what it contains, `model.onnx.9f86….data`:
/// an earlier model keeps its own until the new one is there, and only then is
/// that one removed.
///
/// # Errors
///
/// When a file cannot be written, or the rest of the model is still larger than
/// a protobuf message may be.
pub fn write_external(path: &Path, model: &ModelProto) -> Result<(), Error> {
    let mut model = model.clone();
    let mut data = artifact::temporary_beside(path)?;
    write_data(&mut model, data.as_file_mut()).map_err(artifact::Error::new("write", path))?;
    let name = format!("{}{:.DIGITS$}{SUFFIX}", prefix(path), digest(data.path())?);
    locate(&mut model, &name);
    let beside = path.with_file_name(&name);
    let was_there = beside.exists();
    artifact::publish(data, &beside)?;
    let written = write_alone(path, &model);
    match &written {
        Ok(()) => remove_stale(path, Some(&name)),
        // Nothing refers to it; what cannot be removed does no harm.
        Err(_) if !was_there => drop(fs::remove_file(&beside)),
        Err(_) => {}
    }
    written
}

fn digest(path: &Path) -> Result<String, Error> {
    Ok(Sha256::of_file(path)?.to_string())
}

/// `model.onnx.`: how the names of a model's files begin.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    format!("{}.", name.to_string_lossy())
}

/// Moves the larger initializers into `file`, in their order.
fn write_data(model: &mut ModelProto, file: &mut File) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut end = 0_u64;
    let graph = model.graph.iter_mut();
    let tensors = graph.flat_map(|graph| &mut graph.initializer);
    for tensor in tensors.filter(|tensor| tensor.raw_data.len() >= SMALLEST) {
        let elements = std::mem::take(&mut tensor.raw_data);
        let offset = end.next_multiple_of(ALIGNMENT);
        let gap = [0; ALIGNMENT as usize];
        out.write_all(&gap[..(offset - end) as usize])?;
        out.write_all(&elements)?;
        end = offset + elements.len() as u64;
        tensor.data_location = DataLocation::External as i32;
        tensor.external_data = vec![
            entry("offset", offset.to_string()),
            entry("length", elements.len().to_string()),
        ];
    }
    out.flush()
}

/// Names the file in every tensor that was moved.
fn locate(model: &mut ModelProto, name: &str) {
    for tensor in external(model) {
        tensor
            .external_data
            .insert(0, entry("location", name.to_owned()));
    }
}

fn external(model: &mut ModelProto) -> impl Iterator<Item = &mut TensorProto> {
    let graph = model.graph.iter_mut();
    let tensors = graph.flat_map(|graph| &mut graph.initializer);
    tensors.filter(|tensor| tensor.data_location == DataLocation::External as i32)
}

fn entry(key: &str, value: String) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.to_owned(),
        value,
    }
}

/// Removes the files of earlier models at `path`, as far as that is possible.
pub(crate) fn remove_stale(path: &Path, current: Option<&str>) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let prefix = prefix(path);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| Some(*name) != current) else {
            continue;
        };
        let digits = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(SUFFIX));
        let own = |digits: &str| {
            digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        if digits.is_some_and(own) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Reads the elements that lie beside the model at `path` into it.
pub(crate) fn load(path: &Path, model: &mut ModelProto) -> Result<(), Error> {
    let mut outside = Outside::of(path);
    for tensor in external(model) {
        let elements = outside.elements(tensor).map_err(|failure| match failure {
            Failure::File(error) => Error::File(error),
            Failure::Data(problem) => Error::invalid(path)(Invalid::Tensor {
                place: format!("graph, initializer `{}`", tensor.name),
                reason: problem,
            }),
        })?;
        tensor.raw_data = elements.into();
        tensor.external_data.clear();
        tensor.data_location = DataLocation::Default as i32;
    }
    Ok(())
}

enum Failure {
    File(artifact::Error),
    Data(InvalidTensor),
}

impl From<artifact::Error> for Failure {
    fn from(error: artifact::Error) -> Self {
        Self::File(error)
    }
}

impl From<InvalidTensor> for Failure {
    fn from(problem: InvalidTensor) -> Self {
        Self::Data(problem)
    }
}

impl From<ExternalProblem> for Failure {
    fn from(problem: ExternalProblem) -> Self {
        Self::Data(InvalidTensor::Outside(problem))
    }
}

/// The files beside a model.
struct Outside<'a> {
    model: &'a Path,
    /// The one that was read last.
    open: Option<Beside>,
    /// Bytes that tensors may still take of each by its name: no more in all than
    /// it has, so that a small file cannot fill the memory.
    left: HashMap<String, u64>,
}

impl<'a> Outside<'a> {
    fn of(model: &'a Path) -> Self {
        Self {
            model,
            open: None,
            left: HashMap::new(),
        }
    }

    fn elements(&mut self, tensor: &TensorProto) -> Result<Vec<u8>, Failure> {
        let range = Range::of(tensor)?;
        let known = self.open.take();
        let beside = match known.filter(|beside| beside.name == range.location) {
            Some(beside) => beside,
            None => Beside::open(self.model, &range.location)?,
        };
        let beside = self.open.insert(beside);
        let left = self.left.entry(range.location.clone());
        let left = left.or_insert(beside.size);
        *left = left
            .checked_sub(range.length)
            .ok_or_else(|| beside.beyond(&range))?;
        beside.read(&range)
    }
}

/// Where a tensor's elements are.
struct Range {
    location: String,
    offset: u64,
    length: u64,
}

impl Range {
    fn of(tensor: &TensorProto) -> Result<Self, Failure> {
        let needed = raw_bytes(tensor)?;
        let find = |key: &str| {
            let mut entries = tensor.external_data.iter();
            entries.find(|entry| entry.key == key)
        };
        let number = |key: &'static str, default: u64| match find(key) {
            Some(entry) => entry.value.parse().map_err(|_| ExternalProblem::Number {
                key,
                value: entry.value.clone(),
            }),
            None => Ok(default),
        };
        let length = number("length", needed)?;
        if length != needed {
            return Err(ExternalProblem::Length { length, needed }.into());
        }
        let location = find("location").map(|entry| entry.value.clone());
        Ok(Self {
            location: location.unwrap_or_default(),
            offset: number("offset", 0)?,
            length,
        })
    }
}

/// A file in the folder of the model.
struct Beside {
    name: String,
    path: PathBuf,
    file: File,
    size: u64,
}

impl Beside {
    /// Opens a file of the folder itself: a name alone, that leads nowhere else.
    fn open(model: &Path, name: &str) -> Result<Self, Failure> {
        let special = name.is_empty() || name == "." || name == "..";
        if special || name.contains(['/', '\\', ':', '\0']) {
            return Err(ExternalProblem::Location(name.to_owned()).into());
        }
        let path = model.with_file_name(name);
        let opening = artifact::Error::new("open", &path);
        let Some((file, metadata)) = open_itself(&path).map_err(opening)? else {
            return Err(ExternalProblem::Link(name.to_owned()).into());
        };
        Ok(Self {
            name: name.to_owned(),
            size: metadata.len(),
            path,
            file,
        })
    }

    fn read(&mut self, range: &Range) -> Result<Vec<u8>, Failure> {
        let Range { offset, length, .. } = *range;
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > self.size) {
            return Err(self.beyond(range).into());
        }
        let mut elements = vec![0; length as usize];
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(&mut elements))
            .map_err(artifact::Error::new("read", &self.path))?;
        Ok(elements)
    }

    fn beyond(&self, range: &Range) -> ExternalProblem {
        ExternalProblem::Range {
            offset: range.offset,
            length: range.length,
            size: self.size,
        }
    }
}

/// Opens a regular file that has a single name; nothing where it is a link.
fn open_itself(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    let named = fs::symlink_metadata(path)?;
    if !named.is_file() {
        return Ok(None);
    }
    let file = File::open(path)?;
    let opened = file.metadata()?;
    Ok(is_same_single_file(&named, &opened).then_some((file, opened)))
}

/// The file may have been exchanged between the two looks at it.
#[cfg(unix)]
fn is_same_single_file(named: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (named.dev(), named.ino()) == (opened.dev(), opened.ino()) && opened.nlink() == 1
}

#[cfg(not(unix))]
fn is_same_single_file(_: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}
