//! Steps of optimizers on tensors.

use burn::tensor::{DType, Device, Tensor};
use burn_flex::{Flex, FlexTensor};

use crate::isa::Isa;
use crate::switch::{Operation, count_call, enabled};
use crate::update::{AdamStep, SgdStep};

/// Whether weights can be updated in place: values of `f32` on the CPU (`flex`, without
/// autodiff), unless [`crate::set_enabled`] turned the kernels off.
pub fn can_update<const D: usize>(weights: &Tensor<D>) -> bool {
    let plain = weights.dtype() == DType::F32 && !weights.is_autodiff();
    enabled() && plain && weights.device() == Device::flex()
}

impl SgdStep {
    /// The weights after the step, and their velocity, which is zero at the start.
    ///
    /// # Panics
    /// Unless [`can_update`] the weights and all tensors have their shape and place.
    pub fn with_momentum<const D: usize>(
        &self,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Tensor<D>,
    ) -> (Tensor<D>, Tensor<D>) {
        let [mut weights, gradient, mut velocity] = operands([weights, gradient, velocity]);
        self.roll(
            Isa::detected(),
            weights.storage_mut(),
            velocity.storage_mut(),
            gradient.storage(),
        );
        (tensor(weights), tensor(velocity))
    }

    /// The weights after a step without momentum.
    ///
    /// # Panics
    /// As [`Self::with_momentum`].
    pub fn run<const D: usize>(&self, weights: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let [mut weights, gradient] = operands([weights, gradient]);
        self.descend(Isa::detected(), weights.storage_mut(), gradient.storage());
        tensor(weights)
    }
}

impl AdamStep {
    /// The weights after the step, and both moments, which are zero at the start.
    ///
    /// # Panics
    /// Unless [`can_update`] the weights and all tensors have their shape and place.
    pub fn run<const D: usize>(
        &self,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        moments: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let [first, second] = moments;
        let [mut weights, gradient, mut first, mut second] =
            operands([weights, gradient, first, second]);
        self.adapt(
            Isa::detected(),
            weights.storage_mut(),
            [first.storage_mut(), second.storage_mut()],
            gradient.storage(),
        );
        (tensor(weights), [first, second].map(tensor))
    }
}

/// The values of a step's tensors, which have one shape.
fn operands<const N: usize, const D: usize>(tensors: [Tensor<D>; N]) -> [FlexTensor; N] {
    let shape = tensors[0].dims();
    let same = tensors.iter().all(|tensor| tensor.dims() == shape);
    assert!(same, "the tensors of a step differ in shape");
    count_call(Operation::Update);
    tensors.map(contiguous)
}

/// The values in row-major order, with no other handle on them than before.
fn contiguous<const D: usize>(values: Tensor<D>) -> FlexTensor {
    let Ok(values) = values.try_into_primitive::<Flex>() else {
        panic!("not on the CPU");
    };
    values.to_contiguous()
}

fn tensor<const D: usize>(values: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(values)
}
