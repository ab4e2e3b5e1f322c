//! What a process holds at a moment.

use serde::{Deserialize, Serialize};

use crate::proc::Proc;

/// Descriptors, threads and memory of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Resident memory in bytes.
    pub resident: usize,
}

impl Sample {
    /// What the process holds now; `None` once it has ended.
    #[must_use]
    pub fn of(process: &Proc) -> Option<Self> {
        let (descriptors, threads, resident) =
            (process.descriptors(), process.threads(), process.resident());
        // It may end between two looks.
        process.runs().then_some(Self { descriptors, threads, resident })
    }
}
