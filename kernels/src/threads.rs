//! Threads that don't fall asleep in the middle of a step.

use std::sync::atomic::{AtomicBool, Ordering};

/// Most threads that are kept awake beside the one that works.
const MOST_AWAKE: usize = 7;

/// Runs `work` on the threads that compute, and keeps others awake until it ends.
///
/// A step is parallel and serial by turns, some tens of microseconds each. A thread that fell
/// asleep in the serial part would come too late for the parallel one: to be woken takes as long.
pub fn awake<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let ended = &AtomicBool::new(false);
    rayon::scope(|scope| {
        let worker = rayon::current_thread_index();
        for _ in 0..MOST_AWAKE.min(rayon::current_num_threads() - 1) {
            scope.spawn(move |_| help(ended, worker));
        }
        let _end = End(ended);
        work()
    })
}

/// Takes what there is to do until all has ended; on the thread of the work itself, which waits
/// for others meanwhile, nothing.
fn help(ended: &AtomicBool, worker: Option<usize>) {
    while !ended.load(Ordering::Relaxed) && rayon::current_thread_index() != worker {
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
