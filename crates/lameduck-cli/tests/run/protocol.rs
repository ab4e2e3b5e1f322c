//! What a server is given.

use std::collections::BTreeSet;

use lameduck_testkit::{Client, Server, Signal, free_port};
use serde_json::json;

use crate::fixture::{LONG, PYTHON, Run, Script, file, run};

#[test]
fn every_child_gets_the_sockets_from_3_on_with_their_names_and_its_own_id() {
    let api = file("api.sock");
    let more = format!("api=unix:{}", api.display());
    let run = Run::start(&["--listen", &more], "");
    run.signal(Signal::HUP).wait_for("serves alone");
    let told = run.told("env", 2);
    assert_ne!(told[0]["pid"], told[1]["pid"]);
    // The server sets the first one to what it wants, and that is of the socket, not of the process.
    assert_eq!(told[0]["blocking"], json!([true, true]), "as systemd passes them");
    let mut descriptors = descriptors_of_any_child();
    descriptors.extend([3, 4, 5]);
    for child in &told {
        assert_eq!(
            child["env"],
            json!({
                "LISTEN_FDS": "2",
                "LISTEN_FDNAMES": "http:api",
                "LISTEN_PID": child["pid"].to_string(),
                "LAMEDUCK_LISTENERS_EXCLUSIVE": "1",
                "LAMEDUCK_LISTENERS_HELD": "5",
            })
        );
        let tcp = format!("('127.0.0.1', {})", run.addr.port());
        assert_eq!(child["at"], json!([tcp, api.to_str().unwrap()]));
        assert_eq!(child["descriptors"], json!(descriptors), "and nothing else");
        assert_eq!(child["group"], child["pid"], "a Ctrl-C reaches it by us alone");
    }
}

/// What this test run was itself given, and passes on to whatever it starts.
fn descriptors_of_any_child() -> BTreeSet<u32> {
    let text = "import os
print(*[fd for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)])";
    let exit = Server::command(PYTHON).args(["-c", text]).start().wait_exit(LONG);
    exit.stdout.split_whitespace().map(|fd| fd.parse().unwrap()).collect()
}

#[test]
fn a_unix_socket_is_served_through_replacements_and_its_file_goes_with_the_last_child() {
    let path = file("only.sock");
    let script = Script::new("");
    let listen = format!("http=unix:{}", path.display());
    let run = run(["--listen", &listen, "--", "/bin/sh"]).arg(script.path()).start();
    for number in 1..=2 {
        run.wait_for_stderr(&format!("child {number} (pid"), LONG);
        run.wait_for_stderr("is ready", LONG);
        if number == 2 {
            run.wait_for_stderr("serves alone", LONG);
        }
        let mut client = Client::connect_unix(&path).unwrap();
        client.get("/").unwrap();
        assert_eq!(client.read_response().unwrap().status, 200);
        run.signal(if number == 1 { Signal::HUP } else { Signal::TERM });
    }
    assert_eq!(run.wait_exit(LONG).code, Some(0));
    assert!(!path.exists());
}

#[test]
fn a_server_without_sockets_gets_none_of_the_variables() {
    let script = Script::new("");
    let run = run(["--", "/bin/sh"]).arg(script.path()).env("LISTEN_FDS", "7").start();
    run.wait_for_stderr("it said READY=1", LONG);
    run.wait_for_stdout("}\n", LONG);
    let told: serde_json::Value =
        serde_json::from_str(run.stdout().lines().next().unwrap()).unwrap();
    for (name, value) in told["env"].as_object().unwrap() {
        assert!(value.is_null(), "{name}={value}");
    }
    run.signal(Signal::TERM);
    assert_eq!(run.wait_exit(LONG).code, Some(0));
}

#[test]
fn the_command_is_given_its_words_as_they_are() {
    let words = ["--", "printf", "%s|", "--help", "a b", "{port}", "--", "'\"$x"];
    let exit = run(words).start().wait_exit(LONG);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(exit.stdout, "--help|a b|{port}|--|'\"$x|");
}

#[test]
fn each_child_is_given_a_port_of_its_own_where_the_url_has_one() {
    let url = "http://127.0.0.1:{port}/";
    let shell = "echo port $0; sleep 0.2";
    let words = ["--ready", url, "--", "sh", "-c", shell, "{port}"];
    let exit = run(words).start().wait_exit(LONG);
    let port = exit.stdout.trim().strip_prefix("port ").and_then(|port| port.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port > 0 && port != free_port()), "{}", exit.stdout);
}
