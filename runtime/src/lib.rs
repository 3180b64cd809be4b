//! Runs, evaluates and checks ONNX classifiers through ONNX Runtime.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::path::Path;
//!
//! use dataset::{DatasetName, Part};
//! use runtime::{ModelMetadata, Session, SessionOptions, evaluate, library};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let library = library::load(None)?;
//! let mut session =
//!     Session::open(&library, Path::new("model.onnx"), &SessionOptions::default())?;
//! let metadata = ModelMetadata::of_model(session.model())?;
//! let name: DatasetName = metadata.dataset.parse()?;
//! let test = name.load(&name.default_dir(), Part::Test)?;
//! let batch = NonZeroUsize::new(256).unwrap();
//! println!("{}", evaluate(&mut session, &metadata, &test, batch)?);
//! # Ok(())
//! # }
//! ```
//!
//! Architecture invariant: this crate does not know Burn. It is small and
//! builds quickly, so that it can be installed where models are served; more
//! so without the features `pictures` and `plot`.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod bench;
pub mod check;
pub mod cli;
mod confusion;
mod evaluate;
mod hint;
pub mod inspect;
pub mod library;
pub mod metadata;
#[cfg(feature = "pictures")]
pub mod picture;
mod predict;
#[cfg(feature = "pictures")]
pub mod prepare;
mod progress;
mod provider;
mod report;
mod session;
pub mod shell;
mod tensors;
pub mod text;

pub use confusion::{ClassMeasures, Confusion};
pub use evaluate::{Error as EvaluateError, Evaluation, Speed, evaluate, evaluate_each, softmax};
pub use hint::hint;
pub use inspect::Inspection;
pub use library::Library;
pub use metadata::{MetadataError, ModelMetadata, Sources};
pub use predict::{Prediction, Ranked, predict, predict_finite};
pub use provider::{ActiveProvider, Provider};
pub use session::{Error as SessionError, Logits, Options as SessionOptions, Session};
pub use tensors::TensorSession;
