use proptest::prelude::*;

use super::*;

#[test]
fn four_bytes_of_the_preface_tell_http2_and_the_first_other_byte_http1() {
    let table: [(&[u8], Option<bool>); 11] = [
        (b"", None),
        (b"P", None),
        (b"PRI", None),
        (b"PRI ", Some(true)),
        (b"PRI * HTTP/2.0\r\n\r\nSM", Some(true)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04", Some(true)),
        (b"G", Some(false)),
        (b"POST", Some(false)),
        (b"PRIX", Some(false)),
        (b"PRI * HTTP/1.1\r\n", Some(false)),
        (b"\x16\x03\x01", Some(false)),
    ];
    for (first, expected) in table {
        assert_eq!(protocol(false, first), expected, "{}", first.escape_ascii());
        assert_eq!(protocol(true, first), Some(false), "{}", first.escape_ascii());
    }
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

proptest! {
    #[test]
    fn what_differs_from_the_preface_anywhere_is_http1(
        same in 0..PREFACE.len(),
        other in 1_u8..,
        behind in anything(),
    ) {
        let first = [&PREFACE[..same], &[PREFACE[same] ^ other], &behind].concat();
        prop_assert_eq!(protocol(false, &first), Some(false));
    }

    #[test]
    fn whatever_stands_behind_the_preface_is_http2(behind in anything()) {
        prop_assert_eq!(protocol(false, &[PREFACE, &behind[..]].concat()), Some(true));
    }

    #[test]
    fn empty_lines_in_front_are_taken_away_and_nothing_else(
        empty in prop::collection::vec(prop::sample::select(b"\r\n".to_vec()), 0..6),
        word in prop::option::of((b' '.., anything())),
    ) {
        let left = word.map(|(first, behind)| [vec![first], behind].concat()).unwrap_or_default();
        let first = [empty, left.clone()].concat();
        prop_assert_eq!(without_empty_lines(&first), &left[..]);
    }
}
