//! What comes in is what hyper reads: every byte once, in order, however it is cut.

use std::collections::VecDeque;
use std::future::poll_fn;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::connections::Connections;
use crate::http::opening::{protocol, without_empty_lines};
use crate::http::testing::{add, connections, opened, runtime};

/// Gives what it was given, a piece at a time, and is not ready before each.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    ready: bool,
}

impl Pieces {
    fn new(bytes: &[u8], cuts: &[Index]) -> Pieces {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let pieces = cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect();
        Pieces { pieces, ready: false }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(piece) = self.pieces.front_mut() {
            let count = piece.len().min(buf.remaining());
            buf.put_slice(&piece[..count]);
            piece.drain(..count);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads to the end as hyper does: into buffers of these sizes, some of which hold something already; in `unread`
/// turns it gives back the end of what it read. Where the connection turns out to be HTTP/2, it is told so by a read
/// that is not ready and goes on reading: so does the change to hyper's HTTP/2.
async fn read(tracked: &mut Tracked<Pieces>, sizes: &[usize], unread: &[Option<Index>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut turned = false;
    let turns = sizes.iter().cycle().zip(unread.iter().cycle());
    for (size, unread) in turns {
        let mut memory = vec![0; size + 3];
        let mut buf = ReadBuf::new(&mut memory);
        buf.put_slice(b"...");
        poll_fn(|cx| {
            let read = Pin::new(&mut *tracked).poll_read(cx, &mut buf);
            let now = tracked.record().state.has(state::HTTP2);
            if read.is_pending() && now && !turned {
                turned = true;
                cx.waker().wake_by_ref();
            }
            read
        })
        .await
        .expect("this reader has no errors");
        let new = &buf.filled()[3..];
        if new.is_empty() {
            return bytes;
        }
        bytes.extend(new);
        // hyper gives back only what it took for HTTP/1.
        if let Some(unread) = unread
            && matches!(tracked.speech, Speech::Http1)
        {
            let back = bytes.split_off(bytes.len() - unread.index(new.len() + 1));
            tracked.unread(back.into());
        }
    }
    unreachable!("the turns have no end");
}

/// The tracked I/O of a connection of which the first `at` bytes were read before, and all that it is to give. `http2`:
/// what is known of its protocol; `None`: what those bytes say.
fn tracked(
    connections: &Arc<Connections>,
    sent: &[u8],
    at: Index,
    cuts: &[Index],
    http2: Option<bool>,
) -> (Tracked<Pieces>, Vec<u8>) {
    let membership = add(connections);
    let (first, rest) = opened(membership.record(), sent, at.index(sent.len() + 1));
    let told = [&first, rest].concat();
    let http2 = http2.or_else(|| protocol(false, &first));
    (Tracked::new(Pieces::new(rest, cuts), membership, http2, first), told)
}

/// What clients send first: the preface, or something that begins like it, or anything.
fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    let anything = prop::collection::vec(any::<u8>(), 0..60);
    (any::<Index>(), anything, any::<bool>()).prop_map(|(kept, anything, likely)| {
        let kept = if likely { kept.index(PREFACE.len() + 1) } else { 0 };
        [&PREFACE[..kept], &anything].concat()
    })
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..12)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..50, 1..8)
}

proptest! {
    #[test]
    fn every_byte_is_read_once_in_order_and_the_preface_tells_the_protocol(
        sent in beginnings(),
        at: Index,
        cuts in cuts(),
        sizes in sizes(),
        // Each turn but the last gives something back, or nothing would ever be read to its end.
        unread in prop::collection::vec(prop::option::of(any::<Index>()), 1..6),
    ) {
        let unread: Vec<_> = unread.into_iter().chain([None]).collect();
        let runtime = runtime();
        let connections = connections(&runtime);
        let (mut tracked, told) = tracked(&connections, &sent, at, &cuts, None);
        let got = runtime.block_on(read(&mut tracked, &sizes, &unread));
        let spoken = !told.is_empty();
        let told = without_empty_lines(&told);
        prop_assert_eq!(&got, told);
        let flags = tracked.record().state.get();
        let http2 = flags & state::HTTP2 != 0;
        let unmistakable = told.starts_with(b"PRI ");
        let all = told.iter().zip(PREFACE).all(|(byte, expected)| byte == expected);
        prop_assert!(!http2 || unmistakable, "HTTP/1 taken for HTTP/2");
        // What begins like the preface and goes on otherwise is neither: how it was cut decides who refuses it.
        prop_assert!(http2 || !unmistakable || !all, "HTTP/2 taken for HTTP/1");
        prop_assert_eq!(flags & state::SPOKEN != 0, spoken);
        prop_assert_eq!(matches!(tracked.speech, Speech::Http2 { .. }), http2);
        prop_assert!(!tracked.has_replay());
    }

    #[test]
    fn what_alpn_said_is_not_asked_of_the_bytes(
        sent in beginnings(),
        at: Index,
        cuts in cuts(),
        sizes in sizes(),
        http2: bool,
    ) {
        let runtime = runtime();
        let connections = connections(&runtime);
        let (mut tracked, told) = tracked(&connections, &sent, at, &cuts, Some(http2));
        let got = runtime.block_on(read(&mut tracked, &sizes, &[None]));
        prop_assert_eq!(&got, if http2 { &told } else { without_empty_lines(&told) });
        prop_assert_eq!(tracked.record().state.has(state::HTTP2), http2);
    }

    #[test]
    fn the_assumed_pong_comes_once_and_between_two_frames(
        payloads in prop::collection::vec(0_u8..40, 1..8),
        at: Index,
        cuts in cuts(),
        sizes in prop::collection::vec(1_usize..50, 1..8),
    ) {
        let mut sent = PREFACE.to_vec();
        let mut ends = Vec::new();
        for payload in payloads {
            sent.extend([0, 0, payload, 4, 0, 0, 0, 0, 0]);
            sent.resize(sent.len() + usize::from(payload), 0xAA);
            ends.push(sent.len());
        }
        // A read of fewer bytes than a PONG has cannot hold one.
        let sizes: Vec<usize> = sizes.into_iter().chain([PONG.len()]).collect();
        let runtime = runtime();
        let connections = connections(&runtime);
        let (mut tracked, _) = tracked(&connections, &sent, at, &cuts, Some(true));
        tracked.record().state.set(state::PONG);
        let got = runtime.block_on(read(&mut tracked, &sizes, &[None]));
        let at = got.windows(PONG.len()).position(|window| window == PONG);
        let Some(at) = at else {
            prop_assert_eq!(&got, &sent);
            // No read had room for it between two frames: the next one that has does.
            let got = runtime.block_on(read(&mut tracked, &[PONG.len()], &[None]));
            prop_assert_eq!(&got, &PONG);
            return Ok(());
        };
        prop_assert!(ends.contains(&at), "at {} of {:?}", at, ends);
        let without = [&got[..at], &got[at + PONG.len()..]].concat();
        prop_assert_eq!(without, sent);
        prop_assert!(!tracked.record().state.has(state::PONG));
    }
}
