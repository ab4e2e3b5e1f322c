//! The end of the process.

/// Who ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The supervisor may: the service was started by `run`.
    Process,
    /// Nobody here: the service was started by `serve`, in a process that is somebody else's.
    Return,
}

/// Ends the process at once, with this code: no atexit handlers, no unwinding, nothing that could wait.
pub(crate) fn end_process(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}
