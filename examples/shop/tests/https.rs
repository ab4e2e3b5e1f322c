//! The shop over TLS: with a certificate of its own making, and with files that SIGHUP has it read again.

mod common;

use std::time::Duration;

use common::{Database, LIMIT, json_of, post};
use lameduck_testkit::{Certificate, Client, Server, Signal, free_port};
use serde_json::json;

fn start(database: &Database, arguments: &[&str]) -> Server {
    let address = format!("127.0.0.1:{}", free_port());
    let command = Server::command(env!("CARGO_BIN_EXE_shop"))
        .cwd(database.folder())
        .env("DATABASE_URL", database.url())
        .env("SHOP_ADDR", &address)
        .env("LAMEDUCK_LAME_DUCK", "0s")
        .env("SHOP_PAYMENT_DELAY", "2s")
        .addr(address.parse().unwrap());
    let command = arguments.iter().fold(command, |command, argument| command.arg(argument));
    let server = command.start();
    server.wait_for_stderr("ready after", LIMIT);
    server
}

#[test]
fn with_a_certificate_of_its_own_making_a_purchase_is_served_and_drained() {
    let database = Database::new();
    let server = start(&database, &["--tls-self-signed"]);
    server.wait_for_stderr("listening on https://127.0.0.1:", LIMIT);
    let mut client = Client::connect_tls(server.addr()).unwrap().limit(LIMIT);
    post(&mut client, "/wallets", &json!({ "owner": "ann", "balance": 1_000 })).unwrap();
    assert_eq!(client.read_response().unwrap().status, 201);
    post(&mut client, "/purchases", &json!({ "owner": "ann", "item": "coffee" })).unwrap();
    // Long enough for it to begin, and far less than paying takes.
    lameduck_testkit::pause(Duration::from_millis(100));
    server.signal(Signal::TERM);
    let bought = client.read_response().unwrap();
    assert_eq!((bought.status, bought.says_close()), (201, true), "{}", json_of(&bought));
    let exit = server.wait_exit(LIMIT);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    database.assert_whole(1);
}

#[test]
fn sighup_has_a_new_certificate_used() {
    let database = Database::new();
    let mut certificate = Certificate::new();
    let [cert, key] = [certificate.certificate(), certificate.key()];
    let arguments = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = start(&database, &arguments);
    let shown = || Client::connect_tls(server.addr()).unwrap().certificate();
    assert_eq!(shown().as_deref(), Some(certificate.der()));
    certificate.renew();
    server.signal(Signal::HUP);
    server.wait_for_stderr("certificate read again", LIMIT);
    assert_eq!(shown().as_deref(), Some(certificate.der()));
}
