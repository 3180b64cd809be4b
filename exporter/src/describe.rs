//! Operations as people read them in messages.

use std::fmt::{self, Write};

use burn::backend::ir::OperationIr;
use burn::tensor::DType;

/// Long enough for `NumericFloat(F32, MaxDimWithIndices(ReduceDimWithIndicesOpIr`.
const PREFIX: usize = 120;

/// Burn's name of an operation: `Conv2d`, `Reshape`.
///
/// Taken from the start of its debug form (`Module(Conv2d(Conv2dOpIr { ..`),
/// where the variant stands before the name of its fields' struct.
pub(crate) fn operation_name(operation: &OperationIr) -> String {
    if let OperationIr::Custom(custom) = operation {
        let name = custom.id.split_whitespace().next();
        return name.unwrap_or("Custom").to_owned();
    }
    let mut head = Head(String::new());
    // Fails on purpose once the head is full.
    let _ = write!(head, "{operation:?}");
    let words: Vec<&str> = head
        .0
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let fields = words.iter().position(|word| word.ends_with("Ir"));
    let name = match fields {
        Some(position) if position > 0 => words[position - 1],
        _ => words.last().copied().unwrap_or("operation"),
    };
    name.to_owned()
}

/// `f32`, `i64`, `bool`
pub(crate) fn dtype_name(dtype: DType) -> String {
    if dtype.is_bool() {
        return "bool".to_owned();
    }
    format!("{dtype:?}").to_lowercase()
}

/// Collects the first characters and then refuses more, so that formatting a
/// large operation stops early.
struct Head(String);

impl Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() > PREFIX {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Shape;
    use burn::backend::ir::{NumericOperationIr, TensorId, TensorIr, UnaryOpIr};

    #[test]
    fn the_variant_names_the_operation() {
        let tensor = TensorIr::uninit(TensorId::new(0), Shape::new([1]), DType::F32);
        let unary = UnaryOpIr {
            input: tensor.clone(),
            out: tensor.clone(),
        };
        let abs = OperationIr::NumericFloat(DType::F32, NumericOperationIr::Abs(unary));
        assert_eq!(operation_name(&abs), "Abs");
        assert_eq!(operation_name(&OperationIr::Drop(tensor)), "Drop");
    }
}
