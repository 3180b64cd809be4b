//! `pipeline dag`: the stages and what they depend on, as a Mermaid flowchart
//! (<https://mermaid.js.org/syntax/flowchart.html>), which GitHub draws.

use pipeline::run::Pipeline;

/// Print the stages and their dependencies as a Mermaid flowchart
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: crate::Target,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let pipeline = Pipeline::open(&args.target.file, &args.target.overrides)?;
    let stages = &pipeline.plan.stages;
    println!("flowchart LR");
    for (index, stage) in stages.iter().enumerate() {
        let name = stage.name.replace('"', "#quot;");
        println!("    s{index}[\"{name}<br/>{}\"]", stage.action.kind());
    }
    for (index, stage) in stages.iter().enumerate() {
        for before in &stage.depends {
            println!("    s{before} --> s{index}");
        }
    }
    Ok(())
}
