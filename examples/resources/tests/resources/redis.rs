//! `01_redis`: what was counted is stored when nothing is left that counts.

use lameduck_testkit::{KeepAlive, Redis, Signal, Tool, needing};
use libtest_mimic::Trial;

use crate::program::{SECOND, ended, get, part, program, stopped_under, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Redis];
    vec![
        needing(&tools, "b7_every_visit_that_was_answered_is_stored_in_redis", stores),
        needing(&tools, "a_redis_that_is_dead_or_frozen_is_named_and_holds_nothing_up", is_named),
    ]
}

fn stores() {
    let redis = Redis::start().unwrap();
    let mut answered = 0;
    for _ in 0..3 {
        let server = program("01_redis").env("REDIS_URL", redis.url()).start();
        server.ready();
        let load = KeepAlive::new(server.addr()).clients(20).expect("counted\n").start();
        let (tally, exit) = stopped_under(load, &server);
        assert_eq!((tally.failed(), tally.turned_away), (0, 0), "{tally}");
        assert_eq!(part(&ended(&exit, 0), "redis")["state"], "done");
        answered += tally.answered;
    }
    assert_eq!(redis.ask(&["GET", "visits"]), Some(answered.to_string()));
}

fn is_named() {
    for signal in [Signal::KILL, Signal::STOP] {
        let redis = Redis::start().unwrap();
        let server = program("01_redis").env("REDIS_URL", redis.url()).start();
        server.ready();
        assert_eq!(get(server.addr(), "/").status, 200);
        wait_until("stored", &server, || redis.ask(&["GET", "visits"]).as_deref() == Some("1"));
        redis.server().signal(signal);
        // The service goes on without it.
        for _ in 0..3 {
            assert_eq!(get(server.addr(), "/").status, 200);
        }
        let signalled = server.signal(Signal::TERM);
        let exit = server.wait_exit(10 * SECOND);
        let report = ended(&exit, 1);
        let redis = part(&report, "redis");
        assert_eq!(redis["state"], "failed", "{report}");
        assert!(redis["detail"].as_str().is_some_and(|why| !why.is_empty()), "{report}");
        // The timer's last try, the pool's last try, and nothing else.
        assert!(exit.at - signalled < 6 * SECOND, "{:?}", exit.at - signalled);
    }
}
