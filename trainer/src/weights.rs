//! Weights as safetensors, in PyTorch's layout and names, so that
//! `load_state_dict` takes them as they are: linear weights are
//! `[out, in]`, batch norm has `weight` and `bias`.

use std::fs;
use std::path::Path;

use burn_store::{
    ApplyError, ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter,
    SafetensorsStore,
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
    artifact::write_bytes(path, &weights(network)?)?;
    Ok(())
}

/// The weights of `network` as safetensors.
pub(crate) fn weights(network: &Network) -> Result<Vec<u8>, Error> {
    // One entry only: more would be written in the random order of a HashMap.
    let mut store = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        .metadata("format", "pt")
        .with_to_adapter(BurnToPyTorchAdapter);
    let bytes = network
        .save_into(&mut store)
        .and_then(|()| store.get_bytes())
        .map_err(|error| Error::Burn(error.to_string()))?;
    Ok(bytes)
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
        .chain(errors.map(problem))
        .collect()
}

/// Shapes are those of Burn, where a linear weight is `[in, out]`.
fn problem(error: &ApplyError) -> String {
    match error {
        ApplyError::ShapeMismatch {
            path,
            expected,
            found,
        } => format!("`{path}` has the shape {found}, but {expected} is expected"),
        ApplyError::DTypeMismatch {
            path,
            expected,
            found,
        } => format!("`{path}` holds {found:?}, but {expected:?} is expected"),
        ApplyError::AdapterError { path, message } | ApplyError::LoadError { path, message } => {
            format!("`{path}`: {message}")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::{Device, Tensor};
    use models::ModelSpec;

    use super::*;

    /// conv, batch norm, residual, linear: every layer with parameters.
    fn network(channels: usize) -> Network {
        let yaml = format!(
            "layers:
              - conv2d: {{ channels: {channels}, kernel: 3 }}
              - batch_norm
              - residual:
                  body: [relu, {{ conv2d: {{ channels: {channels}, kernel: 1, bias: false }} }}]
              - flatten
              - linear: 3"
        );
        let spec: ModelSpec = serde_saphyr::from_str(&yaml).unwrap();
        let device = Device::flex();
        spec.resolve([1, 6, 6]).unwrap().init(&device)
    }

    fn answer(network: &Network) -> Vec<f32> {
        let shape = [2, 1, 6, 6];
        let images = Tensor::<4>::ones(shape, &Device::flex());
        network.forward(images).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn loaded_network_answers_as_the_saved_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let saved = network(4);
        save_weights(&saved, &path).unwrap();
        let other = network(4);
        assert_ne!(answer(&other), answer(&saved));
        let loaded = load_weights(other, &path).unwrap();
        assert_eq!(answer(&loaded), answer(&saved));
    }

    #[test]
    fn equal_weights_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a", "b"].map(|name| folder.path().join(name));
        let saved = network(4);
        save_weights(&saved, &first).unwrap();
        let loaded = load_weights(network(4), &first).unwrap();
        save_weights(&loaded, &second).unwrap();
        assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
    }

    /// Name and shape of every tensor in a file: its header is JSON behind its
    /// length in eight bytes.
    fn tensors(path: &Path) -> Vec<(String, Vec<u64>)> {
        let bytes = fs::read(path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let entries = header.as_object().unwrap().iter();
        let mut tensors: Vec<_> = entries
            .filter(|(name, _)| *name != "__metadata__")
            .map(|(name, entry)| {
                let shape = entry["shape"].as_array().unwrap().iter();
                (
                    name.clone(),
                    shape.map(|size| size.as_u64().unwrap()).collect(),
                )
            })
            .collect();
        tensors.sort();
        tensors
    }

    #[test]
    fn names_and_shapes_are_those_of_pytorch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        save_weights(&network(4), &path).unwrap();
        let expected: [(&str, &[u64]); 9] = [
            ("bn1.bias", &[4]),
            ("bn1.running_mean", &[4]),
            ("bn1.running_var", &[4]),
            ("bn1.weight", &[4]),
            ("conv1.bias", &[4]),
            ("conv1.weight", &[4, 1, 3, 3]),
            ("fc1.bias", &[3]),
            ("fc1.weight", &[3, 64]),
            ("res1.body.conv1.weight", &[4, 4, 1, 1]),
        ];
        let expected = expected.map(|(name, shape)| (name.to_owned(), shape.to_vec()));
        assert_eq!(tensors(&path), expected);
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        save_weights(&network(5), &path).unwrap();
        let message = load_weights(network(4), &path).unwrap_err().to_string();
        for text in ["another network", "conv1.weight", "fc1.weight"] {
            assert!(message.contains(text), "{message}");
        }
    }

    #[test]
    fn files_that_are_no_weights_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        save_weights(&network(4), &path).unwrap();
        let whole = fs::read(&path).unwrap();
        for content in [
            &[][..],
            &whole[..5],
            &whole[..100],
            &whole[..whole.len() - 1],
        ] {
            fs::write(&path, content).unwrap();
            let error = load_weights(network(4), &path).unwrap_err();
            assert!(matches!(error, Error::NotWeights { .. }), "{error}");
        }
        fs::remove_file(&path).unwrap();
        let error = load_weights(network(4), &path).unwrap_err();
        assert!(matches!(error, Error::File(_)), "{error}");
    }
}
