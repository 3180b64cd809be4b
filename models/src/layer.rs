//! One layer of a network as a Burn module.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Dropout, Linear};
use burn::tensor::{Device, Tensor, activation};
use kernels::{PoolWindow, avg_pool, max_pool};

use crate::block::{fully_connected, normalized};
use crate::network::Network;

/// A layer; those without parameters are plain functions.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    Conv2d(Conv2d),
    BatchNorm(BatchNorm),
    Dropout(Dropout),
    Linear(Linear),
    Residual(Residual),
    Relu,
    Gelu,
    LeakyRelu(f64),
    MaxPool(PoolWindow),
    AvgPool(PoolWindow),
    GlobalAvgPool,
    Flatten,
}

/// body(x) + shortcut(x); without a shortcut, body(x) + x.
#[derive(Module, Debug)]
pub(crate) struct Residual {
    pub(crate) body: Network,
    pub(crate) shortcut: Option<Network>,
}

/// What flows between layers: feature maps `[batch, channels, height, width]`
/// or vectors `[batch, features]`.
pub(crate) enum Activation {
    Maps(Tensor<4>),
    Vectors(Tensor<2>),
}

impl Activation {
    /// Applies a function that keeps the shape, whatever the rank.
    pub(crate) fn map(
        self,
        maps: impl FnOnce(Tensor<4>) -> Tensor<4>,
        vectors: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Self {
        match self {
            Self::Maps(x) => Self::Maps(maps(x)),
            Self::Vectors(x) => Self::Vectors(vectors(x)),
        }
    }

    pub(crate) fn maps(self, layer: &str) -> Tensor<4> {
        match self {
            Self::Maps(x) => x,
            Self::Vectors(_) => unreachable!("shape inference gives {layer} feature maps"),
        }
    }

    pub(crate) fn vectors(self) -> Tensor<2> {
        match self {
            Self::Vectors(x) => x,
            Self::Maps(x) => x.flatten(1, 3),
        }
    }
}

impl Layer {
    pub(crate) fn forward(&self, x: Activation) -> Activation {
        match self {
            Self::Conv2d(conv) => Activation::Maps(conv.forward(x.maps("conv2d"))),
            Self::BatchNorm(norm) => normalized(norm, x, false),
            Self::Dropout(dropout) => x.map(|x| dropout.forward(x), |x| dropout.forward(x)),
            Self::Linear(linear) => fully_connected(linear, x, false),
            Self::Residual(residual) => residual.forward(x),
            Self::Relu => x.map(activation::relu, activation::relu),
            Self::Gelu => x.map(activation::gelu, activation::gelu),
            Self::LeakyRelu(slope) => x.map(
                |x| activation::leaky_relu(x, *slope),
                |x| activation::leaky_relu(x, *slope),
            ),
            Self::MaxPool(window) => Activation::Maps(max_pool(x.maps("max_pool"), *window)),
            Self::AvgPool(window) => Activation::Maps(avg_pool(x.maps("avg_pool"), *window)),
            Self::GlobalAvgPool => Activation::Vectors(global_average(x.maps("global_avg_pool"))),
            Self::Flatten => Activation::Vectors(x.vectors()),
        }
    }
}

/// Mean of each map: `[n, c, h, w]` → `[n, c]`.
fn global_average(x: Tensor<4>) -> Tensor<2> {
    burn::tensor::module::adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
}

impl Residual {
    fn forward(&self, x: Activation) -> Activation {
        let (body, shortcut) = match x {
            Activation::Maps(x) => (Activation::Maps(x.clone()), Activation::Maps(x)),
            Activation::Vectors(x) => (Activation::Vectors(x.clone()), Activation::Vectors(x)),
        };
        let body = self.body.apply(body);
        let shortcut = match &self.shortcut {
            Some(layers) => layers.apply(shortcut),
            None => shortcut,
        };
        match (body, shortcut) {
            (Activation::Maps(a), Activation::Maps(b)) => Activation::Maps(a + b),
            (a, b) => Activation::Vectors(a.vectors() + b.vectors()),
        }
    }
}

/// Evaluates `$module` for the layers that hold a module, `$otherwise` for the
/// rest.
macro_rules! with_module {
    ($layer:expr, $inner:ident => $module:expr, $otherwise:expr) => {
        match $layer {
            Layer::Conv2d($inner) => $module,
            Layer::BatchNorm($inner) => $module,
            Layer::Dropout($inner) => $module,
            Layer::Linear($inner) => $module,
            Layer::Residual($inner) => $module,
            Layer::Relu
            | Layer::Gelu
            | Layer::LeakyRelu(_)
            | Layer::MaxPool(_)
            | Layer::AvgPool(_)
            | Layer::GlobalAvgPool
            | Layer::Flatten => $otherwise,
        }
    };
}

/// As [`with_module`], rebuilding the layer around the changed module.
macro_rules! map_module {
    ($layer:expr, $inner:ident => $module:expr) => {
        match $layer {
            Layer::Conv2d($inner) => Layer::Conv2d($module),
            Layer::BatchNorm($inner) => Layer::BatchNorm($module),
            Layer::Dropout($inner) => Layer::Dropout($module),
            Layer::Linear($inner) => Layer::Linear($module),
            Layer::Residual($inner) => Layer::Residual($module),
            layer @ (Layer::Relu
            | Layer::Gelu
            | Layer::LeakyRelu(_)
            | Layer::MaxPool(_)
            | Layer::AvgPool(_)
            | Layer::GlobalAvgPool
            | Layer::Flatten) => layer.clone(),
        }
    };
}

// By hand, because the derived one for enums would put the variant's name into
// every parameter's path.
impl Module for Layer {
    fn collect_devices(&self, devices: Devices) -> Devices {
        with_module!(self, module => module.collect_devices(devices), devices)
    }

    fn fork(self, device: &Device) -> Self {
        map_module!(self, module => module.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        map_module!(self, module => module.to_device(device))
    }

    fn train(self) -> Self {
        map_module!(self, module => module.train())
    }

    fn valid(&self) -> Self {
        map_module!(self, module => module.valid())
    }

    fn materialize(self) -> Self {
        map_module!(self, module => module.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        with_module!(self, module => module.visit(visitor), ());
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        map_module!(self, module => module.map(mapper))
    }
}
