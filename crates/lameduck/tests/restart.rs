//! Guarantee 7: a restart is invisible. Real processes, real signals.

#![allow(missing_docs, reason = "a test program")]

#[cfg(feature = "systemd")]
mod manager;
mod restart_kit;

use std::time::Duration;

use lameduck_testkit::{Client, Proc, Server, Signal, eventually, example, in_ci, is_root, pause};
use restart_kit::{SECOND, answered, get, idle, sleeper, target};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_successor_takes_over_idle_busy_and_half_heard_connections() {
    let target = target().start();
    let mut kept: Vec<Client> = (0..100).map(|_| idle(target.addr())).collect();
    let mut silent: Vec<Client> = (0..5).map(|_| target.connect()).collect();
    let mut half = target.connect();
    half.send(b"GET / HT").expect("sent");
    let mut busy = target.connect();
    busy.get("/sleep?ms=600").expect("sent");
    pause(100 * MS);

    let first = target.pid();
    let second = target.restart();
    assert_ne!(first, second);
    for client in kept.iter_mut().chain(&mut silent) {
        client.get("/").expect("the connection is the old one");
        assert!(!answered(client).says_close());
    }
    half.send(b"TP/1.1\r\nHost: test\r\n\r\n").expect("the connection is the old one");
    assert!(!answered(&mut half).says_close());
    let response = answered(&mut busy);
    assert!(!response.says_close(), "a busy connection is passed on when it falls idle");
    target.wait_for_end_of(first);
    busy.get("/").expect("the connection is the old one");
    answered(&mut busy);

    let report = target.report_of(first);
    assert_eq!(report["cause"]["kind"], "restart", "{report}");
    assert_eq!(report["cause"]["successor"], second, "{report}");
    assert_eq!((&report["exit_code"], &report["outcome"]), (&0.into(), &"clean".into()));
    assert_eq!(report["connections"]["passed_on"], 107, "{report}");
    assert_eq!(report["connections"]["cut"], 0, "{report}");
    target.stop();
}

#[test]
fn several_restarts_in_a_row_keep_one_connection() {
    let target = target().start();
    let mut client = idle(target.addr());
    let mut pids = vec![target.pid()];
    for _ in 0..5 {
        let pid = target.restart();
        assert!(!pids.contains(&pid), "{pid} of {pids:?}");
        pids.push(pid);
        client.get("/").expect("the connection is the old one");
        answered(&mut client);
        target.wait_for("is done,", pids.len() - 1);
    }
    target.stop();
}

#[test]
fn the_admin_listener_answers_for_the_one_process_that_serves() {
    let target = target().admin().start();
    let admin = target.admin();
    let mut probe = Client::connect(admin).expect("the admin listener");
    probe.get("/readyz").expect("sent");
    answered(&mut probe);
    target.restart();
    // Connections of an old one end, so that nobody reads the 503 of a process that has been replaced.
    assert!(probe.closed_cleanly(5 * SECOND), "{}", target.log());
    for _ in 0..20 {
        assert_eq!(get(admin, "/readyz").status, 200);
        pause(10 * MS);
    }
    target.stop();
}

#[test]
fn two_signals_at_once_are_one_restart_and_a_second_one_is_refused() {
    let target = target().word("delay=500").start();
    target.signal(Signal::USR2);
    pause(50 * MS);
    target.signal(Signal::USR2);
    target.wait_for("no restart: another restart is under way", 1);
    target.wait_for("handed over to process", 1);
    assert_eq!(target.count("the successor is process"), 1, "{}", target.log());
    target.stop();
}

#[test]
fn a_successor_that_exits_at_once_changes_nothing() {
    let target = target().program_that("exit 7").admin().start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("exited with code 7; look at its log", 1);
    client.get("/").expect("sent");
    answered(&mut client);
    assert_eq!(get(target.addr(), "/").status, 200);
    // The line may be in the log a moment sooner.
    let counted = "\nlameduck_restarts_failed_total 1\n";
    let is_counted = || get(target.admin(), "/metrics").text().contains(counted);
    assert!(eventually(5 * SECOND, is_counted), "{}", get(target.admin(), "/metrics").text());
    let report = target.stop();
    assert_eq!(report["restarts_failed"], 1, "{report}");
    assert_eq!(report["outcome"], "clean");
}

#[test]
fn a_successor_that_is_never_ready_is_ended() {
    let target = target().word("start-within=500").program_that("exec sleep 600").start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("was not ready within 500 ms", 1);
    client.get("/").expect("sent");
    answered(&mut client);
    let pid = target.successor();
    assert!(eventually(5 * SECOND, || !restart_kit::is_alive(pid)), "{}", target.log());
    target.stop();
}

#[test]
fn a_program_that_cannot_be_started_is_said_and_changes_nothing() {
    let target = target().program_that("exit 0").start();
    target.remove_program();
    target.signal(Signal::USR2);
    target.wait_for("restart failed, this process serves on: cannot start", 1);
    assert_eq!(get(target.addr(), "/").status, 200);
    target.stop();
}

#[test]
fn a_stop_before_the_successor_is_ready_ends_both() {
    let target = target().program_that("exec sleep 600").start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("the successor is process", 1);
    let pid = target.successor();
    let mut busy = sleeper(target.addr(), 400);
    pause(100 * MS);
    target.signal(Signal::TERM);
    answered(&mut busy);
    let report = target.exit(0);
    assert_eq!(report["cause"]["name"], "SIGTERM", "{report}");
    assert_eq!(report["outcome"], "clean");
    assert!(!restart_kit::is_alive(pid), "the successor lives on");
    assert!(client.closed_cleanly(SECOND));
}

#[test]
fn a_stop_of_the_predecessor_after_the_commit_leaves_the_successor_alone() {
    let target = target().start();
    let mut socket = sleeper(target.addr(), 1500);
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("serves;", 1);
    restart_kit::kill(first, Signal::TERM);
    answered(&mut socket);
    target.wait_for_end_of(first);
    let report = target.report_of(first);
    assert_eq!(report["cause"]["kind"], "restart", "{report}");
    assert_eq!(report["outcome"], "clean", "{report}");
    target.adopt_successor();
    assert_eq!(get(target.addr(), "/").status, 200);
    target.stop();
}

#[test]
fn a_successor_killed_after_the_commit_is_replaced_by_its_predecessor() {
    let target = target().start();
    let mut kept: Vec<Client> = (0..50).map(|_| idle(target.addr())).collect();
    // Holds the hand-over open.
    let mut busy = sleeper(target.addr(), 2000);
    target.signal(Signal::USR2);
    target.wait_for("serves;", 1);
    restart_kit::kill(target.successor(), Signal::KILL);
    target.wait_for("restart failed after", 1);
    assert_eq!(target.count("50 connections taken back"), 1, "{}", target.log());
    for client in &mut kept {
        client.get("/").expect("the connection is the old one");
        answered(client);
    }
    assert_eq!(get(target.addr(), "/").status, 200);
    answered(&mut busy);
    let report = target.stop();
    assert_eq!(report["restarts_failed"], 1);
    assert_eq!(target.count("was killed by signal 9"), 1, "{}", target.log());
}

#[test]
fn a_predecessor_killed_after_the_commit_leaves_the_service_to_its_successor() {
    let target = target().start();
    let mut client = idle(target.addr());
    let _busy = sleeper(target.addr(), 5000);
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("serves;", 1);
    restart_kit::kill(first, Signal::KILL);
    target.adopt_successor();
    client.get("/").expect("sent");
    answered(&mut client);
    assert_eq!(get(target.addr(), "/").status, 200);
    target.wait_for("is done,", 1);
    // And it can be restarted itself.
    target.restart();
    client.get("/").expect("sent");
    answered(&mut client);
    target.stop();
}

#[test]
fn sighup_restarts_where_the_service_chose_so() {
    let target = target().word("hangup-restarts").start();
    let mut client = idle(target.addr());
    target.signal(Signal::HUP);
    target.wait_for("handed over to process", 1);
    target.adopt_successor();
    client.get("/").expect("the connection is the old one");
    answered(&mut client);
    target.stop();
}

#[test]
fn a_restart_can_be_begun_from_code() {
    // The successor would begin one as well; its words are those of the first.
    let target = target().word("restart-in=700").start();
    target.wait_for("handed over to process", 1);
    target.adopt_successor();
    assert_eq!(get(target.addr(), "/").status, 200);
    target.stop();
}

#[test]
fn a_server_that_is_told_another_address_binds_it_and_the_old_one_goes_with_its_process() {
    let other = lameduck_testkit::free_port();
    let target =
        target().program_that(&format!("exec \"$FIXTURE\" http=127.0.0.1:{other}")).start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("handed over to process", 1);
    let moved = std::net::SocketAddr::from(([127, 0, 0, 1], other));
    assert_eq!(get(moved, "/").status, 200);
    // It is the same server, so its connections are passed on all the same.
    client.get("/").expect("the connection is the old one");
    answered(&mut client);
    target.wait_for_end_of(target.pid());
    assert!(Client::connect(target.addr()).is_err(), "nobody listens on the old address");
    target.adopt_successor();
    target.stop();
}

#[test]
fn a_successor_whose_new_address_is_taken_changes_nothing() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address");
    let target = target().program_that(&format!("exec \"$FIXTURE\" http={taken}")).start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("failed and stops; look at its log", 1);
    assert!(target.count("the address is in use") > 0, "{}", target.log());
    client.get("/").expect("sent");
    answered(&mut client);
    target.stop();
}

#[test]
fn connections_that_a_successor_has_no_descriptors_for_stay_and_drain() {
    let limited = "ulimit -n 40; exec \"$FIXTURE\" http";
    let target = target().program_that(limited).start();
    let mut clients: Vec<Client> = (0..100).map(|_| idle(target.addr())).collect();
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("could be taken over; raise the limit of open files", 1);
    target.wait_for_end_of(first);
    let report = target.report_of(first);
    assert_eq!(report["connections"]["cut"], 0, "{report}");
    let passed = report["connections"]["passed_on"].as_u64().expect("a count");
    let closed = report["connections"]["closed_idle"].as_u64().expect("a count");
    assert!(passed > 0 && closed > 0, "{report}");
    // Each is served on its old connection, or sees an orderly end.
    let mut served = 0;
    for client in &mut clients {
        if client.closed_cleanly(30 * MS) {
            continue;
        }
        client.get("/").expect("sent");
        answered(client);
        served += 1;
    }
    assert!(served > 0 && served < 100, "{served}");
    target.adopt_successor();
    target.stop();
}

/// Scenario: a successor of Python speaks the messages, and misbehaves.
fn python(body: &str) -> String {
    format!("exec python3 -c '{}\n{body}'", restart_kit::PYTHON)
}

#[test]
fn a_successor_of_another_version_gets_the_sockets_and_the_connections_drain() {
    let other = python(
        "say(1, pack(\"<I\", 99) + b\"and more\")
expect(2)
say(3)
expect(4)
expect(5)
serve()",
    );
    let target = target().program_that(&other).start();
    let mut client = idle(target.addr());
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("speaks version 99 of the hand-over, this process 1", 1);
    assert!(client.closed_cleanly(5 * SECOND), "it drains: {}", target.log());
    target.wait_for_end_of(first);
    let report = target.report_of(first);
    assert_eq!(
        (&report["outcome"], &report["connections"]["passed_on"]),
        (&"clean".into(), &0.into())
    );
    assert_eq!(get(target.addr(), "/").status, 204, "the other program answers");
}

#[test]
fn a_successor_that_took_connections_and_died_without_reading_loses_none() {
    let dies = python(
        "say(1, pack(\"<I\", 1))
sockets = take_all(40)
os._exit(3)",
    );
    let target = target().program_that(&dies).start();
    let mut clients: Vec<Client> = (0..40).map(|_| idle(target.addr())).collect();
    target.signal(Signal::USR2);
    target.wait_for("exited with code 3", 1);
    assert_eq!(target.count("40 connections taken back"), 1, "{}", target.log());
    for client in &mut clients {
        client.get("/").expect("the connection is the old one");
        assert!(!answered(client).says_close());
    }
    target.stop();
}

#[test]
fn a_successor_that_dies_while_connections_are_on_their_way_to_it_loses_none() {
    let dies = python("say(1, pack(\"<I\", 1))\ntake()\nos._exit(3)");
    let target = target().program_that(&dies).start();
    // More than are told at a time (64): some are with it, some wait to be sent, some have not been told.
    let mut clients: Vec<Client> = (0..150).map(|_| idle(target.addr())).collect();
    target.signal(Signal::USR2);
    target.wait_for("exited with code 3", 1);
    for client in &mut clients {
        client.get("/").expect("the connection is the old one");
        assert!(!answered(client).says_close());
    }
    target.stop();
}

#[test]
fn what_a_dead_successor_had_not_read_yet_is_answered_as_if_there_had_been_no_restart() {
    let idles = python(
        "say(1, pack(\"<I\", 1))
sockets = take_all(400)
expect(2)
print(\"it has them all\", file=sys.stderr, flush=True)
time.sleep(600)",
    );
    let target = target().program_that(&idles).start();
    let mut clients: Vec<Client> = (0..400).map(|_| idle(target.addr())).collect();
    target.signal(Signal::USR2);
    target.wait_for("it has them all", 1);
    for client in &mut clients {
        client.get("/").expect("sent");
    }
    restart_kit::kill(target.successor(), Signal::KILL);
    // The first of them while the last have not come back.
    for client in &mut clients {
        assert!(!answered(client).says_close(), "{}", target.log());
    }
    target.wait_for("400 connections taken back", 1);
    target.stop();
}

#[test]
fn a_connection_from_which_a_dead_successor_has_read_is_closed() {
    let reads = python(
        "say(1, pack(\"<I\", 1))
sockets = take()
print(\"it has taken them\", file=sys.stderr, flush=True)
sockets[0].recv(100)
os._exit(3)",
    );
    let target = target().program_that(&reads).start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("it has taken them", 1);
    client.get("/").expect("sent");
    target.wait_for("1 connection closed, since the successor may have read from", 1);
    assert!(client.read_response().is_err(), "the request was read by a process that died");
    assert_eq!(get(target.addr(), "/").status, 200);
    target.stop();
}

#[test]
fn a_successor_that_takes_nothing_is_ended_and_loses_nothing() {
    let deaf = python("say(1, pack(\"<I\", 1))\ntime.sleep(600)");
    let target = target().program_that(&deaf).start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("did not say within 5 s that it has taken the connections", 1);
    client.get("/").expect("the connection is the old one");
    answered(&mut client);
    assert!(eventually(SECOND, || !restart_kit::is_alive(target.successor())));
    target.stop();
}

#[test]
fn a_successor_that_does_not_serve_after_the_commit_is_replaced_by_its_predecessor() {
    let idles = python("say(1, pack(\"<I\", 1))\ntake()\ntime.sleep(600)");
    let target = target().program_that(&idles).start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    // Nobody accepts meanwhile: a new connection waits, and is answered.
    target.wait_for("the successor is ready", 1);
    pause(300 * MS);
    let mut waiting = target.connect();
    waiting.get("/").expect("sent");
    target.wait_for("did not say within 5 s that it serves", 1);
    answered(&mut waiting);
    client.get("/").expect("the connection is the old one");
    answered(&mut client);
    target.stop();
}

#[test]
fn a_successor_that_talks_nonsense_is_ended() {
    for nonsense in ["s.send(b\"hello\")", "say(200)", "say(2, bytes(8))", "say(17)"] {
        let target =
            target().program_that(&python(&format!("{nonsense}\ntime.sleep(600)"))).start();
        target.signal(Signal::USR2);
        target.wait_for("is no lameduck that this one understands", 1);
        assert_eq!(get(target.addr(), "/").status, 200);
        assert!(eventually(SECOND, || !restart_kit::is_alive(target.successor())));
        target.stop();
    }
}

#[test]
fn timers_and_consumers_run_in_one_process_at_a_time_and_rest_only_for_the_commit() {
    let target = target().word("every=tick").word("consume=orders").start();
    let mut busy = sleeper(target.addr(), 1000);
    target.wait_for_stdout("tick run 3");
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("handed over to process", 1);
    answered(&mut busy);
    target.wait_for_end_of(first);
    target.adopt_successor();
    pause(500 * MS);
    target.stop();
    // Numbers of runs grow within a process and begin anew in the next: they begin once.
    for what in ["tick run ", "orders took "] {
        let numbers: Vec<u32> = target
            .stdout()
            .lines()
            .filter_map(|line| line.strip_prefix(what)?.parse().ok())
            .collect();
        let begins = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert_eq!(begins, 1, "{what}: {numbers:?}");
        assert_eq!(numbers.iter().filter(|number| **number == 1).count(), 2, "{what}: {numbers:?}");
    }
}

#[test]
fn an_ordinary_user_restarts_too() {
    if !is_root() {
        eprintln!("skipped: becoming another user needs root");
        assert!(!in_ci(), "CI runs as root");
        return;
    }
    let target = target().user(65534).start();
    let mut clients: Vec<Client> = (0..100).map(|_| idle(target.addr())).collect();
    target.restart();
    for client in &mut clients {
        client.get("/").expect("the connection is the old one");
        answered(client);
    }
    target.stop();
}

#[test]
fn the_variable_alone_makes_no_successor() {
    let target = target().env("LAMEDUCK_PREDECESSOR", "pid=1 link=9 public=7,0,x").start();
    assert_eq!(get(target.addr(), "/").status, 200);
    assert_eq!(target.count("to take over from"), 0);
    target.stop();
}

#[cfg(feature = "systemd")]
#[test]
fn the_service_manager_is_told_of_the_restart_and_of_the_process_that_is_the_service_now() {
    let manager = manager::Manager::new("restart");
    let path = manager.path().display().to_string();
    let target = target().env("NOTIFY_SOCKET", &path).start();
    manager.until("READY=1");
    let second = target.restart();
    let main = format!("MAINPID={second}");
    let mut all = manager.until(&main);
    if all.last() == Some(&main) {
        // The successor's word, which may come before its predecessor's.
        all.extend(manager.until(&main));
    }
    let first: Vec<&str> = all[0].lines().collect();
    assert_eq!(first[0], "RELOADING=1", "{all:?}");
    assert!(first[1].starts_with("MONOTONIC_USEC="), "{all:?}");
    // The two in one, so that a manager which waits for READY=1 knows from whom.
    let last: Vec<&str> = all.last().expect("one").lines().collect();
    assert!(last.contains(&"READY=1"), "{all:?}");
    target.wait_for("is done,", 1);
    // The end of the predecessor is none of the service.
    let rest = manager.rest();
    assert!(!rest.iter().any(|text| text.contains("STOPPING")), "{rest:?}");
    target.stop();
    manager.until("STOPPING=1");
}

#[cfg(feature = "systemd")]
#[test]
fn the_successor_goes_on_with_the_signs_of_life_that_the_manager_waits_for() {
    // 1. The manager names the first process as the one whose signs of life it waits for.
    // 2. A restart: the service is another process now.
    // 3. Without signs of life from that one the manager would kill the service.
    let manager = manager::Manager::new("watchdog");
    let server = Server::command("/bin/sh")
        .args(["-c", "export WATCHDOG_PID=$$; exec \"$0\" http"])
        .arg(example("fixture"))
        .port()
        .env("WATCHDOG_USEC", "2000000")
        .env("NOTIFY_SOCKET", manager.path())
        .start();
    manager.until("WATCHDOG=1");
    server.signal(Signal::USR2);
    // The predecessor is gone: whatever comes from here on is the successor's.
    assert_eq!(server.wait_exit(20 * SECOND).code, Some(0), "{}", server.transcript());
    drop(manager.rest());
    for _ in 0..2 {
        manager.until("WATCHDOG=1");
    }
}

#[cfg(feature = "systemd")]
#[test]
fn the_service_manager_is_told_that_a_restart_has_failed() {
    let manager = manager::Manager::new("failed");
    let path = manager.path().display().to_string();
    let target = target().env("NOTIFY_SOCKET", &path).program_that("exit 7").start();
    manager.until("READY=1");
    target.signal(Signal::USR2);
    manager.until("RELOADING=1");
    let all = manager.until("READY=1");
    assert!(!all.iter().any(|text| text.contains("MAINPID")), "{all:?}");
    target.stop();
}

#[test]
fn process_1_is_not_replaced_and_says_what_to_use_instead() {
    if !is_root() {
        eprintln!("skipped: a process namespace needs root");
        assert!(!in_ci(), "CI runs as root");
        return;
    }
    let server = Server::command("/usr/bin/unshare")
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(example("fixture"))
        .arg("http")
        .port()
        .start();
    server.wait_for_stderr("accepting on", 20 * SECOND);
    let init = Proc::of(server.pid()).children()[0];
    restart_kit::kill(init, Signal::USR2);
    server
        .wait_for_stderr("start the service by `lameduck run -- COMMAND`, which stays", 5 * SECOND);
    assert_eq!(get(server.addr(), "/").status, 200);
    restart_kit::kill(init, Signal::TERM);
    let exit = server.wait_exit(20 * SECOND);
    assert_eq!(exit.report()["exit_code"], 0, "{}", exit.stderr);
    assert_eq!(exit.report()["restarts_failed"], 0, "{}", exit.stderr);
}
