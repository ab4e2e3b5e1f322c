//! The thread itself: waits for signals, messages and deadlines, asks the machine, and does what it says.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

#[cfg(feature = "restart")]
use super::Restarts;
use super::engine::{Engine, order_of};
use super::{Exit, Journal, Signals, end_process};
use crate::budget::{EXIT, Span};
use crate::lifecycle::{Inbox, Message, Reload, Shared};
use crate::part::{TICK, Tier};
use crate::phase::{Action, Event, Machine, Outcome, Phase, Rules, SAME_SIGNAL, StopSignal};
use crate::report::{
    Cause, Destination, PhaseTime, Report, Stuck, StuckKind, Totals, write_bounded,
};
use crate::threads::Watch;

#[cfg(feature = "restart")]
mod restart;
#[cfg(all(feature = "restart", feature = "systemd"))]
use crate::systemd::Notifier;

/// Tells nobody.
#[cfg(all(feature = "restart", not(feature = "systemd")))]
struct Notifier;

#[cfg(all(feature = "restart", not(feature = "systemd")))]
impl Notifier {
    fn main_pid(&mut self, _successor: u32) {}
    fn reloading(&mut self) {}
    fn reloaded(&mut self) {}
    fn take_over(&mut self) {}
    fn hold_back(&mut self) {}
}

/// How long the report may take to be written, at the last deadline.
const REPORT: Duration = Duration::from_millis(100);
/// The same where the stop ended before its time: on a machine that stalls, 100 ms may pass before the helper
/// thread has run at all.
const REPORT_IN_TIME: Duration = Duration::from_secs(1);
/// How often threads are looked at during a stop, so that at a deadline it is known which of them have been blocked.
const LOOK: Duration = Duration::from_millis(40);
/// How long the log may take to catch up before the report.
const LOG: Duration = Duration::from_millis(20);
/// How long an abandoned setup may take to let go: what it declares until then is closed too. Only one that
/// blocks its thread takes longer.
const LET_GO: Duration = Duration::from_millis(100);
/// How long `run` may take to return where the setup has not let go of its thread.
const BLOCKED_SETUP: Duration = Duration::from_millis(50);

/// What the thread is given.
pub(crate) struct Brief {
    pub(crate) rules: Rules,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
    pub(crate) signals: Option<Signals>,
    pub(crate) reload: Option<Reload>,
    pub(crate) version: Option<String>,
    pub(crate) destination: Destination,
    pub(crate) exit: Exit,
    /// The voice towards the service manager.
    #[cfg(feature = "systemd")]
    pub(crate) notifier: crate::systemd::Notifier,
    pub(crate) setup_place: &'static std::panic::Location<'static>,
    /// What a restart needs; none where signals are not taken.
    #[cfg(feature = "restart")]
    pub(crate) restarts: Option<Restarts>,
}

/// What the thread says when everything is over.
pub(crate) struct Ended {
    pub(crate) report: Report,
    /// Dropped by whoever takes the report, to say that it was taken.
    _taken: SyncSender<()>,
}

/// The running thread.
pub(crate) struct Supervisor {
    ended: Receiver<Ended>,
}

impl Supervisor {
    /// Starts the thread; the clock of the start runs from here. `ended` is called with the report.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(
        brief: Brief,
        journal: Journal,
        ended: impl FnOnce(&Report) + Send + 'static,
    ) -> std::io::Result<Supervisor> {
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new().name("lameduck".to_owned()).spawn(move || {
            let mut desk = Desk::new(brief, journal);
            desk.work();
            desk.end(ended, &sender);
        })?;
        Ok(Supervisor { ended: receiver })
    }

    /// Waits for the end. `None` if the thread is gone, which would be a bug of ours.
    pub(crate) fn wait(self) -> Option<Report> {
        self.ended.recv().ok().map(|ended| ended.report)
    }
}

/// Everything the thread works with.
struct Desk {
    brief: Brief,
    journal: Journal,
    machine: Machine,
    engine: Option<Engine>,
    cause: Option<Cause>,
    began: Option<jiff::Timestamp>,
    at_begin: Totals,
    stuck: Vec<Stuck>,
    /// What threads do, from the beginning of the stop on.
    watch: Option<Watch>,
    /// The threads of the runtime that were named along with what blocks them.
    named: Vec<i32>,
    started: Instant,
    setup_returned: bool,
    /// Nothing of the setup is left.
    setup_over: bool,
    /// It had not let go of its thread when the stop went on without it.
    setup_blocks: bool,
    /// Until when an abandoned setup may let go; its parts are taken over then.
    let_go_by: Option<Instant>,
    #[cfg(feature = "restart")]
    restart: restart::State,
}

impl Desk {
    fn new(brief: Brief, journal: Journal) -> Desk {
        let now = Instant::now();
        #[cfg(all(feature = "restart", feature = "systemd"))]
        let mut brief = brief;
        #[cfg(all(feature = "restart", feature = "systemd"))]
        if brief.restarts.as_ref().is_some_and(|restarts| restarts.predecessor.is_some()) {
            brief.notifier.hold_back();
        }
        Desk {
            machine: Machine::new(brief.rules, now),
            brief,
            journal,
            engine: None,
            cause: None,
            began: None,
            at_begin: Totals::default(),
            stuck: Vec::new(),
            watch: None,
            named: Vec::new(),
            started: now,
            setup_returned: false,
            setup_over: false,
            setup_blocks: false,
            let_go_by: None,
            #[cfg(feature = "restart")]
            restart: restart::State::default(),
        }
    }

    /// Works until the service has stopped.
    fn work(&mut self) {
        let mut tick_at = Some(self.started + TICK);
        loop {
            let now = Instant::now();
            if let Some(watch) = &mut self.watch {
                watch.look(now);
            }
            let before = self.machine.phase();
            self.step(Event::Time, now);
            #[cfg(feature = "restart")]
            self.hold_no_longer(now);
            self.advance();
            if self.machine.phase() != before {
                // A part that was just told to stop knows deadlines that it did not know before.
                tick_at = None;
            }
            if tick_at.is_none_or(|at| at <= now) {
                let wanted = self.engine.as_ref().and_then(|engine| engine.tick(now));
                tick_at = Some(wanted.unwrap_or(now + TICK).min(now + TICK));
                #[cfg(feature = "restart")]
                self.look_restart();
            }
            let notify_at = self.notify(now);
            if self.machine.phase() == Phase::Stopped {
                return;
            }
            let draining = self.machine.phase() >= Phase::Draining;
            let look_at = (draining && self.watch.is_some()).then(|| now + LOOK);
            #[cfg(feature = "restart")]
            let held_until = self.held_until();
            #[cfg(not(feature = "restart"))]
            let held_until = None;
            let wakes =
                [self.machine.wake_at(), tick_at, self.let_go_by, look_at, notify_at, held_until];
            let next = wakes.into_iter().flatten().min();
            self.wait(next);
            let before = self.machine.phase();
            let signals = self.brief.signals.as_mut().map(Signals::take).unwrap_or_default();
            for event in signals {
                if let Event::Signal(signal) = event {
                    self.because(Cause::Signal { name: signal.name().to_owned() });
                }
                if event == Event::Hangup
                    && let Some(reload) = self.brief.shared.reload()
                {
                    self.reload(reload);
                    continue;
                }
                if event == Event::Hangup && self.brief.rules.hangup == crate::phase::Hangup::Stop {
                    self.because(Cause::Signal { name: "SIGHUP".to_owned() });
                }
                #[cfg(feature = "restart")]
                if self.waits_for_restart(event, Instant::now()) {
                    continue;
                }
                self.step(event, Instant::now());
            }
            for message in self.brief.inbox.take() {
                self.message(message);
            }
            self.advance();
            if self.machine.phase() != before {
                tick_at = None;
            }
            #[cfg(feature = "restart")]
            if std::mem::take(&mut self.restart.tick) {
                tick_at = None;
            }
        }
    }

    /// Tells the service manager what it is to know by now; when there is more to tell.
    #[cfg(feature = "systemd")]
    fn notify(&mut self, now: Instant) -> Option<Instant> {
        let phase = self.machine.phase();
        let end = self.machine.deadlines().map(|deadlines| deadlines.close + EXIT);
        let over_by = if phase == Phase::Starting { self.machine.wake_at() } else { end };
        let next = self.brief.notifier.look(now, phase, over_by);
        for warning in self.brief.notifier.take_warnings() {
            self.journal.warn(warning);
        }
        next
    }

    #[cfg(not(feature = "systemd"))]
    fn notify(&mut self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Waits for a signal, a message or the instant.
    fn wait(&self, until: Option<Instant>) {
        let timeout = until.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let mut fds = vec![PollFd::from_borrowed_fd(self.brief.inbox.as_fd(), PollFlags::IN)];
        if let Some(signals) = &self.brief.signals {
            fds.push(PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN));
        }
        // EINTR is a signal: it is taken on return. Nothing else can go wrong with two valid descriptors.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn message(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            #[cfg(feature = "restart")]
            Message::Check => self.look_restart(),
            #[cfg(not(feature = "restart"))]
            Message::Check => {}
            #[cfg(feature = "restart")]
            Message::Restart => self.step(Event::Restart, now),
            #[cfg(feature = "restart")]
            Message::HandOver(how) => self.hand_over(how, now),
            Message::Say(level, text) => self.journal.text(level, text),
            Message::SetupOver => self.setup_over = true,
            Message::Reloaded => {
                #[cfg(feature = "systemd")]
                self.brief.notifier.reloaded();
            }
            Message::Started => {
                self.setup_returned = true;
                if self.machine.phase() == Phase::Starting {
                    let entries = self.brief.shared.registry().entries();
                    match order_of(self.brief.shared.registry(), &entries) {
                        Ok(order) => {
                            self.engine = Some(Engine::new(entries, order));
                            self.step(Event::Started, now);
                        }
                        Err(error) => {
                            self.because(Cause::Start { message: error.to_string() });
                            self.step(Event::StartFailed, now);
                        }
                    }
                }
            }
            Message::StartFailed(message) => {
                self.setup_returned = true;
                self.because(Cause::Start { message });
                self.step(Event::StartFailed, now);
            }
            Message::Stop { reason } => {
                self.because(Cause::Code { reason });
                #[cfg(feature = "restart")]
                if self.waits_for_restart(Event::Stop, now) {
                    return;
                }
                self.step(Event::Stop, now);
            }
            Message::Failed { part, message } => {
                self.journal.error(format!("`{part}` failed: {message}"));
                self.because(Cause::Failure { part, message });
                #[cfg(feature = "restart")]
                if self.waits_for_restart(Event::Failed, now) {
                    return;
                }
                self.step(Event::Failed, now);
            }
        }
    }

    /// Keeps the first cause: the later ones met a stop that was under way.
    fn because(&mut self, cause: Cause) {
        if self.machine.deadlines().is_none() && self.cause.is_none() {
            self.cause = Some(cause);
        }
    }

    fn step(&mut self, event: Event, now: Instant) {
        let actions = self.machine.step(event, now);
        for action in actions {
            self.act(action, now);
        }
    }

    /// Tells the parts of the current tier what they can be told, and moves on while nothing is left.
    fn advance(&mut self) {
        if let Some(at) = self.let_go_by {
            if !self.setup_over && Instant::now() < at && self.machine.phase() != Phase::Stopped {
                return;
            }
            self.take_over_start();
        }
        loop {
            let tier = match self.machine.phase() {
                Phase::Starting | Phase::Ready | Phase::LameDuck | Phase::Stopped => return,
                Phase::Draining => Tier::Source,
                Phase::Finishing => Tier::Worker,
                Phase::Closing => Tier::Resource,
            };
            let empty = self.engine.as_mut().is_none_or(|engine| engine.advance(tier));
            if !empty {
                return;
            }
            self.step(Event::Empty, Instant::now());
        }
    }

    /// A start that is given up has no time in which shields and blocking work could end: the design gives it the closing
    /// alone. Those that run are left behind, as at their deadline.
    fn leave_shields(&mut self) {
        let shared = &self.brief.shared;
        let mut left = shared.shields().stuck();
        for tier in [Tier::Source, Tier::Worker] {
            left.extend(shared.blocking().stuck(tier));
        }
        if !left.is_empty() {
            self.machine.note_abandoned();
            self.stuck.extend(left);
        }
    }

    /// Takes over what an abandoned setup has declared, to close it.
    fn take_over_start(&mut self) {
        if self.let_go_by.take().is_some() {
            self.setup_blocks = !self.setup_over;
            self.engine = Some(Engine::of_abandoned_start(self.brief.shared.registry()));
        }
    }

    fn act(&mut self, action: Action, now: Instant) {
        match action {
            Action::Enter(phase) => self.enter(phase, now),
            Action::AbandonStart => {
                if self.cause.is_none() {
                    let limit = Span(self.brief.rules.start);
                    let message = format!(
                        "the setup ({}) did not return within {limit}",
                        self.brief.setup_place
                    );
                    self.cause = Some(Cause::Start { message });
                }
                // It may be about to declare one part more, which has to close as well: its parts are taken
                // over once it has let go.
                self.brief.shared.start_abandoned.cancel();
                self.leave_shields();
                self.let_go_by = Some(now + LET_GO);
            }
            Action::SayGoodbye => self.each(|part| part.say_goodbye()),
            Action::CutSources => {
                self.brief.shared.drain_over.cancel();
                self.abandon(Tier::Source);
            }
            Action::AnswerLate => self.each(|part| part.answer_late()),
            Action::Sever => {
                self.each(|part| part.sever());
                self.leave_behind(Tier::Source);
            }
            Action::AbandonWorkers => {
                self.abandon(Tier::Worker);
                self.leave_behind(Tier::Worker);
            }
            Action::AbandonResources => {
                self.take_over_start();
                self.abandon(Tier::Resource);
                self.leave_behind(Tier::Resource);
            }
            Action::ForceExit(signal) => {
                self.journal.warn(format!("{} again: exit at once", signal.name()));
                self.machine_over();
            }
            Action::NoteSignal(signal) => self.journal.info(format!(
                "{} received; already stopping ({})",
                signal.name(),
                self.machine.phase()
            )),
            Action::NoteHangup => self.journal.info(
                "SIGHUP received and ignored; choose what it does with `on_hangup` of the service",
            ),
            #[cfg(feature = "restart")]
            Action::Restart => self.begin_restart(),
            #[cfg(feature = "restart")]
            Action::RefuseRestart => {
                self.refuse_restart(&format!("the service is {}", self.machine.phase()));
            }
            Action::Reload => {
                if let Some(reload) = self.brief.reload.clone() {
                    self.reload(reload);
                }
            }
        }
    }

    /// Calls what the user chose for SIGHUP, on a thread of its own: a callback that blocks must not hold up the
    /// supervisor.
    fn reload(&mut self, reload: Reload) {
        /// Says that the reload is over, however it ends.
        struct Over(Arc<Shared>);
        impl Drop for Over {
            fn drop(&mut self) {
                self.0.events().send(Message::Reloaded);
            }
        }
        self.journal.info("SIGHUP received: reloading");
        #[cfg(feature = "systemd")]
        self.brief.notifier.reloading();
        let over = Over(Arc::clone(&self.brief.shared));
        let thread = std::thread::Builder::new().name("lameduck-reload".to_owned());
        drop(thread.spawn(move || {
            let _over = over;
            reload();
        }));
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        // Before it is logged: whoever reads the log finds it so.
        self.brief.shared.publish(phase, now, self.machine.deadlines());
        if self.began.is_none() && phase > Phase::Ready {
            self.began = Some(jiff::Timestamp::now());
            self.watch = Some(Watch::begin(now));
            self.at_begin = self.engine.as_ref().map(Engine::totals).unwrap_or_default();
            #[cfg(feature = "restart")]
            self.begin_stop();
            match &self.cause {
                Some(cause @ Cause::Start { .. }) => self.journal.error(cause.to_string()),
                Some(cause) => self.journal.info(format!("{cause}: stopping")),
                None => {}
            }
        }
        match phase {
            Phase::Starting | Phase::Finishing | Phase::Closing | Phase::Stopped => {}
            Phase::Ready => {
                #[cfg(feature = "restart")]
                let waits = self.is_successor();
                #[cfg(not(feature = "restart"))]
                let waits = false;
                if let Some(engine) = &self.engine {
                    engine.start(Tier::Worker);
                    if !waits {
                        engine.start(Tier::Source);
                    }
                }
                #[cfg(feature = "restart")]
                if waits {
                    return self.wait_for_commit(now);
                }
                self.journal.info(format!("ready after {}", Span(now - self.started)));
                return;
            }
            Phase::LameDuck => {
                let left = self.machine.deadlines().map(|d| d.lame_duck - d.begun);
                self.journal.info(format!(
                    "lame duck for {}: still serving, /readyz says 503",
                    Span(left.unwrap_or_default())
                ));
                return;
            }
            Phase::Draining => {}
        }
        self.journal.info(format!("{phase}"));
    }

    fn each(&self, f: impl FnMut(&dyn crate::part::Part)) {
        if let Some(engine) = &self.engine {
            engine.each(f);
        }
    }

    fn abandon(&mut self, tier: Tier) {
        let Some(engine) = &mut self.engine else { return };
        let mut stuck = engine.abandon(tier);
        self.add_threads(&mut stuck);
        for one in stuck.iter().take(20) {
            self.journal.warn(format!("deadline: {one}"));
        }
        self.stuck.extend(stuck);
    }

    /// Adds what the threads are doing that run these or are blocked by them.
    fn add_threads(&mut self, stuck: &mut [Stuck]) {
        let (Some(watch), now) = (&mut self.watch, Instant::now()) else { return };
        watch.look(now);
        let blocked = watch.blocked(now);
        for one in stuck {
            if let Some(thread) = one.thread {
                if let Some((_, doing)) = watch.describe(thread, now) {
                    one.doing += &format!("; its thread {thread} is {doing}");
                }
            } else if let Some(runs) = one.runs
                && let Some(blocked) = blocked.iter().find(|blocked| blocked.runs == Some(runs))
            {
                self.named.push(blocked.thread);
                let (thread, time) = (blocked.thread, Span(blocked.time));
                one.doing += &format!("; has blocked thread {thread} of the runtime for {time}");
                if let Some((_, doing)) = watch.describe(thread, now) {
                    one.doing += &format!(", which is {doing}");
                }
            }
        }
    }

    /// The threads of the runtime that do not come back from something that is not the service's.
    fn stuck_threads(&mut self) -> Vec<Stuck> {
        let (Some(watch), now) = (&mut self.watch, Instant::now()) else { return Vec::new() };
        watch.look(now);
        let blocked = watch.blocked(now).into_iter();
        blocked
            .filter(|blocked| !self.named.contains(&blocked.thread))
            .map(|blocked| {
                let thread = blocked.thread;
                let (name, doing) = watch.describe(thread, now).unwrap_or_default();
                let place = format!("runtime thread {thread}");
                let doing = format!("{doing}; runs nothing that was declared");
                Stuck::new(StuckKind::Thread, name, place, blocked.time, doing)
            })
            .collect()
    }

    fn leave_behind(&mut self, tier: Tier) {
        if let Some(engine) = &mut self.engine {
            engine.leave_behind(tier);
        }
    }

    /// What the report says about the setup that never came back.
    fn stuck_setup(&self) -> Option<Stuck> {
        // One that was told to end and did is no culprit.
        let told = matches!(self.cause, Some(Cause::Signal { .. } | Cause::Code { .. }));
        let stands = if told { self.setup_blocks } else { !self.setup_returned };
        stands.then(|| {
            Stuck::new(
                StuckKind::Setup,
                "setup".to_owned(),
                self.brief.setup_place.to_string(),
                self.started.elapsed(),
                "has not returned".to_owned(),
            )
        })
    }

    fn report(&mut self, now: Instant) -> Report {
        let parts = self.engine.as_ref().map(Engine::reports).unwrap_or_default();
        let totals = self.engine.as_ref().map(Engine::totals).unwrap_or_default();
        if self.engine.as_ref().is_some_and(Engine::any_failed) {
            self.machine.note_failure();
        }
        let (requests, connections) = totals.since(&self.at_begin);
        let mut stuck = std::mem::take(&mut self.stuck);
        let mut overdue = self.engine.as_ref().map(Engine::overdue).unwrap_or_default();
        self.add_threads(&mut overdue);
        if !overdue.is_empty() {
            self.machine.note_abandoned();
        }
        stuck.extend(overdue);
        stuck.extend(self.stuck_setup());
        let outcome = self.machine.outcome();
        if outcome == Outcome::Forced {
            stuck.extend(self.stuck_threads());
        }
        let stuck_unlisted = stuck.len().saturating_sub(Report::STUCK_LISTED);
        stuck.truncate(Report::STUCK_LISTED);
        let began = self.machine.deadlines().map_or(now, |deadlines| deadlines.begun);
        Report {
            service: self.brief.shared.name().to_owned(),
            version: self.brief.version.clone(),
            pid: std::process::id(),
            outcome,
            exit_code: outcome.code(),
            cause: self.cause.clone().unwrap_or(Cause::Code { reason: "no cause".to_owned() }),
            began: self.began.unwrap_or_else(jiff::Timestamp::now).to_string(),
            took: now.saturating_duration_since(began),
            phases: self.phases(now),
            restarts_failed: self.brief.shared.restarts_failed(),
            requests,
            connections,
            parts,
            panics: self.brief.shared.panics(),
            stuck,
            stuck_unlisted,
        }
    }

    /// The length of each phase of the stop.
    fn phases(&self, now: Instant) -> Vec<PhaseTime> {
        let phases = self.brief.shared.phases(now).into_iter();
        phases
            .filter(|(phase, _)| *phase > Phase::Ready && *phase < Phase::Stopped)
            .map(|(phase, took)| PhaseTime { phase, took })
            .collect()
    }

    /// A second signal: report what stands and end.
    fn machine_over(&mut self) {
        if self.brief.exit == Exit::Return {
            return;
        }
        let report = self.report(Instant::now());
        self.journal.flush(LOG);
        write_bounded(&report, &self.brief.destination, REPORT);
        end_process(report.exit_code);
    }

    /// Writes the report, hands it over, and sees to it that the process ends.
    fn end(mut self, ended: impl FnOnce(&Report), sender: &mpsc::Sender<Ended>) {
        let now = Instant::now();
        let hard = self.machine.deadlines().map_or(now, |deadlines| deadlines.close) + EXIT;
        let report = self.report(now);
        self.journal.info(report.verdict());
        self.journal.flush(LOG);
        let left = hard.saturating_duration_since(Instant::now()).saturating_sub(REPORT);
        let limit = left.clamp(REPORT, REPORT_IN_TIME);
        write_bounded(&report, &self.brief.destination, limit);
        let shared = Arc::clone(&self.brief.shared);
        let letting_go = std::thread::Builder::new().name("lameduck-drop".to_owned());
        // What the user gave us drops with the parts: foreign code, so not here.
        drop(letting_go.spawn(move || shared.registry().clear()));
        let code = report.exit_code;
        if self.brief.exit == Exit::Return {
            ended(&report);
            return;
        }
        if report.outcome == Outcome::Forced {
            // Something is still running that could disturb an orderly exit.
            end_process(code);
        }
        let (taken, was_taken) = mpsc::sync_channel(0);
        let _ = sender.send(Ended { report, _taken: taken });
        // `run` takes the report as soon as it gets the processor, unless a setup blocks its thread.
        let over = |message| matches!(message, Message::SetupOver);
        let comes = self.setup_over || self.brief.inbox.take().into_iter().any(over);
        let left = hard.saturating_duration_since(Instant::now());
        let patience = if comes { left } else { BLOCKED_SETUP };
        if was_taken.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            end_process(code);
        }
        // `run` has returned; `main` may do a little more, but not for ever.
        while Instant::now() < hard {
            self.wait(Some(hard));
            if let Some(signal) = self.forcing_signal() {
                end_process(Outcome::Signalled(signal.number()).code());
            }
        }
        end_process(code);
    }

    /// A signal that forces the exit while `main` goes on after `run`: nobody else takes it.
    fn forcing_signal(&mut self) -> Option<StopSignal> {
        drop(self.brief.inbox.take());
        let first = self.machine.deadlines().map(|deadlines| deadlines.begun);
        let same = first.is_some_and(|first| first.elapsed() < SAME_SIGNAL);
        let signals = self.brief.signals.as_mut().map(Signals::take).unwrap_or_default();
        let forcing = signals.into_iter().find_map(|event| match event {
            Event::Signal(signal @ (StopSignal::Interrupt | StopSignal::Quit)) => Some(signal),
            Event::Signal(StopSignal::Terminate) if self.brief.rules.repeated_term_forces => {
                Some(StopSignal::Terminate)
            }
            Event::Signal(StopSignal::Terminate | StopSignal::Hangup)
            | Event::Started
            | Event::StartFailed
            | Event::Hangup
            | Event::Stop
            | Event::Failed
            | Event::Empty
            | Event::Time => None,
            #[cfg(feature = "restart")]
            Event::Restart | Event::HandedOver => None,
        });
        forcing.filter(|_| !same)
    }
}
