//! When a child counts as ready.

use std::time::{Duration, Instant};

use lameduck_testkit::{Proc, Server, Signal, eventually, free_port, is_root};

use crate::fixture::{LONG, PYTHON, Run, number};

#[test]
fn without_a_word_it_is_ready_after_a_second_and_with_one_at_once() {
    let silent = Run::start(&[], "mute");
    let line = silent.line("is ready");
    assert!(line.ends_with("it lives") && !line.contains(" ms"), "{line}");
    let run = Run::start(&["--ready-within", "15s"], "");
    assert!(run.line("is ready").ends_with("it said READY=1"));
}

#[test]
fn a_time_is_waited_for_whatever_the_server_says() {
    let begun = Instant::now();
    let run = Run::start(&["--ready-after", "1500ms"], "");
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert!(run.line("is ready").ends_with("it lives"));
}

#[test]
fn a_url_has_to_answer_with_2xx() {
    let addr = ([127, 0, 0, 1], free_port());
    let url = format!("http://127.0.0.1:{}/", addr.1);
    let listen = format!("admin=127.0.0.1:{}", addr.1);
    let options = ["--listen", &listen, "--ready", &url, "--ready-within", "1500ms"];
    let run = Run::begin(|command| command.args(options), "admin unready");
    assert_eq!(run.code(), Some(1), "{}", run.server.transcript());
    let line = run.line("was not ready within");
    assert!(line.ends_with(&format!("{url} answered 503; it is ended")), "{line}");
    let run = Run::start(&options, "admin");
    assert!(run.line("is ready").ends_with("it answered 2xx"));
}

#[test]
fn nobody_at_the_url_is_told_so() {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let options = ["--ready", &url, "--ready-within", "500ms"];
    let run = Run::begin(|command| command.args(options), "");
    assert_eq!(run.code(), Some(1));
    assert!(run.line("was not ready within").contains("cannot be reached: Connection refused"));
}

/// 1. Both children listen on the admin socket.
/// 2. The new one never accepts from it, and the old one answers 200 to whoever asks.
#[test]
fn what_the_old_child_answers_says_nothing_of_the_new_one() {
    let admin = format!("127.0.0.1:{}", free_port());
    let (listen, url) = (format!("admin={admin}"), format!("http://{admin}/"));
    let options = ["--listen", &listen, "--ready", &url, "--ready-within", "2s"];
    let run = Run::start(&options, "admin");
    let old = run.answering();
    run.next("").signal(Signal::HUP).wait_for("the replacement failed");
    let line = run.line("the replacement failed");
    assert!(
        line.contains(" by another process than the new child")
            || line.contains("was not accepted by the new child"),
        "{line}"
    );
    run.wait_for("child 2 (pid").wait_for("exited with code 0");
    assert_eq!(run.answering(), old);
    // And where the new one answers too, it is found to.
    run.next("admin").signal(Signal::HUP).wait_for("serves alone");
    assert_ne!(run.answering(), old);
}

#[test]
fn only_the_child_itself_and_our_own_user_may_speak_for_it() {
    if !is_root() {
        eprintln!("skipped: another user is needed, and so root");
        assert!(!lameduck_testkit::in_ci(), "CI runs as root");
        return;
    }
    let speak = "import os, socket, sys
if len(sys.argv) > 2: os.setgid(65534); os.setuid(65534)
name = sys.argv[1].replace('@', '\\0', 1)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', name)
";
    let run = Run::begin(|command| command.args(["--ready", "notify"]), "mute");
    let child = run.told("notify", 1).remove(0);
    let place = child["notify"].as_str().unwrap();
    let spoke = |words: &[&str]| {
        let exit = Server::command(PYTHON).args(["-c", speak, place]).args(words).start();
        assert_eq!(exit.wait_exit(LONG).code, Some(0));
    };
    spoke(&["nobody"]);
    run.wait_for("spoke for child 1, of which it is no part: ignored");
    assert!(!run.server.stderr().contains("is ready"), "{}", run.server.transcript());
    spoke(&[]);
    run.wait_for("it said READY=1");
    assert!(Proc::of(number(&child, "pid")).runs());

    // A server that has given up its privileges is still the child.
    let shell =
        format!("exec {PYTHON} -c \"{speak}import time; time.sleep(60)\" $NOTIFY_SOCKET nobody");
    run.script().write_shell(&shell);
    run.signal(Signal::HUP);
    let replaced = || run.server.stderr().contains("serves alone");
    assert!(eventually(LONG, replaced), "{}", run.server.transcript());
}
