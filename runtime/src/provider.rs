//! What executes a model: ONNX Runtime's execution providers.

use std::fmt;
use std::path::Path;
use std::sync::Once;

use ort::ep;
use serde::Serialize;

use crate::library::{self, Library};

/// The execution provider that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Provider {
    /// CUDA where it runs, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU, or an error.
    Cuda,
}

/// The execution provider that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActiveProvider {
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU; single operations that CUDA lacks run on the CPU.
    Cuda,
}

impl fmt::Display for ActiveProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Cuda => "CUDA",
        })
    }
}

/// What to do where CUDA cannot run.
pub(crate) fn cuda_hint(library: &Library) -> String {
    let version = library::VERSION;
    format!(
        "CUDA needs an NVIDIA GPU with its driver, the GPU build of ONNX Runtime \
         (`runtime setup --provider cuda`; loaded is `{}`), and CUDA 13 with cuDNN 9 \
         (`python3 -m pip install 'onnxruntime-gpu[cuda,cudnn]=={version}'`); \
         the provider `cpu` runs without",
        library.path().display()
    )
}

/// CUDA as an execution provider that fails aloud: without `error_on_failure`
/// ONNX Runtime would run on the CPU and say nothing. It computes in f32: TF32,
/// which it would use else, has ten bits after the point, and its logits are no
/// longer those of the CPU.
pub(crate) fn cuda() -> ep::ExecutionProviderDispatch {
    ep::CUDA::default()
        .with_tf32(false)
        .build()
        .error_on_failure()
}

/// Loads CUDA and cuDNN from the Python environment, where it has them: the
/// provider's own library names no folder to search. Failing is no error yet,
/// as the system may have them too; the provider then tells what is missing.
pub(crate) fn preload_cuda(library: &Library) {
    static PRELOADED: Once = Once::new();
    if !has_cuda(library) {
        return;
    }
    PRELOADED.call_once(|| {
        let (cuda, cudnn) = library::nvidia_folders();
        let _ = ep::cuda::preload_dylibs(cuda.as_deref(), None);
        let _ = ep::cuda::preload_dylibs(None, cudnn.as_deref());
    });
}

/// Whether somebody may expect CUDA to run: there is a GPU build of ONNX Runtime
/// or an NVIDIA driver, in Linux, in Linux on Windows, or in Windows.
pub(crate) fn cuda_is_expected(library: &Library) -> bool {
    const DRIVERS: [&str; 3] = [
        "/proc/driver/nvidia",
        "/usr/lib/wsl/lib/libcuda.so.1",
        r"C:\Windows\System32\nvcuda.dll",
    ];
    has_cuda(library) || DRIVERS.iter().any(|path| Path::new(path).exists())
}

/// Whether the library is a build that comes with the CUDA provider.
fn has_cuda(library: &Library) -> bool {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let name = format!("{DLL_PREFIX}onnxruntime_providers_cuda{DLL_SUFFIX}");
    library.path().with_file_name(name).is_file()
}
