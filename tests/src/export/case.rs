//! A case, and what it is checked against.

use std::path::Path;

use burn::backend::ir::OperationIr;
use burn::module::Module;
use burn::nn::Relu;
use burn::tensor::kind::Basic;
use burn::tensor::{DType, Tensor, TensorData};
use exporter::{Dim, ExportError, Exporter, Inputs, OnnxModel, Opset, Outputs, Verification};

use super::data::Data;
use super::engine;
use super::subject::{Exported, Function, Subject};

/// The operator sets at which lowerings differ.
pub const OPSETS: [u8; 5] = [16, 18, 20, 23, 26];

/// The sizes of a batch; the export records 2, 3, 5 and 7.
const SIZES: [usize; 3] = [1, 4, 9];

/// What a difference is measured against.
#[derive(Clone, Copy, Debug)]
enum Scale {
    /// Each value by itself, where it is larger than 1.
    Element,
    /// The largest value of the tensor.
    Largest,
}

/// How a case is named and judged.
#[derive(Clone, Debug)]
pub struct Description {
    name: String,
    oldest: u8,
    tolerance: f64,
    scale: Scale,
    sizes: Vec<usize>,
    opsets: Vec<u8>,
}

/// A case by its name: to be written at every operator set, and to differ by
/// 1e-5 at most, absolutely, and relatively where a value is larger than 1.
pub fn case(name: impl Into<String>) -> Description {
    Description {
        name: name.into(),
        oldest: OPSETS[0],
        tolerance: 1e-5,
        scale: Scale::Element,
        sizes: SIZES.to_vec(),
        opsets: OPSETS.to_vec(),
    }
}

/// A whole network: its outputs differ by 1e-5 at most of their largest value.
pub fn network(name: impl Into<String>) -> Description {
    Description {
        scale: Scale::Largest,
        ..case(name)
    }
}

impl Description {
    /// The oldest operator set that can express it; older ones must refuse.
    pub fn since(self, opset: u8) -> Self {
        Self {
            oldest: opset,
            ..self
        }
    }

    /// Another tolerance.
    pub fn within(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// Other sizes than 1, 4 and 9.
    pub fn at(self, sizes: &[usize]) -> Self {
        Self {
            sizes: sizes.to_vec(),
            ..self
        }
    }

    /// Other operator sets than [`OPSETS`].
    pub fn opsets(self, opsets: &[u8]) -> Self {
        Self {
            opsets: opsets.to_vec(),
            ..self
        }
    }

    /// Checks a function of one tensor, whose first dimension is `n`.
    pub fn of<const D: usize, K, O>(
        self,
        dims: Vec<Dim>,
        inputs: impl Fn(usize) -> Tensor<D, K>,
        forward: impl Fn(Tensor<D, K>) -> O,
    ) where
        K: Basic,
        Tensor<D, K>: Inputs + Data,
        O: Outputs + Data,
    {
        let exporter = Exporter::new().input("x", dims).output("y");
        self.check(exporter, &Relu::new(), inputs, |_, x| forward(x));
    }

    /// Checks a module with one input and one output.
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

    /// Checks a module of any inputs and outputs.
    ///
    /// # Panics
    ///
    /// When it is wrong.
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
        let half = exporter.clone().half();
        let case = self.clone().build(exporter, module, &inputs, &forward);
        case.verify(None).unwrap_or_else(|wrong| panic!("{wrong}"));
        if matches!(self.scale, Scale::Largest) {
            let case = self.in_half().build(half, module, &inputs, &forward);
            case.verify(None).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }

    /// Computed in 16 bits, it differs by a hundredth at most.
    fn in_half(&self) -> Self {
        Self {
            name: format!("{} in half precision", self.name),
            tolerance: 1e-2,
            opsets: vec![18],
            ..self.clone()
        }
    }

    /// The case of a module of any inputs and outputs.
    pub fn build<'a, M, I, O>(
        self,
        exporter: Exporter,
        module: &M,
        inputs: impl Fn(usize) -> I + 'a,
        forward: impl Fn(&M, I) -> O + 'a,
    ) -> Case<'a>
    where
        M: Module + 'a,
        I: Inputs + Data + 'a,
        O: Outputs + Data + 'a,
    {
        let function = Function::new(exporter, module.valid(), inputs, forward);
        Case {
            description: self,
            subject: Box::new(function),
        }
    }
}

/// Whether all elements are 0 or no numbers, with which anything agrees.
fn shows_nothing(outputs: &[TensorData]) -> bool {
    outputs.iter().all(|output| {
        let mut elements = output.iter::<f64>();
        elements.all(|element| element == 0.0 || element.is_nan())
    })
}

/// A function, and how it is judged.
pub struct Case<'a> {
    description: Description,
    subject: Box<dyn Subject + 'a>,
}

impl Case<'_> {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Exports at every operator set and compares at every size. With an
    /// element type other than the inputs' own, the tolerance is that type's.
    ///
    /// # Errors
    ///
    /// What is wrong, where.
    pub fn verify(&self, elements: Option<DType>) -> Result<(), String> {
        let sizes = self.description.sizes.iter();
        let answers: Vec<_> = sizes
            .map(|size| self.subject.answer(*size, elements))
            .collect();
        let network = matches!(self.description.scale, Scale::Largest);
        if network && answers.iter().all(|[_, outputs]| shows_nothing(outputs)) {
            return Err(format!("{}: all outputs are 0", self.description.name));
        }
        for version in &self.description.opsets {
            let wrong = |wrong: String| self.wrong(*version, elements, &wrong);
            let Some(model) = self.model(*version, elements)? else {
                continue;
            };
            let mut session = engine::session(&model.to_bytes()).map_err(wrong)?;
            for [inputs, expected] in &answers {
                let verified = model.verify_answers(inputs, expected, &mut session, f64::INFINITY);
                let verified = verified.map_err(|error| wrong(format!("{error:?}")))?;
                self.judge(&verified, elements).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// The model, or none where it is refused and shall be.
    fn model(&self, version: u8, elements: Option<DType>) -> Result<Option<OnnxModel>, String> {
        let exported = self.export(version, elements);
        if version < self.description.oldest {
            return match exported {
                Err(error) if matches!(*error, ExportError::Unsupported { .. }) => Ok(None),
                _ => Err(self.wrong(version, elements, "it is not refused")),
            };
        }
        let model = exported.map_err(|error| self.wrong(version, elements, &error.to_string()))?;
        if elements.is_none() {
            self.keep(&model, version);
        }
        Ok(Some(model))
    }

    fn wrong(&self, version: u8, elements: Option<DType>, wrong: &str) -> String {
        let elements = elements.map_or(String::new(), |dtype| format!(" in {dtype:?}"));
        format!(
            "{}{elements} at opset {version}: {wrong}",
            self.description.name
        )
    }

    /// Judges by each element, or by the largest; halves always by that, or by
    /// 1 where it is less: terms that cancel were rounded at their own size.
    fn judge(&self, verified: &Verification, elements: Option<DType>) -> Result<(), String> {
        let Description {
            tolerance, scale, ..
        } = self.description;
        let too_far = verified.outputs.iter().find(|output| {
            let difference = output.absolute.difference;
            match (elements, scale) {
                (Some(DType::F16), _) => difference > 1e-2 * output.scale.max(1.0),
                (_, Scale::Element) => output.relative.difference > tolerance,
                (_, Scale::Largest) => difference > tolerance * output.scale,
            }
        });
        too_far.map_or(Ok(()), |output| Err(output.to_string()))
    }

    /// Writes the function as ONNX.
    ///
    /// # Errors
    ///
    /// The exporter's.
    pub fn export(&self, opset: u8, elements: Option<DType>) -> Exported {
        self.subject
            .export(Opset::new(opset).map_err(Box::new)?, elements)
    }

    /// The operations that the function records.
    pub fn record(&self) -> Vec<OperationIr> {
        self.subject.record()
    }

    /// Writes the model to the folder `BURNISH_CASES`, where that is set, for
    /// checks by other tools.
    fn keep(&self, model: &OnnxModel, version: u8) {
        let Some(folder) = std::env::var_os("BURNISH_CASES") else {
            return;
        };
        let test = std::thread::current().name().unwrap().to_owned();
        let name = format!("{test} {}@{version}.onnx", self.description.name);
        let name = name.replace(
            |c: char| !c.is_ascii_alphanumeric() && !"@.".contains(c),
            "_",
        );
        model.save(Path::new(&folder).join(name)).unwrap();
    }
}
