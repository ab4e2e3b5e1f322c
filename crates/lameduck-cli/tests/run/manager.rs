//! Who reads what `lameduck run` says: a log, or a manager such as systemd.

use std::os::unix::net::UnixDatagram;

use lameduck_testkit::{Signal, eventually};
use serde_json::Value;

use crate::fixture::{LONG, Run, file};

#[test]
fn events_are_lines_of_json_by_choice_with_stable_keys() {
    let run = Run::start_as(|command| command.arg("--json"), "");
    run.signal(Signal::HUP).wait_for("\"replaced\"");
    run.script().write_shell("exit 3");
    run.signal(Signal::HUP).wait_for("\"replacement_failed\"");
    run.signal(Signal::TERM);
    let exit = run.server.wait_exit(LONG);
    let lines: Vec<Value> =
        exit.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        assert!(line["time"].is_string() && line["message"].is_string(), "{line}");
    }
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "listening",
            "started",
            "ready",
            "replacing",
            "started",
            "ready",
            "replaced",
            "replacing",
            "started",
            "replacement_failed",
            "stopping",
            "gone"
        ]
    );
    assert_eq!(lines[0]["sockets"][0]["name"], "http");
    assert_eq!(lines[0]["sockets"][0]["address"], run.addr.to_string());
    assert_eq!((&lines[1]["child"], &lines[2]["child"]), (&1.into(), &1.into()));
    assert!(lines[2]["after_ms"].is_u64());
    assert_eq!((&lines[3]["old"], &lines[3]["new"]), (&1.into(), &2.into()));
    assert_eq!((&lines[6]["child"], &lines[6]["exit_code"]), (&1.into(), &0.into()));
    assert_eq!((&lines[9]["level"], &lines[9]["exit_code"]), (&"error".into(), &3.into()));
    assert_eq!(lines[10]["by"], "SIGTERM");
}

#[test]
fn a_manager_is_told_of_readiness_reloads_and_the_stop() {
    let path = file("manager.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(LONG)).unwrap();
    let hear = || {
        let mut bytes = [0; 1024];
        let count = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let run = Run::start_as(|command| command.env("NOTIFY_SOCKET", &path), "");
    assert!(hear().starts_with("READY=1\n"));
    run.signal(Signal::HUP);
    let reloading = hear();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| {
        panic!("{reloading}");
    });
    let time: u64 = time.lines().next().unwrap().parse().unwrap();
    assert!(time > 0 && reloading.contains("STATUS=child 2 starts, child 1 serves"));
    assert!(hear().starts_with("READY=1\n"));
    run.wait_for("serves alone");
    run.script().write_shell("exit 1");
    run.signal(Signal::HUP);
    assert!(hear().starts_with("RELOADING=1\n"));
    assert_eq!(hear(), "READY=1\nSTATUS=child 3 failed, child 2 serves on\n");
    run.signal(Signal::TERM);
    assert_eq!(hear(), "STOPPING=1\n");
    assert_eq!(run.code(), Some(0));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let run = Run::begin(|command| command.stderr_blocked().args(["--grace", "300ms"]), "");
    let first = run.told("env", 1)[0]["pid"].clone();
    let ready = || eventually(LONG, || run.told("env", 1).len() == 1);
    assert!(ready());
    run.server.ready();
    run.signal(Signal::USR2);
    let second = run.told("env", 2)[1]["pid"].clone();
    assert_ne!(first, second);
    // The old one is told to end, and the new one to stop.
    run.told("signal", 1);
    run.signal(Signal::TERM);
    assert_eq!(run.code(), Some(0), "{}", run.server.transcript());
}
