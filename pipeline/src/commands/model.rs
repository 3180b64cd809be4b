//! `pipeline model`: the built-in networks, and what the layers of one cost.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use models::{BUILT_IN, Cost, ModelSpec, Summary};
use output::print;
use pipeline::config::{Document, suggestion};
use pipeline::table::{model_table, sizes, table};
use runtime::text::grouped;
use serde::Serialize;

/// Look at networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the built-in networks
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what each layer of a network gives, holds and costs
    Summary(SummaryArgs),
}

#[derive(Debug, clap::Args)]
struct SummaryArgs {
    /// A built-in network, or a YAML file with `layers`
    #[arg(value_name = "NAME|FILE")]
    network: String,
    /// Channels, height and width of an image [default: 1x28x28, or what a built-in network is for]
    #[arg(long, value_name = "CxHxW")]
    input: Option<Input>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is neither a built-in network nor a file.
#[derive(Debug, thiserror::Error)]
#[error("`{network}` is neither a built-in network nor a file")]
pub(crate) struct UnknownNetwork {
    network: String,
    /// What it may have been meant to be.
    pub(crate) hint: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::List { json } => print(&list()?, *json),
        Command::Summary(args) => {
            let (model, input) = find(&args.network)?;
            let input = args.input.map_or(input, |Input(input)| input);
            let summary = model.resolve(input)?.summary();
            print(&Layers(summary), args.json)
        }
    }
}

/// The network of a name or a file, and the shape of its images.
fn find(network: &str) -> anyhow::Result<(ModelSpec, [usize; 3])> {
    if let Some(built_in) = BUILT_IN.iter().find(|one| one.name == network) {
        return Ok((built_in.spec(), built_in.input));
    }
    let path = Path::new(network);
    if !path.exists() {
        return Err(UnknownNetwork {
            network: network.to_owned(),
            hint: suggestion(network, BUILT_IN.iter().map(|one| one.name)),
        }
        .into());
    }
    Ok((Document::read(path)?.parse()?, MNIST))
}

/// Shape of MNIST's images.
const MNIST: [usize; 3] = [1, 28, 28];

/// `1x28x28`.
#[derive(Clone, Copy, Debug)]
struct Input([usize; 3]);

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes: Result<Vec<usize>, _> = text.split(['x', '×']).map(str::parse).collect();
        let sizes: Option<[usize; 3]> = sizes.ok().and_then(|sizes| sizes.try_into().ok());
        sizes
            .filter(|sizes| !sizes.contains(&0))
            .map(Self)
            .ok_or_else(|| "channels, height and width are expected, such as 1x28x28".to_owned())
    }
}

/// A summary as a table with all layers.
#[derive(Serialize)]
#[serde(transparent)]
struct Layers(Summary);

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&model_table(&self.0, true))
    }
}

/// The built-in networks.
#[derive(Serialize)]
#[serde(transparent)]
struct Networks(Vec<Listed>);

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: String,
    input: [usize; 3],
    #[serde(flatten)]
    cost: Cost,
}

fn list() -> anyhow::Result<Networks> {
    let networks = BUILT_IN.iter().map(|network| {
        Ok(Listed {
            name: network.name,
            about: network.about(),
            input: network.input,
            cost: network.spec().resolve(network.input)?.summary().total,
        })
    });
    Ok(Networks(networks.collect::<anyhow::Result<_>>()?))
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["network", "input", "parameters", "mult-adds", "about"];
        let mut table = table(header, 2..4);
        for network in &self.0 {
            table.add_row([
                network.name.to_owned(),
                sizes(&network.input),
                grouped(network.cost.parameters),
                grouped(network.cost.multiply_adds),
                network.about.clone(),
            ]);
        }
        writeln!(f, "{}", table.trim_fmt())
    }
}
