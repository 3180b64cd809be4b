//! A case, and what it is checked against.

use std::path::Path;

use burn::module::Module;
use burn::nn::Relu;
use burn::tensor::{Bool, DType, Device, Distribution, Float, Int, Tensor, TensorData};
use exporter::{Dim, ExportError, Exporter, Inputs, OnnxModel, Opset, Outputs};

use crate::engine;

/// Absolute, and relative where a value is larger than 1.
const TOLERANCE: f64 = 1e-5;

/// The operator sets at which lowerings differ.
const OPSETS: [u8; 5] = [16, 18, 20, 23, 26];

/// The sizes of the first symbol; the export records 2, 3, 5 and 7.
const SIZES: [usize; 3] = [1, 4, 9];

/// Tensors as data.
pub trait Data: Clone {
    fn data(self) -> Vec<TensorData>;
}

macro_rules! data {
    ($($kind:ident),+) => {
        $(impl<const D: usize> Data for Tensor<D, $kind> {
            fn data(self) -> Vec<TensorData> {
                vec![self.into_data()]
            }
        })+
    };
}

data!(Float, Int, Bool);

impl<A: Data, B: Data> Data for (A, B) {
    fn data(self) -> Vec<TensorData> {
        [self.0.data(), self.1.data()].concat()
    }
}

impl<A: Data, B: Data, C: Data> Data for (A, B, C) {
    fn data(self) -> Vec<TensorData> {
        [self.0.data(), self.1.data(), self.2.data()].concat()
    }
}

/// A case by its name.
pub struct Case {
    name: String,
    oldest: u8,
}

pub fn case(name: impl Into<String>) -> Case {
    Case {
        name: name.into(),
        oldest: OPSETS[0],
    }
}

impl Case {
    /// The oldest operator set that can express it; older ones must refuse.
    pub fn since(mut self, opset: u8) -> Self {
        self.oldest = opset;
        self
    }

    /// A function of one tensor, whose first dimension is `n`.
    pub fn of<const D: usize, K, O>(
        self,
        dims: Vec<Dim>,
        inputs: impl Fn(usize) -> Tensor<D, K>,
        forward: impl Fn(Tensor<D, K>) -> O,
    ) where
        K: burn::tensor::kind::Basic,
        Tensor<D, K>: Inputs + Data,
        O: Outputs + Data,
    {
        let exporter = Exporter::new().input("x", dims).output("y");
        self.check(exporter, &Relu::new(), inputs, |_, x| forward(x));
    }

    /// A module with one input and one output.
    pub fn module<M: Module, const D: usize, O: Outputs + Data>(
        self,
        dims: Vec<Dim>,
        module: &M,
        inputs: impl Fn(usize) -> Tensor<D>,
        forward: impl Fn(&M, Tensor<D>) -> O,
    ) {
        let exporter = Exporter::new().input("x", dims).output("y");
        self.check(exporter, module, inputs, forward);
    }

    /// Exports at every operator set and compares at every size.
    pub fn check<M, I, O>(
        &self,
        exporter: Exporter,
        module: &M,
        inputs: impl Fn(usize) -> I,
        forward: impl Fn(&M, I) -> O,
    ) where
        M: Module,
        I: Inputs + Data,
        O: Outputs + Data,
    {
        let module = module.valid();
        let answers: Vec<(Vec<TensorData>, Vec<TensorData>)> = SIZES
            .iter()
            .map(|size| {
                let inputs = inputs(*size);
                (inputs.clone().data(), forward(&module, inputs).data())
            })
            .collect();
        for version in OPSETS {
            let exporter = exporter.clone().opset(Opset::new(version).unwrap());
            let exported = exporter.export(&module, &forward);
            if version < self.oldest {
                let refused = matches!(exported, Err(ExportError::Unsupported { .. }));
                assert!(refused, "{} is written at opset {version}", self.name);
                continue;
            }
            let place = format!("{} at opset {version}", self.name);
            let model = exported.unwrap_or_else(|error| panic!("{place}: {error}"));
            self.keep(&model, version);
            let session = engine::session(&model.to_bytes());
            let mut session = session.unwrap_or_else(|error| panic!("{place}: {error}"));
            for (inputs, expected) in &answers {
                let verified = model.verify_answers(inputs, expected, &mut session, TOLERANCE);
                verified.unwrap_or_else(|error| panic!("{place}: {error:?}"));
            }
        }
    }

    /// Writes the model to the folder `BURNISH_CASES`, where that is set, for
    /// checks by other tools.
    fn keep(&self, model: &OnnxModel, version: u8) {
        let Some(folder) = std::env::var_os("BURNISH_CASES") else {
            return;
        };
        let test = std::thread::current().name().unwrap().to_owned();
        let name = format!("{test} {}@{version}.onnx", self.name);
        let name = name.replace(
            |c: char| !c.is_ascii_alphanumeric() && !"@.".contains(c),
            "_",
        );
        model.save(Path::new(&folder).join(name)).unwrap();
    }
}

/// Random numbers around 0.
pub fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

pub fn uniform<const D: usize>(shape: [usize; D], low: f64, high: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(low, high), &Device::flex())
}

pub fn integers<const D: usize>(shape: [usize; D], low: f64, high: f64) -> Tensor<D, Int> {
    let values: Tensor<D, Int> =
        Tensor::random(shape, Distribution::Uniform(low, high), &Device::flex());
    values.cast(DType::I64)
}
