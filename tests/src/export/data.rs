//! Tensors as data, and random ones.

use burn::tensor::{Bool, DType, Device, Distribution, Float, Int, Tensor, TensorData};

/// What a function takes or returns.
pub trait Data: Clone {
    /// The tensors' elements, in order.
    fn data(self) -> Vec<TensorData>;

    /// Tensors of this element type's kind have it; others stay.
    fn retyped(self, dtype: DType) -> Self;
}

impl<const D: usize> Data for Tensor<D, Float> {
    fn data(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    fn retyped(self, dtype: DType) -> Self {
        if dtype.is_float() {
            self.cast(dtype)
        } else {
            self
        }
    }
}

impl<const D: usize> Data for Tensor<D, Int> {
    fn data(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    fn retyped(self, dtype: DType) -> Self {
        let integer = dtype.is_int() || dtype.is_uint();
        if integer { self.cast(dtype) } else { self }
    }
}

impl<const D: usize> Data for Tensor<D, Bool> {
    fn data(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    fn retyped(self, _dtype: DType) -> Self {
        self
    }
}

macro_rules! tuple {
    ($($name:ident),+) => {
        impl<$($name: Data),+> Data for ($($name,)+) {
            #[allow(non_snake_case)]
            fn data(self) -> Vec<TensorData> {
                let ($($name,)+) = self;
                [$($name.data()),+].concat()
            }

            #[allow(non_snake_case)]
            fn retyped(self, dtype: DType) -> Self {
                let ($($name,)+) = self;
                ($($name.retyped(dtype),)+)
            }
        }
    };
}

tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, E);

/// Random numbers around 0.
pub fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

/// Random numbers from `low` to `high`.
pub fn uniform<const D: usize>(shape: [usize; D], low: f64, high: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(low, high), &Device::flex())
}

/// Random integers from `low`, below `high`.
pub fn integers<const D: usize>(shape: [usize; D], low: f64, high: f64) -> Tensor<D, Int> {
    let values: Tensor<D, Int> =
        Tensor::random(shape, Distribution::Uniform(low, high), &Device::flex());
    values.cast(DType::I64)
}

/// Numbers in no order of which no two are equal: Burn does not order equal
/// ones. The number of elements must not be a multiple of 37.
pub fn distinct<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let count = shape.iter().product::<usize>() as i64;
    let steps: Tensor<1, Int> = Tensor::arange(0..count, &Device::flex());
    (steps * 37).remainder_scalar(count).float().reshape(shape)
}
