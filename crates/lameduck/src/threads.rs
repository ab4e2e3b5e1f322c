//! What the threads of this process are doing, for the report: which of them runs what, whether it came back from
//! it, and what the kernel says about it. It decides nothing: the stop never waits for what is read here.

mod kernel;
mod slot;
mod watch;

pub(crate) use self::slot::{Runs, Slot, this_thread};
pub(crate) use self::watch::Watch;
