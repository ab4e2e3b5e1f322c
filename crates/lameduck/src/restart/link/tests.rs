//! Over a real pair of sockets, with real descriptors.

use std::os::fd::AsRawFd;

use bytes::Bytes;
use proptest::prelude::*;
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::send;

use super::*;
use crate::restart::message::{Passed, READ_AHEAD};

fn pair() -> (Link, Link) {
    let (one, other) = Link::pair().expect("descriptors");
    (one, Link::new(other))
}

fn wave(count: usize, ahead: usize) -> Message {
    let passed = Passed { spoken: true, idle: Duration::ZERO, read_ahead: vec![7; ahead].into() };
    Message::Connections { wave: 1, server: "public".to_owned(), each: vec![passed; count] }
}

/// A descriptor that nobody else in this test process has, and how often it is open.
fn file() -> (OwnedFd, impl Fn() -> usize) {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("lameduck-link-{}-{count}", std::process::id());
    let file = rustix::fs::memfd_create(name.as_str(), rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let open = move || {
        let all = std::fs::read_dir("/proc/self/fd").expect("procfs");
        let names = all.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
        names.filter(|path| path.to_string_lossy().contains(&format!("{name} "))).count()
    };
    (file, open)
}

#[test]
fn a_whole_wave_arrives_with_its_descriptors_closed_on_exec() {
    let (one, other) = pair();
    let (file, open) = file();
    let message = wave(WAVE, READ_AHEAD / WAVE);
    one.send(&message, &[file.as_fd(); WAVE]).expect("sent");
    let Received::Message(received, descriptors) = other.receive() else { panic!("no message") };
    assert_eq!(received, message);
    assert_eq!(descriptors.len(), WAVE);
    assert!(descriptors.iter().all(|one| fcntl_getfd(one).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC))));
    assert_eq!(open(), 1 + WAVE);
    drop(descriptors);
    assert_eq!(open(), 1);
    assert!(matches!(other.receive(), Received::Nothing));
}

#[test]
fn descriptors_that_come_with_what_is_no_message_are_closed() {
    let (one, other) = pair();
    let (file, open) = file();
    for bytes in [&b"x"[..], b"ld\xff", b"ld\x10", &[0; LONGEST + 1]] {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [file.as_fd(); 3];
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&one, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).expect("sent");
        assert!(matches!(other.receive(), Received::Malformed(_)), "{} bytes", bytes.len());
        assert_eq!(open(), 1);
    }
}

#[test]
fn more_descriptors_than_a_wave_has_are_not_kept() {
    let (one, other) = pair();
    let (file, open) = file();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [file.as_fd(); 200];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = Message::Serving.encode();
    sendmsg(&one, &[IoSlice::new(&bytes)], &mut control, SendFlags::empty()).expect("sent");
    let Received::Message(_, descriptors) = other.receive() else { panic!("no message") };
    assert!(descriptors.len() <= WAVE);
    drop(descriptors);
    assert_eq!(open(), 1);
}

#[test]
fn the_end_of_the_other_side_is_seen() {
    let (one, other) = pair();
    one.send(&Message::Done, &[]).expect("sent");
    drop(one);
    assert!(matches!(other.receive(), Received::Message(Message::Done, _)));
    assert!(matches!(other.receive(), Received::End));
    assert_eq!(other.send(&Message::Serving, &[]), Err(Errno::PIPE));
}

#[test]
fn a_peer_that_reads_nothing_holds_the_sender_up_for_two_seconds_at_most() {
    let (one, _other) = pair();
    let began = Instant::now();
    let big = wave(1, READ_AHEAD);
    let failed = (0..1000).find_map(|_| one.send(&big, &[]).err());
    assert_eq!(failed, Some(Errno::TIMEDOUT));
    assert!(began.elapsed() >= ROOM && began.elapsed() < ROOM * 5);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_taken_and_the_next_message_is_whole(bytes in prop::collection::vec(any::<u8>(), 1..3000)) {
        let (one, other) = pair();
        send(&one, &bytes, SendFlags::empty()).expect("sent");
        one.send(&Message::Done, &[]).expect("sent");
        let first = other.receive();
        let taken = matches!(first, Received::Message(..) | Received::Malformed(_));
        prop_assert!(taken);
        let next = matches!(other.receive(), Received::Message(Message::Done, _));
        prop_assert!(next);
    }
}

#[test]
fn what_waits_to_be_sent_is_not_lost_where_the_descriptors_are_too_many() {
    let (one, other) = pair();
    let (file, _) = file();
    let many = vec![file.as_fd(); WAVE + 1];
    assert_eq!(one.send(&wave(1, 0), &many), Err(Errno::TOOMANYREFS));
    assert!(matches!(other.receive(), Received::Nothing));
    assert!(file.as_raw_fd() > 2);
    let _ = Bytes::new();
}
