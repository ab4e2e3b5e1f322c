//! `lameduck run`: options and exit codes.
//!
//! Exit codes: that of the child that served, 128 + n if signal n killed it; 1 the first child did not become ready;
//! 2 misuse, or a socket that cannot be bound.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use lameduck_run::{Listen, Log, Readiness, Settings, Url};

const MISUSE: u8 = 2;

/// The longest time that an option takes: beyond it somebody has slipped.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The options of `lameduck run`.
#[derive(Debug, Args)]
#[command(
    override_usage = "lameduck run [OPTIONS] -- <COMMAND>...",
    after_help = "The server gets its sockets by systemd's protocol: LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID; descriptors\n\
    from 3 on, in the order of --listen.\n\n\
    Signals: SIGHUP and SIGUSR2 replace the server. SIGTERM, SIGINT and SIGQUIT stop it; a second SIGINT or\n\
    SIGQUIT kills it. SIGUSR1 is passed on.\n\n\
    A server counts as ready when it says READY=1 to NOTIFY_SOCKET, or else once it has lived for 1 s. Where the one\n\
    that serves has said READY=1, its replacement has to say so too. --ready and --ready-after change that.\n\n\
    A server that ends by itself is not started again: lameduck run ends with its code, and its own supervisor decides.\n\n\
    Exit codes: the server's own, 128 + n if signal n killed it; 1 the first server did not become ready; 2 misuse."
)]
pub(crate) struct Arguments {
    /// A socket to listen on, such as http=127.0.0.1:8080 or api=unix:/run/api.sock; may be given more
    /// than once
    #[arg(long, value_name = "NAME=ADDR")]
    listen: Vec<Listen>,
    /// What says that a server is ready: `notify` (READY=1), or an http:// URL that answers 2xx. {port} in the URL and in
    /// the command is a free port, another one for each server
    #[arg(long, value_name = "notify|URL", conflicts_with = "ready_after", value_parser = sign)]
    ready: Option<Sign>,
    /// A server is ready once it has lived for so long
    #[arg(long, value_name = "TIME", value_parser = time)]
    ready_after: Option<Duration>,
    /// How long a server may take to become ready. A new one that takes longer is ended, and the old one serves on
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    ready_within: Duration,
    /// How long a server may take to end after SIGTERM; then SIGKILL
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    grace: Duration,
    /// Write what happens to standard error as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// The server's command line
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Debug)]
enum Sign {
    Notify,
    Url(Url),
}

/// Does what the arguments ask for.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match attempt(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("lameduck run: {why}");
            ExitCode::from(MISUSE)
        }
    }
}

fn attempt(arguments: &Arguments) -> Result<u8, String> {
    let (ready, url) = match (&arguments.ready, arguments.ready_after) {
        (Some(Sign::Notify), _) => (Readiness::Said, None),
        (Some(Sign::Url(url)), _) => (Readiness::Answered, Some(url.clone())),
        (None, Some(time)) => (Readiness::Lived(time), None),
        (None, None) => (Readiness::Auto, None),
    };
    if let Some(time) = arguments.ready_after
        && time >= arguments.ready_within
    {
        return Err("--ready-after is not below --ready-within: no server could become ready; \
                    give a longer --ready-within"
            .to_owned());
    }
    let settings = Settings {
        listen: arguments.listen.clone(),
        ready,
        url,
        ready_within: arguments.ready_within,
        grace: arguments.grace,
        log: if arguments.json { Log::Json } else { Log::Text },
        command: arguments.command.clone(),
    };
    lameduck_run::run(&settings).map_err(|error| error.to_string())
}

fn sign(text: &str) -> Result<Sign, String> {
    if text == "notify" {
        return Ok(Sign::Notify);
    }
    text.parse().map(Sign::Url).map_err(|error: lameduck_run::UrlError| error.to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    let time = lameduck_run::read_time(text).ok_or("write it like 5s, 250ms or 1m30s")?;
    if time > LONGEST { Err("a day is the most".to_owned()) } else { Ok(time) }
}
