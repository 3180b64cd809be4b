//! The tensors that `forward` takes and returns.

use burn::backend::capture::{CaptureBackend, TensorId};
use burn::tensor::{Bool, DType, Device, Float, Int, PrimitiveConversionError, Tensor, TensorData};

use crate::error::ExportError;

/// The kind of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Kind {
    /// Floating point.
    Float,
    /// Integers.
    Int,
    /// Booleans.
    Bool,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Float => "Float",
            Self::Int => "Int",
            Self::Bool => "Bool",
        }
    }

    /// The element type of an input for which none is declared.
    pub(crate) fn default_dtype(self) -> DType {
        match self {
            Self::Float => DType::F32,
            Self::Int => DType::I64,
            Self::Bool => DType::Bool(burn::tensor::BoolStore::U8),
        }
    }

    pub(crate) fn admits(self, dtype: DType) -> bool {
        match self {
            Self::Float => dtype.is_float(),
            Self::Int => dtype.is_int() || dtype.is_uint(),
            Self::Bool => dtype.is_bool(),
        }
    }
}

/// A tensor of an argument or a result: rank and kind.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Slot {
    /// The number of dimensions.
    pub rank: usize,
    /// The kind of elements.
    pub kind: Kind,
}

/// What `forward` takes: a tensor, or a tuple of such arguments.
///
/// Implemented for `Tensor<D>`, `Tensor<D, Int>` and `Tensor<D, Bool>` of any
/// rank, and for tuples of up to eight arguments, nested as one likes.
pub trait Inputs: Sized {
    /// The tensors in declaration order.
    #[doc(hidden)]
    fn slots() -> Vec<Slot>;

    /// Takes the tensors from `samples`, which has one for each slot.
    #[doc(hidden)]
    fn create(samples: &mut dyn Iterator<Item = TensorData>, device: &Device) -> Self;

    /// The tensors' ids on the capture device.
    #[doc(hidden)]
    fn ids(&self) -> Result<Vec<TensorId>, String>;
}

/// What `forward` returns: a tensor, or a tuple, array or `Vec` of such results.
pub trait Outputs {
    /// The tensors' ids on the capture device; for each tensor that is not
    /// there, Burn's reason.
    #[doc(hidden)]
    fn ids(&self) -> Vec<Result<TensorId, String>>;

    /// The tensors' elements, on a device that computes.
    #[doc(hidden)]
    fn data(&self) -> Vec<TensorData>;
}

fn conversion_reason(error: PrimitiveConversionError) -> String {
    match error {
        PrimitiveConversionError::BackendMismatch(reason)
        | PrimitiveConversionError::KindMismatch(reason) => reason,
    }
}

macro_rules! tensor {
    ($kind:ident) => {
        impl<const D: usize> Inputs for Tensor<D, $kind> {
            fn slots() -> Vec<Slot> {
                let kind = Kind::$kind;
                vec![Slot { rank: D, kind }]
            }

            fn create(samples: &mut dyn Iterator<Item = TensorData>, device: &Device) -> Self {
                let data = samples
                    .next()
                    .unwrap_or_else(|| unreachable!("a sample a slot"));
                let dtype = data.dtype();
                Tensor::from_data(data, (device, dtype))
            }

            fn ids(&self) -> Result<Vec<TensorId>, String> {
                Outputs::ids(self).into_iter().collect()
            }
        }

        impl<const D: usize> Outputs for Tensor<D, $kind> {
            fn ids(&self) -> Vec<Result<TensorId, String>> {
                let primitive = self.clone().try_into_primitive::<CaptureBackend>();
                vec![
                    primitive
                        .map(|primitive| primitive.id())
                        .map_err(conversion_reason),
                ]
            }

            fn data(&self) -> Vec<TensorData> {
                vec![self.to_data()]
            }
        }
    };
}

tensor!(Float);
tensor!(Int);
tensor!(Bool);

macro_rules! tuple {
    ($($name:ident),+) => {
        impl<$($name: Inputs),+> Inputs for ($($name,)+) {
            fn slots() -> Vec<Slot> {
                [$($name::slots()),+].concat()
            }

            fn create(samples: &mut dyn Iterator<Item = TensorData>, device: &Device) -> Self {
                ($($name::create(samples, device),)+)
            }

            #[allow(non_snake_case)]
            fn ids(&self) -> Result<Vec<TensorId>, String> {
                let ($($name,)+) = self;
                Ok([$($name.ids()?),+].concat())
            }
        }

        impl<$($name: Outputs),+> Outputs for ($($name,)+) {
            #[allow(non_snake_case)]
            fn ids(&self) -> Vec<Result<TensorId, String>> {
                let ($($name,)+) = self;
                [$($name.ids()),+].concat()
            }

            #[allow(non_snake_case)]
            fn data(&self) -> Vec<TensorData> {
                let ($($name,)+) = self;
                [$($name.data()),+].concat()
            }
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);

impl<T: Outputs> Outputs for Vec<T> {
    fn ids(&self) -> Vec<Result<TensorId, String>> {
        self.iter().flat_map(Outputs::ids).collect()
    }

    fn data(&self) -> Vec<TensorData> {
        self.iter().flat_map(Outputs::data).collect()
    }
}

impl<T: Outputs, const N: usize> Outputs for [T; N] {
    fn ids(&self) -> Vec<Result<TensorId, String>> {
        self.iter().flat_map(Outputs::ids).collect()
    }

    fn data(&self) -> Vec<TensorData> {
        self.iter().flat_map(Outputs::data).collect()
    }
}

/// The ids, or the first output that is not on the capture device.
pub(crate) fn output_ids(outputs: &impl Outputs) -> Result<Vec<TensorId>, ExportError> {
    let ids = outputs.ids().into_iter().enumerate();
    ids.map(|(index, id)| id.map_err(|reason| ExportError::ForeignOutput { index, reason }))
        .collect()
}
