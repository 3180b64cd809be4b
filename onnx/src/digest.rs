//! One digest for all weights of a model.

use artifact::Sha256;

use crate::check::raw_bytes;
use crate::proto::{ModelProto, TensorProto};

/// An initializer whose elements are not in `raw_data`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the elements of the initializer `{name}` are not in `raw_data`")]
pub struct NotRaw {
    /// Its name.
    pub name: String,
}

/// The SHA-256 of the model's initializers: that of a text with a line for each,
/// in the order of their names,
///
/// ```text
/// SHA-256 of raw_data, two spaces, data type's number, space, [dims], space, name
/// ```
///
/// It stays the same when the model is written anew by another program, with
/// other metadata or the initializers in another order.
///
/// # Errors
///
/// When an initializer's elements are in a typed field or in another file.
pub fn initializers_digest(model: &ModelProto) -> Result<Sha256, NotRaw> {
    let graph = model.graph.iter();
    let mut tensors: Vec<_> = graph.flat_map(|graph| &graph.initializer).collect();
    tensors.sort_by_key(|tensor| &tensor.name);
    let listing: Result<String, _> = tensors.into_iter().map(line).collect();
    Ok(Sha256::of_bytes(listing?.as_bytes()))
}

fn line(tensor: &TensorProto) -> Result<String, NotRaw> {
    let TensorProto {
        name,
        dims,
        data_type,
        raw_data,
        ..
    } = tensor;
    if raw_bytes(tensor).ok() != Some(raw_data.len() as u64) {
        return Err(NotRaw { name: name.clone() });
    }
    let digest = Sha256::of_bytes(raw_data);
    Ok(format!("{digest}  {data_type} {dims:?} {name}\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::proto::GraphProto;
    use crate::proto::tensor_proto::DataType;

    fn tensor(name: &str, dims: &[i64], raw: &'static [u8]) -> TensorProto {
        TensorProto {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type: DataType::Uint8 as i32,
            raw_data: raw.into(),
            ..Default::default()
        }
    }

    fn digest(initializer: Vec<TensorProto>) -> Result<Sha256, NotRaw> {
        initializers_digest(&ModelProto {
            graph: Some(GraphProto {
                initializer,
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    #[test]
    fn digest_is_that_of_the_documented_listing() {
        let [a, b] = [b"\x01\x02", b"\x03\x04"].map(|raw| Sha256::of_bytes(raw));
        let listing = format!("{a}  2 [2, 1] a\n{b}  2 [2] b\n");
        let expected = Sha256::of_bytes(listing.as_bytes());
        let (a, b) = (tensor("a", &[2, 1], &[1, 2]), tensor("b", &[2], &[3, 4]));
        assert_eq!(digest(vec![a.clone(), b.clone()]), Ok(expected));
        assert_eq!(digest(vec![b, a]), Ok(expected));
    }

    #[test]
    fn every_part_of_a_tensor_counts() {
        let plain = digest(vec![tensor("a", &[2], &[1, 2])]).unwrap();
        let others = [
            tensor("a", &[2], &[1, 3]),
            tensor("a", &[1, 2], &[1, 2]),
            tensor("b", &[2], &[1, 2]),
            TensorProto {
                data_type: DataType::Int8 as i32,
                ..tensor("a", &[2], &[1, 2])
            },
        ];
        for other in others {
            assert_ne!(digest(vec![other]).unwrap(), plain);
        }
    }

    #[test]
    fn elements_elsewhere_are_an_error() {
        let error = digest(vec![tensor("a", &[3], &[])]).unwrap_err();
        assert!(error.to_string().contains("`a`"));
    }
}
