//! What the tests share: an example as a process, a load on it, its report.

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{
    Client, Exit, Response, Running, Server, ServerCommand, Signal, Tally, eventually, example,
};
use libtest_mimic::Trial;
use serde_json::Value;
use tokio::task::JoinHandle;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// How long anything may take that has no limit of its own.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The example, on a free port, without a lame duck.
pub(crate) fn program(name: &str) -> ServerCommand {
    Server::command(example(name)).port().env("LAMEDUCK_LAME_DUCK", "0s")
}

/// A test that needs no program of others.
pub(crate) fn test(name: &str, case: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        case();
        Ok(())
    })
}

/// Asks on a connection of its own, and sends nothing more.
#[track_caller]
pub(crate) fn asking(addr: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(addr).expect("a connection").limit(LIMIT);
    client.get(path).expect("the request is sent");
    client
}

/// The answer to a request on a connection of its own.
#[track_caller]
pub(crate) fn get(addr: SocketAddr, path: &str) -> Response {
    asking(addr, path).read_response().expect("an answer")
}

/// Stops the server in the middle of the load; what became of the requests, none of which may be lost, and its end.
#[track_caller]
pub(crate) fn stopped_under(load: Running, server: &Server) -> (Tally, Exit) {
    load.flowing(100);
    load.signalled(server.signal(Signal::TERM));
    let exit = server.wait_exit(LIMIT);
    (load.finish(), exit)
}

/// Asserts how it ended; its report.
#[track_caller]
pub(crate) fn ended(exit: &Exit, code: i32) -> Value {
    assert_eq!(exit.code, Some(code), "{}{}", exit.stdout, exit.stderr);
    let report = exit.report();
    assert_eq!(report["exit_code"], code, "{report}");
    report
}

/// The report's entry about a part.
#[track_caller]
pub(crate) fn part(report: &Value, name: &str) -> Value {
    let parts = report["parts"].as_array().expect("a list of parts");
    let found = parts.iter().find(|part| part["name"] == name);
    found.unwrap_or_else(|| panic!("no part `{name}` in {report}")).clone()
}

#[track_caller]
pub(crate) fn wait_until(what: &str, server: &Server, yes: impl FnMut() -> bool) {
    assert!(eventually(LIMIT, yes), "never: {what}\n{}", server.transcript());
}

/// A task beside the test, on the test's own runtime.
#[expect(clippy::disallowed_methods, reason = "this runtime is the test's")]
pub(crate) fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> JoinHandle<F::Output> {
    tokio::spawn(future)
}
