//! Weights and computation in 16 bits, between inputs and outputs of 32.

use burn::tensor::{DType, TensorData, f16};

use crate::graph::ValueId;
use crate::lower::element_type;
use crate::node::{Attribute, Node, Program};
use crate::opset::Opset;
use crate::tensor::shared;

/// The first opset whose `IsInf` takes 16 bits.
const IS_INF: u8 = 20;

/// Turns every f32 of a program into f16, except its inputs and outputs, which
/// are cast. Returns the names of the parameters with elements that f16 does
/// not reach; these become its largest number.
pub(crate) fn convert(program: &mut Program, opset: Opset) -> Vec<String> {
    let boundary = [program.inputs.clone(), program.outputs.clone()].concat();
    cast_inputs(program);
    cast_outputs(program);
    let mut exceeding = Vec::new();
    for position in 0..program.values.len() {
        let value = &mut program.values[position];
        if value.dtype != DType::F32 || boundary.contains(&ValueId(position)) {
            continue;
        }
        value.dtype = DType::F16;
        let Some(data) = value.data.take() else {
            continue;
        };
        exceeding.extend(value.name.clone().filter(|_| exceeds(&data)));
        let round = match value.name {
            Some(_) => clipped,
            None => clipped_and_not_0,
        };
        value.data = Some(shared(narrow(&data, round)));
    }
    convert_attributes(program);
    if opset.version() < IS_INF {
        widen_operands(program, "IsInf");
    }
    exceeding
}

fn cast(from: ValueId, to: ValueId, dtype: DType) -> Node {
    let node = Node::new("Cast").input(from).output(to);
    node.attr("to", element_type(dtype))
}

/// A value like another one.
fn copy_of(program: &mut Program, id: ValueId, dtype: DType) -> ValueId {
    let mut copy = program.values[id.0].clone();
    copy.dtype = dtype;
    copy.data = None;
    copy.name = None;
    program.values.push(copy);
    ValueId(program.values.len() - 1)
}

fn cast_inputs(program: &mut Program) {
    for id in program.inputs.clone() {
        if program.values[id.0].dtype != DType::F32 {
            continue;
        }
        let half = copy_of(program, id, DType::F16);
        let reads = program.nodes.iter_mut().flat_map(|node| &mut node.inputs);
        let reads = reads.flatten().filter(|read| **read == id);
        reads.for_each(|read| *read = half);
        program.nodes.insert(0, cast(id, half, DType::F16));
    }
}

fn cast_outputs(program: &mut Program) {
    for id in program.outputs.clone() {
        if program.values[id.0].dtype != DType::F32 {
            continue;
        }
        let half = copy_of(program, id, DType::F16);
        for node in &mut program.nodes {
            let places = node.inputs.iter_mut().flatten().chain(&mut node.outputs);
            places
                .filter(|place| **place == id)
                .for_each(|place| *place = half);
        }
        program.nodes.push(cast(half, id, DType::F32));
    }
}

/// Casts and tensors in attributes follow the values' types.
fn convert_attributes(program: &mut Program) {
    let Program { values, nodes, .. } = program;
    for node in nodes {
        let result = values[node.outputs[0].0].dtype;
        for (name, attribute) in &mut node.attributes {
            match attribute {
                Attribute::Int(to) if node.op_type == "Cast" && *name == "to" => {
                    *to = element_type(result);
                }
                Attribute::Tensor(data) if data.dtype() == DType::F32 => {
                    *data = narrow(data, clipped_and_not_0);
                }
                _ => {}
            }
        }
    }
}

/// Casts what an operator reads back to 32 bits.
fn widen_operands(program: &mut Program, op_type: &str) {
    let mut position = 0;
    while position < program.nodes.len() {
        let node = &program.nodes[position];
        let operand = node.inputs.first().copied().flatten();
        let narrow = operand.filter(|id| program.values[id.0].dtype == DType::F16);
        if let Some(id) = narrow.filter(|_| node.op_type == op_type) {
            let wide = copy_of(program, id, DType::F32);
            program.nodes[position].inputs[0] = Some(wide);
            program.nodes.insert(position, cast(id, wide, DType::F32));
            position += 1;
        }
        position += 1;
    }
}

fn exceeds(data: &TensorData) -> bool {
    data.iter::<f32>()
        .any(|element| element.is_finite() && element.abs() > f16::MAX.to_f32())
}

fn narrow(data: &TensorData, round: fn(f32) -> f16) -> TensorData {
    let elements = data.iter::<f32>().map(round);
    TensorData::new(elements.collect::<Vec<f16>>(), data.shape().clone())
}

fn clipped(element: f32) -> f16 {
    let limit = f16::MAX.to_f32();
    f16::from_f32(if element.is_finite() {
        element.clamp(-limit, limit)
    } else {
        element
    })
}

/// A number that keeps a divisor from 0, such as 1e-12, is the smallest there is
/// instead of 0. That one is subnormal, as is 1e-7: ONNX Runtime keeps these in 16
/// bits, on the CPU by way of 32, and GPUs compute with them.
fn clipped_and_not_0(element: f32) -> f16 {
    match clipped(element) {
        zero if zero == f16::ZERO && element != 0.0 => f16::MIN_POSITIVE_SUBNORMAL.copysign(zero),
        other => other,
    }
}
