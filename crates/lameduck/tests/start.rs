//! A start that cannot succeed ends at once, with one line that names what is wrong and what would be right.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use lameduck_testkit::{
    Ending, Exit, NOBODY, Proc, Server, ServerCommand, eventually, example, free_port, in_ci,
    is_root, last_json_object, pause, readable_by_anyone,
};

use fixture::{SECOND, ended, fixture, in_order, part, status, stuck, with_admin};

/// Asserts that the start fails in order: code 1, one line of error that holds all of these, a report that says the
/// same, no process left; and gives the exit back.
#[track_caller]
fn refused(command: ServerCommand, said: &[&str]) -> Exit {
    let server = command.start();
    let exit = server.wait_exit(10 * SECOND);
    check(&exit, said);
    assert!(!server.runs() && server.proc().children().is_empty());
    exit
}

#[track_caller]
fn check(exit: &Exit, said: &[&str]) {
    assert_eq!((exit.code, exit.signal), (Some(1), None), "{}{}", exit.stdout, exit.stderr);
    let errors: Vec<&str> = exit.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    // A panic's own message comes from the panic hook, which is the program's.
    let errors: Vec<&str> = errors.into_iter().filter(|line| line.contains("error")).collect();
    assert_eq!(errors.len(), 1, "one line, in:\n{}", exit.stderr);
    assert!(errors[0].starts_with("fixture: error: "), "{}", errors[0]);
    for part in said {
        assert!(errors[0].contains(part), "`{part}` is missing in: {}", errors[0]);
    }
    let report = exit.report();
    assert_eq!((&report["outcome"], &report["cause"]["kind"]), (&"failed".into(), &"start".into()));
    let message = report["cause"]["message"].as_str().expect("the report says why");
    assert!(errors[0].ends_with(message), "{message}");
}

/// The fixture without a log, so that standard error holds the error alone.
fn quiet(words: &[&str]) -> ServerCommand {
    fixture(&[&["quiet"], words].concat())
}

fn is_free(addr: SocketAddr) -> bool {
    eventually(SECOND, || TcpListener::bind(addr).is_ok())
}

#[test]
fn b4_a_variable_that_cannot_be_read_is_named_with_an_example() {
    for name in ["LAME_DUCK", "DRAIN", "FINISH", "CLOSE", "IDLE_GRACE", "GRACE", "PRESTOP"] {
        let name = format!("LAMEDUCK_{name}");
        for value in ["5", "soon", "-5s", " ", "5 fortnights"] {
            let example = format!("{name}=5s");
            let command = quiet(&["http"]).env(&name, value);
            refused(command, &[&name, &format!("{value:?}"), &example]);
        }
    }
}

#[test]
fn b4_a_budget_that_does_not_fit_the_grace_shows_the_sum() {
    let command = quiet(&["http"])
        .env("LAMEDUCK_LAME_DUCK", "5s")
        .env("LAMEDUCK_DRAIN", "17s")
        .env("LAMEDUCK_FINISH", "4s")
        .env("LAMEDUCK_CLOSE", "3s");
    let sum = "lame duck 5 s + drain 17 s + finish 4 s + close 3 s = 29 s";
    let docker = command.clone().env("LAMEDUCK_GRACE", "10s");
    refused(docker, &[sum, "allows 10 s", "have the platform allow 30 s"]);
    let hook = command.clone().env("LAMEDUCK_GRACE", "30s").env("LAMEDUCK_PRESTOP", "5s");
    refused(hook, &[sum, "5 s that its preStop hook uses up", "have the platform allow 35 s"]);

    let fits = command.env("LAMEDUCK_GRACE", "35s").env("LAMEDUCK_PRESTOP", "5s");
    let server = fixture::serving(fits);
    assert!(server.stderr().is_empty(), "{}", server.stderr());
}

#[test]
fn b4_without_a_grace_the_start_says_how_much_the_platform_must_give() {
    let server = fixture::serving(fixture(&["http"]).env("LAMEDUCK_LAME_DUCK", "5s"));
    // 5 + 3 + 0.5 + 0.5 s, and 200 ms for the exit.
    let said = "give this process at least 10 s to stop (Docker's default is 10)";
    server.wait_for_stderr(said, 5 * SECOND);
    assert_eq!(server.stderr().matches("give this process").count(), 1);

    let known = fixture::serving(fixture(&["http"]).env("LAMEDUCK_GRACE", "30s"));
    known.wait_for_stderr("ready after", 5 * SECOND);
    assert!(!known.stderr().contains("give this process"), "{}", known.stderr());
}

#[test]
fn an_idle_grace_beyond_the_drain_is_refused() {
    let command = quiet(&["http"]).env("LAMEDUCK_IDLE_GRACE", "5s").env("LAMEDUCK_DRAIN", "2s");
    refused(command, &["idle grace of 5 s", "drain of 2 s", "LAMEDUCK_IDLE_GRACE"]);
}

#[test]
fn a_variable_with_a_slip_of_the_pen_is_remarked_on() {
    let server = fixture::serving(fixture(&["http"]).env("LAMEDUCK_DRIAN", "5s"));
    server.wait_for_stderr("LAMEDUCK_DRIAN is not a variable of lameduck", 5 * SECOND);
}

#[test]
fn a_number_of_threads_that_cannot_be_read_is_an_error_not_a_panic() {
    // 1. TOKIO_WORKER_THREADS says nothing that tokio can read.
    // 2. tokio's builder panics: code 101 and a backtrace instead of an error and a report.
    for value in ["0", "many", "-1"] {
        let command = quiet(&["http"]).env("TOKIO_WORKER_THREADS", value);
        let exit = refused(command, &["TOKIO_WORKER_THREADS", &format!("{value:?}"), "=4"]);
        assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
    }
}

#[test]
fn an_address_in_use_is_named_and_what_was_opened_closes() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address").to_string();
    let command = quiet(&["resource=db", &format!("http={address}"), "resource=late"]);
    let exit = refused(command, &["`public`", &address, "in use", "another port"]);
    assert!(in_order(&exit.stdout, &["db closing", "db closed"]), "{}", exit.stdout);
    assert!(exit.stdout.contains("late closed"), "{}", exit.stdout);
}

#[test]
fn an_address_that_is_none_is_named() {
    for (address, said) in [
        ("8080", "8080"),
        ("127.0.0.1:99999", "99999"),
        ("192.0.2.1:8080", "192.0.2.1:8080"),
        ("unix:/no/such/folder/s.sock", "/no/such/folder"),
    ] {
        refused(quiet(&[&format!("http={address}")]), &["`public`", said]);
    }
}

#[test]
fn a_port_that_needs_a_privilege_is_named() {
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first: u16 = start.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024);
    if !is_root() {
        eprintln!("skipped: needs root, to run the server as somebody else");
        assert!(!in_ci(), "CI runs as root");
        return;
    }
    let program = readable_by_anyone(example("fixture"));
    let ordinary =
        |command: ServerCommand| command.arg("quiet").arg("http=127.0.0.1:81").user(NOBODY);
    if first > 81 {
        let command = ordinary(Server::command(&program));
        refused(
            command,
            &["127.0.0.1:81", "permission denied", &format!("port of {first} or above")],
        );
        return;
    }
    // Containers often let everybody bind every port: ask in a network namespace of its own, whose limit is the
    // kernel's own.
    let netns = Netns::new();
    let command = ordinary(Server::command(&program)).netns(&netns.0);
    refused(command, &["127.0.0.1:81", "permission denied", "port of 1024 or above"]);
}

/// A network namespace with loopback alone, removed on drop.
struct Netns(String);

impl Netns {
    fn new() -> Netns {
        let name = format!("lameduck-life-{}", std::process::id());
        let ip = |arguments: &[&str]| {
            let done = std::process::Command::new("ip").args(arguments).status();
            assert!(done.is_ok_and(|status| status.success()), "ip {arguments:?}");
        };
        ip(&["netns", "add", &name]);
        let netns = Netns(name);
        ip(&["-n", &netns.0, "link", "set", "lo", "up"]);
        let set = "echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start";
        ip(&["netns", "exec", &netns.0, "sh", "-c", set]);
        netns
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn parts_that_cannot_be_put_in_order_are_named() {
    for (word, said) in [
        ("cycle", ["`chicken`", "`egg`", "circle"]),
        ("against", ["`db`", "`mail`", "stops before"]),
        ("twice", ["two parts", "`db`", "its own name"]),
    ] {
        let server = quiet(&["resource=pool", "http", word]).start();
        let exit = server.wait_exit(10 * SECOND);
        check(&exit, &said);
        assert!(exit.stdout.contains("pool closed"), "{}", exit.stdout);
        assert!(is_free(server.addr()));
    }
}

#[test]
fn an_admin_address_that_cannot_be_listened_on_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    for (address, said) in [("nowhere", "nowhere"), ("127.0.0.1", "127.0.0.1"), (&taken, "in use")]
    {
        let command = quiet(&["resource=db", "http"]).env("LAMEDUCK_ADMIN", address);
        let exit = refused(command, &["the admin listener", address, said]);
        assert!(!exit.stdout.contains("db"), "bound before the setup runs");
    }
}

#[test]
fn a_report_that_can_be_written_nowhere_is_an_error_at_the_start() {
    // 1. LAMEDUCK_REPORT names a file in a folder that does not exist.
    // 2. The service ran, and only its last words said that its report could not be written.
    let folder = std::env::temp_dir();
    for (path, said) in [
        (PathBuf::from("/no/such/folder/report.json"), "/no/such/folder"),
        (folder, "folder"),
        (PathBuf::from("/proc/version/report.json"), "/proc/version"),
        (PathBuf::from("/tmp/no-such-folder/"), "folder"),
    ] {
        let command = quiet(&["resource=db", "http"]).env("LAMEDUCK_REPORT", &path);
        let said = ["LAMEDUCK_REPORT", &path.display().to_string(), said];
        let exit = refused(command, &said);
        assert!(!exit.stdout.contains("db"), "said before the setup runs");
    }
}

#[test]
fn an_error_is_one_line_whatever_the_path_in_it_holds() {
    let path = "no such\nfolder/file";
    refused(quiet(&["http"]).env("LAMEDUCK_REPORT", path), &["LAMEDUCK_REPORT"]);
    refused(quiet(&["http"]).env("LAMEDUCK_ADMIN", format!("unix:{path}")), &["does not exist"]);
}

#[test]
fn a_start_that_fails_with_nothing_to_close_needs_no_time_to_close_it() {
    // 1. LAMEDUCK_CLOSE is 0, and the setup fails before it has opened anything.
    // 2. The close deadline was over as the closing began: exit code 75, though nothing was left behind.
    for _ in 0..20 {
        refused(quiet(&["setup=fail"]).env("LAMEDUCK_CLOSE", "0"), &["no database"]);
    }
}

#[test]
fn a_report_file_need_not_exist_and_is_not_made_before_the_end() {
    let path = std::env::temp_dir().join(format!("lameduck-start-{}", std::process::id()));
    let server = fixture::serving(quiet(&["http"]).env("LAMEDUCK_REPORT", &path));
    assert!(!path.exists());
    server.signal(lameduck_testkit::Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    assert_eq!(exit.code, Some(0));
    assert!(path.exists());
    let _ = std::fs::remove_file(&path);
}

#[test]
fn a_setup_that_fails_says_why_and_what_was_opened_closes_in_reverse() {
    let words = ["resource=db", "resource=cache:ok:db", "worker=mail:ok:db", "http", "setup=fail"];
    let server = quiet(&words).start();
    let exit = server.wait_exit(10 * SECOND);
    check(&exit, &["no database at db.example:5432"]);
    let closed = ["cache closing", "cache closed", "db closing", "db closed"];
    assert!(in_order(&exit.stdout, &closed), "{}", exit.stdout);
    assert!(!exit.stdout.contains("mail"), "a worker starts only when the setup has returned");
    assert_eq!(part(&exit.report(), "cache")["state"], "done");
    assert!(is_free(server.addr()));
}

#[test]
fn a_setup_that_panics_says_where_and_what_was_opened_closes() {
    let exit = quiet(&["resource=db", "http", "setup=panic"]).start().wait_exit(10 * SECOND);
    check(&exit, &["setup", "program.rs:", "panicked", "the configuration is empty"]);
    assert!(exit.stdout.contains("db closed"), "{}", exit.stdout);
}

#[test]
fn b3_a_start_has_a_deadline() {
    for how in ["setup=hang", "setup=block"] {
        let begun = std::time::Instant::now();
        let server = quiet(&["start-within=300", "resource=db", "http", how]).start();
        let exit = server.wait_exit(10 * SECOND);
        check(&exit, &["setup", "program.rs:", "did not return within 300 ms"]);
        assert!(exit.at - begun < 3 * SECOND, "{how}: {:?}", exit.at - begun);
        assert!(exit.stdout.contains("db closed"), "{}", exit.stdout);
        let one = stuck(&exit.report(), "setup", "setup");
        assert!(one["place"].as_str().is_some_and(|place| place.contains("program.rs:")));
        assert!(is_free(server.addr()));
    }
}

#[test]
fn b3_closing_after_a_failed_start_has_a_deadline() {
    let begun = std::time::Instant::now();
    let exit = quiet(&["resource=db:hang", "setup=fail"]).start().wait_exit(10 * SECOND);
    // Forced goes before failed.
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    assert!(exit.at - begun < 3 * SECOND);
    stuck(&exit.report(), "resource", "db");
    assert!(exit.stderr.contains("fixture: error: no database"), "{}", exit.stderr);
}

#[test]
fn a_shield_that_a_given_up_start_leaves_behind_is_named() {
    let exit = quiet(&["resource=db", "shield", "setup=fail"]).start().wait_exit(10 * SECOND);
    // It was cut off: more than a start that failed.
    let report = ended(&exit, 75, "forced");
    stuck(&report, "shield", "migration");
    let said = ["shield cancelled", "db closed"];
    assert!(said.iter().all(|event| exit.stdout.contains(event)), "{}", exit.stdout);
}

#[test]
fn a2_a_service_that_starts_is_not_ready_and_answers_only_when_it_is() {
    let (command, admin) = with_admin(quiet(&["http", "setup=hang"]));
    let server = command.start();
    server.wait_for_stdout("setup hangs", 5 * SECOND);
    assert_eq!(status(admin, "/readyz"), Some(503));
    assert_eq!(status(admin, "/startupz"), Some(503));
    assert_eq!(status(admin, "/livez"), Some(200));
    // Its port is bound, so that nobody is refused, and nobody is answered.
    let mut early = fixture::asking(server.addr(), "/");
    assert!(early.read_some(SECOND / 3).is_empty());
    assert!(Proc::of(server.pid()).runs());
    server.signal(lameduck_testkit::Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    assert_eq!(exit.code, Some(0));
    assert!(last_json_object(&exit.stderr).is_some());
    // The limit of guarantee 2: what came before the service was ready goes with a start that is given up.
    assert_eq!(early.ending(SECOND), Ending::Reset);
}

#[test]
fn a_part_declared_as_the_start_is_given_up_closes_too() {
    // A signal that meets the setup between two declarations must not lose the second.
    for _ in 0..20 {
        let words = ["quiet", "setup=spin", "http"];
        let server = fixture(&words).start();
        server.wait_for_stdout("setup spins", 5 * SECOND);
        pause(std::time::Duration::from_millis(5));
        server.signal(lameduck_testkit::Signal::TERM);
        let exit = server.wait_exit(10 * SECOND);
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        let (opened, closed) =
            (exit.stdout.matches("opened").count(), exit.stdout.matches("closed").count());
        assert_eq!(opened, closed, "{}", exit.stdout);
    }
}

#[test]
fn nothing_is_left_of_a_port_that_was_free() {
    let port = free_port();
    let address = format!("http=127.0.0.1:{port}");
    refused(quiet(&[&address, "setup=fail"]), &["no database"]);
    assert!(is_free(([127, 0, 0, 1], port).into()));
}
