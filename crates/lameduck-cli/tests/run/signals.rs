//! Signals in odd places: inherited as ignored, from a terminal that goes away, meant for the server.

use std::process::Command;

use lameduck_testkit::{Server, Signal};

use crate::fixture::{LAMEDUCK, LONG, PYTHON, Run, Script};

#[test]
fn sigusr1_is_the_servers_business() {
    let run = Run::start(&[], "");
    run.signal(Signal::USR1);
    assert_eq!(run.told("signal", 1)[0]["signal"], "SIGUSR1");
    assert!(run.server.runs());
}

#[test]
fn a_sighup_that_is_inherited_as_ignored_stays_so_and_sigusr2_replaces() {
    let script = Script::new("");
    let shell = format!("trap '' HUP; exec {LAMEDUCK} run -- /bin/sh {}", script.path().display());
    let run = Server::command("/bin/sh").args(["-c", &shell]).start();
    run.wait_for_stderr("it said READY=1", LONG);
    run.signal(Signal::HUP);
    run.signal(Signal::USR2);
    run.wait_for_stderr("serves alone", LONG);
    assert_eq!(run.stderr().matches("is started (pid").count(), 2, "{}", run.stderr());
}

#[test]
fn a_terminal_that_goes_away_stops_the_server_and_replaces_nothing() {
    let script = Script::new("");
    let log = crate::fixture::file("terminal.log");
    let text = "
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    # As a shell in a terminal has it, whoever runs the tests.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1); os.dup2(log, 2)
    os.execv(sys.argv[2], sys.argv[2:])
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.alarm(60)
while b'is ready' not in open(sys.argv[1], 'rb').read() if os.path.exists(sys.argv[1]) else True:
    time.sleep(0.01)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
    let status = Command::new(PYTHON)
        .args(["-c", text])
        .arg(&log)
        .args([LAMEDUCK, "run", "--", "/bin/sh"])
        .arg(script.path())
        .status()
        .unwrap();
    let told = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(told.contains("SIGTERM: ") && !told.contains("child 2"), "{told}");
    std::fs::remove_file(&log).unwrap();
}

#[test]
fn a_server_whose_parent_is_killed_is_told_to_stop() {
    let run = Run::start(&[], "");
    let server = run.answering();
    run.signal(Signal::KILL);
    assert_eq!(run.server.wait_exit(LONG).signal, Some(9));
    assert_eq!(run.told("signal", 1)[0]["signal"], "SIGTERM");
    let gone = lameduck_testkit::eventually(LONG, || !lameduck_testkit::Proc::of(server).runs());
    assert!(gone, "{server} runs on");
}
