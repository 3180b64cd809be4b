//! Ctrl-C and SIGTERM: a training saves where it stands and ends; everything
//! else has nothing to save and ends at once. So does the second Ctrl-C.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;

/// Exit code of a run that was interrupted: 128 + SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Whether the user has asked to stop.
#[derive(Clone, Debug)]
pub struct Interrupts {
    stop: Arc<AtomicBool>,
    /// Whether a signal ends the process: nobody looks at `stop`, or it is the
    /// second.
    at_once: Arc<AtomicBool>,
}

/// While it lives, the first signal only sets the flag.
pub(crate) struct Listening<'a>(&'a Interrupts);

impl Default for Interrupts {
    /// Of no signal.
    fn default() -> Self {
        Self {
            stop: Arc::default(),
            at_once: Arc::new(AtomicBool::new(true)),
        }
    }
}

impl Interrupts {
    /// Of the signals that ask a process to end, from now on.
    ///
    /// # Errors
    ///
    /// When the handlers cannot be set.
    pub fn watch() -> io::Result<Self> {
        let interrupts = Self::default();
        for &signal in TERM_SIGNALS {
            // In this order: the first signal must not end what it lets end.
            let code = i32::from(INTERRUPTED);
            flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupts.at_once))?;
            flag::register(signal, Arc::clone(&interrupts.at_once))?;
            flag::register(signal, Arc::clone(&interrupts.stop))?;
        }
        Ok(interrupts)
    }

    /// For whoever can stop by itself.
    pub(crate) fn listen(&self) -> Listening<'_> {
        self.at_once.store(false, Ordering::SeqCst);
        Listening(self)
    }
}

impl Listening<'_> {
    /// Set when it is time to stop.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.stop)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.at_once.store(true, Ordering::SeqCst);
    }
}
