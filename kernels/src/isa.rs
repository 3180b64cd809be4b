//! The instruction sets the kernels are compiled for, and the one this machine runs.

use std::sync::OnceLock;

/// An instruction set with kernels of its own.
///
/// A value other than [`Isa::PORTABLE`] is only handed out by [`Isa::available`] and
/// [`Isa::detected`], after the CPU was asked: holding one is the proof that the kernels
/// compiled for it may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Kind);

/// What an [`Isa`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any CPU: arrays of eight values, vectorised by the compiler.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 128-bit vectors with fused multiply-add, and twice as many registers as AVX2. Every CPU of
    /// the target has them.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// The kernels that run everywhere.
    pub(crate) const PORTABLE: Isa = Isa(Kind::Portable);

    /// The instruction sets of this CPU, the slowest first.
    pub(crate) fn available() -> Vec<Isa> {
        let mut found = vec![Isa::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                found.push(Isa(Kind::Avx2));
            }
            if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                found.push(Isa(Kind::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Isa(Kind::Neon));
        found
    }

    /// The fastest instruction set of this CPU, asked once.
    pub(crate) fn detected() -> Isa {
        static FASTEST: OnceLock<Isa> = OnceLock::new();
        *FASTEST.get_or_init(|| Isa::available().last().copied().unwrap_or(Isa::PORTABLE))
    }

    /// The kernels to call.
    pub(crate) fn kind(self) -> Kind {
        self.0
    }

    /// Values in one vector.
    pub(crate) fn width(self) -> usize {
        match self.0 {
            Kind::Portable => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => 4,
        }
    }
}

/// Compiles a function once per instruction set and calls the version of the given [`Isa`].
///
/// The body must be `#[inline(always)]`, so that each version is compiled with the features
/// of its instruction set.
macro_rules! per_isa {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:ident) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        pub(crate) fn $name(isa: $crate::isa::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2($($arg: $type),*) {
                $body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx512($($arg: $type),*) {
                $body($($arg),*)
            }
            match isa.kind() {
                $crate::isa::Kind::Portable => $body($($arg),*),
                // SAFETY: this `Isa` exists only where the CPU has the features.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx512 => unsafe { avx512($($arg),*) },
                // What the compiler makes for any CPU of the target.
                #[cfg(target_arch = "aarch64")]
                $crate::isa::Kind::Neon => $body($($arg),*),
            }
        }
    };
}
pub(crate) use per_isa;
