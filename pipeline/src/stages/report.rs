//! `report`: what was done, and what came of it, as an HTML page.

use artifact::Sha256;
use dataset::{Part, Split};
use output::message;
use report::{ClassMeasures, Epoch, Evaluation, Graph, Run, Sample, Section, Times, Verification};
use runtime::{Inspection, ModelMetadata, Session, evaluate_each, library, softmax};
use serde_json::Value;
use trainer::{EpochRecord, Summary, Timing};

use crate::config::Weights;
use crate::plan::{EvalPlan, ReportPlan, TrainPlan};
use crate::results;
use crate::stages::{Context, eval, graph, show, verify};

/// How many training images are shown, and how many of a class.
const SAMPLES: usize = 60;
const SAMPLES_OF_CLASS: usize = 6;

pub(super) fn run(plan: &ReportPlan, context: &Context) -> anyhow::Result<()> {
    let train = plan.train();
    let dataset = &plan.eval.dataset;
    let library = library::load(context.ort_lib.as_deref())?;
    let mut session = eval::session(&plan.eval, &library)?;
    let test = dataset.load(Part::Test)?;
    let (found, probabilities) = answers(&mut session, &plan.eval, &test)?;
    let summary: Summary = results::json(&train.folder.join(trainer::SUMMARY))?;
    let trained_on = train.dataset.load(Part::Train)?;

    let report = Run {
        title: plan.title.clone(),
        model: train.model_name.clone(),
        dataset: train.dataset.name.clone(),
        parameters: summary.parameters,
        settings: settings(plan),
        history: history(train)?,
        exported_epoch: match plan.eval.export.weights {
            Weights::Best => summary.best.epoch,
            Weights::Last => summary.last.epoch,
        },
        times: times(train, &found),
        evaluation: evaluation(found, &test, probabilities),
        samples: samples(&trained_on, train.dataset.classes.len()),
        graph: exported(&session),
        verification: verification(plan)?,
        sources: vec![versions(&summary, &library), digests(plan, &summary)?],
    };
    let page = report::write(&report, &plan.folder)?;
    match context.brief {
        true => message!("  {}", page.display()),
        false => show(format!("{}\n", page.display())),
    }
    Ok(())
}

/// What the ONNX answers: its evaluation, and the probabilities of each image.
fn answers(
    session: &mut Session,
    plan: &EvalPlan,
    test: &Split,
) -> anyhow::Result<(runtime::Evaluation, Vec<f32>)> {
    let metadata = ModelMetadata::of_model(session.model())?;
    let mut probabilities = Vec::new();
    let found = evaluate_each(session, &metadata, test, plan.config.batch, |logits| {
        probabilities.extend(softmax(logits).iter().map(|part| *part as f32));
    })?;
    Ok((found, probabilities))
}

fn evaluation(found: runtime::Evaluation, test: &Split, probabilities: Vec<f32>) -> Evaluation<'_> {
    let class = |class: runtime::ClassMeasures| ClassMeasures {
        name: class.class,
        precision: class.precision,
        recall: class.recall,
        f1: class.f1,
        support: class.support,
    };
    Evaluation {
        provider: found.provider.to_string(),
        accuracy: found.accuracy,
        loss: found.loss,
        confusion: found.confusion.rows().to_vec(),
        classes: found.classes.into_iter().map(class).collect(),
        images: test.images(),
        labels: test.labels(),
        probabilities,
    }
}

fn history(train: &TrainPlan) -> Result<Vec<Epoch>, results::Error> {
    let records = results::json_lines(&train.folder.join(trainer::METRICS))?;
    let epoch = |record: EpochRecord| Epoch {
        epoch: record.epoch,
        train_loss: record.train_loss,
        train_accuracy: record.train_accuracy,
        validation_loss: record.validation_loss,
        validation_accuracy: record.validation_accuracy,
        learning_rate: record.learning_rate,
    };
    Ok(records.into_iter().map(epoch).collect())
}

/// The first training images of each class.
fn samples(train: &Split, classes: usize) -> Vec<Sample<'_>> {
    let of_class = (SAMPLES / classes.max(1)).clamp(1, SAMPLES_OF_CLASS);
    let labelled = || train.labels().iter().enumerate();
    let first = |class: usize| {
        let mine = labelled().filter(move |&(_, &label)| usize::from(label) == class);
        mine.take(of_class)
    };
    let sample = |(image, &label): (usize, &u8)| Sample {
        shape: train.images().image_shape(),
        pixels: train.images().image(image),
        label,
    };
    (0..classes)
        .flat_map(first)
        .take(SAMPLES)
        .map(sample)
        .collect()
}

fn exported(session: &Session) -> Graph {
    let model = session.model();
    let inspection = Inspection::of(model);
    let opset = |(domain, version): (&String, &i64)| format!("{domain} {version}");
    let opsets: Vec<String> = inspection.opsets.iter().map(opset).collect();
    let operators: usize = inspection.operators.values().sum();
    let fact = |name: &str, value: String| (name.to_owned(), value);
    Graph {
        facts: vec![
            fact("operator set", opsets.join(", ")),
            fact("written by", inspection.producer),
            fact("operators", operators.to_string()),
        ],
        ..graph::of(model)
    }
}

fn verification(plan: &ReportPlan) -> Result<Option<Verification>, results::Error> {
    let Some(verify) = &plan.verify else {
        return Ok(None);
    };
    let found: verify::Verification = results::json(&verify.file)?;
    Ok(Some(Verification {
        images: found.images,
        max_difference: found.max_difference,
        tolerance: found.tolerance,
    }))
}

/// What it took, as far as that is known: it is no part of the results.
fn times(train: &TrainPlan, evaluation: &runtime::Evaluation) -> Times {
    let timing: Option<Timing> = results::json(&train.folder.join(trainer::TIMING)).ok();
    let speed = |timing: &Timing| {
        let epochs = timing.epochs.iter();
        epochs.map(|epoch| epoch.images_per_second).collect()
    };
    Times {
        training_seconds: timing.as_ref().map(|timing| timing.seconds),
        training_images_per_second: timing.as_ref().map(speed).unwrap_or_default(),
        evaluated_images_per_second: evaluation.speed.map(|speed| speed.images_per_second),
    }
}

fn settings(plan: &ReportPlan) -> Vec<Section> {
    let train = plan.train();
    let export = &plan.eval.export;
    let eval = &plan.eval.config;
    let dataset = |dataset: &crate::plan::DatasetPlan| {
        let [channels, height, width] = dataset.image_shape;
        let classes = dataset.classes.len();
        format!(
            "{}, {channels}×{height}×{width}, {classes} classes",
            dataset.name
        )
    };
    let line = |name: &str, value: String| (name.to_owned(), value);
    let mut training = vec![
        line("model", train.model_name.clone()),
        line("dataset", dataset(&train.dataset)),
        line("normalize", text(&serde_json::json!(train.normalize))),
    ];
    if let Some(pictures) = train.dataset.pictures() {
        let fit = pictures.options().fit;
        training.push(line("fit", text(&serde_json::json!(fit))));
    }
    if let Ok(Value::Object(settings)) = serde_json::to_value(&train.settings) {
        training.extend(settings.iter().map(|(name, value)| line(name, text(value))));
    }
    let mut after = vec![
        line("weights", text(&serde_json::json!(export.weights))),
        line("operator set", export.opset.version().to_string()),
        line("evaluated on", dataset(&plan.eval.dataset)),
        line("provider", text(&serde_json::json!(eval.provider))),
        line("batch", eval.batch.to_string()),
    ];
    if let Some(verify) = &plan.verify {
        after.push(line("tolerance", format!("{:e}", verify.tolerance)));
    }
    vec![
        Section {
            title: "Training".to_owned(),
            lines: training,
        },
        Section {
            title: "Export and evaluation".to_owned(),
            lines: after,
        },
    ]
}

/// A value for people: `adamw (weight_decay: 0.0005)`.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{name} ({})", text(value)),
                _ => format!("{name}: {}", text(value)),
            };
            map.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(text).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn versions(summary: &Summary, library: &runtime::Library) -> Section {
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Section {
        title: "Versions".to_owned(),
        lines: vec![
            line("Burnish", &summary.versions.burnish),
            line("Burn", &summary.versions.burn),
            line("ONNX Runtime", library.version()),
            line("trained on", &summary.device.to_string()),
        ],
    }
}

fn digests(plan: &ReportPlan, summary: &Summary) -> anyhow::Result<Section> {
    let export = &plan.eval.export;
    let digest = |name: &str, digest: Sha256| (name.to_owned(), digest.to_string());
    Ok(Section {
        title: "SHA-256".to_owned(),
        lines: vec![
            digest("dataset", summary.dataset),
            digest("settings", plan.train().settings_digest()),
            digest("weights", Sha256::of_file(&export.weights_file())?),
            digest("ONNX", Sha256::of_file(&export.file)?),
        ],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_read_as_they_are_written() {
        let optimizer = json!({"adamw": {"weight_decay": 0.0005}});
        assert_eq!(text(&optimizer), "adamw (weight_decay: 0.0005)");
        assert_eq!(text(&json!("cosine")), "cosine");
        assert_eq!(text(&json!(null)), "–");
    }
}
