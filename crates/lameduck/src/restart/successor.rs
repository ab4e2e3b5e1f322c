//! The successor's side of a restart: a thread that takes what the predecessor passes on.
//!
//! What it does is [`Taking`]'s decision. It lets connections be adopted, which does not wait, and tells the supervisor
//! what the predecessor says.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::Level;

use super::bell::{Bell, Rope, bell};
use super::connections;
use super::environment::Handed;
use super::link::{Link, Received};
use super::message::{Message, Passed, VERSION};
use super::taking::{Action, Event, Taking};
use crate::lifecycle::{self, HandOver, Shared};
use crate::parcel::Parcel;

/// How many messages are taken before anything else has its turn.
const TURN: usize = 16;

/// What comes from a predecessor, as the supervisor sees it. None of its methods waits.
#[derive(Debug)]
pub(crate) struct Successor {
    predecessor: u32,
    rope: Rope<Event>,
}

impl Successor {
    /// Begins to listen to the predecessor. The supervisor is told what it says by [`HandOver`].
    ///
    /// # Errors
    /// No descriptor or thread is left.
    pub(crate) fn begin(handed: Handed, shared: &Arc<Shared>) -> std::io::Result<Successor> {
        let (rope, bell) = bell()?;
        let predecessor = handed.predecessor;
        let shared = Arc::clone(shared);
        let link = handed.link;
        std::thread::Builder::new().name("lameduck-taking".to_owned()).spawn(move || {
            Desk { shared, predecessor, link, bell, taking: Taking::new(), came: None, taken: 0 }
                .work();
        })?;
        Ok(Successor { predecessor, rope })
    }

    /// The predecessor's process id.
    pub(crate) fn predecessor(&self) -> u32 {
        self.predecessor
    }

    /// This service is ready, and does not accept yet.
    pub(crate) fn up(&self) {
        let _ = self.rope.pull(Event::Up);
    }

    /// It accepts.
    pub(crate) fn serving(&self) {
        let _ = self.rope.pull(Event::Serving);
    }

    /// It has begun to stop; whether because something failed.
    pub(crate) fn stopping(&self, failed: bool) {
        let _ = self.rope.pull(Event::Stopping { failed });
    }
}

struct Desk {
    shared: Arc<Shared>,
    predecessor: u32,
    link: Link,
    bell: Bell<Event>,
    taking: Taking,
    /// Connections that have come and were not dealt with.
    came: Option<(u32, String, Vec<Passed>, Vec<OwnedFd>)>,
    taken: usize,
}

impl Desk {
    fn work(mut self) {
        loop {
            self.wait();
            for event in self.bell.take() {
                self.step(event);
            }
            for _ in 0..TURN {
                match self.link.receive() {
                    Received::Message(message, descriptors) => self.message(message, descriptors),
                    Received::Nothing => break,
                    Received::End => {
                        self.step(Event::Gone);
                        break;
                    }
                    Received::Malformed(what) => {
                        self.senseless(&what.to_string());
                        break;
                    }
                    Received::Failed(error) => {
                        self.senseless(&error.to_string());
                        break;
                    }
                }
            }
            self.step(Event::Time);
            if self.taking.is_over() {
                return;
            }
        }
    }

    /// Waits for the predecessor, for the supervisor, or for the next deadline.
    fn wait(&self) {
        let timeout = self.taking.wake_at().and_then(|until| {
            Timespec::try_from(until.saturating_duration_since(Instant::now())).ok()
        });
        let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
        if !self.taking.is_gone() {
            fds.push(PollFd::new(&self.link, PollFlags::IN));
        }
        // EINTR: whoever asks again sees what there is. Without a timeout something comes at the end of either process.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn message(&mut self, message: Message, descriptors: Vec<OwnedFd>) {
        match message {
            Message::Connections { wave, server, each } => {
                self.came = Some((wave, server, each, descriptors));
                self.step(Event::Connections);
            }
            Message::Commit { done_within } => self.step(Event::Commit(done_within)),
            Message::Background => self.step(Event::Background),
            Message::Done => self.step(Event::Done),
            Message::Abort => self.step(Event::Abort),
            Message::Ready { .. }
            | Message::Serving
            | Message::Leaving { .. }
            | Message::Taken { .. }
            | Message::Refused { .. } => self.senseless("what only a successor says"),
        }
    }

    /// A predecessor that makes no sense counts as one that is gone. It takes an end of the link for our death.
    fn senseless(&mut self, what: &str) {
        let text = format!("restart: the predecessor (process {}) sent {what}", self.predecessor);
        self.shared.events().say(Level::ERROR, text);
        self.step(Event::Gone);
    }

    fn step(&mut self, event: Event) {
        for action in self.taking.step(event, Instant::now()) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::SayReady => self.send(&Message::Ready { version: VERSION }),
            Action::Take => self.take(),
            Action::Leave => self.came = None,
            Action::Accept => self.tell(HandOver::Commit),
            Action::SayServing => self.send(&Message::Serving),
            Action::StartBackground => self.tell(HandOver::Background),
            Action::StartBackgroundLate => {
                let text = format!(
                    "restart: the predecessor (process {}) has not said in time that its timers and consumers are at \
                     rest; those of this process start now",
                    self.predecessor
                );
                self.shared.events().say(Level::WARN, text);
                self.tell(HandOver::Background);
            }
            Action::Free => {
                let text = format!(
                    "restart: the predecessor (process {}) is done, {} taken over",
                    self.predecessor,
                    connections(self.taken)
                );
                // Whoever reads it may ask for the next restart at once, and is not to be refused.
                self.tell(HandOver::Free);
                self.shared.events().say(Level::INFO, text);
            }
            Action::Alone => self.tell(HandOver::Alone),
            Action::SayLeaving { failed } => self.send(&Message::Leaving { failed }),
            Action::Stop => self.tell(HandOver::CalledOff),
        }
    }

    /// Says what was taken, and only then has it served.
    fn take(&mut self) {
        let Some((wave, server, each, descriptors)) = self.came.take() else { return };
        let entries = self.shared.registry().entries();
        let part = entries
            .into_iter()
            .map(|entry| entry.part)
            .find(|part| part.is_server() && part.identity().name == server && part.adopts());
        let Some(part) = part else {
            // No server of ours can have these: they stay where they are.
            return self.send(&Message::Taken { wave, count: 0 });
        };
        // Short of descriptors there are fewer than were sent; the first ones.
        let count = descriptors.len().min(each.len());
        if count < each.len() {
            let text = format!(
                "restart: only {count} of {} could be taken over; raise the limit of open files (ulimit -n)",
                connections(each.len())
            );
            self.shared.events().say(Level::WARN, text);
        }
        self.send(&Message::Taken { wave, count: u16::try_from(count).unwrap_or(u16::MAX) });
        let mut which = Vec::new();
        for (index, (socket, passed)) in (0_u16..).zip(descriptors.into_iter().zip(each)) {
            let Passed { spoken, idle, read_ahead } = passed;
            match part.adopt(Parcel { socket, read_ahead, spoken, idle }) {
                Ok(()) => self.taken += 1,
                Err(_closed) => which.push(index),
            }
        }
        if !which.is_empty() {
            self.send(&Message::Refused { wave, which });
        }
    }

    fn send(&self, message: &Message) {
        // A predecessor that is gone shows on the link.
        let _ = self.link.send(message, &[]);
    }

    fn tell(&self, what: HandOver) {
        self.shared.events().send(lifecycle::Message::HandOver(what));
    }
}
