//! Running a service: `run` in a process of its own, `serve` in somebody else's.

use std::panic::{AssertUnwindSafe, Location};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::environment::{self, Settings};
#[cfg(feature = "http1")]
use super::sockets::Sockets;
use super::{Hangup, Service, Setup};
use crate::Error;
#[cfg(feature = "admin")]
use crate::http::listen::{Address, Listener};
#[cfg(feature = "http1")]
use crate::inherit::Inherited;
use crate::lifecycle::{self, Events, Inbox, Message, Shared, StopHandle};
use crate::phase::Outcome;
use crate::report::{Cause, Report, write_bounded};
#[cfg(feature = "restart")]
use crate::restart::{Handed, Listening, Plan, Program, Successor};
#[cfg(feature = "restart")]
use crate::supervisor::Restarts;
use crate::supervisor::{Brief, Exit, Journal, Signals, Supervisor};

/// How long the report of a start that failed at once may take to be written.
const REPORT: Duration = Duration::from_millis(100);

impl Service {
    /// Runs the service until it has stopped, and says how: `fn main() -> ExitCode { Service::new(..).run(..) }`.
    ///
    /// It takes the signals from its first statement on, owns the tokio runtime (as many threads as
    /// `TOKIO_WORKER_THREADS` or the machine says) and leaves it behind at the end. Only `run` installs signal
    /// handlers, takes over the sockets that `LISTEN_FDS` passes on, and may end the process: it does so itself where
    /// something was left behind, and in any case within the budget + 200 ms.
    ///
    /// The setup opens what the service needs, in order, and declares its parts. A failure, a signal or its
    /// deadline ends the start: what was declared so far is closed.
    #[track_caller]
    pub fn run<F>(self, setup: F) -> ExitCode
    where
        F: AsyncFnOnce(&mut Setup) -> Result<(), Error>,
    {
        let place = Location::caller();
        let signals = Signals::install();
        match self.run_with(signals, place, setup) {
            Ok(report) => ExitCode::from(report.exit_code),
            Err(code) => code,
        }
    }

    fn run_with<F>(
        self,
        signals: std::io::Result<Signals>,
        place: &'static Location<'static>,
        setup: F,
    ) -> Result<Report, ExitCode>
    where
        F: AsyncFnOnce(&mut Setup) -> Result<(), Error>,
    {
        let failed =
            |error: Error| ExitCode::from(self.failed_start(&error, Exit::Process).exit_code);
        let machine = |what: &str, error: std::io::Error| {
            failed(Error::msg(format!("cannot {what}: {error}; raise the limits of this process")))
        };
        // Before the user's code runs, and once signals are taken: what those have opened is closed on exec, which tells it
        // from what was passed on.
        #[cfg(feature = "http1")]
        let inherited = Inherited::listen_fds();
        #[cfg(feature = "restart")]
        let handed = Handed::take();
        #[cfg(feature = "restart")]
        let program = Program::of_this_process().map_err(|error| error.to_string());
        let signals = signals.map_err(|error| machine("take signals", error))?;
        #[cfg_attr(not(feature = "http1"), expect(unused_mut, reason = "nothing is inherited"))]
        let mut settings = environment::settings(&self).map_err(failed)?;
        let threads = environment::threads().map_err(failed)?;
        #[cfg(feature = "http1")]
        #[cfg_attr(not(feature = "restart"), expect(unused_mut, reason = "no predecessor"))]
        let mut inherited = inherited.map_err(failed)?;
        #[cfg(feature = "restart")]
        let mut handed = handed.map_err(failed)?;
        #[cfg(feature = "restart")]
        for (socket, number) in handed.iter_mut().flat_map(|handed| handed.sockets.drain(..)) {
            inherited.add(socket, number).map_err(failed)?;
        }
        #[cfg(feature = "http1")]
        settings.remarks.extend(inherited.remark().map(ToOwned::to_owned));
        #[cfg(feature = "http1")]
        let sockets = Sockets::new(inherited, settings.listeners_exclusive);
        #[cfg(feature = "restart")]
        let listening = Arc::new(Listening::default());
        #[cfg(feature = "restart")]
        let sockets = sockets.kept_in(&listening);
        let (events, inbox) =
            Events::channel().map_err(|error| machine("open a descriptor", error))?;
        let begun = AtomicUsize::new(0);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(threads)
            .thread_name(format!("{}-worker", self.name))
            // So that a thread which never comes back is told from one that has nothing to do.
            // Those that run tasks begin with the runtime; all that begin later may be blocked.
            .on_thread_start(move || {
                if begun.fetch_add(1, Ordering::Relaxed) < threads {
                    lifecycle::begin_worker();
                }
            })
            .on_thread_park(|| lifecycle::park(true))
            .on_thread_unpark(|| lifecycle::park(false))
            .build()
            .map_err(|error| machine("start the runtime", error))?;
        let shared = self.shared(events, runtime.handle().clone());
        #[cfg(feature = "restart")]
        if handed.is_none() {
            shared.set_alone();
        } else {
            shared.set_front(false);
        }
        // It answers until its guard drops: after the report.
        #[cfg(feature = "admin")]
        let _admin = match &settings.admin {
            Some(address) => {
                let _inside = runtime.enter();
                let listen = |at: &Address| sockets.listen("admin", at, false, shared.events());
                Some(crate::admin::start(address, listen, &shared).map_err(failed)?)
            }
            None => None,
        };
        #[cfg_attr(not(feature = "restart"), expect(unused_mut, reason = "no restart"))]
        let mut brief = self.brief(&settings, &shared, inbox, Some(signals), Exit::Process, place);
        #[cfg(feature = "restart")]
        {
            let predecessor = handed
                .map(|handed| Successor::begin(handed, &shared))
                .transpose()
                .map_err(|error| machine("start a thread", error))?;
            let plan = Plan {
                program,
                listening: Arc::clone(&listening),
                shared: Arc::clone(&shared),
                start: settings.rules.start,
                budget: settings.rules.budget,
            };
            brief.restarts = Some(Restarts { plan, listening, predecessor });
        }
        let supervisor = Supervisor::start(brief, self.journal(&settings), |_| {})
            .map_err(|error| machine("start a thread", error))?;
        let set_up = set_up(
            &settings,
            &shared,
            #[cfg(feature = "http1")]
            sockets,
            place,
            setup,
        );
        runtime.block_on(set_up);
        let report = supervisor.wait();
        runtime.shutdown_background();
        report.ok_or(ExitCode::FAILURE)
    }

    /// Runs the service on the runtime of the caller, until it has stopped, and returns the report. It installs
    /// no signal handlers, takes over no sockets from `LISTEN_FDS` (they belong to the process, which is not its own),
    /// and never ends the process: `stop` begins the stop.
    ///
    /// Dropping the future begins the stop too; it then goes on without anybody who waits for it. The future
    /// borrows nothing, so it can be spawned.
    #[track_caller]
    pub fn serve<F>(self, stop: &StopHandle, setup: F) -> impl Future<Output = Report> + use<F>
    where
        F: AsyncFnOnce(&mut Setup) -> Result<(), Error>,
    {
        let place = Location::caller();
        let stop = stop.clone();
        async move { self.serve_with(&stop, place, setup).await }
    }

    async fn serve_with<F>(
        self,
        stop: &StopHandle,
        place: &'static Location<'static>,
        setup: F,
    ) -> Report
    where
        F: AsyncFnOnce(&mut Setup) -> Result<(), Error>,
    {
        let failed = |error: &Error| self.failed_start(error, Exit::Return);
        let settings = match environment::settings(&self) {
            Ok(settings) => settings,
            Err(error) => return failed(&error),
        };
        let (events, inbox) = match Events::channel() {
            Ok(channel) => channel,
            Err(error) => return failed(&error.into()),
        };
        let shared = self.shared(events, Handle::current());
        #[cfg(feature = "admin")]
        let admin = match &settings.admin {
            Some(address) => match crate::admin::start(address, Listener::bind, &shared) {
                Ok(admin) => Some(admin),
                Err(error) => return failed(&error),
            },
            None => None,
        };
        let (sender, ended) = oneshot::channel();
        let brief = self.brief(&settings, &shared, inbox, None, Exit::Return, place);
        let told = move |report: &Report| {
            // With the supervisor, not with this future: dropped, it leaves a stop that is still to be seen.
            #[cfg(feature = "admin")]
            drop(admin);
            drop(sender.send(report.clone()));
        };
        if let Err(error) = Supervisor::start(brief, self.journal(&settings), told) {
            return failed(&error.into());
        }
        /// Begins the stop when the future is dropped, and lets the handle go.
        struct Attached<'a>(&'a StopHandle);
        impl Drop for Attached<'_> {
            fn drop(&mut self) {
                self.0.stop("the future of `serve` was dropped");
                self.0.detach();
            }
        }
        stop.attach(&shared);
        let attached = Attached(stop);
        set_up(
            &settings,
            &shared,
            #[cfg(feature = "http1")]
            Sockets::default(),
            place,
            setup,
        )
        .await;
        let report = ended.await;
        attached.0.detach();
        std::mem::forget(attached);
        report.unwrap_or_else(|_| failed(&Error::msg("the supervisor thread is gone")))
    }

    fn shared(&self, events: Events, runtime: Handle) -> Arc<Shared> {
        Arc::new(Shared::new(self.name.clone(), events, runtime))
    }

    fn journal(&self, settings: &Settings) -> Journal {
        let journal = Journal::start(&self.name);
        for remark in &settings.remarks {
            journal.info(remark.clone());
        }
        for warning in &settings.warnings {
            journal.warn(warning.clone());
        }
        journal
    }

    fn brief(
        &self,
        settings: &Settings,
        shared: &Arc<Shared>,
        inbox: Inbox,
        signals: Option<Signals>,
        exit: Exit,
        setup_place: &'static Location<'static>,
    ) -> Brief {
        Brief {
            rules: settings.rules,
            shared: Arc::clone(shared),
            inbox,
            signals,
            reload: match &self.hangup {
                Hangup::Reload(reload) => Some(Arc::clone(reload)),
                Hangup::Default | Hangup::Stop => None,
                #[cfg(feature = "restart")]
                Hangup::Restart => None,
            },
            version: self.version.clone(),
            destination: environment::destination(self, exit == Exit::Process),
            exit,
            #[cfg(feature = "systemd")]
            notifier: notifier(exit, shared),
            setup_place,
            #[cfg(feature = "restart")]
            restarts: None,
        }
    }

    /// The report of a start that did not come to anything, handed on as any other is.
    fn failed_start(&self, error: &Error, exit: Exit) -> Report {
        let report = self.report_of_failed_start(error);
        write_bounded(&report, &environment::destination(self, exit == Exit::Process), REPORT);
        report
    }

    fn report_of_failed_start(&self, error: &Error) -> Report {
        Report {
            service: self.name.clone(),
            version: self.version.clone(),
            pid: std::process::id(),
            outcome: Outcome::Failed,
            exit_code: Outcome::Failed.code(),
            cause: Cause::Start { message: error.to_string() },
            began: jiff::Timestamp::now().to_string(),
            took: Duration::ZERO,
            phases: Vec::new(),
            requests: crate::RequestCounts::default(),
            connections: crate::ConnectionCounts::default(),
            parts: Vec::new(),
            restarts_failed: 0,
            panics: crate::Panics::default(),
            stuck: Vec::new(),
            stuck_unlisted: 0,
        }
    }
}

/// The voice towards the service manager, of a service that owns its process.
#[cfg(feature = "systemd")]
fn notifier(exit: Exit, shared: &Shared) -> crate::systemd::Notifier {
    use crate::systemd::Notifier;
    match exit {
        Exit::Return => Notifier::silent(),
        Exit::Process => {
            let mut notifier = Notifier::from_environment();
            notifier.watch(shared.runtime());
            notifier
        }
    }
}

/// Runs the setup and tells the supervisor how it went. Ends early when the start is abandoned.
async fn set_up<F>(
    settings: &Settings,
    shared: &Arc<Shared>,
    #[cfg(feature = "http1")] sockets: Sockets,
    place: &'static Location<'static>,
    setup: F,
) where
    F: AsyncFnOnce(&mut Setup) -> Result<(), Error>,
{
    /// Says that nothing of the setup is left, however it ends: declared first, dropped last.
    struct Over<'a>(&'a Shared);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.events().send(Message::SetupOver);
        }
    }
    let over = Over(shared);
    #[cfg(not(feature = "http1"))]
    let _ = settings;
    let work = async {
        let mut declared = Setup::new(
            shared,
            #[cfg(feature = "http1")]
            settings.rules.budget,
            #[cfg(feature = "http1")]
            sockets.clone(),
            place,
        );
        setup(&mut declared).await.and_then(|()| declared.result())?;
        #[cfg(feature = "http1")]
        sockets.close_unused(shared.events());
        Ok::<(), Error>(())
    };
    let message = tokio::select! {
        biased;
        () = shared.start_abandoned.cancelled() => return,
        done = AssertUnwindSafe(work).catch_unwind() => match done {
            Ok(Ok(())) => Message::Started,
            Ok(Err(error)) => Message::StartFailed(error.to_string()),
            Err(panic) => {
                let message = crate::panic::message(&*panic);
                Message::StartFailed(format!("the setup ({place}) panicked: {message}"))
            }
        },
    };
    // First, so that nobody waits for it: what is left of the budget may be nothing.
    drop(over);
    shared.events().send(message);
}
