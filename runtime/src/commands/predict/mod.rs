//! `runtime predict`: what pictures are taken for.

mod answers;
mod sources;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use dataset::Images;
use image::RgbImage;
use output::message;
use runtime::cli::count;
use runtime::prepare::{Center, Invert, Preparation, Prepared, prepare};
use runtime::{ModelMetadata, Prediction, Session, SessionOptions, library, predict_finite};

use super::eval;
use answers::Answer;
use sources::Source;

/// Tell what pictures show: PNG, JPEG or WebP, photographs of digits too
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// Pictures, folders of them, patterns like 'scans/*.png', or - for stdin
    #[arg(value_name = "PICTURE", required = true)]
    pictures: Vec<PathBuf>,
    /// Show only the K most probable classes [default: 10, or 1 if there are many pictures]
    #[arg(long, value_name = "K", value_parser = count)]
    top: Option<NonZeroUsize>,
    /// Exchange dark and light; `auto` where the border is light, as paper is [default: auto for MNIST and Fashion-MNIST, else no]
    #[arg(long, value_enum)]
    invert: Option<Choice>,
    /// Scale and move what is drawn to where MNIST has its digits; `auto` unless it is there already [default: auto for MNIST, else no]
    #[arg(long, value_enum)]
    center: Option<Choice>,
    /// Show no pictures in the terminal
    #[arg(long)]
    no_picture: bool,
    /// What runs the model; `auto` is CUDA where it runs, else the CPU
    #[arg(long, value_enum, default_value_t = eval::Choice::Cpu)]
    provider: eval::Choice,
    /// ONNX Runtime's library [default: searched for, else fetched once]
    #[arg(long, value_name = "PATH")]
    ort_lib: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// As the picture calls for
    Auto,
    /// Always
    Yes,
    /// Never
    No,
}

impl From<Choice> for Invert {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Auto => Self::Auto,
            Choice::Yes => Self::Yes,
            Choice::No => Self::No,
        }
    }
}

impl From<Choice> for Center {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Auto => Self::Auto,
            Choice::Yes => Self::Yes,
            Choice::No => Self::No,
        }
    }
}

/// Some pictures, or all, about which nothing can be said.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {total} pictures cannot be used")]
struct Unusable {
    failed: usize,
    total: usize,
}

/// Whether an error is one of this command that the user can fix.
pub(crate) fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    error.is::<Unusable>() || error.is::<sources::Error>()
}

/// Pictures that the model sees at once, where they are small.
const BATCH: usize = 64;

/// The most values that it sees at once, but for a single picture.
const VALUES: usize = 1 << 24;

/// A picture that the model can see.
struct Ready {
    name: String,
    /// To be shown; of the picture itself there may be no memory for all.
    thumbnail: RgbImage,
    prepared: Prepared,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let model = onnx::read(&args.model)?;
    let metadata = ModelMetadata::of_model(&model)?;
    let sources = sources::find(&args.pictures)?;
    let library = library::load(args.ort_lib.as_deref())?;
    let options = SessionOptions {
        provider: args.provider.into(),
        threads: None,
    };
    let mut session = Session::open(&library, &args.model, &options)?;
    if let Some(reason) = session.fallback() {
        message!("note: running on the CPU, as CUDA cannot run: {reason}");
    }
    let mut printer = answers::Printer::new(args, sources.len());
    let mut failed = 0;
    for sources in sources.chunks(batch(metadata.input).get()) {
        let ready = load(sources, &metadata, preparation(args, &metadata));
        let answers = answer(&mut session, &metadata, ready)?;
        failed += sources.len() - answers.len();
        for answer in answers {
            printer.print(answer)?;
        }
    }
    printer.finish()?;
    match failed {
        0 => Ok(()),
        _ => Err(Unusable {
            failed,
            total: sources.len(),
        }
        .into()),
    }
}

/// How many images of shape `input` the model sees at once.
fn batch(input: [usize; 3]) -> NonZeroUsize {
    let values = input.into_iter().fold(1, usize::saturating_mul);
    NonZeroUsize::new(BATCH.min(VALUES / values)).unwrap_or(NonZeroUsize::MIN)
}

/// What is done to the pictures, as the model needs it or the user says.
fn preparation(args: &Args, metadata: &ModelMetadata) -> Preparation {
    let usual = Preparation::for_model(metadata);
    Preparation {
        invert: args.invert.map_or(usual.invert, Into::into),
        center: args.center.map_or(usual.center, Into::into),
        fit: usual.fit,
    }
}

/// The pictures that can be used; of the others, stderr says why not.
fn load(sources: &[Source], metadata: &ModelMetadata, preparation: Preparation) -> Vec<Ready> {
    let ready = |source: &Source| -> anyhow::Result<Ready> {
        let picture = source.picture()?;
        let thumbnail = answers::thumbnail(&picture);
        let prepared = prepare(picture, metadata.input, preparation)
            .map_err(|error| anyhow::Error::new(error).context(source.name()))?;
        Ok(Ready {
            name: source.name(),
            thumbnail,
            prepared,
        })
    };
    let told = |error: anyhow::Error| message!("error: {error:#}");
    let ready = sources.iter().map(|source| ready(source).map_err(told));
    ready.filter_map(Result::ok).collect()
}

/// The answers to those pictures that have one; of the others, stderr says so.
fn answer(
    session: &mut Session,
    metadata: &ModelMetadata,
    ready: Vec<Ready>,
) -> anyhow::Result<Vec<Answer>> {
    let pixels = ready.iter().flat_map(|ready| &ready.prepared.pixels);
    let [channels, height, width] = metadata.input;
    let shape = [ready.len(), channels, height, width];
    let images = Images::new(pixels.copied().collect(), shape)?;
    let predictions = predict_finite(session, metadata, &images, batch(metadata.input))?;
    let answer = |(ready, prediction): (Ready, Option<Prediction>)| match prediction {
        Some(prediction) => Some(Answer::new(ready, prediction, metadata.input)),
        None => {
            message!(
                "error: {}: the model's answer is infinite or not a number",
                ready.name
            );
            None
        }
    };
    Ok(ready
        .into_iter()
        .zip(predictions)
        .filter_map(answer)
        .collect())
}
