use proptest::prelude::*;

use super::*;

fn any_passed() -> impl Strategy<Value = Passed> {
    let ahead = prop::collection::vec(any::<u8>(), 0..200);
    (any::<bool>(), any::<u64>(), ahead).prop_map(|(spoken, idle, ahead)| Passed {
        spoken,
        idle: Duration::from_millis(idle),
        read_ahead: ahead.into(),
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any::<u32>().prop_map(|version| Message::Ready { version }),
        any::<u64>().prop_map(|ms| Message::Commit { done_within: Duration::from_millis(ms) }),
        Just(Message::Serving),
        Just(Message::Background),
        Just(Message::Done),
        Just(Message::Abort),
        any::<bool>().prop_map(|failed| Message::Leaving { failed }),
        (any::<u32>(), ".{0,40}", prop::collection::vec(any_passed(), 0..=WAVE))
            .prop_map(|(wave, server, each)| Message::Connections { wave, server, each }),
        (any::<u32>(), any::<u16>()).prop_map(|(wave, count)| Message::Taken { wave, count }),
        (any::<u32>(), prop::collection::vec(any::<u16>(), 0..=WAVE))
            .prop_map(|(wave, which)| Message::Refused { wave, which }),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read(message in any_message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_message_that_ends_early_is_refused(message in any_message(), cut in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        let cut = cut.index(bytes.len());
        prop_assert!(Message::decode(&bytes[..cut]).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(
        kind in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..600),
        ours in any::<bool>(),
    ) {
        let mut bytes = if ours { vec![b'l', b'd', kind] } else { Vec::new() };
        bytes.extend(body);
        // Whatever it is, what is read of it is no more than what it holds.
        if let Ok(Message::Connections { server, each, .. }) = Message::decode(&bytes) {
            let held: usize = each.iter().map(|passed| passed.read_ahead.len()).sum();
            prop_assert!(server.len() + held <= bytes.len());
        }
    }

    /// What every version must be able to say to every other.
    #[test]
    fn the_fixed_messages_may_grow_in_later_versions(more in prop::collection::vec(any::<u8>(), 0..50)) {
        for message in [
            Message::Ready { version: 7 },
            Message::Commit { done_within: Duration::from_secs(17) },
            Message::Serving,
            Message::Background,
            Message::Done,
            Message::Abort,
            Message::Leaving { failed: true },
        ] {
            let mut bytes = message.encode();
            bytes.extend(&more);
            prop_assert_eq!(Message::decode(&bytes), Ok(message));
        }
    }
}

#[test]
fn the_fixed_messages_are_these_bytes() {
    let millis = Duration::from_millis(0x0102);
    assert_eq!(Message::Ready { version: 1 }.encode(), b"ld\x01\x01\0\0\0");
    assert_eq!(Message::Commit { done_within: millis }.encode(), b"ld\x02\x02\x01\0\0\0\0\0\0");
    assert_eq!(Message::Serving.encode(), b"ld\x03");
    assert_eq!(Message::Background.encode(), b"ld\x04");
    assert_eq!(Message::Done.encode(), b"ld\x05");
    assert_eq!(Message::Abort.encode(), b"ld\x06");
    assert_eq!(Message::Leaving { failed: false }.encode(), b"ld\x07\0");
}

#[test]
fn the_longest_wave_fits_a_message() {
    let passed = Passed { spoken: true, idle: Duration::MAX, read_ahead: Bytes::new() };
    let mut each = vec![passed; WAVE];
    each[0].read_ahead = vec![0; READ_AHEAD].into();
    let server = "s".repeat(usize::from(u16::MAX) / 2);
    let message = Message::Connections { wave: u32::MAX, server, each };
    assert!(message.encode().len() <= LONGEST);
}

#[test]
fn more_than_a_wave_is_refused() {
    let passed = Passed { spoken: true, idle: Duration::ZERO, read_ahead: Bytes::new() };
    let message =
        Message::Connections { wave: 1, server: "public".to_owned(), each: vec![passed; WAVE + 1] };
    assert_eq!(Message::decode(&message.encode()), Err(Malformed::Short(CONNECTIONS)));
}
