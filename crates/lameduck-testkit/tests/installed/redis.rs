//! Redis.

use std::panic::catch_unwind;

use lameduck_testkit::{Redis, Tool, needing};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Redis];
    vec![
        needing(&tools, "redis_keeps_what_it_is_told", keeps),
        needing(&tools, "redis_says_what_is_wrong_with_a_command", says_what_is_wrong),
    ]
}

fn keeps() {
    let redis = Redis::start().unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(redis.ask(&["SET", "item", "tea and\r\ncake"]), text("OK"));
    assert_eq!(redis.ask(&["GET", "item"]), text("tea and\r\ncake"));
    assert_eq!(redis.ask(&["GET", "nothing"]), None);
    assert_eq!(redis.ask(&["DBSIZE"]), text("1"));
    let info = redis.ask(&["INFO", "server"]).unwrap();
    let port = info.lines().find_map(|line| line.strip_prefix("tcp_port:")).unwrap();
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{port}/"));
}

fn says_what_is_wrong() {
    let redis = Redis::start().unwrap();
    let panic = catch_unwind(|| redis.ask(&["INCR"])).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        r#"Redis: ["INCR"]: -ERR wrong number of arguments for 'incr' command"#
    );
}
