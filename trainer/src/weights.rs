//! Weights as safetensors, in PyTorch's layout and names, so that
//! `load_state_dict` takes them as they are: linear weights are
//! `[out, in]`, batch norm has `weight` and `bias`.

use std::fs;
use std::path::Path;

use burn_store::{
    ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore,
};
use models::Network;

use crate::Error;

/// Saves the weights of `network` to `path`, whole or not at all; equal
/// weights give equal bytes.
///
/// # Errors
///
/// When the file cannot be written.
pub fn save_weights(network: &Network, path: &Path) -> Result<(), Error> {
    // One entry only: more would be written in the random order of a HashMap.
    let mut store = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        .metadata("format", "pt")
        .with_to_adapter(BurnToPyTorchAdapter);
    let bytes = network
        .save_into(&mut store)
        .and_then(|()| store.get_bytes())
        .map_err(|error| Error::Burn(error.to_string()))?;
    artifact::write_bytes(path, &bytes)?;
    Ok(())
}

/// Gives `network` the weights of the file at `path`.
///
/// # Errors
///
/// When the file cannot be read, is no safetensors file, or holds the weights
/// of another network: every missing, unexpected and misshapen tensor.
pub fn load_weights(mut network: Network, path: &Path) -> Result<Network, Error> {
    let bytes = fs::read(path).map_err(artifact::Error::new("read", path))?;
    let mut store = SafetensorsStore::from_bytes(Some(bytes))
        .with_from_adapter(PyTorchToBurnAdapter)
        .validate(false)
        .allow_partial(true);
    let result = network
        .load_from(&mut store)
        .map_err(|error| Error::NotWeights {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
    match problems(&result) {
        problems if problems.is_empty() => Ok(network),
        problems => Err(Error::OtherNetwork {
            path: path.to_owned(),
            problems: problems.join("; "),
        }),
    }
}

fn problems(result: &ApplyResult) -> Vec<String> {
    let missing = result.missing.iter();
    let unused = result.unused.iter();
    let errors = result.errors.iter();
    missing
        .map(|(name, _)| format!("`{name}` is missing"))
        .chain(unused.map(|name| format!("`{name}` is not in this network")))
        .chain(errors.map(ToString::to_string))
        .collect()
}
