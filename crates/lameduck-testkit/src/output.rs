//! What a child printed on one of its two streams, as far as it was read.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    ended: bool,
}

/// Shared between the thread that reads and the tests that wait.
#[derive(Debug, Default)]
pub(crate) struct Output {
    text: Mutex<Text>,
    more: Condvar,
}

impl Output {
    /// Reads `stream` to its end on a thread of its own.
    pub(crate) fn collect(mut stream: impl Read + Send + 'static) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let shared = Arc::clone(&output);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = match stream.read(&mut buffer) {
                    Ok(n) => n,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(_) => 0,
                };
                let mut text = shared.text.lock().unwrap_or_else(PoisonError::into_inner);
                text.bytes.extend_from_slice(&buffer[..read]);
                text.ended = read == 0;
                shared.more.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        output
    }

    /// Of a stream that isn't read at all.
    pub(crate) fn none() -> Arc<Self> {
        let output = Self::default();
        output.text.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        Arc::new(output)
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text.bytes).into_owned()
    }

    /// Waits until `needle` was printed; the instant at which we saw it, or `None` at the end of the stream or the time.
    pub(crate) fn wait_for(&self, needle: &str, within: Duration) -> Option<Instant> {
        let found =
            |text: &Text| text.bytes.windows(needle.len().max(1)).any(|w| w == needle.as_bytes());
        self.wait(within, |text| found(text) || text.ended).filter(|_| {
            let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            found(&text)
        })
    }

    /// Waits until the last process that holds the stream has closed it.
    pub(crate) fn wait_for_end(&self, within: Duration) {
        self.wait(within, |text| text.ended);
    }

    fn wait(&self, within: Duration, done: impl Fn(&Text) -> bool) -> Option<Instant> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let (_text, timeout) = self
            .more
            .wait_timeout_while(text, within, |text| !done(text))
            .unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then(Instant::now)
    }
}
