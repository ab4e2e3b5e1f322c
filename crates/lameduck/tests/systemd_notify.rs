//! What the service manager is told over a whole life. A datagram socket of the test stands in the manager's place.

#![allow(missing_docs, reason = "a test program")]
#![cfg(feature = "systemd")]

mod fixture;
mod manager;

use std::time::{Duration, Instant};

use fixture::{SECOND, asking, ended, fixture, serving};
use lameduck_testkit::{Signal, pause};
use manager::Manager;

/// The times that were asked for, in µs.
fn asked(datagrams: &[String]) -> Vec<u64> {
    let lines = datagrams.iter().flat_map(|text| text.lines());
    lines.filter_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")?.parse().ok()).collect()
}

#[test]
fn ready_and_the_phases_of_the_stop_are_told() {
    let manager = Manager::new("life");
    let server = serving(manager.of(fixture(&["worker=mail:slow", "http"])));
    assert_eq!(manager.rest(), ["READY=1\nSTATUS=ready"]);
    let mut busy = asking(server.addr(), "/sleep?ms=400");
    pause(Duration::from_millis(100));
    server.signal(Signal::TERM);
    assert_eq!(busy.read_response().unwrap().status, 200);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
    let all = manager.rest();
    // Drain 3 s, finish and close 0.5 s each, and 0.2 s for the exit.
    let first: Vec<&str> = all[0].lines().collect();
    assert_eq!(first[..2], ["STOPPING=1", "STATUS=draining: requests in flight end"], "{all:?}");
    let times = asked(&all);
    assert_eq!(times.len(), 1, "{all:?}");
    assert!((4_000_000..=4_200_000).contains(&times[0]), "{all:?}");
    assert_eq!(all.last().map(String::as_str), Some("STATUS=stopped"), "{all:?}");
}

#[test]
fn a_long_stop_asks_for_more_time_again_and_never_for_more_than_it_has() {
    let manager = Manager::new("extend");
    let command = manager.of(fixture(&["http"])).env("LAMEDUCK_DRAIN", "6s");
    let server = serving(command);
    drop(manager.rest());
    let _stuck = asking(server.addr(), "/hang");
    pause(Duration::from_millis(100));
    let began = Instant::now();
    server.signal(Signal::TERM);
    let (mut times, mut seen) = (0, Vec::new());
    while let Some(text) = manager.next(6 * SECOND) {
        let at = began.elapsed();
        for time in asked(std::slice::from_ref(&text)) {
            times += 1;
            let until = at + Duration::from_micros(time);
            // Drain 6 s, finish and close 0.5 s each, the exit 0.2 s; and what the machine takes.
            assert!(until < Duration::from_millis(7_700), "{until:?}: {text}");
        }
        seen.push(text);
        if seen.last().is_some_and(|text| text == "STATUS=stopped") {
            break;
        }
    }
    assert_eq!(times, 2, "{seen:?}");
    ended(&server.wait_exit(10 * SECOND), 75, "forced");
}

#[test]
fn a_long_start_asks_for_more_time_until_it_is_over() {
    let manager = Manager::new("start");
    let server = manager.of(fixture(&["start-within=2500", "setup=hang"])).start();
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 1, "failed");
    let all = manager.rest();
    let times = asked(&all);
    // What is left of 2.5 s after about a second (the first of the two clocks starts some 100 µs earlier), or after a machine
    // that stood still for longer.
    assert!((1..=1_600_000).contains(&times[0]), "{all:?}");
    assert!(!all.iter().any(|text| text.contains("READY=1")), "{all:?}");
    assert!(all.iter().any(|text| text.contains("STOPPING=1")), "{all:?}");
}

#[test]
fn a_reload_is_told_with_its_time_and_its_end() {
    let manager = Manager::new("reload");
    let server = serving(manager.of(fixture(&["reload", "http"])));
    drop(manager.rest());
    server.signal(Signal::HUP);
    let all = manager.until("READY=1");
    let [reloading, ready] = &all[..] else { panic!("{all:?}") };
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("a reload");
    let time: u64 = time.lines().next().unwrap().parse().unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = u64::try_from(now.tv_sec).unwrap() * 1_000_000;
    assert!((now.saturating_sub(30_000_000)..=now + 1_000_000).contains(&time), "{time} at {now}");
    assert_eq!(ready, "READY=1\nSTATUS=ready");
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn it_is_called_alive_only_while_its_runtime_answers() {
    let manager = Manager::new("watchdog");
    let command = manager.of(fixture(&["http"]));
    let command = command.env("WATCHDOG_USEC", "800000").env("TOKIO_WORKER_THREADS", "1");
    let server = serving(command);
    let signs = |datagrams: &[String]| {
        datagrams.iter().flat_map(|text| text.lines()).filter(|line| *line == "WATCHDOG=1").count()
    };
    let mut alive = Vec::new();
    let until = Instant::now() + 2 * SECOND;
    while Instant::now() < until {
        alive.extend(manager.next(Duration::from_millis(100)));
    }
    assert!((2..=8).contains(&signs(&alive)), "{alive:?}");
    // It blocks the only thread of the runtime.
    let _blocking = asking(server.addr(), "/starve?ms=60000");
    pause(SECOND);
    drop(manager.rest());
    let silent: Vec<String> = manager.next(2 * SECOND).into_iter().collect();
    assert_eq!(signs(&silent), 0, "{silent:?}");
    server.signal(Signal::INT);
    ended(&server.wait_exit(10 * SECOND), 75, "forced");
}

#[test]
fn a_watchdog_of_another_process_is_not_answered() {
    let manager = Manager::new("other");
    let command = manager.of(fixture(&["http"]));
    let server = serving(command.env("WATCHDOG_USEC", "200000").env("WATCHDOG_PID", "1"));
    pause(SECOND);
    assert_eq!(manager.rest(), ["READY=1\nSTATUS=ready"]);
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn a_manager_that_is_not_there_is_one_warning_and_no_error() {
    let server = serving(fixture(&["http"]).env("NOTIFY_SOCKET", "/nowhere/notify"));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    let line = "the service manager cannot be told how the service is";
    assert_eq!(exit.stderr.matches(line).count(), 1, "{}", exit.stderr);
}
