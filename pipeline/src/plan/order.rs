//! The order in which stages run.

use serde_saphyr::Spanned;

use crate::config::{Config, ConfigError, Document, suggestion};

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
    for reference in config.stages[index].value.references() {
        let next = find(document, config, reference)?;
        if let Some(start) = path.iter().position(|&stage| stage == next) {
            let cycle = path[start..].iter().chain([&next]);
            let names = cycle.filter_map(|&stage| config.stages.get_index(stage));
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            return Err(document.invalid(
                reference.referenced,
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
