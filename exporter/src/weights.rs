//! A module's weights, in memory once for all captures.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::tensor::shared;

/// The elements of all parameters and buffers, in the module's order. A copy of
/// one shares its memory.
pub(crate) struct Weights(Vec<TensorData>);

impl Weights {
    /// Reads the weights, wherever the module is.
    pub fn of<M: Module>(module: &M) -> Self {
        let mut read = Read(Vec::new());
        module.valid().map(&mut read);
        Self(read.0)
    }

    /// Moves a module with these weights to a device.
    pub fn place<M: Module>(&self, module: M, device: &Device) -> M {
        let weights = self.0.iter();
        // What is no parameter is moved the usual way.
        module.map(&mut Place { weights, device }).to_device(device)
    }
}

struct Read(Vec<TensorData>);

impl ModuleMapper for Read {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0.push(shared(param.val().into_data()));
        param
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.0.push(shared(param.val().into_data()));
        param
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        self.0.push(shared(param.val().into_data()));
        param
    }
}

/// Gives each parameter its weights, in the order in which they were read.
struct Place<'a> {
    weights: std::slice::Iter<'a, TensorData>,
    device: &'a Device,
}

macro_rules! place {
    ($self:ident, $param:ident) => {{
        let data = $self.weights.next().cloned();
        let device = $self.device;
        $param.map(|tensor| match data {
            Some(data) => {
                let dtype = data.dtype();
                Tensor::from_data(data, (device, dtype))
            }
            None => tensor,
        })
    }};
}

impl ModuleMapper for Place<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        place!(self, param)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        place!(self, param)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        place!(self, param)
    }
}
