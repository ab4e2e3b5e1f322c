use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn whatever_comes_first_its_protocol_is_known_or_it_may_yet_be_a_preface(
        spoken: bool,
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            (0_usize..24).prop_map(|count| b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..count].to_vec()),
        ],
    ) {
        let seen = protocol(spoken, &bytes);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".starts_with(&bytes[..bytes.len().min(24)]);
        let expected = match (spoken || !preface, bytes.len()) {
            (true, _) => Some(false),
            (false, 0..4) => None,
            (false, _) => Some(true),
        };
        prop_assert_eq!(seen, expected);
        let left = without_empty_lines(&bytes);
        prop_assert!(bytes.ends_with(left) && !matches!(left.first(), Some(b'\r' | b'\n')));
    }
}
