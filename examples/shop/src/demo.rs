//! The demonstration: what a stop under load loses, and what a SIGKILL tears.
//!
//! It starts shops of its own as child processes, on a free port and a database in a temporary folder, and lets
//! 200 buyers buy on real keep-alive connections. No shop outlives it, however it ends, except by SIGKILL of the demo
//! itself.

use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

mod act;
mod buyer;
mod child;
mod client;
mod free_port;
mod outcome;
mod paint;
mod progress;
mod report;
mod response;
mod summary;
mod tally;

use act::Act;
use paint::Paint;
use progress::Progress;

/// How many buy at once.
const BUYERS: usize = 200;
/// How long they buy before the signal.
const BEFORE_THE_SIGNAL: Duration = Duration::from_secs(2);

/// Why the demonstration could not be shown.
type Failure = Box<dyn std::error::Error>;

/// Shows a SIGTERM, a SIGKILL, and the start after it. Fails if the SIGTERM lost or tore anything.
pub fn run() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("shop demo: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let shown = tokio::select! {
            shown = show() => shown,
            code = interrupted() => return code,
        };
        match shown {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                Progress::new().clear();
                eprintln!("shop demo: {failure}");
                ExitCode::FAILURE
            }
        }
    })
}

/// Waits for a signal to the demonstration itself. Dropping [`show`] then ends the child.
async fn interrupted() -> ExitCode {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
        return std::future::pending().await;
    };
    let number = tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
        _ = hangup.recv() => 1,
    };
    Progress::new().clear();
    eprintln!("shop demo: interrupted");
    ExitCode::from(128 + number)
}

async fn show() -> Result<bool, Failure> {
    let paint = Paint::for_stdout();
    println!(
        "{}",
        paint.strong(&format!("{BUYERS} buyers, stopped after {} s", BEFORE_THE_SIGNAL.as_secs()))
    );

    let folder = tempfile::Builder::new().prefix("shop-demo-").tempdir()?;
    let terminated = Act::play(Signal::TERM, folder.path()).await?;
    println!("\n{}", paint.strong("SIGTERM: the shop ends what it has begun"));
    print!("{}", terminated.summary(&paint));
    let clean = terminated.is_clean();
    println!("{}", terminated.verdict(&paint));

    let folder = tempfile::Builder::new().prefix("shop-demo-").tempdir()?;
    let killed = Act::play(Signal::KILL, folder.path()).await?;
    println!("\n{}", paint.strong("SIGKILL: nothing can catch it"));
    print!("{}", killed.summary(&paint));
    println!("{}", killed.verdict(&paint));

    let mended = act::start_again(folder.path()).await?;
    println!("\n{}", paint.strong("The next start on that database"));
    print!("{}", mended.summary(&paint));
    println!("{}", mended.verdict(&paint));

    Ok(clean && mended.is_clean())
}
