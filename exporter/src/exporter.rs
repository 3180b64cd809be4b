//! The exporter: settings, then one export.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::Module;
use burn::tensor::{DType, TensorData};

use crate::boundary::{Inputs, Outputs, Slot};
use crate::capture::{Capture, capture};
use crate::emit::{self, Header};
use crate::error::ExportError;
use crate::extent::{self, Formula, SAMPLES, Symbols};
use crate::graph::{Graph, Operation, ValueId};
use crate::model::{OnnxModel, Warning};
use crate::opset::Opset;
use crate::resolve::resolve;
use crate::sample;
use crate::spec::{Dim, Input, InputSpec, Interface, Recorded};
use crate::weights::Weights;
use crate::{half, lower, rewrite};

/// How many elements the inputs may have for a size in the hundreds: drawing them
/// takes some 50 MB and 50 ms.
const WIDE_ELEMENTS: usize = 1 << 22;

/// Turns a module into an ONNX model.
///
/// Inputs and outputs are named in the order in which `forward` takes and
/// returns them.
#[derive(Clone, Debug, Default)]
pub struct Exporter {
    opset: Opset,
    inputs: Vec<InputSpec>,
    outputs: Vec<String>,
    metadata: Vec<(String, String)>,
    sizes: BTreeMap<String, [usize; SAMPLES]>,
    half: bool,
}

impl Exporter {
    /// Opset 18, and neither inputs nor outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the operator set.
    pub fn opset(mut self, opset: Opset) -> Self {
        self.opset = opset;
        self
    }

    /// Adds an input of 32-bit floats, 64-bit integers or booleans, as
    /// `forward`'s tensor is.
    ///
    /// Numbers are fixed sizes and strings are symbols; see [`dims!`](crate::dims).
    pub fn input(self, name: impl Into<String>, dims: Vec<Dim>) -> Self {
        self.add_input(name.into(), dims, None)
    }

    /// Adds an input with elements of another type.
    pub fn input_of(self, name: impl Into<String>, dims: Vec<Dim>, dtype: DType) -> Self {
        self.add_input(name.into(), dims, Some(dtype))
    }

    fn add_input(mut self, name: String, dims: Vec<Dim>, dtype: Option<DType>) -> Self {
        self.inputs.push(InputSpec { name, dims, dtype });
        self
    }

    /// Adds an output.
    pub fn output(mut self, name: impl Into<String>) -> Self {
        self.outputs.push(name.into());
        self
    }

    /// Adds an entry to the model's metadata; the order is kept.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// Writes weights and computation in f16, at half the size; inputs and
    /// outputs of f32 stay as they are. Expect differences of up to 1 percent.
    pub fn half(mut self) -> Self {
        self.half = true;
        self
    }

    /// Chooses the sizes with which a symbol is recorded, for modules that do
    /// not take any size: a network that halves its image four times needs
    /// multiples of 16, and a table of positions has an end. The sizes must be four
    /// different ones; every size that the model shall be used with should behave
    /// as they do.
    ///
    /// Without, a symbol is recorded with small sizes and one in the hundreds; one
    /// that is only ever a first dimension, a batch, with small ones alone.
    pub fn sizes(mut self, symbol: impl Into<String>, sizes: [usize; SAMPLES]) -> Self {
        self.sizes.insert(symbol.into(), sizes);
        self
    }

    /// Records `forward` and writes it as an ONNX model.
    ///
    /// The module is left as it is: a copy in validation mode is recorded, so
    /// that dropout is off and normalization uses its running statistics. It
    /// may be on any device, with or without autodiff; floats that `forward` makes
    /// are of that device's type. A batch normalization after a convolution becomes
    /// part of the convolution's weights.
    ///
    /// # Errors
    ///
    /// When the inputs or outputs are not those of `forward`, when `forward`
    /// does something that cannot be recorded or depends on the symbols' sizes
    /// in a way that ONNX cannot be told, or has operations without an
    /// equivalent, all of which are listed.
    pub fn export<M, I, O>(
        &self,
        module: &M,
        forward: impl Fn(&M, I) -> O,
    ) -> Result<OnnxModel, ExportError>
    where
        M: Module,
        I: Inputs,
        O: Outputs,
    {
        let slots = I::slots();
        self.check_inputs(&slots)?;
        self.check_names()?;
        let symbols = self.symbols()?;
        let captures = self.captures(module, &forward, &slots, &symbols)?;
        let returned = captures[0].outputs.len();
        if returned != self.outputs.len() {
            return Err(ExportError::OutputCount {
                declared: self.outputs.len(),
                returned,
            });
        }
        let names: Vec<String> = self.inputs.iter().map(|input| input.name.clone()).collect();
        let interface = self.interface(&slots, &symbols);
        self.write(resolve(captures, symbols, &names)?, interface)
    }

    fn captures<M: Module, I: Inputs, O: Outputs>(
        &self,
        module: &M,
        forward: &impl Fn(&M, I) -> O,
        slots: &[Slot],
        symbols: &Symbols,
    ) -> Result<Vec<Capture>, ExportError> {
        let weights = Weights::of(module);
        (0..symbols.captures())
            .map(|number| {
                let samples = self.samples(slots, symbols, number);
                let sizes = symbols.describe(number);
                capture(module, &weights, samples, forward, &sizes)
            })
            .collect()
    }

    fn interface(&self, slots: &[Slot], symbols: &Symbols) -> Interface {
        let inputs = self.inputs.iter().zip(slots).map(|(spec, slot)| Input {
            name: spec.name.clone(),
            dims: spec.dims.clone(),
            dtype: spec.dtype.unwrap_or_else(|| slot.kind.default_dtype()),
        });
        let symbols = (0..symbols.len()).map(|symbol| {
            let name = symbols.name(symbol);
            let seen = symbols.extent(symbol);
            Recorded {
                symbol: name.to_owned(),
                sizes: seen.seen().iter().map(|size| *size as usize).collect(),
                chosen: self.sizes.contains_key(name),
            }
        });
        Interface {
            inputs: inputs.collect(),
            outputs: self.outputs.clone(),
            symbols: symbols.collect(),
        }
    }

    fn write(&self, graph: Graph, interface: Interface) -> Result<OnnxModel, ExportError> {
        let symbols = graph.symbols.clone();
        let mut warnings = self.warnings(&graph);
        let mut program = lower::lower(graph, self.opset)?;
        rewrite::rewrite(&mut program, self.opset);
        if self.half {
            let clipped = half::convert(&mut program, self.opset).into_iter();
            warnings.extend(clipped.map(|parameter| Warning::Clipped { parameter }));
            rewrite::clean(&mut program);
        }
        let header = Header {
            opset: self.opset,
            outputs: &self.outputs,
            metadata: &self.metadata,
        };
        Ok(OnnxModel::new(
            emit::model(&program, &symbols, &header),
            interface,
            warnings,
        ))
    }

    fn warnings(&self, graph: &Graph) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = graph.loops.iter().map(unrolled_in(graph)).collect();
        for (id, name) in graph.outputs.iter().zip(&self.outputs) {
            let shape = graph.values[id.0].shape.iter().flatten().enumerate();
            let unnamed =
                shape.filter(|(_, size)| graph.symbols.explain(size) == Formula::Unexplained);
            warnings.extend(unnamed.map(|(axis, _)| Warning::UnnamedDimension {
                output: name.clone(),
                axis,
            }));
        }
        warnings
    }

    fn check_inputs(&self, slots: &[Slot]) -> Result<(), ExportError> {
        if slots.len() != self.inputs.len() {
            return Err(ExportError::InputCount {
                declared: self.inputs.len(),
                taken: slots.len(),
            });
        }
        for (spec, slot) in self.inputs.iter().zip(slots) {
            check_input(spec, slot)?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), ExportError> {
        let mut known = BTreeSet::new();
        let inputs = self.inputs.iter().map(|input| &input.name);
        for name in inputs.chain(&self.outputs) {
            if name.is_empty() || !known.insert(name) {
                return Err(ExportError::Name { name: name.clone() });
            }
        }
        Ok(())
    }

    fn symbols(&self) -> Result<Symbols, ExportError> {
        let names = self.symbol_names();
        self.check_sizes(&names)?;
        let sizes = |symbol: usize, wide: bool| self.sizes_of(&names, symbol, wide);
        let wide = Symbols::new(names.clone(), |symbol| sizes(symbol, true));
        let fits = |symbol: usize| self.elements(&wide, 1 + symbol) <= WIDE_ELEMENTS;
        Ok(Symbols::new(names.clone(), |symbol| {
            sizes(symbol, fits(symbol))
        }))
    }

    /// The chosen sizes of a symbol, those of a batch, or others, with a wide one
    /// among them.
    fn sizes_of(&self, names: &[String], symbol: usize, wide: bool) -> [usize; SAMPLES] {
        let name = &names[symbol];
        let is_batch = self.is_batch(name);
        match self.sizes.get(name) {
            Some(chosen) => *chosen,
            None if is_batch && symbol == 0 => extent::BATCH,
            None => extent::sizes_at(symbol, wide && !is_batch),
        }
    }

    /// Whether a symbol is the first dimension of inputs, and no other.
    fn is_batch(&self, name: &str) -> bool {
        let mut inner = self
            .inputs
            .iter()
            .flat_map(|input| input.dims.iter().skip(1));
        inner.all(|dim| *dim != Dim::from(name))
    }

    /// How many elements all inputs have in a capture.
    fn elements(&self, symbols: &Symbols, capture: usize) -> usize {
        let inputs = self.inputs.iter().map(|input| {
            let sizes = input.dims.iter().map(|dim| size(dim, symbols, capture));
            sizes.product::<usize>()
        });
        inputs.sum()
    }

    fn symbol_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for dim in self.inputs.iter().flat_map(|input| &input.dims) {
            if let Dim::Symbol(name) = dim
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        names
    }

    fn check_sizes(&self, names: &[String]) -> Result<(), ExportError> {
        for (symbol, sizes) in &self.sizes {
            let reason = if !names.contains(symbol) {
                "sizes are given, but no input has this dimension"
            } else if sizes.contains(&0) || sizes.iter().collect::<BTreeSet<_>>().len() < SAMPLES {
                "the sizes must be different from each other and from 0"
            } else {
                continue;
            };
            return Err(ExportError::Sizes {
                symbol: symbol.clone(),
                reason,
            });
        }
        Ok(())
    }

    /// Random inputs, other ones for each capture.
    fn samples(&self, slots: &[Slot], symbols: &Symbols, capture: usize) -> Vec<TensorData> {
        let inputs = self.inputs.iter().zip(slots).enumerate();
        inputs
            .map(|(position, (spec, slot))| {
                let sizes = spec.dims.iter().map(|dim| size(dim, symbols, capture));
                let dtype = spec.dtype.unwrap_or_else(|| slot.kind.default_dtype());
                let seed = ((capture as u64) << 32) + position as u64;
                sample::random(sizes.collect(), dtype, sample::RECORDED, seed)
            })
            .collect()
    }
}

fn unrolled_in(graph: &Graph) -> impl Fn(&(ValueId, usize)) -> Warning {
    |(last, steps)| {
        let computes = |op: &&Operation| op.op.outputs().any(|out| ValueId::from(out) == *last);
        let operation = graph.operations.iter().find(computes);
        Warning::Unrolled {
            module: operation.map(|op| op.scope.clone()).unwrap_or_default(),
            steps: *steps,
        }
    }
}

fn size(dim: &Dim, symbols: &Symbols, capture: usize) -> usize {
    match dim {
        Dim::Fixed(size) => *size,
        Dim::Symbol(name) => symbols.position(name).map_or(1, |symbol| {
            symbols.extent(symbol).in_capture(capture) as usize
        }),
    }
}

fn check_input(spec: &InputSpec, slot: &Slot) -> Result<(), ExportError> {
    if spec.dims.len() != slot.rank {
        return Err(ExportError::InputRank {
            input: spec.name.clone(),
            declared: spec.dims.len(),
            taken: slot.rank,
        });
    }
    if let Some(dtype) = spec.dtype.filter(|dtype| !slot.kind.admits(*dtype)) {
        return Err(ExportError::InputKind {
            input: spec.name.clone(),
            dtype,
            kind: slot.kind.name(),
        });
    }
    let wrong = spec.dims.iter().position(|dim| match dim {
        Dim::Fixed(size) => *size == 0,
        Dim::Symbol(name) => name.is_empty(),
    });
    match wrong {
        Some(axis) => Err(ExportError::Dimension {
            input: spec.name.clone(),
            axis,
        }),
        None => Ok(()),
    }
}
