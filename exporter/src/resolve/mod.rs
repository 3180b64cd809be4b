//! Several captures become one graph whose sizes are explained.
//!
//! The captures are walked side by side. Operations must be the same and
//! connected the same way; dimensions and counts may differ, and become
//! [`Extent`]s. What may not differ and does is refused.

mod operations;
mod trace;
mod values;

use crate::capture::Capture;
use crate::error::ExportError;
use crate::extent::Symbols;
use crate::graph::{Graph, ValueId};
use crate::scope;
use operations::operations;
use trace::Trace;
use values::{progressions, values};

/// Aligns the captures, the first of which is the base.
pub(crate) fn resolve(
    captures: Vec<Capture>,
    symbols: Symbols,
    input_names: &[String],
) -> Result<Graph, ExportError> {
    let mut traces: Vec<Trace> = captures.into_iter().map(Trace::new).collect();
    require_same_structure(&traces, &symbols)?;
    require_used(&traces[0], input_names)?;
    let progressions = progressions(&traces, &symbols);
    let values = values(&traces, &symbols, &progressions)?;
    let operations = operations(&traces, &symbols)?;
    let base = traces.swap_remove(0);
    let mut graph = Graph {
        symbols,
        values,
        progressions,
        operations,
        layers: base.layers,
        loops: base.loops,
        inputs: base.inputs,
        outputs: base.outputs,
    };
    for (input, name) in graph.inputs.iter().zip(input_names) {
        graph.values[input.0].name = Some(name.clone());
        graph.values[input.0].data = None;
    }
    scope::assign(&mut graph);
    Ok(graph)
}

fn require_same_structure(traces: &[Trace], symbols: &Symbols) -> Result<(), ExportError> {
    let base = &traces[0];
    for (capture, trace) in traces.iter().enumerate().skip(1) {
        let longest = base.steps.len().max(trace.steps.len());
        let differs = (0..longest).find(|position| {
            let skeleton = |trace: &Trace| trace.steps.get(*position).map(|s| s.skeleton.clone());
            skeleton(base) != skeleton(trace)
        });
        let boundary = (&base.inputs, &base.outputs) != (&trace.inputs, &trace.outputs);
        let Some(position) = differs.or(boundary.then_some(longest)) else {
            continue;
        };
        let seen = |trace: &Trace, capture: usize| {
            let name = trace.name_at(position);
            format!("{name} with {}", symbols.describe(capture))
        };
        return Err(ExportError::Diverged {
            place: format!("operation {position}"),
            first: seen(base, 0),
            second: seen(trace, capture),
        });
    }
    Ok(())
}

fn require_used(trace: &Trace, names: &[String]) -> Result<(), ExportError> {
    for (input, name) in trace.inputs.iter().zip(names) {
        let read = trace.steps.iter().flat_map(|step| step.op.inputs());
        let used = read.map(ValueId::from).any(|id| id == *input);
        if !used && !trace.outputs.contains(input) {
            return Err(ExportError::UnusedInput {
                input: name.clone(),
            });
        }
    }
    Ok(())
}
