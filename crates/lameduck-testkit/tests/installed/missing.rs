//! A machine without one of them: this test program again, where it can't find Redis.

use std::time::Duration;

use lameduck_testkit::{Exit, Server};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, case: fn()| {
        Trial::test(name, move || {
            case();
            Ok(())
        })
    };
    vec![
        trial("a_case_whose_program_is_missing_is_ignored", ignored),
        trial("a_case_whose_program_is_missing_fails_on_ci", fails_on_ci),
    ]
}

/// Runs the cases of Redis.
fn run(ci: &str) -> Exit {
    let me = std::env::current_exe().unwrap();
    let child = Server::command(me).arg("redis_").env("PATH", "/nowhere").env("CI", ci).start();
    child.wait_exit(Duration::from_secs(20))
}

fn ignored() {
    let Exit { code, stdout, .. } = run("");
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("[needs redis-server] redis_keeps_what_it_is_told"), "{stdout}");
    assert!(stdout.contains("ok. 0 passed; 0 failed; 5 ignored"), "{stdout}");
}

fn fails_on_ci() {
    let Exit { code, stdout, .. } = run("true");
    assert_eq!(code, Some(101), "{stdout}");
    assert!(
        stdout.contains("redis-server is not there\n\nhint: apt-get install redis-server"),
        "{stdout}"
    );
    assert!(stdout.contains("FAILED. 0 passed; 5 failed; 0 ignored"), "{stdout}");
}
