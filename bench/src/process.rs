//! What Linux knows of this process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of all threads that are alive.
pub(crate) fn processor_time() -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may have ended since the folder was read.
        let Ok(schedule) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let running = schedule.split_whitespace().next().unwrap_or("0");
        nanoseconds += running.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Most memory that was resident at once, in bytes.
pub(crate) fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .context("/proc/self/status has no VmHWM")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}
