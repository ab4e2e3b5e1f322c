//! systemd's own `systemd-socket-activate` starts the shop when the first client connects, on the socket that the client
//! waits in.

mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::{Database, LIMIT, post};
use lameduck_testkit::{Client, Server, Signal, free_port};
use serde_json::json;

#[test]
fn the_first_buyer_starts_the_shop_and_is_served() {
    let database = Database::new();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let server = Server::command("/usr/bin/systemd-socket-activate")
        .cwd(database.folder())
        .arg(format!("--listen={addr}"))
        .arg("--fdname=public")
        .arg(format!("--setenv=DATABASE_URL={}", database.url()))
        .args(["--setenv=SHOP_PAYMENT_DELAY=50ms", "--setenv=LAMEDUCK_LAME_DUCK=0s"])
        // The program becomes the shop, and nobody else holds the socket then.
        .arg("--setenv=LAMEDUCK_LISTENERS_EXCLUSIVE=1")
        .arg(env!("CARGO_BIN_EXE_shop"))
        .start();
    server.wait_for_stderr("Listening on", LIMIT);
    let mut buyer = Client::connect(addr).unwrap().limit(LIMIT);
    post(&mut buyer, "/wallets", &json!({ "owner": "ada", "balance": 1000 })).unwrap();
    assert_eq!(buyer.read_response().unwrap().status, 201, "{}", server.transcript());
    post(&mut buyer, "/purchases", &json!({ "owner": "ada", "item": "coffee" })).unwrap();
    assert_eq!(buyer.read_response().unwrap().status, 201, "{}", server.transcript());
    server.signal(Signal::TERM);
    let exit = server.wait_exit(LIMIT);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let public = exit.report()["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|part| part["name"] == "public")
        .cloned();
    let how = public.unwrap()["detail"].to_string();
    assert!(how.contains("dropped new connections until no handshake was under way"), "{how}");
    database.assert_whole(1);
}
