//! What a user declares, and what runs it. The only place that joins HTTP, tasks, resources and the
//! supervisor.

mod environment;
#[cfg(feature = "http1")]
mod http;
mod run;
mod setup;
#[cfg(feature = "http1")]
mod sockets;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "http1")]
pub use self::http::Http;
pub use self::setup::Setup;
use crate::budget::Budget;
use crate::report::{Callback, Report};

/// A service: what it is called, how long it may take to stop, and what signals do. What it consists of is
/// declared by the setup that [`Service::run`] and [`Service::serve`] take.
///
/// ```no_run
/// use std::process::ExitCode;
/// use lameduck::{Service, Setup};
///
/// fn main() -> ExitCode {
///     Service::new("hello").run(async |hello: &mut Setup| {
///         let router = axum::Router::new().route("/", axum::routing::get(async || "OK"));
///         hello.http("public", "127.0.0.1:8080", router);
///         Ok(())
///     })
/// }
/// ```
#[must_use = "a service does nothing until `run` or `serve`"]
pub struct Service {
    name: String,
    version: Option<String>,
    budget: Budget,
    grace: Option<Duration>,
    admin: Option<String>,
    start: Duration,
    hangup: Hangup,
    repeated_term_forces: bool,
    on_report: Option<Callback>,
}

/// What SIGHUP does.
enum Hangup {
    /// It stops a service whose standard input is a terminal, and is otherwise ignored.
    Default,
    Stop,
    #[cfg(feature = "restart")]
    Restart,
    Reload(Arc<dyn Fn() + Send + Sync>),
}

impl Service {
    /// A service of this name, which logs and the report show.
    pub fn new(name: impl Into<String>) -> Service {
        Service {
            name: name.into(),
            version: None,
            budget: Budget::default(),
            grace: None,
            admin: None,
            start: Duration::from_secs(60),
            hangup: Hangup::Default,
            repeated_term_forces: false,
            on_report: None,
        }
    }

    /// The version that the report shows: `.version(env!("CARGO_PKG_VERSION"))`.
    pub fn version(mut self, version: impl Into<String>) -> Service {
        self.version = Some(version.into());
        self
    }

    /// The times allowed to each phase of the stop. The environment overrides them, see [`Budget`].
    pub fn budget(mut self, budget: Budget) -> Service {
        self.budget = budget;
        self
    }

    /// States what the platform allows from the signal to its SIGKILL. A budget that does not fit is then an
    /// error at start. Variable `LAMEDUCK_GRACE`; `LAMEDUCK_PRESTOP` states what a `preStop` hook uses up of
    /// it.
    pub fn grace(mut self, grace: Duration) -> Service {
        self.grace = Some(grace);
        self
    }

    /// Where the admin listener answers `/livez`, `/readyz`, `/startupz`, `/tasks` and `/metrics`, from before the setup
    /// runs until the very end: `127.0.0.1:9090`, or `unix:/run/shop-admin.sock`. Off by default. Variable
    /// `LAMEDUCK_ADMIN`. It has no authentication: do not bind it where strangers can reach it.
    #[cfg(feature = "admin")]
    pub fn admin(mut self, address: impl Into<String>) -> Service {
        self.admin = Some(address.into());
        self
    }

    /// How long the setup may take. Default 60 s.
    pub fn start_within(mut self, time: Duration) -> Service {
        self.start = time;
        self
    }

    /// Calls this on SIGHUP, on a thread of its own. By default SIGHUP stops a service whose standard input is
    /// a terminal, and is otherwise logged and ignored.
    pub fn on_hangup(mut self, reload: impl Fn() + Send + Sync + 'static) -> Service {
        self.hangup = Hangup::Reload(Arc::new(reload));
        self
    }

    /// Stops on SIGHUP as on SIGTERM.
    pub fn stop_on_hangup(mut self) -> Service {
        self.hangup = Hangup::Stop;
        self
    }

    /// Restarts on SIGHUP as on SIGUSR2, for those who are used to `systemctl reload` or `kill -HUP`.
    #[cfg(feature = "restart")]
    pub fn restart_on_hangup(mut self) -> Service {
        self.hangup = Hangup::Restart;
        self
    }

    /// Takes a repeated SIGTERM for a demand to exit at once, as a repeated SIGINT is. By default it changes
    /// nothing, because Kubernetes, node shutdown and `preStop` hooks send it twice.
    pub fn repeated_term_forces(mut self) -> Service {
        self.repeated_term_forces = true;
        self
    }

    /// Calls this with the finished report, on a helper thread. Together with the writing of the report it has up to 1 s
    /// before the last deadline, and 100 ms beyond it at least: the exit waits for it no longer.
    pub fn on_report(mut self, callback: impl Fn(&Report) + Send + Sync + 'static) -> Service {
        self.on_report = Some(Arc::new(callback));
        self
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
