//! Records of TLS that are not whole when the idle grace is over: rustls has read them, so that neither HTTP nor a look
//! into the socket can see them.

use lameduck_testkit::{Client, Ending, pause};

use crate::target::{
    SECOND, about, answered, answered_and_closed, clean, drains_for, forced, idle, ms, start, stop,
    target, turned_away,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn a_request_in_half_a_record_is_waited_for_beyond_the_idle_grace() {
    // 1. On an idle connection the beginning of a record arrives: a part of its header, or of what is encrypted.
    // 2. rustls takes it from the kernel. To HTTP nothing has come, and the socket is empty.
    // 3. The stop begins, and the idle grace goes by.
    // 4. The rest arrives: it is a request, and must be answered.
    let server = start(target());
    let mut clients: Vec<(Client, Vec<u8>)> = Vec::new();
    for (number, cut) in [1, 4, 5, 6, 30, 0].into_iter().enumerate() {
        // Also where no request came before.
        let mut client = if number % 2 == 0 {
            idle(&server)
        } else {
            Client::connect_tls(server.addr()).unwrap()
        };
        let mut record = client.seal(REQUEST);
        let cut = if cut == 0 { record.len() - 1 } else { cut };
        let rest = record.split_off(cut);
        client.send_raw(&record).unwrap();
        clients.push((client, rest));
    }
    pause(ms(200));
    stop(&server);
    pause(ms(800));
    for (client, rest) in &mut clients {
        client.send_raw(rest).unwrap();
        answered_and_closed(client);
    }
    assert_eq!(clean(&server)["connections"]["closed_idle"], 0);
}

#[test]
fn half_a_record_that_comes_within_the_idle_grace_is_waited_for() {
    let server = start(target().env("LAMEDUCK_IDLE_GRACE", "1s"));
    let mut client = idle(&server);
    let record = client.seal(REQUEST);
    stop(&server);
    pause(ms(200));
    client.send_raw(&record[..10]).unwrap();
    pause(ms(1_500));
    client.send_raw(&record[10..]).unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn half_a_record_that_never_ends_is_told_503_at_the_drain_deadline() {
    let server = start(drains_for("1s"));
    let mut client = idle(&server);
    let record = client.seal(REQUEST);
    client.send_raw(&record[..20]).unwrap();
    pause(ms(100));
    let at = stop(&server);
    about(turned_away(&mut client).at - at, SECOND);
    assert_eq!(forced(&server)["stuck"][0]["doing"], "reading the head");
}

#[test]
fn an_update_of_keys_in_two_pieces_is_no_request() {
    let server = start(target().env("LAMEDUCK_IDLE_GRACE", "1s"));
    let mut client = idle(&server);
    let update = client.update_keys();
    client.send_raw(&update[..10]).unwrap();
    pause(ms(100));
    client.send_raw(&update[10..]).unwrap();
    client.get("/").unwrap();
    answered(&mut client);

    let update = client.update_keys();
    client.send_raw(&update[..10]).unwrap();
    pause(ms(100));
    let at = stop(&server);
    client.send_raw(&update[10..]).unwrap();
    // Neither 408 nor 503: it is idle again, and has its grace from here.
    assert_eq!(client.ending(4 * SECOND), Ending::Eof);
    about(at.elapsed(), SECOND);
    assert_eq!(clean(&server)["connections"]["closed_idle"], 1);
}
