//! The signal mask, which a process inherits and no safe crate changes.

use std::mem::MaybeUninit;
use std::ptr;

/// Unblocks these signals for the calling thread and those that it starts from now on
/// (pthread_sigmask(3)).
pub(crate) fn unblock(signals: &[i32]) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` makes a whole set of the memory that it is given, before anything reads it. The
    // other calls get a set made so, and no memory to write to.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        // It fails only where the first argument is none of its three.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
    }
}
