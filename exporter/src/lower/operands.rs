//! Operands that the graph does not have yet: constants, and sizes as tensors.

use burn::backend::ir::{ScalarIr, TensorIr};
use burn::tensor::{DType, TensorData};

use super::context::{Context, Lowered, Refusal, element_type, refuse};
use crate::extent::{Extent, Formula};
use crate::graph::{Progression, ValueId};
use crate::node::Node;
use crate::tensor::shared;

impl Context {
    // Constants

    /// A constant; equal ones are made once.
    pub fn constant(&mut self, data: TensorData) -> ValueId {
        let key = (
            format!("{:?}", data.dtype()),
            data.shape().to_vec(),
            data.as_bytes().to_vec(),
        );
        if let Some(known) = self.constants.get(&key) {
            return *known;
        }
        let shape = data.shape().iter();
        let shape = shape.map(|size| self.graph.symbols.constant(*size as i64));
        let value = self.value(Some(shape.collect()), data.dtype(), Some(data));
        self.constants.insert(key, value);
        value
    }

    /// A constant that belongs to the current module: `lstm.W`.
    pub fn named_constant(&mut self, data: TensorData, name: &str) -> ValueId {
        let scope = self.scope();
        let name = (!scope.is_empty()).then(|| format!("{scope}.{name}"));
        let shape = data.shape().iter();
        let shape = shape.map(|size| self.graph.symbols.constant(*size as i64));
        let value = self.value(Some(shape.collect()), data.dtype(), Some(shared(data)));
        self.graph.values[value.0].name = name;
        value
    }

    /// The elements of a constant.
    pub fn data(&self, tensor: &TensorIr) -> Option<&TensorData> {
        self.graph.values[ValueId::from(tensor).0].data.as_ref()
    }

    /// A constant of rank 1.
    pub fn integers(&mut self, values: &[i64]) -> ValueId {
        self.constant(TensorData::new(values.to_vec(), [values.len()]))
    }

    /// A constant of rank 0.
    pub fn integer(&mut self, value: i64) -> ValueId {
        self.constant(TensorData::new(vec![value], Vec::<usize>::new()))
    }

    /// A constant of rank 0 in the element type of its neighbours.
    pub fn number(&mut self, value: f64, dtype: DType) -> ValueId {
        self.scalar(ScalarIr::Float(value), dtype)
    }

    /// A constant of rank 0.
    pub fn scalar(&mut self, value: ScalarIr, dtype: DType) -> ValueId {
        self.constant(scalar_data(value, Vec::new(), dtype))
    }

    // Sizes

    /// An extent that no symbol changes.
    pub fn constant_extent(&self, value: i64) -> Extent {
        self.graph.symbols.constant(value)
    }

    /// A tensor of i64 with these sizes: a constant where all are fixed.
    pub fn extents(&mut self, extents: &[Extent]) -> Result<ValueId, Refusal> {
        let fixed: Option<Vec<i64>> = extents.iter().map(Extent::fixed).collect();
        if let Some(fixed) = fixed {
            return Ok(self.integers(&fixed));
        }
        let parts: Vec<ValueId> = extents
            .iter()
            .map(|extent| self.extent(extent))
            .collect::<Result<_, _>>()?;
        if let [only] = parts[..] {
            return Ok(only);
        }
        let concat = Node::new("Concat").inputs(parts).attr("axis", 0i64);
        Ok(self.compute(concat, DType::I64))
    }

    /// A tensor `[1]` of i64 with this size: a constant, a dimension of an
    /// input or of a value that is there already, or computed from the symbols.
    pub fn extent(&mut self, extent: &Extent) -> Result<ValueId, Refusal> {
        if let Some(value) = extent.fixed() {
            return Ok(self.integers(&[value]));
        }
        if let Some(known) = self.sizes.get(extent) {
            return Ok(*known);
        }
        let size = match self.dimension_with(extent) {
            Some((value, axis)) => self.dimension(value, axis),
            None => self.formula(extent)?,
        };
        self.sizes.insert(extent.clone(), size);
        Ok(size)
    }

    /// A dimension that equals the extent: an input's where possible.
    fn dimension_with(&self, extent: &Extent) -> Option<(ValueId, usize)> {
        let inputs = self.graph.inputs.iter();
        inputs.chain(&self.available).find_map(|id| {
            let shape = self.graph.values[id.0].shape.as_ref()?;
            let axis = shape.iter().position(|size| size == extent)?;
            Some((*id, axis))
        })
    }

    /// The shape of a value that is there already and has exactly these sizes.
    pub fn shape_with(&mut self, extents: &[Extent]) -> Option<ValueId> {
        let mut values = self.graph.inputs.iter().chain(&self.available);
        let same = |id: &&ValueId| self.graph.values[id.0].shape.as_deref() == Some(extents);
        let value = *values.find(same)?;
        Some(self.compute(Node::new("Shape").input(value), DType::I64))
    }

    fn dimension(&mut self, value: ValueId, axis: usize) -> ValueId {
        let shape = Node::new("Shape").input(value);
        let shape = shape.attr_unless("start", 0i64, axis).attr("end", axis + 1);
        self.compute(shape, DType::I64)
    }

    /// `0, 1, .. size - 1`, of i64.
    pub fn positions(&mut self, size: &Extent) -> Result<ValueId, Refusal> {
        let size = self.extent(size)?;
        let scalar = self.integers(&[]);
        let size = self.apply("Reshape", [size, scalar]);
        let (zero, one) = (self.integer(0), self.integer(1));
        Ok(self.apply("Range", [zero, size, one]))
    }

    /// Computes a progression, whose length depends on a symbol.
    pub(super) fn progression(&mut self, id: ValueId, progression: Progression) -> Lowered {
        let value = &self.graph.values[id.0];
        let (dtype, size) = (value.dtype, value.shape.iter().flatten().next().cloned());
        let Some(size) = size else { return Ok(()) };
        let positions = self.positions(&size)?;
        let step = self.integer(progression.step);
        let start = self.integer(progression.start);
        let scaled = self.apply("Mul", [positions, step]);
        let moved = self.apply("Add", [scaled, start]);
        let cast = Node::new("Cast").input(moved).output(id);
        self.push(cast.attr("to", element_type(dtype)))
    }

    fn formula(&mut self, extent: &Extent) -> Result<ValueId, Refusal> {
        match self.graph.symbols.explain(extent) {
            Formula::Fixed(value) => Ok(self.integers(&[value])),
            Formula::Affine {
                coefficients,
                offset,
                divisor,
            } => self.affine(&coefficients, offset, divisor),
            Formula::Product { factor, symbols } => {
                let mut product = self.integers(&[factor]);
                for symbol in symbols {
                    let size = self.extent(&self.graph.symbols.extent(symbol))?;
                    product = self.apply("Mul", [product, size]);
                }
                Ok(product)
            }
            Formula::Unexplained => refuse(format!(
                "a size follows the symbolic sizes in a way that is not understood ({:?})",
                extent.seen()
            )),
        }
    }

    /// `(Σ coefficient · symbol + offset) / divisor`
    fn affine(
        &mut self,
        coefficients: &[i64],
        offset: i64,
        divisor: i64,
    ) -> Result<ValueId, Refusal> {
        let mut sum = None;
        for (symbol, coefficient) in coefficients.iter().enumerate() {
            if *coefficient == 0 {
                continue;
            }
            let size = self.extent(&self.graph.symbols.extent(symbol))?;
            let term = self.unless(1, "Mul", size, *coefficient);
            sum = Some(match sum {
                Some(sum) => self.apply("Add", [sum, term]),
                None => term,
            });
        }
        let sum = sum.unwrap_or_else(|| self.integers(&[0]));
        let sum = self.unless(0, "Add", sum, offset);
        Ok(self.unless(1, "Div", sum, divisor))
    }

    /// `value op number`, unless the number changes nothing.
    fn unless(
        &mut self,
        neutral: i64,
        op_type: &'static str,
        value: ValueId,
        number: i64,
    ) -> ValueId {
        if number == neutral {
            return value;
        }
        let number = self.integers(&[number]);
        self.apply(op_type, [value, number])
    }
}

/// A scalar in a tensor of any element type; integers wrap.
pub(crate) fn scalar_data(value: ScalarIr, shape: Vec<usize>, dtype: DType) -> TensorData {
    let data = match wrapped(value, dtype) {
        ScalarIr::Float(value) => TensorData::new(vec![value], shape),
        ScalarIr::Int(value) => TensorData::new(vec![value], shape),
        ScalarIr::UInt(value) => TensorData::new(vec![value], shape),
        ScalarIr::Bool(value) => TensorData::new(vec![value], shape),
    };
    data.convert_dtype(dtype)
}

/// A scalar that an integer type has; others stay as they are.
pub(super) fn wrapped(value: ScalarIr, dtype: DType) -> ScalarIr {
    let number = whole(value);
    match dtype {
        DType::I64 => ScalarIr::Int(number),
        DType::I32 => ScalarIr::Int((number as i32).into()),
        DType::I16 => ScalarIr::Int((number as i16).into()),
        DType::I8 => ScalarIr::Int((number as i8).into()),
        DType::U64 => ScalarIr::UInt(number as u64),
        DType::U32 => ScalarIr::UInt((number as u32).into()),
        DType::U16 => ScalarIr::UInt((number as u16).into()),
        DType::U8 => ScalarIr::UInt((number as u8).into()),
        _ => value,
    }
}

/// A scalar's bits as an integer of 64; a float is rounded to 0.
pub(super) fn whole(value: ScalarIr) -> i64 {
    match value {
        ScalarIr::Float(value) => value as i64,
        ScalarIr::Int(value) => value,
        ScalarIr::UInt(value) => value as i64,
        ScalarIr::Bool(value) => value.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn scalars_beyond_an_integer_type_wrap() {
        let data = |value, dtype| scalar_data(value, Vec::new(), dtype);
        let bytes = data(ScalarIr::Int(200), DType::I8);
        assert_eq!(bytes.as_slice::<i8>().unwrap(), [-56]);
        let bytes = data(ScalarIr::UInt(300), DType::U8);
        assert_eq!(bytes.as_slice::<u8>().unwrap(), [44]);
        let largest = data(ScalarIr::UInt(u64::MAX), DType::U64);
        assert_eq!(largest.as_slice::<u64>().unwrap(), [u64::MAX]);
        let none = data(ScalarIr::Float(f64::NAN), DType::I64);
        assert_eq!(none.as_slice::<i64>().unwrap(), [0]);
    }
}
