//! The same loads against servers that stop badly: as most do, by axum's own graceful shutdown, or without any. If these
//! cases found nothing lost, the others would prove nothing.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use lameduck_testkit::{Link, Relay, Signal};
use libtest_mimic::Trial;
use tokio::sync::oneshot;

use crate::load::Load;
use crate::mix::KINDS;
use crate::mixed::MIX;
use crate::need::{Need, Needs};
use crate::stops::{Figures, Stops, runs, warm_up};
use crate::target::{User, on_loopback};
use crate::{fresh, keep_alive};

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let kept = "sensitivity_a_stop_without_an_idle_grace_loses_keep_alive_requests_40_ms_away";
    let fresh = "sensitivity_a_listener_that_is_just_closed_resets_fresh_connections_20_ms_away";
    let mixed = "sensitivity_an_exit_without_a_drain_loses_requests_of_a_mixed_load_on_loopback";
    vec![
        needs.trial(kept, &[], || keep_alive_requests_are_lost(kept)),
        needs.trial(fresh, &[Need::Link], || fresh_connections_are_reset(fresh)),
        needs.trial(mixed, &[], || every_kind_of_a_mixed_load_is_cut(mixed)),
    ]
}

fn keep_alive_requests_are_lost(name: &str) -> Result<(), String> {
    let round_trip = Duration::from_millis(40);
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let server = Plain::start(listener);
        let relay = Relay::start(server.addr, round_trip / 2);
        let load = keep_alive::start(relay.addr(), round_trip);
        server.stop(&mut stops, vec![Box::new(load)]);
        stops.keep(relay);
    }
    let figures = stops.figures();
    found(&figures, figures.all.lost)
}

fn fresh_connections_are_reset(name: &str) -> Result<(), String> {
    let round_trip = Duration::from_millis(20);
    let link = Link::new(round_trip / 2)?;
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let listener = link
            .server
            .run(|| TcpListener::bind((link.server.v4, 0)))
            .map_err(|error| error.to_string())?;
        let server = Plain::start(listener);
        let load = link.client.run(|| fresh::start(server.addr, 100, round_trip, false));
        server.stop(&mut stops, vec![Box::new(load)]);
    }
    let figures = stops.figures();
    found(&figures, figures.all.reset)
}

/// SIGKILL ends the target as SIGTERM ends a program that has no handler for it.
fn every_kind_of_a_mixed_load_is_cut(name: &str) -> Result<(), String> {
    let mut stops = KINDS.map(|kind| Stops::of(&format!("{name}: {kind}")));
    for _ in 0..runs() {
        let server = on_loopback(User::Ordinary).start();
        server.ready();
        let loads = MIX.start(server.addr(), Duration::ZERO, false);
        warm_up(&loads, 300);
        let at = server.signal(Signal::KILL);
        loads.iter().for_each(|load| load.signalled(at));
        let exit = server.wait_exit(Duration::from_secs(10));
        for (stops, load) in stops.iter_mut().zip(loads) {
            stops.add(exit.at - at, vec![load]);
        }
    }
    for (kind, figures) in KINDS.iter().zip(stops.map(Stops::figures)) {
        // Requests of each kind are under way at nearly every moment; over HTTP/2 also uploads, which are lost, and streams,
        // which are cut.
        let all = &figures.all;
        let both = *kind != "HTTP/2" || (all.lost > 0 && all.cut > 0);
        if !both || all.lost + all.cut < figures.took.len() as u64 {
            return Err(format!("{name}: this load would not find a loss: {kind}: {all}"));
        }
    }
    Ok(())
}

/// The verdict of the other cases must be against it, and by far: 10 a stop is a quarter of what is usual.
fn found(figures: &Figures, losses: u64) -> Result<(), String> {
    let stops = figures.took.len() as u64;
    if figures.lossless().is_err() && losses >= 10 * stops {
        return Ok(());
    }
    Err(format!("{losses} losses in {stops} stops: this load would not find a loss"))
}

/// `axum::serve` with its graceful shutdown.
struct Plain {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Plain {
    fn start(listener: TcpListener) -> Plain {
        let addr = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            listener.set_nonblocking(true)?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, Router::new().route("/", get(async || "OK")))
                    .with_graceful_shutdown(async {
                        let _ = stopped.await;
                    })
                    .await
            })
        });
        Plain { addr, stop, thread }
    }

    fn stop(self, stops: &mut Stops, loads: Vec<Box<dyn Load>>) {
        warm_up(&loads, 300);
        let at = Instant::now();
        loads.iter().for_each(|load| load.signalled(at));
        let _ = self.stop.send(());
        let _ = self.thread.join();
        stops.add(at.elapsed(), loads);
    }
}
