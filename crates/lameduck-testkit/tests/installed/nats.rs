//! NATS with JetStream.

use std::panic::catch_unwind;

use lameduck_testkit::{Nats, Tool, needing};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Nats];
    vec![
        needing(&tools, "nats_keeps_the_messages_of_a_stream", keeps),
        needing(&tools, "nats_says_why_there_is_no_answer", says_why),
    ]
}

fn keeps() {
    let nats = Nats::start().unwrap();
    let stream = r#"{"name":"ORDERS","subjects":["orders.*"],"storage":"file"}"#;
    nats.request("$JS.API.STREAM.CREATE.ORDERS", stream);
    for number in 1..=3 {
        assert_eq!(nats.request("orders.tea", "two cups")["seq"], number);
    }
    let info = nats.request("$JS.API.STREAM.INFO.ORDERS", "");
    assert_eq!(info["state"]["messages"], 3);
    let stored = nats.folder().join("jetstream/$G/streams/ORDERS");
    assert!(stored.is_dir(), "{}", stored.display());
    assert!(nats.url().starts_with("nats://127.0.0.1:"), "{}", nats.url());
}

fn says_why() {
    let nats = Nats::start().unwrap();
    let why = |subject: &str| {
        let panic = catch_unwind(|| nats.request(subject, "")).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    assert_eq!(why("nobody"), "NATS: nobody: nobody listens to this subject");
    let missing = why("$JS.API.STREAM.INFO.NONE");
    assert!(missing.contains("stream not found"), "{missing}");
}
