//! Threads that don't fall asleep in the middle of a step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Most threads that are kept awake: to tell all of many of each step would take longer.
const MOST_AWAKE: usize = 16;

/// Runs `work` on the first of the threads that compute, and keeps the others awake until it ends;
/// where there are many, runs it on the caller's.
///
/// A step is parallel and serial by turns, some tens of microseconds each. A thread that fell
/// asleep in the serial part would come too late for the parallel one: to be woken takes as long.
///
/// For the same caller it is always the same thread, because Burn keeps what batch normalisation has
/// seen thread by thread, until somebody asks for it.
///
/// # Panics
/// If `work` does.
pub fn awake<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if rayon::current_num_threads() > MOST_AWAKE {
        return work();
    }
    let task = Mutex::new((Some(work), None));
    let ended = AtomicBool::new(false);
    rayon::broadcast(|context| match context.index() {
        0 => {
            let _end = End(&ended);
            let mut task = task.lock().unwrap_or_else(PoisonError::into_inner);
            task.1 = task.0.take().map(|work| work());
        }
        _ => help(&ended),
    });
    let (_, result) = task.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.expect("the first thread has worked")
}

/// Takes what there is to do until all has ended.
fn help(ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        if rayon::yield_now() != Some(rayon::Yield::Executed) {
            std::thread::yield_now();
        }
    }
}

/// Tells the helpers that the work has ended, even by a panic.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn work_is_done_on_one_thread_which_others_help() {
        let threads = (0..50).map(|_| awake(|| std::thread::current().id()));
        let threads: Vec<_> = threads.collect();
        assert!(threads.iter().all(|thread| *thread == threads[0]));
        let sum: u64 = awake(|| (0..100_000_u64).into_par_iter().sum());
        assert_eq!(sum, 4_999_950_000);
    }

    #[test]
    fn work_of_several_callers_ends() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let count = awake(|| (0..1000).into_par_iter().map(|_| 1).sum::<u64>());
                        assert_eq!(count, 1000);
                    }
                });
            }
        });
    }

    #[test]
    fn panic_of_the_work_is_the_callers() {
        let result = std::panic::catch_unwind(|| awake(|| panic!("no more")));
        assert!(result.is_err());
    }
}
