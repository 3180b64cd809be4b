//! Threads that don't fall asleep in the middle of a step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most threads that are kept awake: more would stand in each other's way.
const MOST_AWAKE: usize = 16;

/// How long a thread stays awake that finds nothing to do: longer than a serial part of a step,
/// and than it takes to be woken.
const PATIENCE: Duration = Duration::from_micros(500);

/// Runs `work` on the first of the threads that compute, and keeps others awake until it ends.
///
/// A step is parallel and serial by turns, some tens of microseconds each. A thread that fell
/// asleep in the serial part would come too late for the parallel one: to be woken takes as long.
///
/// It is always the same thread, however many there are, because Burn keeps what batch
/// normalisation has seen thread by thread, until somebody asks for it.
///
/// # Panics
/// If `work` does.
pub fn awake<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = Mutex::new(Some(work));
    let ended = AtomicBool::new(false);
    let results = rayon::broadcast(|context| match context.index() {
        0 => {
            let _end = End(&ended);
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            work.map(|work| work())
        }
        1..MOST_AWAKE => {
            help(&ended);
            None
        }
        _ => None,
    });
    let result = results.into_iter().next().flatten();
    result.expect("the first thread has worked")
}

/// Takes what there is to do until all has ended, or there has been nothing for a while.
///
/// A thread may come here from the middle of a part of the work, where it waits for a part of
/// that part: it must go back, or the work would wait for this thread, and this thread for the
/// work.
fn help(ended: &AtomicBool) {
    let mut idle_since = None;
    while !ended.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            idle_since = None;
        } else if idle_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            std::thread::yield_now();
        } else {
            return;
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

    fn pool(threads: usize) -> rayon::ThreadPool {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().expect("threads")
    }

    #[test]
    fn work_is_done_on_one_thread_however_many_help() {
        for threads in [1, 2, MOST_AWAKE, MOST_AWAKE + 1, 3 * MOST_AWAKE] {
            let pool = pool(threads);
            // Called from a thread of the pool, and so that the work shares itself out.
            let run = || awake(|| rayon::join(|| std::thread::current().id(), || ()).0);
            let seen: Vec<_> = (0..20).map(|_| pool.install(run)).collect();
            assert!(seen.iter().all(|thread| *thread == seen[0]), "{threads}");
            let sum: u64 = pool.install(|| awake(|| (0..100_000_u64).into_par_iter().sum()));
            assert_eq!(sum, 4_999_950_000);
        }
    }

    #[test]
    fn work_of_a_caller_without_threads_is_done_on_one_too() {
        let seen: Vec<_> = (0..50)
            .map(|_| awake(|| std::thread::current().id()))
            .collect();
        assert!(seen.iter().all(|thread| *thread == seen[0]));
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

    /// A thread that took up a part of the work before it was asked to help may be asked while
    /// it waits in the middle of that part.
    #[test]
    fn work_that_waits_for_a_thread_that_helps_ends() {
        let ended = AtomicBool::new(false);
        pool(2).install(|| {
            let _end = End(&ended);
            rayon::join(|| help(&ended), || help(&ended));
        });
    }

    #[test]
    fn panic_of_the_work_is_the_callers() {
        let result = std::panic::catch_unwind(|| awake(|| panic!("no more")));
        assert!(result.is_err());
    }
}
