//! What cannot be done is said in a line, with exit code 2.

use std::net::TcpListener;

use crate::fixture::{LONG, file, run};

#[track_caller]
fn refused(words: &[&str]) -> String {
    let exit = run(words.iter().copied()).start().wait_exit(LONG);
    assert_eq!(exit.code, Some(2), "{words:?}: {}", exit.stderr);
    exit.stderr
}

#[test]
fn each_mistake_has_a_line_of_its_own() {
    for (words, line) in [
        (
            vec![],
            "no command: write it behind `--`: lameduck run --listen http=127.0.0.1:8080 -- ./server",
        ),
        (
            vec!["--", "/there/is/no/such"],
            "there is no program /there/is/no/such: check the words behind `--`",
        ),
        (
            vec!["--", "no-such-program"],
            "there is no program no-such-program: check the words behind `--`",
        ),
        (
            vec!["--listen", "a=127.0.0.1:0", "--listen", "a=127.0.0.1:0", "--", "true"],
            "--listen: two sockets are named a: the server could not tell them apart; give each its own NAME=",
        ),
        (
            vec!["--listen", "a=localhost", "--", "true"],
            "--listen a: cannot listen on \"localhost\": the port is missing; write localhost:8080",
        ),
        (
            vec!["--ready-after", "2s", "--ready-within", "1s", "--", "true"],
            "--ready-after is not below --ready-within: no server could become ready; give a longer --ready-within",
        ),
    ] {
        assert_eq!(refused(&words), format!("lameduck run: {line}\n"));
    }
}

#[test]
fn an_option_that_cannot_be_read_is_named_with_what_would_be_right() {
    for (words, text) in [
        (["--listen", "127.0.0.1:80"], "write NAME=ADDR, such as http=127.0.0.1:80"),
        (["--listen", "a:b=127.0.0.1:80"], "\"a:b\" cannot be a name"),
        (["--grace", "5"], "write it like 5s, 250ms or 1m30s"),
        (["--ready-within", "1x"], "write it like 5s"),
        (["--grace", "25h"], "a day is the most"),
        (["--ready", "https://127.0.0.1/"], "write a plain http:// URL"),
        (["--ready", "readyz"], "write a plain http:// URL"),
    ] {
        let stderr = refused(&[&words[..], &["--", "true"]].concat());
        assert!(stderr.contains(text), "{words:?}: {stderr}");
    }
    let both = ["--ready", "notify", "--ready-after", "1s", "--", "true"];
    assert!(refused(&both).contains("cannot be used with"));
}

#[test]
fn an_address_that_somebody_else_has_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("http={}", taken.local_addr().unwrap());
    assert_eq!(
        refused(&["--listen", &listen, "--", "true"]),
        format!(
            "lameduck run: --listen http: cannot listen on {}: the address is in use; stop what holds it, or choose \
             another port\n",
            taken.local_addr().unwrap()
        )
    );
}

#[test]
fn a_command_that_cannot_be_executed_is_told_with_the_systems_reason() {
    let path = file("no-program");
    std::fs::write(&path, "text").unwrap();
    let stderr = refused(&["--", path.to_str().unwrap()]);
    let line = format!("child 1 could not be started: {}: Permission denied", path.display());
    assert!(stderr.contains(&line), "{stderr}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn sockets_from_our_own_parent_are_not_passed_on_and_that_is_said() {
    // The id has to be that of the process that becomes `lameduck run`.
    let shell = format!(
        "LISTEN_FDS=1 LISTEN_PID=$$ exec {} run -- sh -c 'echo got:$LISTEN_FDS:'",
        crate::fixture::LAMEDUCK
    );
    let exit = lameduck_testkit::Server::command("/bin/sh").args(["-c", &shell]);
    let exit = exit.start().wait_exit(LONG);
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), "got::\n"));
    assert!(exit.stderr.contains("(LISTEN_FDS) are not passed on"), "{}", exit.stderr);
}

#[test]
fn the_hidden_step_is_no_command_of_a_persons() {
    let exit = lameduck_testkit::Server::command(crate::fixture::LAMEDUCK)
        .args(["__lameduck-run-step", "true"])
        .start()
        .wait_exit(LONG);
    assert_eq!(exit.code, Some(2));
    assert!(exit.stderr.contains("is a part of `lameduck run`"), "{}", exit.stderr);
}
