//! SIGTERM, SIGINT, SIGQUIT, and servers that end by themselves.

use std::time::Duration;

use lameduck_testkit::{Client, Failure, Proc, Signal, eventually};

use crate::fixture::{LONG, Run, number, run};

#[test]
fn the_exit_code_is_the_servers_own() {
    for (shell, code) in
        [("exit 0", 0), ("exit 7", 7), ("kill -s SEGV $$", 139), ("kill -s KILL $$", 137)]
    {
        let exit = run(["--", "sh", "-c", shell]).start().wait_exit(LONG);
        assert_eq!(exit.code, Some(code), "{shell}: {}", exit.stderr);
        assert!(exit.stderr.contains("by itself"), "{}", exit.stderr);
        assert!(!exit.stderr.contains("child 2"), "it is not started again: {}", exit.stderr);
    }
}

#[test]
fn a_stop_is_passed_on_after_our_copies_of_the_sockets_are_closed() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let run = Run::start(&[], "code=75");
        run.signal(signal);
        assert_eq!(run.code(), Some(75), "{}", run.server.transcript());
        let told = run.told("signal", 1);
        assert_eq!(told[0]["signal"], name);
        assert_eq!(told[0]["held"], false, "by then the server holds them alone");
    }
}

#[test]
fn a_server_that_does_not_stop_is_killed_after_the_grace() {
    let run = Run::start(&["--grace", "400ms"], "deaf helper");
    let helper = number(&run.told("helper", 1)[0], "helper");
    let signalled = run.server.signal(Signal::TERM);
    let exit = run.server.wait_exit(LONG);
    assert_eq!(exit.code, Some(137), "{}", exit.stderr);
    assert!(exit.at - signalled >= Duration::from_millis(400));
    assert!(exit.stderr.contains("has not ended within 400 ms, and is killed"), "{}", exit.stderr);
    assert!(eventually(LONG, || !Proc::of(helper).runs()), "its helper is killed with it");
}

#[test]
fn a_second_ctrl_c_kills_at_once_and_a_second_sigterm_changes_nothing() {
    let run = Run::start(&[], "deaf");
    run.signal(Signal::TERM).wait_for("SIGTERM: the sockets are closed");
    lameduck_testkit::pause(Duration::from_millis(300));
    run.signal(Signal::TERM).wait_for("SIGTERM: everything stops already");
    assert!(run.server.runs());
    run.signal(Signal::INT);
    assert_eq!(run.code(), Some(137), "{}", run.server.transcript());
    assert!(run.server.stderr().contains("SIGINT again: what is left is killed"));
    let signals = run.told("signal", 1);
    assert_eq!(signals.len(), 1, "SIGTERM was passed on once: {signals:?}");
}

#[test]
fn a_stop_during_a_replacement_is_for_both_and_the_code_is_that_of_the_one_that_serves() {
    let run = Run::start(&[], "code=7");
    run.next("mute code=8").signal(Signal::HUP);
    let both = run.told("env", 2);
    // Handlers are there before it says anything.
    run.signal(Signal::TERM);
    assert_eq!(run.code(), Some(7), "{}", run.server.transcript());
    let signals = run.told("signal", 2);
    for child in &both {
        let told = signals.iter().find(|told| told["pid"] == child["pid"]).expect("it is told");
        assert_eq!(told["signal"], "SIGTERM");
        assert!(!Proc::of(number(child, "pid")).runs());
    }
}

#[test]
fn a_stop_while_the_old_child_drains_waits_for_both() {
    let run = Run::start(&[], "slow=1 code=7");
    run.next("code=8").signal(Signal::HUP).wait_for("child 2 (pid");
    run.told("signal", 1);
    run.signal(Signal::TERM);
    assert_eq!(run.code(), Some(8), "{}", run.server.transcript());
    assert_eq!(run.told("signal", 2).len(), 2, "the old one is not told twice");
    assert!(run.server.stderr().contains("exited with code 7"));
}

#[test]
fn a_replacement_is_refused_while_everything_stops() {
    let run = Run::start(&[], "slow=1");
    run.signal(Signal::TERM).wait_for("SIGTERM: ");
    run.signal(Signal::HUP).wait_for("nothing is started");
    assert_eq!(run.code(), Some(0));
    assert_eq!(run.told("env", 1).len(), 1);
}

#[test]
fn a_first_server_that_is_never_ready_ends_the_run_with_1() {
    let options = ["--ready", "notify", "--ready-within", "600ms"];
    let run = Run::begin(|command| command.args(options), "mute");
    assert_eq!(run.code(), Some(1), "{}", run.server.transcript());
    let line = run.line("was not ready within");
    assert!(line.ends_with("it has not said READY=1 to NOTIFY_SOCKET; it is ended"), "{line}");
}

/// Nobody but the server holds the socket by then, so its own close counts.
#[test]
fn once_the_server_has_closed_its_socket_clients_are_refused_while_it_drains() {
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], lameduck_testkit::free_port()));
    let shell = "trap 'exec 3<&-; echo closed; sleep 2; exit 0' TERM; while :; do sleep 0.05; done";
    let listen = format!("http={addr}");
    let run = run(["--listen", &listen, "--", "sh", "-c", shell]).start();
    run.wait_for_stderr("is ready", LONG);
    // It waits in the queue: nobody accepts.
    let waiting = Client::connect(addr).unwrap();
    run.signal(Signal::TERM);
    run.wait_for_stdout("closed", LONG);
    let refused = eventually(LONG, || matches!(Client::connect(addr), Err(Failure::Refused(_))));
    assert!(refused && run.runs(), "{}", run.transcript());
    drop(waiting);
    assert_eq!(run.wait_exit(LONG).code, Some(0));
}

#[test]
fn after_the_end_the_address_is_free() {
    let run = Run::start(&[], "");
    run.signal(Signal::TERM);
    assert_eq!(run.code(), Some(0));
    assert!(matches!(Client::connect(run.addr), Err(Failure::Refused(_))));
    std::net::TcpListener::bind(run.addr).unwrap();
}
