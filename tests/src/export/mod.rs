//! Exported functions: what each is, described once, and what is done with the
//! description (run it in ONNX Runtime, list its nodes, record its operations).

mod case;
mod data;
pub mod engine;
mod record;
mod recorded;
mod subject;
mod trained;

pub use case::{Case, Description, OPSETS, case, network};
pub use data::{Data, distinct, integers, normal, uniform};
pub use recorded::recorded;
pub use trained::trained;
