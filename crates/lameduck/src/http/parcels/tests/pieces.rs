//! Requests cut into arbitrary pieces, on connections that are passed to and fro at arbitrary moments.

use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use proptest::sample::Index;

use super::pair::*;
use crate::part::Part as _;

/// A request and the body of its answer.
fn request() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let body = prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        3 => (0_u32..1000).prop_map(|number| {
            let path = format!("/{number}");
            (get(&path).into_bytes(), path.into_bytes())
        }),
        1 => Just((get("/slow").into_bytes(), b"slow".to_vec())),
        2 => body.clone().prop_map(|body| {
            let head = format!("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n", body.len());
            ([head.as_bytes(), &body].concat(), body)
        }),
        1 => body.prop_map(|body| {
            let head = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
            let size = format!("{:x}\r\n", body.len());
            let chunk = if body.is_empty() { Vec::new() } else { [size.as_bytes(), &body, b"\r\n"].concat() };
            ([head.as_bytes(), &chunk, b"0\r\n\r\n"].concat(), body)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_right_however_often_the_connection_is_passed_on(
        requests in prop::collection::vec(request(), 1..12),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
        pause in 0_u64..4,
    ) {
        let pair = Pair::new();
        let all: Vec<u8> = requests.iter().flat_map(|(sent, _)| sent.clone()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
        cuts.extend([0, all.len()]);
        cuts.sort_unstable();
        let over = AtomicBool::new(false);
        let mut client = pair.client();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut from, mut to) = (&pair.old, &pair.new);
                while !over.load(Ordering::Relaxed) {
                    from.source.pass_on(&pair.outbox(to));
                    #[expect(clippy::disallowed_methods, reason = "no runtime's thread")]
                    std::thread::sleep(std::time::Duration::from_millis(pause));
                    from.source.resume();
                    std::mem::swap(&mut from, &mut to);
                }
            });
            let mut writer = client.stream.try_clone().expect("a descriptor");
            scope.spawn(move || {
                for cut in cuts.windows(2) {
                    let piece = &all[cut[0]..cut[1]];
                    std::io::Write::write_all(&mut writer, piece).expect("sent");
                    #[expect(clippy::disallowed_methods, reason = "no runtime's thread")]
                    std::thread::sleep(std::time::Duration::from_millis(pause));
                }
            });
            for (sent, body) in &requests {
                let got = client.answer();
                assert_eq!(&got.body, body, "{}", String::from_utf8_lossy(sent));
                assert!(!got.says_close());
            }
            over.store(true, Ordering::Relaxed);
        });
    }
}
