//! What TLS cannot give: an answer by the supervisor thread, which has no keys.

use lameduck_testkit::{Failure, Signal, pause};

use crate::target::{ROOM, SECOND, connect, drains_for, forced, ms, start};

#[test]
fn with_every_runtime_thread_blocked_a_client_is_cut_and_can_tell() {
    let server = start(drains_for("700ms").env("TOKIO_WORKER_THREADS", "1"));
    let mut client = connect(&server);
    client.get("/starve?ms=60000").unwrap();
    pause(ms(300));
    let at = server.signal(Signal::TERM);
    let failure = client.read_response().unwrap_err();
    assert_eq!(failure, Failure::Reset, "no close_notify, so no end in order");
    assert!(client.truncated(), "not a byte that is no TLS");
    assert!(at.elapsed() >= ms(700), "{:?}", at.elapsed());
    let report = forced(&server);
    // 700 + 500 + 500 ms, and 200 ms.
    let took = server.wait_exit(SECOND).at - at;
    assert!(took <= ms(1_900) + ROOM, "{took:?}");
    assert_eq!(report["stuck"][0]["name"], "GET /starve", "{report}");
    assert_eq!(report["requests"]["answered_503"], 0, "{report}");
}
