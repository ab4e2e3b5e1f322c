//! The predecessor's side of a restart: a thread that starts the successor, passes on what there is, and ends either.
//!
//! What it does is [`Giving`]'s decision. It calls methods of parts, none of which waits, and tells the supervisor how
//! it ended. It must not end the process, nor change the phase: that is the supervisor's.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tracing::Level;

use super::bell::{Bell, Rope, bell};
use super::child::Process;
use super::connections;
use super::giving::{Action, Event, Giving, Look, Why};
use super::kept::{Kept, TakenBack, give_back};
use super::link::{Link, Received};
use super::listening::Listening;
use super::message::{Message, Passed, READ_AHEAD, WAVE};
use super::program::Program;
use crate::budget::{Budget, Span};
use crate::lifecycle::{self, HandOver, Shared};
use crate::parcel::{Outbox, Parcel};
use crate::part::Part;

/// How often is looked at how things stand, if nobody says that they have changed.
const LOOK: Duration = Duration::from_millis(50);
/// How often a process is looked at whose end nothing announces.
const ASK: Duration = Duration::from_millis(20);
/// How much longer than its budget a successor may take that stops by itself after a restart that failed.
const LEAVE: Duration = Duration::from_secs(5);
/// How many messages are taken before anything else has its turn.
const TURN: usize = 64;

/// What a restart needs to know.
#[derive(Clone)]
pub(crate) struct Plan {
    /// What the successor runs, or why that is not known.
    pub(crate) program: Result<Program, String>,
    pub(crate) listening: Arc<Listening>,
    pub(crate) shared: Arc<Shared>,
    /// How long the successor may take to start.
    pub(crate) start: Duration,
    pub(crate) budget: Budget,
}

/// A restart that is under way, as the supervisor sees it. None of its methods waits.
#[derive(Debug)]
pub(crate) struct Predecessor {
    rope: Arc<Rope<Told>>,
}

/// What the thread is told.
enum Told {
    /// A connection of this part, to be passed on.
    Parcel(usize, Parcel, Instant),
    /// Something may have changed.
    Look,
    /// This service is to stop.
    Stop,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Told::Parcel(..) => "Parcel",
            Told::Look => "Look",
            Told::Stop => "Stop",
        })
    }
}

impl Plan {
    /// Says whether nobody else holds the listeners, as far as that can be.
    pub(crate) fn set_alone(&self, alone: bool) {
        for entry in self.shared.registry().entries() {
            let name = &entry.part.identity().name;
            if entry.part.is_server() && self.listening.may_be_alone(name) {
                entry.part.set_alone(alone);
            }
        }
    }
}

impl Predecessor {
    /// Begins a restart. What becomes of it the supervisor is told by [`HandOver::Given`] or [`HandOver::Failed`],
    /// exactly once.
    ///
    /// # Errors
    /// No descriptor or thread is left.
    pub(crate) fn begin(plan: Plan) -> std::io::Result<Predecessor> {
        let (rope, bell) = bell()?;
        let rope = Arc::new(rope);
        let own = Arc::clone(&rope);
        std::thread::Builder::new()
            .name("lameduck-restart".to_owned())
            .spawn(move || restart(plan, own, bell))?;
        Ok(Predecessor { rope })
    }

    /// This service is to stop: the restart ends, one way or the other.
    pub(crate) fn stop(&self) {
        drop(self.rope.pull(Told::Stop));
    }

    /// A part may have come to rest.
    pub(crate) fn look(&self) {
        drop(self.rope.pull(Told::Look));
    }
}

/// The whole restart.
fn restart(plan: Plan, rope: Arc<Rope<Told>>, bell: Bell<Told>) {
    let shared = Arc::clone(&plan.shared);
    let tell = |what: HandOver| shared.events().send(lifecycle::Message::HandOver(what));
    let (link, process) = match start(&plan) {
        Ok(started) => started,
        Err(why) => {
            shared
                .events()
                .say(Level::ERROR, format!("restart failed, this process serves on: {why}"));
            return tell(HandOver::Failed);
        }
    };
    let pid = process.id();
    // A listener that a successor has too must not be made deaf.
    plan.set_alone(false);
    shared.events().say(Level::INFO, format!("restart: the successor is process {pid}"));
    let now = Instant::now();
    let giving = Giving::new(plan.start, plan.budget.drain, now);
    let entries = shared.registry().entries();
    let mut desk = Desk {
        parts: entries.into_iter().map(|entry| entry.part).collect(),
        plan,
        giving,
        link,
        process,
        rope,
        bell,
        waiting: VecDeque::new(),
        kept: Kept::default(),
        next_wave: 0,
        passed: 0,
        back: TakenBack::default(),
        began: now,
        outcome: None,
        look_again: false,
        later: VecDeque::new(),
    };
    let outcome = desk.work();
    let committed = desk.giving.committed().unwrap_or(now);
    desk.close();
    let took = Span(now.elapsed());
    match outcome {
        Ok(()) => {
            let text = format!(
                "restart: handed over to process {pid} after {took}, {} passed on",
                connections(desk.passed)
            );
            shared.events().say(Level::INFO, text);
            tell(HandOver::Given { successor: pid, since: committed });
            // Its end tells the successor that the sockets are its own.
            std::mem::forget(desk.link);
        }
        Err(why) => {
            let back = desk.back;
            let mut text = if why == Why::Stop {
                format!("restart called off after {took}: this process stops")
            } else {
                format!(
                    "restart failed after {took}, this process serves on: the successor (process {pid}) {why}"
                )
            };
            if back.served > 0 {
                text += &format!("; {} taken back", connections(back.served));
            }
            if back.closed > 0 {
                text += &format!(
                    "; {} closed, since the successor may have read from them",
                    connections(back.closed)
                );
            }
            let level = if why == Why::Stop { Level::INFO } else { Level::ERROR };
            shared.events().say(level, text);
            tell(HandOver::Failed);
            desk.see_off();
        }
    }
}

/// Starts the successor's process.
fn start(plan: &Plan) -> Result<(Link, Process), String> {
    let program = plan.program.as_ref().map_err(Clone::clone)?;
    let raise = |error: std::io::Error| {
        format!(
            "no descriptor is left for a successor: {error}; raise the limit of open files (ulimit -n)"
        )
    };
    let (link, theirs) = Link::pair().map_err(raise)?;
    let (said, sockets) = plan.listening.duplicates().map_err(raise)?;
    let child = program.start(theirs, &said, sockets)?;
    Ok((link, Process::new(child)))
}

/// Everything the thread works with.
struct Desk {
    plan: Plan,
    parts: Vec<Arc<dyn Part>>,
    giving: Giving,
    link: Link,
    process: Process,
    rope: Arc<Rope<Told>>,
    bell: Bell<Told>,
    /// Connections that wait to be sent, by part.
    waiting: VecDeque<(usize, Parcel, Instant)>,
    kept: Kept,
    next_wave: u32,
    passed: usize,
    back: TakenBack,
    began: Instant,
    outcome: Option<Result<(), Why>>,
    /// Something was done that may have changed how things stand.
    look_again: bool,
    /// What happened while something was done.
    later: VecDeque<Event>,
}

impl Desk {
    /// Works until the restart is over.
    fn work(&mut self) -> Result<(), Why> {
        loop {
            self.wait();
            self.look_again = false;
            // Before what came is taken: what was seen to be swept has come by then.
            let look = self.giving.looks().then(|| self.look());
            for told in self.bell.take() {
                match told {
                    Told::Parcel(part, parcel, since) => {
                        self.waiting.push_back((part, parcel, since));
                    }
                    Told::Look => {}
                    Told::Stop => self.step(Event::Stop),
                }
            }
            for _ in 0..TURN {
                match self.link.receive() {
                    Received::Message(message, descriptors) => {
                        drop(descriptors);
                        self.message(message);
                    }
                    Received::Nothing => break,
                    Received::End => {
                        self.step(Event::Broken(Why::Closed));
                        break;
                    }
                    Received::Malformed(what) => {
                        self.step(Event::Broken(Why::Sent(what.to_string())));
                        break;
                    }
                    Received::Failed(error) => {
                        self.step(Event::Broken(Why::Sent(error.to_string())));
                        break;
                    }
                }
            }
            if let Some(how) = self.process.ended() {
                // What it had said before it died counts: without it a connection that it has read from would be taken
                // back. Whoever is dead says no more, so this comes to an end.
                while let Received::Message(message, _) = self.link.receive() {
                    self.message(message);
                }
                self.step(Event::Exited(how));
            }
            if let Some(mut look) = look.filter(|_| self.giving.looks()) {
                look.waiting = !self.waiting.is_empty();
                self.step(Event::Look(look));
            }
            self.step(Event::Time);
            if let Some(outcome) = self.outcome.take() {
                return outcome;
            }
        }
    }

    /// Waits for the successor, for somebody here, or for the next deadline.
    fn wait(&self) {
        let now = Instant::now();
        let mut until = self.giving.wake_at().unwrap_or(now);
        if self.giving.looks() {
            until = if self.look_again { now } else { until.min(now + LOOK) };
        }
        if self.process.must_be_asked() {
            until = until.min(now + ASK);
        }
        let timeout = Timespec::try_from(until.saturating_duration_since(now)).ok();
        let mut fds =
            vec![PollFd::new(&self.link, PollFlags::IN), PollFd::new(&self.bell, PollFlags::IN)];
        let end = self.process.end();
        if let Some(end) = &end {
            fds.push(PollFd::from_borrowed_fd(*end, PollFlags::IN));
        }
        if self.giving.is_deaf() {
            // The link may have ended, and would be readable for ever.
            fds.remove(0);
        }
        // EINTR: whoever asks again sees what there is.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn look(&self) -> Look {
        let mut look =
            Look { waiting: false, swept: true, background_at_rest: true, at_rest: true };
        for part in &self.parts {
            look.swept &= part.is_swept();
            let at_rest = part.is_at_rest();
            look.at_rest &= at_rest;
            look.background_at_rest &= at_rest || part.is_server();
        }
        look
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Ready { version } => {
                let took = Span(self.began.elapsed());
                self.say(Level::INFO, format!("restart: the successor is ready after {took}"));
                if version != super::message::VERSION {
                    let text = format!(
                        "restart: the successor speaks version {version} of the hand-over, this process {}: it gets \
                         the listening sockets, and connections drain here",
                        super::message::VERSION
                    );
                    self.say(Level::WARN, text);
                }
                self.step(Event::Ready(version));
            }
            Message::Serving => {
                let text = format!(
                    "restart: the successor (process {}) serves; {} passed on so far",
                    self.process.id(),
                    connections(self.kept.count_taken())
                );
                self.say(Level::INFO, text);
                self.step(Event::Serving);
            }
            Message::Leaving { failed } => self.step(Event::Leaving { failed }),
            Message::Taken { wave, count } => {
                if wave.wrapping_add(1) == self.next_wave {
                    self.passed += usize::from(count).min(WAVE);
                    self.kept.taken(wave, count);
                    self.step(Event::Taken);
                }
            }
            Message::Refused { wave, which } => {
                self.passed = self.passed.saturating_sub(which.len());
                self.kept.refused(wave, &which);
            }
            Message::Commit { .. }
            | Message::Background
            | Message::Done
            | Message::Abort
            | Message::Connections { .. } => {
                self.step(Event::Broken(Why::Sent("what only a predecessor says".to_owned())));
            }
        }
    }

    fn step(&mut self, event: Event) {
        self.later.push_back(event);
        while let Some(event) = self.later.pop_front() {
            for action in self.giving.step(event, Instant::now()) {
                self.look_again = true;
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::PassOn => {
                for (index, part) in self.parts.iter().enumerate() {
                    part.pass_on(&self.outbox(index, part));
                }
                self.told();
            }
            Action::Wave => self.wave(),
            Action::Commit => {
                let successor = self.process.id();
                let told = HandOver::Committed { successor };
                self.plan.shared.events().send(lifecycle::Message::HandOver(told));
                self.plan.shared.pause();
                for part in &self.parts {
                    part.pause();
                }
                self.told();
                self.send(&Message::Commit { done_within: self.plan.budget.drain });
            }
            Action::Background => self.send(&Message::Background),
            Action::Done => {
                self.send(&Message::Done);
                self.kept.let_go();
            }
            Action::Abort => self.send(&Message::Abort),
            Action::Terminate => self.process.terminate(),
            Action::Kill => self.process.kill(),
            Action::Resume => {
                self.plan.shared.resume();
                for part in &self.parts {
                    part.resume();
                }
                self.told();
            }
            Action::TakeBack { dead } => {
                self.back = match dead {
                    true => self.kept.take_back_all(),
                    false => self.kept.take_back_untaken(),
                };
            }
            Action::Finish(outcome) => self.outcome = Some(outcome),
        }
    }

    /// Where a part puts its connections.
    fn outbox(&self, index: usize, part: &Arc<dyn Part>) -> Outbox {
        let (rope, part) = (Arc::clone(&self.rope), Arc::downgrade(part));
        Arc::new(move |parcel| {
            let told = Told::Parcel(index, parcel, Instant::now());
            if let Err(Told::Parcel(_, parcel, since)) = rope.pull(told)
                && let Some(part) = part.upgrade()
            {
                // The restart is over.
                drop(give_back(&part, parcel, since));
            }
        })
    }

    /// Sends as many connections of one part as a message holds.
    fn wave(&mut self) {
        let wave = self.next_wave;
        let mut chosen: Option<usize> = None;
        let (mut each, mut bytes) = (Vec::new(), 0);
        while let Some((part, parcel, _)) = self.waiting.front() {
            let (part, ahead) = (*part, parcel.read_ahead.len());
            if ahead > READ_AHEAD {
                // No message holds it: it stays here, and drains.
                if let Some((_, parcel, since)) = self.waiting.pop_front() {
                    drop(give_back(&self.parts[part], parcel, since));
                }
                continue;
            }
            let fits = each.len() < WAVE && bytes + ahead <= READ_AHEAD;
            if !fits || chosen.is_some_and(|chosen| chosen != part) {
                break;
            }
            let Some((_, parcel, since)) = self.waiting.pop_front() else { break };
            chosen = Some(part);
            bytes += ahead;
            each.push(Passed {
                spoken: parcel.spoken,
                idle: parcel.idle.saturating_add(since.elapsed()),
                read_ahead: parcel.read_ahead.clone(),
            });
            let index = u16::try_from(each.len() - 1).unwrap_or(u16::MAX);
            self.kept.keep(Arc::clone(&self.parts[part]), parcel, wave, index);
        }
        let Some(part) = chosen else {
            return self.later.push_back(Event::Taken);
        };
        self.next_wave = self.next_wave.wrapping_add(1);
        let server = self.parts[part].identity().name.clone();
        let message = Message::Connections { wave, server, each };
        let sockets: Vec<_> = self.kept.sockets(wave).map(|parcel| parcel.socket.as_fd()).collect();
        match self.link.send(&message, &sockets) {
            Ok(()) => {}
            Err(Errno::TOOMANYREFS | Errno::MSGSIZE) => {
                // They stay here, and drain.
                self.kept.taken(wave, 0);
                self.later.push_back(Event::Taken);
            }
            Err(error) => self.broken(error),
        }
    }

    fn send(&mut self, message: &Message) {
        if let Err(error) = self.link.send(message, &[]) {
            self.broken(error);
        }
    }

    fn broken(&mut self, error: Errno) {
        let why = match error {
            Errno::PIPE | Errno::CONNRESET => Why::Closed,
            other => Why::Send(std::io::Error::from(other).to_string()),
        };
        self.later.push_back(Event::Broken(why));
    }

    /// Parts see to what they are told when they tick next, on the supervisor's thread.
    fn told(&self) {
        self.plan.shared.events().send(lifecycle::Message::HandOver(HandOver::Told));
    }

    fn say(&self, level: Level, text: String) {
        self.plan.shared.events().say(level, text);
    }

    /// What has not been sent is served here; what comes from now on too.
    fn close(&mut self) {
        let came = self.bell.close().into_iter().filter_map(|told| match told {
            Told::Parcel(part, parcel, since) => Some((part, parcel, since)),
            Told::Look | Told::Stop => None,
        });
        self.waiting.extend(came);
        for (part, parcel, since) in self.waiting.drain(..) {
            match give_back(&self.parts[part], parcel, since) {
                Ok(()) => self.back.served += 1,
                Err(_closed) => self.back.closed += 1,
            }
        }
    }

    /// Waits for the end of a successor that is none any more, so that it does not lie about; ends it where it takes
    /// longer than its stop may.
    fn see_off(mut self) {
        self.await_end();
        self.plan.set_alone(self.plan.shared.is_alone());
    }

    fn await_end(&mut self) {
        let until = Instant::now() + self.plan.budget.total() + LEAVE;
        let mut killed = false;
        loop {
            if !self.process.end_is_awaited() || self.process.ended().is_some() {
                return;
            }
            // It drains, and has nothing to say.
            while let Received::Message(..) = self.link.receive() {}
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if std::mem::replace(&mut killed, true) {
                    return;
                }
                self.process.kill();
            }
            let left = left.clamp(ASK, Duration::from_secs(1));
            let timeout = Timespec::try_from(left).ok();
            let end = self.process.end();
            let mut fds: Vec<_> =
                end.into_iter().map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN)).collect();
            let _ = poll(&mut fds, timeout.as_ref());
        }
    }
}
