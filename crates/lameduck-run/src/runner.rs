//! Carries out what the machine says, on one thread: waits for signals, for what children say, and for time.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{getpid, set_child_subreaper};
use serde_json::json;

use crate::child::{Child, Other};
use crate::error::RunError;
use crate::group;
use crate::journal::{Journal, Known, Level, Line, line_of};
use crate::machine::{Action, ChildId, End, Event, Fact, Machine, Readiness, Rules, Sign};
use crate::manager::Manager;
use crate::reaped::reap;
use crate::settings::Settings;
use crate::signals::{Signals, Taken};
use crate::sockets::Sockets;

/// Runs the command until it is over; the exit code.
///
/// It installs signal handlers, makes the process the reaper of everything below it, and reaps all children of the
/// process: only a program that does nothing else may call it.
///
/// # Errors
/// One line that says what stood in the way of beginning.
pub fn run(settings: &Settings) -> Result<u8, RunError> {
    // First: until then each of them kills.
    let signals = Signals::install().map_err(RunError::system("no signal handlers"))?;
    let program = settings.command.first().ok_or(RunError::NoCommand)?;
    check(program)?;
    let sockets = Sockets::bind(&settings.listen)?;
    // Process 1 is it anyway. Where the kernel refuses, orphans go to whom they would have gone.
    let _ = set_child_subreaper(Some(getpid()));
    let mut runner = Runner::new(settings, signals, sockets);
    let code = runner.work();
    runner.sockets.remove();
    Ok(code)
}

struct Runner<'a> {
    settings: &'a Settings,
    signals: Signals,
    sockets: Sockets,
    children: BTreeMap<ChildId, Child>,
    machine: Machine,
    journal: Journal,
    manager: Manager,
    /// What is to be done first.
    first: Vec<Action>,
    /// Why the newest child could not be started.
    start_error: Option<String>,
    exit: Option<u8>,
}

impl<'a> Runner<'a> {
    fn new(settings: &'a Settings, signals: Signals, sockets: Sockets) -> Self {
        let Settings { ready, ready_within, grace, .. } = *settings;
        let (machine, first) = Machine::new(Rules { ready, ready_within, grace }, Instant::now());
        Self {
            settings,
            signals,
            sockets,
            children: BTreeMap::new(),
            machine,
            journal: Journal::new(settings.log),
            manager: Manager::of_environment(),
            first,
            start_error: None,
            exit: None,
        }
    }

    fn work(&mut self) -> u8 {
        let places = self.sockets.places();
        if !places.is_empty() {
            let line = listening(&places);
            self.journal.say(&line);
        }
        if std::env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string()) {
            let text =
                "sockets from our own parent (LISTEN_FDS) are not passed on: name them by --listen";
            self.journal.say(&Line::new(Level::Warn, "inherited", text));
        }
        let first = std::mem::take(&mut self.first);
        self.act(first);
        loop {
            for taken in self.signals.take() {
                match taken {
                    Taken::Event(event) => self.step(event),
                    Taken::PassOn => {
                        for child in self.children.values() {
                            group::pass_on(child.pid);
                        }
                    }
                }
            }
            // Before what they say: one that was ready and has died is not.
            self.reap();
            self.listen();
            self.ask();
            self.step(Event::Time);
            if let Some(code) = self.exit {
                return code;
            }
            self.wait();
        }
    }

    fn step(&mut self, event: Event) {
        let actions = self.machine.step(event, Instant::now());
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(id) => self.start(id),
                Action::CloseSockets => self.sockets.close(),
                Action::Signal(id, signal) => {
                    if let Some(child) = self.children.get(&id) {
                        group::signal(child.pid, signal);
                    }
                }
                Action::Kill(id) => {
                    if let Some(child) = self.children.get(&id) {
                        group::kill(child.pid);
                    }
                }
                Action::Say(fact) => self.say(&fact),
                Action::Exit(code) => self.exit = Some(code),
            }
        }
    }

    fn start(&mut self, id: ChildId) {
        let other = if self.children.is_empty() { Other::Alone } else { Other::Serves };
        match Child::start(self.settings, id, &self.sockets, other) {
            Ok(child) => {
                let pid = child.pid.as_raw_nonzero().get();
                let line =
                    Line::new(Level::Info, "started", format!("{id} is started (pid {pid})"));
                self.journal.say(&line.with("child", id.0).with("pid", pid));
                self.children.insert(id, child);
                self.step(Event::Started(id));
            }
            Err(error) => {
                self.start_error = Some(error.to_string());
                self.step(Event::Ended(id, End::NotStarted));
            }
        }
    }

    fn reap(&mut self) {
        for (pid, end) in reap() {
            let Some(child) = self.children.values_mut().find(|child| child.pid == pid) else {
                // An orphan.
                continue;
            };
            let id = child.id;
            // Its last words. That it is ready is no longer among them.
            let _ = child.hear();
            let end = if child.not_executed.is_some() { End::NotStarted } else { end };
            self.step(Event::Ended(id, end));
            self.children.remove(&id);
        }
    }

    /// Hears what the children say.
    fn listen(&mut self) {
        for id in self.children.keys().copied().collect::<Vec<_>>() {
            let Some(child) = self.children.get_mut(&id) else { continue };
            let (ready, strangers) = child.hear();
            for stranger in strangers {
                let text =
                    format!("process {stranger} spoke for {id}, of which it is no part: ignored");
                self.journal.say(&Line::new(Level::Warn, "stranger", text).with("pid", stranger));
            }
            if ready {
                self.step(Event::Ready(id, Sign::Said));
            }
        }
    }

    /// Asks those that have to answer.
    fn ask(&mut self) {
        let now = Instant::now();
        for id in self.children.keys().copied().collect::<Vec<_>>() {
            let Some(child) = self.children.get_mut(&id) else { continue };
            if child.probe.as_mut().is_some_and(|probe| probe.advance(now)) {
                child.probe = None;
                self.step(Event::Ready(id, Sign::Answered));
            }
        }
    }

    fn say(&mut self, fact: &Fact) {
        let now = Instant::now();
        let of = |id: ChildId| self.known(id, now);
        let line = line_of(fact, self.settings.grace, &of);
        self.journal.say(&line);
        if let Err(error) = self.manager.tell(fact) {
            let text = format!("NOTIFY_SOCKET: the manager cannot be told: {error}");
            self.journal.say(&Line::new(Level::Warn, "manager", text));
        }
    }

    fn known(&self, id: ChildId, now: Instant) -> Known {
        let Some(child) = self.children.get(&id) else {
            let why = self.start_error.clone().unwrap_or_default();
            return Known { pid: None, age: std::time::Duration::ZERO, why };
        };
        let program = self.settings.command.first().map(|word| word.display().to_string());
        let why = match (&child.not_executed, &child.probe, &self.settings.url) {
            (Some(error), _, _) => format!("{}: {error}", program.unwrap_or_default()),
            (None, Some(probe), Some(url)) => format!("{} {}", url.text(), probe.last()),
            (None, ..) => match self.settings.ready {
                Readiness::Auto => "it has not said READY=1, as the child before it had \
                                    (--ready-after waits for a time instead)"
                    .to_owned(),
                Readiness::Said => "it has not said READY=1 to NOTIFY_SOCKET".to_owned(),
                Readiness::Answered | Readiness::Lived(_) => "its time was not over".to_owned(),
            },
        };
        let pid = Some(child.pid.as_raw_nonzero().get());
        Known { pid, age: now.saturating_duration_since(child.started), why }
    }

    /// Waits for whatever comes first.
    fn wait(&self) {
        let probes = self.children.values().filter_map(|child| child.probe.as_ref());
        let wakes = probes.clone().map(|probe| probe.wake_at()).chain(self.machine.wake_at());
        let timeout = wakes.min().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(self.children.values().map(|child| PollFd::new(&child.notify, PollFlags::IN)));
        let interests = probes.filter_map(|probe| probe.interest());
        fds.extend(interests.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        // EINTR is a signal: it is taken next. With valid descriptors nothing else can go wrong.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}

fn listening(places: &[(&str, &str)]) -> Line {
    let texts: Vec<_> = places.iter().map(|(name, at)| format!("{name} on {at}")).collect();
    let values = places.iter().map(|(name, at)| json!({ "name": name, "address": at }));
    Line::new(Level::Info, "listening", format!("listens: {}", texts.join(", ")))
        .with("sockets", values.collect::<Vec<_>>())
}

/// Whether the program is there at all, so that the first error is a plain one. Later ones, when it has gone meanwhile, the
/// child itself finds out.
fn check(program: &OsStr) -> Result<(), RunError> {
    let not_found = || RunError::NotFound(program.display().to_string());
    if program.as_encoded_bytes().contains(&b'/') {
        return Path::new(program).exists().then_some(()).ok_or_else(not_found);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    found.then_some(()).ok_or_else(not_found)
}
