//! Keeping freed memory in the process.

/// Tells the C library's allocator to keep freed memory for the next allocation instead of giving
/// it back to the system.
///
/// A training step allocates and frees the same megabytes again and again; getting each page back
/// from the system costs up to a third of a step. Call it once, at the start of a process that
/// trains. Returns whether the allocator took the setting: it is for glibc, and does nothing
/// elsewhere.
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        glibc::keep_freed_memory()
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::c_int;

    // SAFETY: the signature of `mallopt` in glibc's malloc.h.
    unsafe extern "C" {
        // Takes the allocator's lock and checks its arguments: any call is sound.
        safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    /// `M_TRIM_THRESHOLD`: free memory at the end of the heap that is kept.
    const TRIM_THRESHOLD: c_int = -1;
    /// `M_MMAP_MAX`: how many blocks may be mapped, and unmapped, one by one, as large ones are.
    const MMAP_MAX: c_int = -4;
    /// `M_ARENA_MAX`: heaps. Those of other threads than the first are cut into pieces of 64 MiB,
    /// which go back to the system when they are empty, whatever the threshold.
    const ARENA_MAX: c_int = -8;

    pub(super) fn keep_freed_memory() -> bool {
        [(MMAP_MAX, 0), (TRIM_THRESHOLD, c_int::MAX), (ARENA_MAX, 1)]
            .into_iter()
            .all(|(parameter, value)| mallopt(parameter, value) == 1)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn glibc_takes_the_setting() {
        let glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
        assert_eq!(super::keep_freed_memory(), glibc);
    }
}
