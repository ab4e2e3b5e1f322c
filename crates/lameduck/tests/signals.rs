//! What each signal does to a service, from `run`'s first statement on.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lameduck_testkit::{
    Client, KeepAlive, Server, ServerCommand, Signal, example, free_port, last_json_object, pause,
};

use fixture::{SECOND, asking, ended, fixture, in_flight, phases, serving, status, with_admin};

const MILLIS: Duration = Duration::from_millis(1);

/// Signals further apart than this are not the same event (250 ms, and room).
const LATER: Duration = Duration::from_millis(400);

/// The fixture as an unlucky parent starts it: `sh` does something to itself first.
fn after(shell: &str, words: &[&str]) -> ServerCommand {
    let command = Server::command("/bin/sh")
        .arg("-c")
        .arg(format!("{shell}; exec \"$0\" \"$@\""))
        .arg(example("fixture"))
        .port();
    words.iter().fold(command, |command, word| command.arg(word))
}

/// The fixture, started by a Python script that first does something to itself.
fn after_python(before: &str, words: &[&str]) -> ServerCommand {
    let script = format!("import os, signal, sys\n{before}\nos.execv(sys.argv[1], sys.argv[1:])");
    let command = Server::command("/usr/bin/env")
        .arg("python3")
        .arg("-c")
        .arg(script)
        .arg(example("fixture"))
        .port();
    words.iter().fold(command, |command, word| command.arg(word))
}

/// The fixture with a terminal as its standard input.
fn on_a_terminal(words: &[&str]) -> ServerCommand {
    let terminal = "master, slave = os.openpty()
os.set_inheritable(master, True)
os.dup2(slave, 0)";
    after_python(terminal, words)
}

#[test]
fn sigterm_begins_with_a_lame_duck_that_still_accepts_and_serves() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command.env("LAMEDUCK_LAME_DUCK", "2500ms"));
    assert_eq!(status(admin, "/readyz"), Some(200));
    let mut kept = asking(server.addr(), "/");
    assert!(!kept.read_response().expect("an answer").says_close());

    let signal = server.signal(Signal::TERM);
    server.wait_for_stderr("lame duck for", 5 * SECOND);
    assert_eq!(status(admin, "/readyz"), Some(503));
    assert_eq!(status(admin, "/livez"), Some(200));
    let mut fresh = asking(server.addr(), "/phase");
    let response = fresh.read_response().expect("a lame duck accepts and serves");
    kept.get("/").expect("sent");
    let on_kept = kept.read_response().expect("a lame duck serves its old connections");
    assert_eq!((response.status, on_kept.status), (200, 200));
    // Unless this machine took longer than the lame duck has until its last second.
    if on_kept.at - signal < 1300 * MILLIS {
        assert_eq!(response.text(), "lame_duck");
        assert!(!response.says_close() && !on_kept.says_close());
    }

    pause((signal + 1800 * MILLIS).saturating_duration_since(Instant::now()));
    kept.get("/").expect("sent");
    assert!(kept.read_response().expect("still served").says_close(), "in the last second");
    let exit = server.wait_exit(10 * SECOND);
    assert!(exit.at - signal >= 2500 * MILLIS, "the lame duck was cut short");
    let report = ended(&exit, 0, "clean");
    assert_eq!(report["cause"]["name"], "SIGTERM");
    assert_eq!(phases(&report), ["lame_duck", "draining", "finishing", "closing"]);
}

#[test]
fn sigint_skips_the_lame_duck() {
    let server = serving(fixture(&["http"]).env("LAMEDUCK_LAME_DUCK", "8s"));
    let signal = server.signal(Signal::INT);
    let exit = server.wait_exit(20 * SECOND);
    let report = ended(&exit, 0, "clean");
    assert!(exit.at - signal < 4 * SECOND);
    assert_eq!(report["cause"]["name"], "SIGINT");
    assert_eq!(phases(&report), ["draining", "finishing", "closing"]);
}

#[test]
fn sigquit_stops_as_sigterm_does() {
    let server = serving(fixture(&["http"]).env("LAMEDUCK_LAME_DUCK", "300ms"));
    server.signal(Signal::QUIT);
    let report = ended(&server.wait_exit(20 * SECOND), 0, "clean");
    assert_eq!(report["cause"]["name"], "SIGQUIT");
    assert!(phases(&report).contains(&"lame_duck".to_owned()));
}

#[test]
fn signals_at_once_are_one_event_and_force_nothing() {
    for signals in [
        [Signal::TERM, Signal::INT],
        [Signal::INT, Signal::TERM],
        [Signal::INT, Signal::INT],
        [Signal::QUIT, Signal::INT],
    ] {
        let (command, admin) = with_admin(fixture(&["http"]));
        let server = serving(command);
        let mut client = asking(server.addr(), "/sleep?ms=700");
        in_flight(admin, 1);
        for signal in signals {
            server.signal(signal);
        }
        let response = client.read_response().expect("the request in flight is answered");
        assert_eq!((response.status, response.text().as_ref()), (200, "OK"));
        ended(&server.wait_exit(10 * SECOND), 0, "clean");
    }
}

#[test]
fn a_later_interrupt_or_quit_forces_the_exit_at_once() {
    for (first, second, code) in [
        (Signal::TERM, Signal::INT, 130),
        (Signal::TERM, Signal::QUIT, 131),
        (Signal::INT, Signal::INT, 130),
        (Signal::QUIT, Signal::QUIT, 131),
    ] {
        let (command, admin) = with_admin(fixture(&["http"]));
        let server = serving(command.env("LAMEDUCK_DRAIN", "60s"));
        let _waiting = asking(server.addr(), "/hang");
        in_flight(admin, 1);
        server.signal(first);
        pause(LATER);
        assert!(server.runs());
        let again = server.signal(second);
        let exit = server.wait_exit(20 * SECOND);
        let report = ended(&exit, code, "signalled");
        assert!(exit.at - again < SECOND, "{:?} after the second signal", exit.at - again);
        assert_eq!(
            report["cause"]["name"],
            if first == Signal::TERM {
                "SIGTERM"
            } else if first == Signal::INT {
                "SIGINT"
            } else {
                "SIGQUIT"
            }
        );
    }
}

#[test]
fn an_interrupt_forces_a_lame_duck_too() {
    let server = serving(fixture(&["http"]).env("LAMEDUCK_LAME_DUCK", "60s"));
    server.signal(Signal::TERM);
    pause(LATER);
    let again = server.signal(Signal::INT);
    let exit = server.wait_exit(20 * SECOND);
    ended(&exit, 130, "signalled");
    assert!(exit.at - again < SECOND);
}

#[test]
fn a_repeated_sigterm_is_logged_and_changes_nothing() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command);
    let mut client = asking(server.addr(), "/sleep?ms=1500");
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    for _ in 0..2 {
        pause(LATER);
        server.signal(Signal::TERM);
    }
    assert_eq!(client.read_response().expect("an answer").status, 200);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    assert!(
        exit.stderr.contains("SIGTERM received; already stopping (draining)"),
        "{}",
        exit.stderr
    );
}

#[test]
fn a_repeated_sigterm_forces_the_exit_of_a_service_that_chose_so() {
    let (command, admin) = with_admin(fixture(&["http", "term-forces"]));
    let server = serving(command.env("LAMEDUCK_DRAIN", "60s"));
    let _waiting = asking(server.addr(), "/hang");
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    pause(LATER);
    let again = server.signal(Signal::TERM);
    let exit = server.wait_exit(20 * SECOND);
    ended(&exit, 143, "signalled");
    assert!(exit.at - again < SECOND);
}

#[test]
fn sighup_without_a_terminal_is_logged_and_ignored() {
    let server = serving(fixture(&["http"]));
    server.signal(Signal::HUP);
    server.wait_for_stderr("SIGHUP received and ignored", 5 * SECOND);
    pause(100 * MILLIS);
    assert_eq!(status(server.addr(), "/phase"), Some(200));
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 0, "clean");
    assert_eq!(report["cause"]["name"], "SIGTERM");
}

#[test]
fn sighup_stops_a_service_whose_standard_input_is_a_terminal() {
    let server = serving(on_a_terminal(&["http"]));
    server.signal(Signal::HUP);
    let report = ended(&server.wait_exit(10 * SECOND), 0, "clean");
    assert_eq!(report["cause"]["name"], "SIGHUP");
}

#[test]
fn sighup_calls_what_the_service_chose_as_often_as_it_comes() {
    let server = serving(on_a_terminal(&["http", "reload"]));
    for _ in 0..3 {
        let said = server.stdout().lines().filter(|line| *line == "reloaded").count();
        server.signal(Signal::HUP);
        let more = || server.stdout().lines().filter(|line| *line == "reloaded").count() > said;
        assert!(lameduck_testkit::eventually(5 * SECOND, more), "{}", server.transcript());
    }
    assert_eq!(status(server.addr(), "/"), Some(200));
    server.signal(Signal::INT);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn a_reload_that_blocks_holds_up_neither_the_stop_nor_the_exit() {
    let server = serving(fixture(&["http", "reload=block"]));
    server.signal(Signal::HUP);
    server.wait_for_stdout("reloading", 5 * SECOND);
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    assert!(exit.at - signal < 2 * SECOND);
}

#[test]
fn sighup_stops_a_service_that_chose_so() {
    let server = serving(fixture(&["http", "hangup-stops"]));
    server.signal(Signal::HUP);
    let report = ended(&server.wait_exit(10 * SECOND), 0, "clean");
    assert_eq!(report["cause"]["name"], "SIGHUP");
}

#[test]
fn a_sighup_inherited_as_ignored_stays_ignored() {
    // As `nohup` starts it; even where the service chose to stop.
    let server = serving(after("trap '' HUP", &["http", "hangup-stops"]));
    server.signal(Signal::HUP);
    pause(300 * MILLIS);
    assert_eq!(status(server.addr(), "/"), Some(200));
    assert!(!server.stderr().contains("SIGHUP"), "{}", server.stderr());
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn signals_inherited_as_ignored_are_taken_all_the_same() {
    // As shells start background jobs.
    for signal in [Signal::INT, Signal::QUIT, Signal::TERM] {
        let server = serving(after("trap '' INT QUIT TERM", &["http"]));
        server.signal(signal);
        ended(&server.wait_exit(10 * SECOND), 0, "clean");
    }
}

#[test]
fn signals_inherited_as_blocked_are_taken_all_the_same() {
    // 1. A parent blocks signals, to wait for them in a thread of its own, and starts the service.
    // 2. The mask survives exec: the signals stayed pending, and only SIGKILL stopped the service.
    let block =
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])";
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let server = serving(after_python(block, &["http"]));
        server.signal(signal);
        ended(&server.wait_exit(10 * SECOND), 0, "clean");
    }
}

#[test]
fn a5_a_signal_while_starting_closes_what_was_opened_and_ends_with_0() {
    for (how, said) in [("setup=hang", "setup hangs"), ("setup=block", "setup blocks")] {
        for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
            let server =
                fixture(&["resource=db", "resource=cache:ok:db", "worker=mail", how, "http"])
                    .start();
            server.wait_for_stdout(said, 5 * SECOND);
            let sent = server.signal(signal);
            let exit = server.wait_exit(10 * SECOND);
            let report = ended(&exit, 0, "clean");
            assert!(exit.at - sent < 2 * SECOND, "{how}");
            let stuck = report["stuck"].as_array().expect("a list");
            let kinds: Vec<_> = stuck.iter().map(|stuck| &stuck["kind"]).collect();
            // One that lets go of its thread when it is told to is no culprit.
            let culprits: &[&str] = if how == "setup=block" { &["setup"] } else { &[] };
            assert_eq!(kinds, culprits, "{report}");
            let closed = ["cache closing", "cache closed", "db closing", "db closed"];
            assert!(fixture::in_order(&exit.stdout, &closed), "{}", exit.stdout);
        }
    }
}

#[test]
fn a5_no_signal_is_missed_from_the_first_statement_of_run_on() {
    // Each start gets its SIGTERM at another moment. It ends either in order, or, before `run`, by the default
    // action: the fixture says the time right before it calls `run`.
    let (mut orderly, mut before) = (0, 0);
    let mut random = u64::from(std::process::id()) * 2_654_435_761;
    for round in 0..80_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let server = fixture(&["resource=db", "http", "quiet"]).start();
        pause(Duration::from_micros((random >> 33) % (500 + round * 200)));
        let sent = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        server.signal(Signal::TERM);
        let exit = server.wait_exit(10 * SECOND);
        if exit.code == Some(0) {
            orderly += 1;
            let report = last_json_object(&exit.stderr).expect("an exit in order has a report");
            assert_eq!(
                (&report["outcome"], &report["cause"]["name"]),
                (&"clean".into(), &"SIGTERM".into())
            );
            assert_eq!(
                exit.stdout.contains("db closing"),
                exit.stdout.contains("db closed"),
                "{}",
                exit.stdout
            );
            continue;
        }
        before += 1;
        assert_eq!((exit.code, exit.signal), (None, Some(15)), "{}{}", exit.stdout, exit.stderr);
        let said = exit.stdout.lines().find_map(|line| line.strip_prefix("run at ")?.parse().ok());
        // Between what it said and the first statement of `run` the machine may have paused it.
        let paused = said.map_or(0, |said: u128| sent.saturating_sub(said));
        assert!(paused < 20_000, "killed by a signal sent {paused} µs after the start of `run`");
    }
    println!("{orderly} ended in order, {before} before `run`");
    assert!(orderly >= 10, "the delays are too short: {orderly} in order, {before} before");
}

#[test]
fn a5_a_storm_of_signals_is_one_stop_and_loses_nothing() {
    let server = serving(fixture(&["http"]).env("LAMEDUCK_LAME_DUCK", "1500ms"));
    let load = KeepAlive::new(server.addr()).clients(20).expect("OK").start();
    load.flowing(100);
    for number in 0..200 {
        let signal = server.signal(if number % 2 == 0 { Signal::TERM } else { Signal::HUP });
        if number == 0 {
            load.signalled(signal);
        }
        pause(5 * MILLIS);
    }
    let exit = server.wait_exit(20 * SECOND);
    let tally = load.wait(10 * SECOND);
    assert_eq!(tally.failed() + tally.turned_away, 0, "{tally}");
    let report = ended(&exit, 0, "clean");
    assert_eq!(report["cause"]["name"], "SIGTERM");
    assert_eq!(exit.stderr.matches("SIGTERM: stopping").count(), 1, "{}", exit.stderr);
    assert_eq!(exit.stderr.matches("lame duck for").count(), 1);
}

#[test]
fn a_stop_from_code_ends_as_a_signal_does_and_says_why() {
    let server = serving(fixture(&["http", "resource=db"]).env("LAMEDUCK_LAME_DUCK", "300ms"));
    assert_eq!(status(server.addr(), "/stop"), Some(200));
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 0, "clean");
    assert_eq!(
        report["cause"],
        serde_json::json!({"kind": "code", "reason": "asked by a request"})
    );
    assert!(phases(&report).contains(&"lame_duck".to_owned()));
    assert!(exit.stdout.contains("db closed"));
}

#[test]
fn the_first_signal_after_a_stop_from_code_forces_nothing() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command);
    let mut client = asking(server.addr(), "/sleep?ms=1200");
    in_flight(admin, 1);
    assert_eq!(status(server.addr(), "/stop"), Some(200));
    pause(LATER);
    server.signal(Signal::INT);
    assert_eq!(client.read_response().expect("an answer").status, 200);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn a_stop_from_code_within_the_setup_ends_the_start_with_0() {
    let exit = fixture(&["resource=db", "stop", "setup=hang"]).start().wait_exit(10 * SECOND);
    let report = ended(&exit, 0, "clean");
    assert_eq!(report["cause"]["reason"], "enough");
    assert!(exit.stdout.contains("db closed"), "{}", exit.stdout);
}

#[test]
fn b5_a_service_that_accepts_nothing_more_still_takes_signals() {
    // One connection is allowed and taken, the next waits in the accept queue: serving is stuck, signals are not.
    let port = free_port();
    let address = format!("http=127.0.0.1:{port}");
    let server = fixture(&[&address, "resource=db"]).env("TOKIO_WORKER_THREADS", "1").start();
    let addr = ([127, 0, 0, 1], port).into();
    server.ready_at(addr);
    assert_eq!(status(addr, "/"), Some(200));
    let mut starving = asking(addr, "/starve?ms=1200");
    pause(200 * MILLIS);
    let _queued = Client::connect(addr).expect("the kernel connects it");
    let signal = server.signal(Signal::TERM);
    let seen = server.wait_for_stderr("SIGTERM: stopping", 5 * SECOND);
    assert!(seen - signal < 700 * MILLIS, "{:?}", seen - signal);
    assert_eq!(starving.read_response().expect("an answer").status, 200);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}
