//! Where to train.

use std::fmt;

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A device as named in the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceName {
    /// The first GPU that is compiled in and found by CUDA, Metal or Vulkan,
    /// else the CPU.
    #[default]
    Auto,
    /// The CPU, through Burn's `flex`.
    Cpu,
    /// An Nvidia GPU.
    Cuda,
    /// An Apple GPU.
    Metal,
    /// Any GPU with a Vulkan driver.
    Vulkan,
}

impl DeviceName {
    /// As written in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The device to use, and which one it is where `auto` was asked for.
///
/// # Errors
///
/// When the named device is not compiled in, or not on this machine.
pub fn resolve(name: DeviceName) -> Result<(DeviceName, Device), Error> {
    match name {
        DeviceName::Auto => {
            let gpu = cuda().map(|device| (DeviceName::Cuda, device));
            let gpu = gpu.or_else(|_| metal().map(|device| (DeviceName::Metal, device)));
            let gpu = gpu.or_else(|_| vulkan_gpu().map(|device| (DeviceName::Vulkan, device)));
            Ok(gpu.unwrap_or_else(|_| (DeviceName::Cpu, Device::flex())))
        }
        DeviceName::Cpu => Ok((name, Device::flex())),
        DeviceName::Cuda => cuda().map(|device| (name, device)),
        DeviceName::Metal => metal().map(|device| (name, device)),
        DeviceName::Vulkan => vulkan().map(|device| (name, device)),
    }
}

/// The first device of a type. Enumerating asks the driver; creating a device
/// that is not there would panic at its first use.
#[cfg(any(feature = "cuda", feature = "metal"))]
fn first(
    kind: burn::tensor::DeviceType,
    device: &'static str,
    reason: &'static str,
) -> Result<Device, Error> {
    std::panic::catch_unwind(|| Device::enumerate(kind).into_vec())
        .unwrap_or_default()
        .into_iter()
        .next()
        .ok_or(Error::DeviceNotFound { device, reason })
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device, Error> {
    first(
        burn::tensor::DeviceType::Cuda,
        "cuda",
        "`nvidia-smi` tells whether the driver and a GPU are there",
    )
}

#[cfg(feature = "metal")]
fn metal() -> Result<Device, Error> {
    first(
        burn::tensor::DeviceType::Metal,
        "metal",
        "it needs macOS and a GPU that Metal supports",
    )
}

#[cfg(feature = "vulkan")]
fn vulkan() -> Result<Device, Error> {
    vulkan_adapter().map(|(device, _)| device)
}

/// Where Vulkan is only emulated, the CPU itself is many times faster.
#[cfg(feature = "vulkan")]
fn vulkan_gpu() -> Result<Device, Error> {
    match vulkan_adapter()? {
        (device, true) => Ok(device),
        (_, false) => Err(NO_VULKAN),
    }
}

#[cfg(feature = "vulkan")]
const NO_VULKAN: Error = Error::DeviceNotFound {
    device: "vulkan",
    reason: "`vulkaninfo --summary` lists the drivers and devices that are there",
};

/// The best Vulkan device, and whether it is a GPU; opened once in a process.
///
/// Shaders are compiled from WGSL. Burn's own SPIR-V compiler (its feature
/// `vulkan`) emits shared memory that is no valid SPIR-V for drivers without
/// `VK_KHR_workgroup_memory_explicit_layout`, and they crash on it.
#[cfg(feature = "vulkan")]
fn vulkan_adapter() -> Result<(Device, bool), Error> {
    use burn::tensor::wgpu::{WgpuBackend, wgpu::DeviceType};

    static ADAPTER: std::sync::OnceLock<Option<(Device, bool)>> = std::sync::OnceLock::new();
    let open = || {
        let options = Device::wgpu_options().graphics_api(WgpuBackend::Vulkan);
        let (device, setup) = options.init_with_setup().ok()?;
        let is_gpu = setup.adapter.get_info().device_type != DeviceType::Cpu;
        Some((device, is_gpu))
    };
    ADAPTER.get_or_init(open).clone().ok_or(NO_VULKAN)
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device, Error> {
    Err(Error::DeviceNotCompiled { device: "cuda" })
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<Device, Error> {
    Err(Error::DeviceNotCompiled { device: "metal" })
}

#[cfg(not(feature = "vulkan"))]
fn vulkan() -> Result<Device, Error> {
    Err(Error::DeviceNotCompiled { device: "vulkan" })
}

#[cfg(not(feature = "vulkan"))]
fn vulkan_gpu() -> Result<Device, Error> {
    vulkan()
}
