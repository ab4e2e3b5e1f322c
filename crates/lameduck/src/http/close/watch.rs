//! The thread that drops new connections and asks the kernel what is still under way.
//!
//! A thread of its own, because what it does blocks for milliseconds, and because the runtime's
//! blocking threads may all be taken by what the service runs there. It ends by itself when its
//! receiver is dropped; nothing waits for it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::handshakes::Diagnostics;
use super::sink::{Refusal, Sink};
use crate::sys;

/// The pause between two questions: as long as the last answer took, but within these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// The pause after descriptors have run out.
const SHORTAGE: Duration = Duration::from_millis(10);

/// The pause where the kernel cannot be asked to finish with the packets under way.
const UNFINISHED: Duration = Duration::from_millis(5);

/// What the thread has to tell.
#[derive(Debug)]
pub(super) enum News {
    /// New connections are dropped from here on, or cannot be. Then come the strays.
    Opened(Result<Sink, Refusal>, Vec<Socket>),
    /// So many handshakes are under way.
    Pending(usize),
    /// No handshake is under way: the last news.
    Quiet,
    /// The kernel could not be asked: the last news.
    Blind(io::Error),
}

/// The thread's end of what the closing holds; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Watch {
    news: UnboundedReceiver<News>,
    _stop: Sender<()>,
}

impl Watch {
    /// Starts the thread. It keeps its copy of `listener` no longer than until it tells
    /// [`News::Opened`]; after `deadline` it tries nothing again. `open` opens what it asks with.
    ///
    /// # Errors
    /// No thread could be made.
    pub(super) fn start(
        listener: Arc<TcpListener>,
        local: SocketAddr,
        deadline: Instant,
        open: fn() -> io::Result<Diagnostics>,
    ) -> io::Result<Self> {
        let (tell, news) = unbounded_channel();
        let (stop, stopped) = channel();
        let watcher = Watcher { local, deadline, open, tell, stopped };
        thread::Builder::new()
            .name("lameduck-close".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || watcher.run(listener))?;
        Ok(Self { news, _stop: stop })
    }

    /// The next news, or none after the last, or when the time is up. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

struct Watcher {
    local: SocketAddr,
    deadline: Instant,
    open: fn() -> io::Result<Diagnostics>,
    tell: UnboundedSender<News>,
    stopped: Receiver<()>,
}

impl Watcher {
    fn run(self, listener: Arc<TcpListener>) {
        let mut strays = Vec::new();
        let opened = loop {
            match Sink::open(listener.as_fd(), self.local, &mut strays) {
                Err(refusal) if refusal.is_passing() && self.pause(SHORTAGE) => {}
                decided => break decided,
            }
        };
        drop(listener);
        let refused = opened.is_err();
        if self.tell.send(News::Opened(opened, strays)).is_err() || refused {
            return;
        }
        let last = match self.ask() {
            Ok(true) => News::Quiet,
            Ok(false) => return,
            Err(error) => News::Blind(error),
        };
        let _nobody_listens = self.tell.send(last);
    }

    /// Asks until no handshake is under way; says whether it came to that before the time was up.
    fn ask(&self) -> io::Result<bool> {
        if answers_every_syn_with_a_cookie() {
            return Err(io::Error::other("net.ipv4.tcp_syncookies is 2"));
        }
        let mut diagnostics = loop {
            match (self.open)() {
                Err(error) if super::is_shortage(&error) && self.pause(SHORTAGE) => {}
                decided => break decided?,
            }
        };
        // One answer of "none" is not enough: another processor may have given a SYN to the listener
        // just before the program changed, and not entered it yet. Once the kernel has finished with
        // the packets that were under way, none can come after.
        let mut finished = false;
        loop {
            let asked = Instant::now();
            let pending = diagnostics.pending(self.local)?;
            if pending > 0 {
                let took = asked.elapsed().clamp(PAUSE.0, PAUSE.1);
                if self.tell.send(News::Pending(pending)).is_err() || !self.pause(took) {
                    return Ok(false);
                }
            } else if finished {
                return Ok(true);
            } else {
                let unable = sys::wait_for_packets_under_way().is_err();
                if unable && !self.pause(UNFINISHED) {
                    return Ok(false);
                }
                finished = true;
            }
        }
    }

    /// Waits for `pause`; says whether there is still time and somebody to tell.
    fn pause(&self, pause: Duration) -> bool {
        let waited = self.stopped.recv_timeout(pause);
        waited == Err(RecvTimeoutError::Timeout) && Instant::now() < self.deadline
    }
}

/// Whether the kernel keeps no handshake in mind, for it packs each into a SYN cookie
/// (Documentation/networking/ip-sysctl.rst; the setting holds for IPv6 too).
fn answers_every_syn_with_a_cookie() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_syncookies").is_ok_and(|set| set.trim() == "2")
}
