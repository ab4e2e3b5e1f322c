//! A small server that stops as it should, but for one fault: HTTP/1.1 by hand, HTTP/2 by h2, WebSockets.
//!
//! The main thread has the signals, the deadline and the exit, on a runtime of its own, so that blocked handlers do
//! not hold it.

mod connection;
mod http2;
mod shared;
mod websocket;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};

use self::shared::{Open, Shared};
use crate::fault::Fault;

/// How long it goes on accepting once it is unready.
const LAME_DUCK: Duration = Duration::from_millis(60);
/// How long it goes on accepting in the drain.
const ACCEPT: Duration = Duration::from_millis(30);

pub(crate) fn serve(fault: Option<&str>, admin: Option<&str>, grace: Duration) -> ExitCode {
    let fault = fault.and_then(Fault::named);
    let port = |text: Option<&str>| text.and_then(|text| text.parse::<u16>().ok());
    let own = std::env::var("PORT").ok();
    let (Some(public), Some(admin)) = (port(own.as_deref()), port(admin)) else {
        return ExitCode::from(64);
    };
    let main = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let workers =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let shared = Arc::new(Shared::new(fault));
    let code = main.block_on(live(&workers, &shared, public, admin, grace));
    // Whatever still runs there is left behind.
    workers.shutdown_background();
    main.shutdown_background();
    ExitCode::from(code)
}

async fn live(
    workers: &Runtime,
    shared: &Arc<Shared>,
    public: u16,
    admin: u16,
    grace: Duration,
) -> u8 {
    let mut signals = signals(shared).await;
    let bind =
        async |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
    let (admin, public) = (bind(admin).await, bind(public).await);
    let admin = workers.spawn_in(answer_ready(admin, Arc::clone(shared)));
    let accepting = workers.spawn_in(accept(public, Arc::clone(shared)));

    let first = loop {
        let (number, _) = signals.next().await;
        if !(shared.is(Fault::IgnoresTerm) && number == 15
            || shared.is(Fault::IgnoresInt) && number == 2)
        {
            break number;
        }
    };
    if shared.is(Fault::ExitsAtOnce) {
        return 0;
    }
    if shared.is(Fault::ReadinessDies) {
        admin.abort();
    }
    shared.unready();
    if shared.was_asked_for_readiness() {
        sleep(LAME_DUCK).await;
    }
    shared.stop();
    let patience = if shared.is(Fault::GivesUpEarly) { grace / 2 } else { grace };
    let deadline = tokio::time::Instant::now() + patience;
    let drained = async {
        let listener = accepting.await;
        shared.drained().await;
        drop(listener);
    };
    tokio::pin!(drained);
    let forced = loop {
        tokio::select! {
            () = &mut drained => break false,
            () = tokio::time::sleep_until(deadline), if shared.is_bounded() => {
                if shared.is(Fault::AbortsAtDeadline) {
                    std::process::abort();
                }
                shared.deadline();
                // The 503s go out.
                let _ = timeout(Duration::from_millis(200), &mut drained).await;
                break true;
            }
            (number, again) = signals.next() => {
                let insists = number == 2 && first == 2 && !shared.is(Fault::DeafAfterFirst);
                if insists || (again && shared.is(Fault::SecondKills)) {
                    return 128 + number;
                }
            }
        }
    };
    if shared.is(Fault::SleepsFirst) || (shared.is(Fault::LeavesSomething) && shared.served() > 0) {
        sleep(Duration::from_millis(1_300)).await;
    }
    match () {
        () if shared.is(Fault::ExitsWith3) => 3,
        () if forced && !shared.is(Fault::ExitsWith0) => 75,
        () => 0,
    }
}

struct Signals {
    signals: Vec<(u8, Signal)>,
    seen: usize,
}

async fn signals(shared: &Shared) -> Signals {
    let numbers =
        [2, 3, 15].into_iter().filter(|number| !(shared.is(Fault::DumpsCore) && *number == 3));
    let take = || -> Vec<(u8, Signal)> {
        let kinds = numbers.clone().map(|number| (number, SignalKind::from_raw(number.into())));
        kinds.map(|(number, kind)| (number, signal(kind).expect("a handler"))).collect()
    };
    let mut signals = take();
    if shared.is(Fault::DeafAtStart) {
        sleep(Duration::from_millis(300)).await;
        signals = take();
    }
    Signals { signals, seen: 0 }
}

impl Signals {
    /// The next signal, and whether it is not the first.
    async fn next(&mut self) -> (u8, bool) {
        let waits = self.signals.iter_mut().map(|(number, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *number
            })
        });
        let number = futures_util::future::select_all(waits).await.0;
        self.seen += 1;
        (number, self.seen > 1)
    }
}

/// Accepts until it is told to stop and nothing waits any more; what it returns is still open.
async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Option<TcpListener> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut number = 0;
    loop {
        let accepted = if shared.stopping() {
            if shared.is(Fault::LeavesListener) {
                detach(tasks);
                return Some(listener);
            }
            // Whoever was there before has come by then; a load that never pauses must not hold it.
            let patience =
                if shared.stopped_for() < ACCEPT { ACCEPT } else { Duration::from_millis(1) };
            match timeout(patience, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => {
                    detach(tasks);
                    return None;
                }
            }
        } else {
            tokio::select! {
                accepted = listener.accept() => accepted,
                () = shared.stopped() => continue,
            }
        };
        if let Ok((stream, _)) = accepted {
            if shared.stopping() && shared.is(Fault::DropsAccepted) {
                continue;
            }
            let _ = stream.set_nodelay(true);
            number += 1;
            let open = Open::new(&shared);
            tasks.spawn(connection::serve(stream, open, number));
        }
    }
}

fn detach(mut tasks: tokio::task::JoinSet<()>) {
    tasks.detach_all();
}

/// The readiness URL, whatever its path.
async fn answer_ready(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        shared.asked_for_readiness();
        let mut head = [0; 1024];
        let _ = timeout(Duration::from_secs(1), stream.read(&mut head)).await;
        let ready = !shared.is_unready() || shared.is(Fault::AlwaysReady);
        let status = if ready { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

trait SpawnIn {
    /// Spawns there; the handle is all that holds on to it.
    fn spawn_in<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T>;
}

impl SpawnIn for Runtime {
    fn spawn_in<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle().spawn(task)
    }
}
