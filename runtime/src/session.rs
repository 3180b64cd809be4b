//! A classifier in ONNX Runtime.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use onnx::proto::ModelProto;
use ort::session::Session as OrtSession;
use ort::session::builder::SessionBuilder;
use ort::value::{TensorElementType, TensorRef, ValueType};

use crate::library::Library;
use crate::provider::{self, ActiveProvider, Provider};

/// The most values that a batch of images may have: 2 GiB of `f32`.
const MAX_VALUES: usize = 1 << 29;

/// How a model is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What executes it.
    pub provider: Provider,
    /// Threads within one operation, of which no more are used than there are
    /// processors; as ONNX Runtime chooses where it is none.
    pub threads: Option<NonZeroUsize>,
}

/// A model that is ready to run: one input of images, and logits.
#[derive(Debug)]
pub struct Session {
    session: OrtSession,
    model: ModelProto,
    path: PathBuf,
    provider: ActiveProvider,
    fallback: Option<String>,
    /// The position of the logits among the outputs.
    logits: usize,
    /// Whether that output has their softmax instead.
    has_softmax: bool,
}

/// The answers of a classifier to a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    classes: usize,
}

impl Logits {
    /// The logits, [n, classes], row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The logits of one image after the other, \[classes\] each.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.classes)
    }
}

/// A model that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no usable model.
    #[error(transparent)]
    Model(#[from] onnx::Error),
    /// ONNX Runtime refuses the model.
    #[error("ONNX Runtime cannot load `{}`", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// The version of ONNX Runtime.
        version: String,
        /// Its library.
        library: PathBuf,
        /// ONNX Runtime's reason.
        source: ort::Error,
    },
    /// CUDA was asked for and cannot run.
    #[error("the model cannot run with CUDA: {reason}")]
    Cuda {
        /// Why.
        reason: String,
        /// What to install.
        hint: String,
    },
    /// The model is not an image classifier as this program knows them.
    #[error("`{}` is not an image classifier: {reason}", path.display())]
    NotAClassifier {
        /// The file.
        path: PathBuf,
        /// What is different.
        reason: String,
    },
    /// Images that do not make up the shape.
    #[error("images of shape {shape:?} do not consist of {values} values")]
    Input {
        /// The shape: [n, channels, height, width].
        shape: [usize; 4],
        /// The number of values.
        values: usize,
    },
    /// A batch that would fill the memory.
    #[error("images of shape {shape:?} have more than {MAX_VALUES} values, the most of a batch")]
    Batch {
        /// The shape: [n, channels, height, width].
        shape: [usize; 4],
    },
    /// The model failed while running.
    #[error("`{}` failed on images of shape {shape:?}", path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// The shape: [n, channels, height, width].
        shape: [usize; 4],
        /// What ran it.
        provider: ActiveProvider,
        /// ONNX Runtime's reason.
        source: ort::Error,
    },
    /// An input whose size is open.
    #[error(
        "`{}` does not say how large its images are: the input has the shape [{}]",
        path.display(),
        sides(found)
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// The shape of the input, with -1 for what is open.
        found: Vec<i64>,
    },
    /// An output that is not [n, classes].
    #[error(
        "the output `{output}` of `{}` has the shape {found:?}, but [{images}, classes] is expected",
        path.display()
    )]
    Output {
        /// The file.
        path: PathBuf,
        /// The output.
        output: String,
        /// Its shape.
        found: Vec<i64>,
        /// The number of images in the batch.
        images: usize,
    },
}

impl Error {
    /// What the user can do, where it is not plain from the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cuda { hint, .. } => Some(hint.clone()),
            Self::NotAClassifier { .. } | Self::Output { .. } => Some(
                "a model takes images [n, channels, height, width] as f32 and answers with \
                 logits [n, classes]"
                    .to_owned(),
            ),
            Self::Load {
                version, library, ..
            } => Some(format!(
                "this is ONNX Runtime {version}, `{}`; one that is older than the model may not \
                 know its opset or its IR version: `python3 -m pip install --upgrade \
                 onnxruntime` gets a newer one, `--ort-lib PATH` names it",
                library.display()
            )),
            Self::Run { provider, .. } => Some(run_hint(*provider)),
            Self::Size { .. } => Some(
                "models that Burnish has exported say it in their metadata (`burnish.input`); \
                 others can be exported with fixed channels, height and width"
                    .to_owned(),
            ),
            Self::Model(_) | Self::Input { .. } | Self::Batch { .. } => None,
        }
    }
}

/// What may be wrong where a model fails.
fn run_hint(provider: ActiveProvider) -> String {
    let size = "does the dataset have the model's image size? `runtime inspect` shows it";
    match provider {
        ActiveProvider::Cpu => size.to_owned(),
        ActiveProvider::Cuda => format!(
            "{size}; where the GPU has too little memory, a smaller `--batch` or \
             `--provider cpu` helps"
        ),
    }
}

impl Session {
    /// Opens the model at `path`. The file is checked first, and ONNX Runtime
    /// gets the very bytes that were checked.
    ///
    /// # Errors
    ///
    /// When the file is no usable model or no classifier, ONNX Runtime refuses
    /// it, or CUDA is asked for and cannot run.
    pub fn open(library: &Library, path: &Path, options: &Options) -> Result<Self, Error> {
        let (model, bytes) = onnx::read_with_bytes(path)?;
        let opener = Opener {
            library,
            path,
            bytes: &bytes,
            threads: options.threads,
        };
        let (session, provider, fallback) = opener.open(options.provider)?;
        let logits = find_logits(&session).map_err(not_a_classifier(path))?;
        let has_softmax = is_softmax(&model, session.outputs()[logits].name());
        Ok(Self {
            session,
            model,
            path: path.to_owned(),
            provider,
            fallback,
            logits,
            has_softmax,
        })
    }

    /// The provider that runs the model.
    pub fn provider(&self) -> ActiveProvider {
        self.provider
    }

    /// Why [`Provider::Auto`] fell back to the CPU, if it did although there is a
    /// GPU build of ONNX Runtime or an NVIDIA driver.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The model as it was read.
    pub fn model(&self) -> &ModelProto {
        &self.model
    }

    /// The file the model was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The batch size, where the model is made for a single one.
    pub fn fixed_batch(&self) -> Option<NonZeroUsize> {
        let input = self.session.inputs().first()?;
        let first = *input.dtype().tensor_shape()?.first()?;
        NonZeroUsize::new(usize::try_from(first).ok()?)
    }

    /// The size of an image, [channels, height, width], as the model's input has it.
    ///
    /// # Errors
    ///
    /// When a part of it is open.
    pub fn image_shape(&self) -> Result<[usize; 3], Error> {
        let input = self.session.inputs().first();
        let found = input.and_then(|input| input.dtype().tensor_shape());
        let found = found.map(|shape| shape.to_vec()).unwrap_or_default();
        match found[..] {
            [_, channels, height, width] if channels.min(height).min(width) > 0 => {
                Ok([channels, height, width].map(|side| side as usize))
            }
            _ => Err(Error::Size {
                path: self.path.clone(),
                found,
            }),
        }
    }

    /// Runs the model on `images` of `shape` [n, channels, height, width]; the
    /// logits are the output named `logits`, or the first. Where a softmax over the
    /// classes has made that output, they are its natural logarithm, of which the softmax
    /// is the output again; 0 counts as the least number above it.
    ///
    /// # Errors
    ///
    /// When the images do not make up the shape, do not fit the model, or the
    /// output is not [n, classes].
    pub fn run(&mut self, images: &[f32], shape: [usize; 4]) -> Result<Logits, Error> {
        if shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)) != Some(images.len()) {
            return Err(Error::Input {
                shape,
                values: images.len(),
            });
        }
        let failed = |source| Error::Run {
            path: self.path.clone(),
            shape,
            provider: self.provider,
            source,
        };
        let input = TensorRef::from_array_view((shape, images)).map_err(&failed)?;
        let outputs = self.session.run(ort::inputs![input]).map_err(&failed)?;
        let (found, values) = outputs[self.logits]
            .try_extract_tensor::<f32>()
            .map_err(&failed)?;
        match found[..] {
            [n, classes] if n == shape[0] as i64 && classes > 0 => Ok(Logits {
                values: match self.has_softmax {
                    true => values.iter().map(|&part| logarithm(part)).collect(),
                    false => values.to_vec(),
                },
                classes: classes as usize,
            }),
            _ => Err(Error::Output {
                path: self.path.clone(),
                output: outputs
                    .keys()
                    .nth(self.logits)
                    .unwrap_or_default()
                    .to_owned(),
                found: found.to_vec(),
                images: shape[0],
            }),
        }
    }
}

/// Of a part of 1 that may have been too small for 32 bits, which is finite, as are the
/// logits that it comes from.
fn logarithm(part: f32) -> f32 {
    const LEAST: f32 = f32::from_bits(1);
    match part == 0.0 {
        true => LEAST.ln(),
        false => part.ln(),
    }
}

/// A shape in words, with `?` for what is open.
fn sides(shape: &[i64]) -> String {
    let side = |&side: &i64| match side {
        0.. => side.to_string(),
        _ => "?".to_owned(),
    };
    shape.iter().map(side).collect::<Vec<_>>().join(", ")
}

/// A buffer for a batch of images of `shape` [n, channels, height, width].
pub(crate) fn buffer(shape: [usize; 4]) -> Result<Vec<f32>, Error> {
    let values = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    match values {
        Some(values) if values <= MAX_VALUES => Ok(vec![0.0; values]),
        _ => Err(Error::Batch { shape }),
    }
}

fn not_a_classifier(path: &Path) -> impl FnOnce(String) -> Error {
    let path = path.to_owned();
    move |reason| Error::NotAClassifier { path, reason }
}

/// Checks the types of the input and the logits; returns the latter's position.
fn find_logits(session: &OrtSession) -> Result<usize, String> {
    let [input] = session.inputs() else {
        return Err(format!("it has {} inputs", session.inputs().len()));
    };
    expect_floats("input", input.name(), input.dtype(), 4)?;
    let outputs = session.outputs();
    let named = outputs.iter().position(|output| output.name() == "logits");
    let index = named.unwrap_or(0);
    let output = outputs.get(index).ok_or("it has no output")?;
    expect_floats("output", output.name(), output.dtype(), 2)?;
    Ok(index)
}

/// Whether the `output` of `model`, [n, classes], comes out of a softmax over the
/// classes.
fn is_softmax(model: &ModelProto, output: &str) -> bool {
    let mut nodes = model.graph.iter().flat_map(|graph| &graph.node);
    let maker = nodes.find(|node| node.output.iter().any(|name| name == output));
    maker.is_some_and(|node| {
        let mut attributes = node.attribute.iter();
        let axis = attributes.find(|attribute| attribute.name == "axis");
        // Of two axes, the last is the usual one in every version of ONNX.
        node.op_type == "Softmax" && axis.is_none_or(|axis| matches!(axis.i, 1 | -1))
    })
}

/// A shape of rank 0 is one that the model does not declare.
fn expect_floats(role: &str, name: &str, found: &ValueType, rank: usize) -> Result<(), String> {
    match found {
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } if shape.len() == rank || shape.is_empty() => Ok(()),
        other => Err(format!(
            "the {role} `{name}` is {other}, not f32 of rank {rank}"
        )),
    }
}

/// What all attempts to open a model have in common.
struct Opener<'a> {
    library: &'a Library,
    path: &'a Path,
    bytes: &'a [u8],
    threads: Option<NonZeroUsize>,
}

type Opened = (OrtSession, ActiveProvider, Option<String>);

impl Opener<'_> {
    fn open(&self, provider: Provider) -> Result<Opened, Error> {
        match provider {
            Provider::Cpu => Ok((self.on_cpu()?, ActiveProvider::Cpu, None)),
            Provider::Cuda => match self.on_cuda() {
                Ok(session) => Ok((session, ActiveProvider::Cuda, None)),
                Err(error) => Err(self.explain(&error)),
            },
            Provider::Auto => match self.on_cuda() {
                Ok(session) => Ok((session, ActiveProvider::Cuda, None)),
                Err(error) => {
                    let expected = provider::cuda_is_expected(self.library);
                    let reason = expected.then(|| reason(&error));
                    Ok((self.on_cpu()?, ActiveProvider::Cpu, reason))
                }
            },
        }
    }

    /// Is it CUDA, or a model that runs nowhere?
    fn explain(&self, error: &ort::Error) -> Error {
        match self.on_cpu() {
            Err(error) => error,
            Ok(_) => Error::Cuda {
                reason: reason(error),
                hint: provider::cuda_hint(self.library),
            },
        }
    }

    fn on_cpu(&self) -> Result<OrtSession, Error> {
        let session = self
            .builder()
            .and_then(|mut builder| builder.commit_from_memory(self.bytes));
        session.map_err(|source| Error::Load {
            path: self.path.to_owned(),
            version: self.library.version().to_owned(),
            library: self.library.path().to_owned(),
            source,
        })
    }

    /// CUDA can fail twice: when it is registered (the library has none, or
    /// misses one of CUDA's), and when the session is made (no device).
    fn on_cuda(&self) -> Result<OrtSession, ort::Error> {
        provider::preload_cuda(self.library);
        let mut builder = self
            .builder()?
            .with_execution_providers([provider::cuda()])?;
        builder.commit_from_memory(self.bytes)
    }

    fn builder(&self) -> Result<SessionBuilder, ort::Error> {
        // Else four bytes at the right place, in a name, make it a model in ONNX
        // Runtime's own format, which nobody has checked.
        let builder = OrtSession::builder(self.library.environment())?
            .with_config_entry("session.load_model_format", "ONNX")?;
        match self.threads {
            Some(threads) => Ok(builder.with_intra_threads(useful(threads))?),
            None => Ok(builder),
        }
    }
}

/// ONNX Runtime's threads spin while they wait: more of them than processors
/// bring everything to a halt.
fn useful(threads: NonZeroUsize) -> usize {
    let processors = std::thread::available_parallelism().unwrap_or(threads);
    threads.min(processors).get()
}

/// ONNX Runtime's reason on one line, without the place in its source code.
fn reason(error: &ort::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>();
    let message = message.join(" ");
    // "FILE:LINE FUNCTION [ONNXRuntimeError] : CODE : NAME : REASON"
    match message.split_once("[ONNXRuntimeError] : ") {
        Some((_, rest)) => rest.splitn(3, " : ").last().unwrap_or(rest).to_owned(),
        None => message,
    }
}
