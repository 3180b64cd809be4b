//! A row of the table.

use burn::nn::Relu;
use burn::tensor::kind::Basic;
use burn::tensor::{Bool, DType, Int, Tensor};
use exporter::{Dim, Exporter, Inputs, Outputs, dims};
use tests::export::{Case, Data, Description, case, integers, normal};

use crate::variants::Variant;

/// A function whose recording has the operation in it.
pub struct Row {
    pub variant: Variant,
    /// The ONNX operators in order, at opset 16, and from each later opset that
    /// changes them: `Div Erf Add Mul Mul; 20: Gelu`; `-` where it is refused.
    pub nodes: &'static str,
    /// What else it is checked with than 32-bit floats and 64-bit integers.
    pub elements: Vec<DType>,
    /// Why Burn does not record the operation for the function, if that is so.
    pub never_recorded: Option<&'static str>,
    outcome: Outcome,
}

enum Outcome {
    Lowered(Case<'static>),
    Refused(Case<'static>, &'static str),
}

impl Row {
    /// The case, of an operation that can be written.
    pub fn case(&self) -> Option<&Case<'static>> {
        match &self.outcome {
            Outcome::Lowered(case) => Some(case),
            Outcome::Refused(..) => None,
        }
    }

    /// The case and the reason, of an operation that cannot be written.
    pub fn refused(&self) -> Option<(&Case<'static>, &'static str)> {
        match &self.outcome {
            Outcome::Lowered(_) => None,
            Outcome::Refused(case, reason) => Some((case, reason)),
        }
    }

    pub fn is_lowered(&self) -> bool {
        self.case().is_some()
    }

    /// Burn takes another operation's way.
    pub fn never_recorded(self, instead: &'static str) -> Self {
        Self {
            never_recorded: Some(instead),
            ..self
        }
    }
}

/// The kind of a function's tensors.
#[derive(Clone, Copy)]
pub enum Kind {
    Float,
    Int,
    Bool,
}

impl Kind {
    /// The element types besides 32-bit floats and 64-bit integers.
    fn elements(self) -> &'static [DType] {
        use DType::{F16, F64, I8, I16, I32, U8, U16, U32, U64};
        match self {
            Self::Float => &[F64, F16],
            Self::Int => &[I32, I16, I8, U64, U32, U16, U8],
            Self::Bool => &[],
        }
    }
}

/// A row without its function.
pub struct Start {
    variant: Variant,
    nodes: &'static str,
    elements: Vec<DType>,
    without: &'static [DType],
    description: Description,
    refused: Option<&'static str>,
}

/// A row of a family's operation, and the nodes that it becomes.
pub fn row(family: &'static str, operation: &'static str, nodes: &'static str) -> Start {
    // `-; 18: BitwiseAnd`
    let since = nodes
        .strip_prefix("-; ")
        .and_then(|rest| rest.split(':').next());
    let oldest = since.map_or(16, |opset| opset.parse().unwrap());
    Start {
        variant: (family, operation),
        nodes,
        elements: Vec::new(),
        without: &[],
        description: case(format!("{family} {operation}")).since(oldest),
        refused: None,
    }
}

/// A row of an operation that cannot be written, and why.
pub fn refused(family: &'static str, operation: &'static str, reason: &'static str) -> Start {
    Start {
        refused: Some(reason),
        ..row(family, operation, "-")
    }
}

impl Start {
    /// For tensors of this kind, in all its element types: the nodes may differ
    /// by kind, as in `Mod Sign Sign Mul Less Add Where | Mod`.
    pub fn kind(self, kind: Kind) -> Self {
        let alternatives: Vec<&'static str> = self.nodes.split(" | ").collect();
        let nodes = alternatives.get(kind as usize).or(alternatives.last());
        let elements = kind.elements().iter().copied();
        let elements = elements.filter(|dtype| !self.without.contains(dtype));
        Self {
            nodes: nodes.unwrap(),
            elements: elements.collect(),
            ..self
        }
    }

    /// Element types for which ONNX Runtime has no kernel on the CPU, or Burn
    /// none in Flex.
    pub fn without(self, without: &'static [DType]) -> Self {
        Self { without, ..self }
    }

    /// A function of one tensor.
    pub fn of<const D: usize, K, O>(
        self,
        dims: Vec<Dim>,
        inputs: impl Fn(usize) -> Tensor<D, K> + 'static,
        forward: impl Fn(Tensor<D, K>) -> O + 'static,
    ) -> Row
    where
        K: Basic + 'static,
        Tensor<D, K>: Inputs + Data + 'static,
        O: Outputs + Data + 'static,
    {
        self.with(&[dims], 1, inputs, forward)
    }

    /// A function of tensors of these dimensions, with a number of outputs.
    pub fn with<I, O>(
        self,
        inputs_dims: &[Vec<Dim>],
        outputs: usize,
        inputs: impl Fn(usize) -> I + 'static,
        forward: impl Fn(I) -> O + 'static,
    ) -> Row
    where
        I: Inputs + Data + 'static,
        O: Outputs + Data + 'static,
    {
        let exporter = inputs_dims.iter().enumerate();
        let exporter = exporter.fold(Exporter::new(), |exporter, (position, dims)| {
            exporter.input(format!("x{position}"), dims.clone())
        });
        let exporter = (0..outputs).fold(exporter, |exporter, position| {
            exporter.output(format!("y{position}"))
        });
        let case = self
            .description
            .build(exporter, &Relu::new(), inputs, move |_, x| forward(x));
        Row {
            variant: self.variant,
            nodes: self.nodes,
            elements: self.elements,
            never_recorded: None,
            outcome: match self.refused {
                Some(reason) => Outcome::Refused(case, reason),
                None => Outcome::Lowered(case),
            },
        }
    }
}

/// What most functions of the table take.
pub fn dims3() -> Vec<Dim> {
    dims!["n", 4, 6]
}

pub fn floats(n: usize) -> Tensor<3> {
    normal([n, 4, 6])
}

pub fn ints(n: usize) -> Tensor<3, Int> {
    integers([n, 4, 6], -9.0, 9.0)
}

pub fn bools(n: usize) -> Tensor<3, Bool> {
    floats(n).greater_scalar(0.0)
}

/// No two are equal.
pub fn distinct_floats(n: usize) -> Tensor<3> {
    tests::export::distinct([n, 4, 6])
}

pub fn distinct_ints(n: usize) -> Tensor<3, Int> {
    distinct_floats(n).int().cast(DType::I64)
}

/// The same function of floats and of integers.
#[macro_export]
macro_rules! numbers {
    ($start:expr, |$x:ident| $body:expr) => {
        [
            $start.kind($crate::row::Kind::Float).of(
                $crate::row::dims3(),
                $crate::row::floats,
                |$x: burn::tensor::Tensor<3>| $body,
            ),
            $start.kind($crate::row::Kind::Int).of(
                $crate::row::dims3(),
                $crate::row::ints,
                |$x: burn::tensor::Tensor<3, burn::tensor::Int>| $body,
            ),
        ]
    };
}

/// Whole numbers, so that equal ones are found.
pub fn rounded(n: usize) -> Tensor<3> {
    (floats(n) * 2.0).round()
}

/// The same function of floats, of integers and of booleans.
#[macro_export]
macro_rules! kinds {
    ($start:expr, |$x:ident| $body:expr) => {{
        let [_, int] = $crate::numbers!($start, |$x| $body);
        let float = $start.kind($crate::row::Kind::Float).of(
            $crate::row::dims3(),
            $crate::row::rounded,
            |$x: burn::tensor::Tensor<3>| $body,
        );
        let bool = $start.kind($crate::row::Kind::Bool).of(
            $crate::row::dims3(),
            $crate::row::bools,
            |$x: burn::tensor::Tensor<3, burn::tensor::Bool>| $body,
        );
        [float, int, bool]
    }};
}
