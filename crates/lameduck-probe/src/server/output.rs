//! The end of what a server printed.

use std::io::{ErrorKind, PipeReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How much is kept.
const KEPT: usize = 32 * 1024;
/// How much of it an error message shows.
const SHOWN: usize = 300;

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    ended: bool,
}

/// Shared between the thread that reads and the case.
#[derive(Debug, Default)]
pub(super) struct Output {
    tail: Mutex<Tail>,
    end: Condvar,
}

impl Output {
    /// Reads to the end of the stream on a thread of its own, however much comes.
    pub(super) fn collect(mut stream: PipeReader) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let shared = Arc::clone(&output);
        thread::spawn(move || {
            let mut block = [0; 8192];
            loop {
                let read = match stream.read(&mut block) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    result => result.unwrap_or(0),
                };
                let mut tail = shared.tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.bytes.extend_from_slice(&block[..read]);
                // Cut only once it is twice too long, so that not every read moves all of it.
                if tail.bytes.len() > 2 * KEPT {
                    let cut = tail.bytes.len() - KEPT;
                    tail.bytes.drain(..cut);
                }
                if read == 0 {
                    tail.ended = true;
                    shared.end.notify_all();
                    return;
                }
            }
        });
        output
    }

    /// Waits until nobody can print any more.
    pub(super) fn wait_for_end(&self, within: Duration) {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.end.wait_timeout_while(tail, within, |tail| !tail.ended));
    }

    /// The end of it, at most 32 KiB.
    pub(super) fn text(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let from = tail.bytes.len().saturating_sub(KEPT);
        String::from_utf8_lossy(&tail.bytes[from..]).into_owned()
    }

    /// The end of it as one short line.
    pub(super) fn excerpt(&self) -> String {
        let text = self.text();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let skipped = line.chars().count().saturating_sub(SHOWN);
        let shown: String = line.chars().skip(skipped).collect();
        if skipped > 0 { format!("…{shown}") } else { shown }
    }
}
