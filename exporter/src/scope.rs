//! Where in the module an operation belongs.

use crate::graph::{Graph, Value, ValueId};

/// Gives each operation the path of its nearest module.
///
/// An operation with parameters belongs to their module. One without belongs
/// where its operands come from; operands of several modules, as in a residual
/// connection, lead to the module around them.
pub(crate) fn assign(graph: &mut Graph) {
    let mut scopes: Vec<String> = graph.values.iter().map(parameter_scope).collect();
    for operation in &mut graph.operations {
        let operands: Vec<ValueId> = operation.op.inputs().map(ValueId::from).collect();
        let is_parameter = |id: &&ValueId| graph.values[id.0].data.is_some();
        let parameters = operands.iter().filter(is_parameter);
        let own = common(parameters.map(|id| scopes[id.0].as_str()));
        operation.scope = own
            .or_else(|| common(operands.iter().map(|id| scopes[id.0].as_str())))
            .unwrap_or_default();
        for output in operation.op.outputs() {
            scopes[ValueId::from(output).0] = operation.scope.clone();
        }
    }
}

/// `layer1.0.conv` for `layer1.0.conv.weight`
fn parameter_scope(value: &Value) -> String {
    let name = value.data.as_ref().and(value.name.as_deref());
    let (scope, _) = name
        .and_then(|name| name.rsplit_once('.'))
        .unwrap_or_default();
    scope.to_owned()
}

/// The longest path that all scopes start with; those without any don't count.
fn common<'a>(scopes: impl Iterator<Item = &'a str>) -> Option<String> {
    scopes
        .filter(|scope| !scope.is_empty())
        .map(|scope| scope.split('.').collect::<Vec<_>>())
        .reduce(|a, b| {
            let pairs = a.iter().zip(&b);
            let same = pairs.take_while(|(a, b)| a == b).count();
            a[..same].to_vec()
        })
        .map(|parts| parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_of_two_modules_belong_to_the_one_around_them() {
        let scopes = ["layer1.0.conv2", "layer1.0.shortcut", ""];
        assert_eq!(common(scopes.into_iter()), Some("layer1.0".to_owned()));
        assert_eq!(common(["", ""].into_iter()), None);
    }
}
