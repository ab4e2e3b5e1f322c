//! The program as a person starts it.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Duration;

use lameduck_testkit::{NOBODY, Server, is_root, readable_by_anyone};
use serde_json::{Value, json};

fn shop(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// The one line that says why the shop did not start, and lameduck's report behind it, which is the last thing said.
#[track_caller]
fn refused(stderr: &[u8]) -> (&str, Value) {
    let text = str::from_utf8(stderr).unwrap();
    let errors: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("shop: error: ")).collect();
    let [error] = errors[..] else { panic!("{} errors:\n{text}", errors.len()) };
    let report: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("failed"), &json!(1)));
    assert_eq!(report["cause"], json!({ "kind": "start", "message": error }));
    (error, report)
}

#[test]
fn help_goes_to_standard_output() {
    let output = shop(&["--help"], &[]);
    assert!(output.status.success());
    assert!(str::from_utf8(&output.stdout).unwrap().contains("shop demo"));
}

#[test]
fn an_unknown_argument_ends_with_2() {
    let output = shop(&["serve"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        str::from_utf8(&output.stderr),
        Ok(
            "shop: unknown argument \"serve\"; usage: shop [demo | --tls-cert FILE --tls-key FILE | \
             --tls-self-signed | --help]\n"
        )
    );
}

#[test]
fn a_bad_setting_ends_with_1_and_an_example() {
    for (variable, value, example) in [
        ("SHOP_PAYMENT_DELAY", "soon", "SHOP_PAYMENT_DELAY=5s"),
        ("SHOP_ADDR", "8080", "SHOP_ADDR=127.0.0.1:8080"),
        ("LAMEDUCK_DRAIN", "long", "LAMEDUCK_DRAIN="),
    ] {
        let output = shop(&[], &[(variable, value)]);
        let (error, _) = refused(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains(&format!("{variable} is \"{value}\"")), "{error}");
        assert!(error.contains(example), "{error}");
    }
}

#[test]
fn a_missing_folder_ends_with_1_and_the_name_of_the_database() {
    let output = shop(&[], &[("DATABASE_URL", "sqlite:/missing/shop.db?mode=rwc")]);
    let (error, _) = refused(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains("\"sqlite:/missing/shop.db?mode=rwc\": unable to open database file"),
        "{error}"
    );
}

/// Addresses where nobody is, or that are none: said at once, and without the password.
#[test]
fn a_bad_address_ends_with_1_and_an_example_and_never_shows_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}/shop.db?mode=rwc", folder.path().display());
    let nats = [("DATABASE_URL", &*sqlite)];
    for (variable, value, example, others) in [
        ("DATABASE_URL", "postgres://ada:s3cret@127.0.0.1:1/shop", "postgres://user:", &[][..]),
        ("DATABASE_URL", "postgres://ada:s3cret@no such host/shop", "postgres://user:", &[]),
        ("DATABASE_URL", "mysql://ada:s3cret@127.0.0.1/shop", "sqlite:shop.db", &[]),
        ("NATS_URL", "nats://ada:s3cret@127.0.0.1:1", "nats://127.0.0.1:4222", &nats),
        ("NATS_URL", "nats://ada:s3cret@", "nats://127.0.0.1:4222", &nats),
        ("NATS_URL", "ada:s3cret@127.0.0.1", "nats://127.0.0.1:4222", &nats),
        ("PAYMENT_URL", "https://ada:s3cret@bank/pay", "http://127.0.0.1:9000/payments", &nats),
    ] {
        let environment = [others, &[(variable, value), ("SHOP_ADDR", "127.0.0.1:0")]].concat();
        let output = shop(&[], &environment);
        let (error, _) = refused(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains(variable) && error.contains(example), "{error}");
        assert!(error.contains("***@"), "{error}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cret"), "{error}");
    }
}

#[test]
fn a_port_in_use_ends_with_1_and_closes_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let database = format!("sqlite:{}/shop.db?mode=rwc", folder.path().display());
    let output = shop(&[], &[("SHOP_ADDR", &address), ("DATABASE_URL", &database)]);
    let (error, report) = refused(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(&address) && error.contains("in use"), "{error}");
    let db = report["parts"].as_array().unwrap().iter().find(|part| part["name"] == "db").unwrap();
    assert_eq!(db["state"], "done", "{report}");
}

#[test]
fn an_unreadable_database_ends_with_1_and_its_name() {
    let program = readable_by_anyone(env!("CARGO_BIN_EXE_shop"));
    let database = program.dir().join("shop.db");
    fs::write(&database, "").unwrap();
    fs::set_permissions(&database, Permissions::from_mode(0o000)).unwrap();
    let url = format!("sqlite:{}?mode=rwc", database.display());
    let command = Server::command(&*program).cwd(program.dir());
    // Root can read everything. An ordinary user owns the file, which so must be closed to its owner too.
    let command = if is_root() { command.user(NOBODY) } else { command };
    let exit = command
        .env("DATABASE_URL", &url)
        .env("SHOP_ADDR", "127.0.0.1:0")
        .start()
        .wait_exit(Duration::from_secs(20));
    let (error, _) = refused(exit.stderr.as_bytes());
    assert_eq!(exit.code, Some(1));
    assert!(error.contains(&format!("{url:?}: unable to open database file")), "{error}");
}
