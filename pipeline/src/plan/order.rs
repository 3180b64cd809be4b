//! The order in which stages run.

use serde_saphyr::{Location, Spanned};

use crate::config::{Config, ConfigError, Document, StageConfig, suggestion};

/// Positions in the file, each after those that it depends on; otherwise in
/// the order of the file.
pub(super) fn order(document: &Document, config: &Config) -> Result<Vec<usize>, ConfigError> {
    let mut order = Vec::new();
    let mut path = Vec::new();
    for index in 0..config.stages.len() {
        visit(document, config, index, &mut path, &mut order)?;
    }
    Ok(order)
}

fn visit(
    document: &Document,
    config: &Config,
    index: usize,
    path: &mut Vec<usize>,
    order: &mut Vec<usize>,
) -> Result<(), ConfigError> {
    if order.contains(&index) {
        return Ok(());
    }
    path.push(index);
    for (next, place) in before(document, config, index)? {
        if let Some(start) = path.iter().position(|&stage| stage == next) {
            let cycle = path[start..].iter().chain([&next]);
            let names = cycle.filter_map(|&stage| config.stages.get_index(stage));
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            return Err(document.invalid(
                place,
                format!("the stages go in a circle: {}", names.join(" → ")),
                Some("take one of the references out".to_owned()),
            ));
        }
        visit(document, config, next, path, order)?;
    }
    path.pop();
    order.push(index);
    Ok(())
}

/// Positions of the stages that must run before that at `index`, and where it
/// says so: those that it refers to, and what a report shows.
fn before(
    document: &Document,
    config: &Config,
    index: usize,
) -> Result<Vec<(usize, Location)>, ConfigError> {
    let stage = &config.stages[index];
    let references = stage.value.references().into_iter();
    let referred = references.map(|reference| {
        let position = find(document, config, reference)?;
        Ok((position, reference.referenced))
    });
    let mut before = referred.collect::<Result<Vec<_>, ConfigError>>()?;
    if let StageConfig::Report(report) = &stage.value {
        let proofs = config.proofs(report).into_iter();
        before.extend(proofs.map(|proof| (proof, stage.referenced)));
    }
    Ok(before)
}

/// Position of the stage that is referred to.
fn find(
    document: &Document,
    config: &Config,
    reference: &Spanned<String>,
) -> Result<usize, ConfigError> {
    config.stages.get_index_of(&reference.value).ok_or_else(|| {
        let names = config.stages.keys().map(String::as_str);
        document.invalid(
            reference.referenced,
            format!("there is no stage `{}`", reference.value),
            Some(suggestion(&reference.value, names)),
        )
    })
}
