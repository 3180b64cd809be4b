//! Weights as files. Ours are safetensors in PyTorch's layout and names, so that
//! `load_state_dict` takes them as they are: linear weights are `[out, in]`,
//! batch norm has `weight` and `bias`. Read are PyTorch's own, too, whatever
//! their layers are called.

mod matching;
mod pickle;
mod stored;

use std::path::Path;

use burn::tensor::DType;
use burn_store::burn_pack::Tensor;
use burn_store::{
    ApplyError, BurnToPyTorchAdapter, ChainAdapter, FloatCastAdapter, ModuleSnapshot,
    PyTorchToBurnAdapter, SafetensorsStore, bridge,
};
use models::Network;

use crate::Error;
use matching::Slot;
pub use matching::{TensorProblem, WeightsMatch, WeightsPair};
use stored::Stored;

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

/// The first parameter or running statistic of `network` with a number that is
/// not finite, by its name.
pub(crate) fn not_finite(network: &Network) -> Result<Option<String>, Error> {
    for tensor in network.collect(None, None, true) {
        let name = tensor.name.clone();
        let data = bridge::into_data(tensor).map_err(|error| Error::Burn(error.to_string()))?;
        if data.iter::<f32>().any(|number| !number.is_finite()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Says which tensor of the file at `path`, `.safetensors` or what `torch.save`
/// wrote of a `state_dict`, is which parameter of `network`.
///
/// # Errors
///
/// When the file cannot be read, is damaged, or holds the weights of another
/// network: every missing, unexpected and misshapen tensor.
pub fn match_weights(network: &Network, path: &Path) -> Result<WeightsMatch, Error> {
    match_stored(network, &stored::open(path)?, path)
}

/// Gives `network` the weights of the file at `path`, as [`match_weights`]
/// finds them.
///
/// # Errors
///
/// As [`match_weights`], and when a tensor is damaged, holds no floats or one
/// that is not finite.
pub fn load_weights(mut network: Network, path: &Path) -> Result<Network, Error> {
    let stored = stored::open(path)?;
    let matched = match_stored(&network, &stored, path)?;
    let adapter = ChainAdapter::new(FloatCastAdapter::to(DType::F32), PyTorchToBurnAdapter);
    let tensors = renamed(stored.tensors, &matched);
    let result = network.apply(tensors, None, Some(Box::new(adapter)), true);
    let problem = match result.errors.first() {
        Some(error) => Some(problem(error)),
        None => not_finite(&network)?
            .map(|name| format!("`{name}` holds numbers that are infinite or none")),
    };
    match problem {
        None => Ok(network),
        Some(problem) => Err(Error::NotWeights {
            path: path.to_owned(),
            problem,
        }),
    }
}

fn match_stored(network: &Network, stored: &Stored, path: &Path) -> Result<WeightsMatch, Error> {
    let parameters = network.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
    let mut matched = matching::find(
        &slots(&parameters),
        &slots(&stored.tensors),
        stored.in_order,
    )
    .map_err(|problems| Error::OtherNetwork {
        path: path.to_owned(),
        problems,
    })?;
    matched.left_out.extend(stored.beside.iter().cloned());
    Ok(matched)
}

fn slots(tensors: &[Tensor]) -> Vec<Slot> {
    let slots = tensors.iter().map(|tensor| Slot {
        name: tensor.name.clone(),
        shape: tensor.shape.to_vec(),
    });
    slots.collect()
}

/// The tensors that were matched, under the parameters' names.
fn renamed(tensors: Vec<Tensor>, matched: &WeightsMatch) -> Vec<Tensor> {
    let tensors = tensors.into_iter().filter_map(|mut tensor| {
        let mut pairs = matched.pairs.iter();
        let pair = pairs.find(|pair| pair.tensor == tensor.name)?;
        tensor.name.clone_from(&pair.parameter);
        Some(tensor)
    });
    tensors.collect()
}

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
    use std::fs;
    use std::path::PathBuf;

    use burn::module::Module;
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
        let [first, second] =
            ["a.safetensors", "b.safetensors"].map(|name| folder.path().join(name));
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

    /// The network of `fixtures/state_dict.py`.
    const FIXTURE: &str = "layers:
      - conv2d: { channels: 2, kernel: 3 }
      - batch_norm
      - relu
      - conv2d: { channels: 2, kernel: 3, padding: 1 }
      - conv2d: { channels: 2, kernel: 3, padding: 1 }
      - max_pool: 2
      - flatten
      - linear: 3";

    /// What PyTorch answers, as `fixtures/state_dict.py` prints it.
    const ANSWER: [f32; 3] = [-0.166_107_28, 0.201_156_41, -0.131_341_11];

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(name)
    }

    fn pytorch_network() -> Network {
        let spec: ModelSpec = serde_saphyr::from_str(FIXTURE).unwrap();
        spec.resolve([1, 8, 8]).unwrap().init(&Device::flex())
    }

    fn assert_answers_as_pytorch(network: Network) {
        let ramp: Vec<f32> = (0..64_u8).map(|pixel| f32::from(pixel) / 63.0).collect();
        let image = Tensor::<1>::from_floats(ramp.as_slice(), &Device::flex());
        let answer = network.valid().forward(image.reshape([1, 1, 8, 8]));
        let answer: Vec<f32> = answer.into_data().try_to_vec().unwrap();
        let pairs = answer.iter().zip(ANSWER);
        let differs = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(differs < 1e-5, "{answer:?}");
    }

    #[test]
    fn network_answers_as_in_pytorch_with_the_weights_that_torch_save_wrote() {
        for name in ["state_dict.pth", "state_dict-legacy.pth", "checkpoint.pth"] {
            let network = load_weights(pytorch_network(), &fixture(name)).unwrap();
            assert_answers_as_pytorch(network);
        }
    }

    #[test]
    fn layers_of_one_shape_are_matched_by_the_order_of_the_file() {
        for name in ["state_dict.pth", "state_dict-legacy.pth"] {
            let matched = match_weights(&pytorch_network(), &fixture(name)).unwrap();
            assert!(!matched.is_by_name());
            let tensor = |parameter: &str| {
                let mut pairs = matched.pairs.iter();
                pairs
                    .find(|pair| pair.parameter == parameter)
                    .map(|pair| &*pair.tensor)
            };
            assert_eq!(tensor("conv2.weight"), Some("zeta.weight"));
            assert_eq!(tensor("conv3.weight"), Some("alpha.weight"));
            assert_eq!(tensor("bn1.running_var"), Some("norm.running_var"));
            assert_eq!(matched.left_out, ["norm.num_batches_tracked"]);
        }
    }

    #[test]
    fn damaged_pytorch_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pth");
        for name in ["state_dict.pth", "state_dict-legacy.pth"] {
            let whole = fs::read(fixture(name)).unwrap();
            for length in [0, 5, 200, whole.len() / 2, whole.len() - 1] {
                fs::write(&path, &whole[..length]).unwrap();
                let error = load_weights(pytorch_network(), &path).unwrap_err();
                assert!(
                    matches!(error, Error::NotWeights { .. }),
                    "{length}: {error}"
                );
            }
        }
    }

    /// A view with stride 0 takes no room in the file, and all of it in memory.
    #[test]
    fn file_that_declares_more_than_it_has_is_refused_before_it_is_read() {
        let whole = fs::read(fixture("state_dict-legacy.pth")).unwrap();
        // The shape (2,) and stride (1,) of `stem.bias`, as BININT1 and TUPLE1.
        let shape = b"K\x02\x85q";
        let at = whole.windows(4).position(|bytes| bytes == shape).unwrap();
        let stride = whole[at..]
            .windows(3)
            .position(|bytes| bytes == b"K\x01\x85");
        let stride = at + stride.unwrap();
        // BININT, 16,777,216 floats; and a stride of 0.
        let bytes = [
            &whole[..at],
            b"J\x00\x00\x00\x01",
            &whole[at + 2..stride],
            b"K\x00",
            &whole[stride + 2..],
        ]
        .concat();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pth");
        fs::write(&path, bytes).unwrap();
        let message = load_weights(pytorch_network(), &path)
            .unwrap_err()
            .to_string();
        assert!(message.contains("declares more tensors than"), "{message}");
    }
}
