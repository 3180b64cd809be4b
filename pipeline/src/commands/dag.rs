//! `pipeline dag`: the stages and what they depend on, as a Mermaid flowchart
//! (<https://mermaid.js.org/syntax/flowchart.html>), which GitHub draws.

use output::print_json;
use pipeline::plan::Stage;
use pipeline::run::Pipeline;
use serde::Serialize;

/// Print the stages and their dependencies as a Mermaid flowchart
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: crate::Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A stage, for programs.
#[derive(Serialize)]
struct Node<'a> {
    stage: &'a str,
    kind: &'static str,
    /// The stages that must have run before.
    after: Vec<&'a str>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let pipeline = Pipeline::open(&args.target.file, &args.target.overrides)?;
    let stages = &pipeline.plan.stages;
    if args.json {
        return print_json(&nodes(stages));
    }
    output::write(flowchart(stages))
}

fn flowchart(stages: &[Stage]) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (index, stage) in stages.iter().enumerate() {
        let name = stage.name.replace('"', "#quot;");
        let kind = stage.action.kind();
        text += &format!("    s{index}[\"{name}<br/>{kind}\"]\n");
    }
    for (index, stage) in stages.iter().enumerate() {
        for before in &stage.depends {
            text += &format!("    s{before} --> s{index}\n");
        }
    }
    text
}

fn nodes(stages: &[Stage]) -> Vec<Node<'_>> {
    let name = |&index: &usize| stages[index].name.as_str();
    let nodes = stages.iter().map(|stage| Node {
        stage: &stage.name,
        kind: stage.action.kind(),
        after: stage.depends.iter().map(name).collect(),
    });
    nodes.collect()
}
