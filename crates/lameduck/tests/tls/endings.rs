//! How connections end: with close_notify where all was said, without it where something was cut.

use lameduck_testkit::{Client, Ending, Failure, pause};

use crate::target::{
    SECOND, about, answered, clean, connect, drains_for, forced, ms, start, stop, target,
};

#[test]
fn a_response_that_is_cut_ends_without_close_notify() {
    let server = start(drains_for("1s"));
    let mut client = connect(&server);
    client.get("/stream?chunks=1000&ms=50").unwrap();
    client.wait_for("chunk 0001", SECOND).unwrap();
    let at = stop(&server);
    let failure = client.read_response().unwrap_err();
    assert!(matches!(failure, Failure::Cut { reset: true, .. }), "{failure}");
    about(at.elapsed(), SECOND);
    assert_eq!(forced(&server)["requests"]["cut"], 1);
}

#[test]
fn a_client_that_says_close_notify_while_idle_frees_the_connection_at_once() {
    let server = start(target());
    let mut client = connect(&server);
    client.get("/").unwrap();
    answered(&mut client);
    client.half_close();
    assert_eq!(client.ending(2 * SECOND), Ending::Eof);
    stop(&server);
    clean(&server);
}

#[test]
fn tls_1_2_is_drained_in_the_same_way() {
    let server = start(target());
    let [mut busy, mut half_closed, mut idle] =
        [(), (), ()].map(|()| Client::connect_tls12(server.addr()).unwrap());
    busy.get("/sleep?ms=600").unwrap();
    half_closed.get("/sleep?ms=600").unwrap();
    half_closed.half_close();
    pause(ms(100));
    stop(&server);
    assert_eq!(idle.ending(2 * SECOND), Ending::Eof);
    for client in [&mut busy, &mut half_closed] {
        assert!(answered(client).says_close());
        assert_eq!(client.ending(2 * SECOND), Ending::Eof);
    }
    clean(&server);
}
