//! Modules as if they had been trained.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor};

/// Gives a module's vectors (biases, and the scales, means and variances of
/// normalizations) random values from 0.5 to 1.5, in place of the zeros and ones
/// of a new one, with which much that is wrong stays unseen.
pub fn trained<M: Module>(module: M) -> M {
    module.map(&mut Vectors)
}

struct Vectors;

impl ModuleMapper for Vectors {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D != 1 {
            return param;
        }
        param.map(|vector| {
            let values = Distribution::Uniform(0.5, 1.5);
            Tensor::random(vector.shape(), values, &Device::flex())
        })
    }
}
