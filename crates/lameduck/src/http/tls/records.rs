//! Follows the headers of TLS records in what is read, to know whether a record has begun that is not whole. It
//! understands nothing else of TLS, and never fails: whether the bytes are right is for rustls to say.

/// The longest that a record's payload may be (RFC 5246, section 6.2.3; TLS 1.3 allows less).
const LONGEST: usize = (1 << 14) + 2048;
/// Type, version (two bytes), length (two bytes).
const HEADER: usize = 5;
/// The types: change_cipher_spec, alert, handshake, application data; and heartbeat, which nobody should use.
const TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// Where in a stream of records the last byte was.
///
/// Invariant: the answer depends on the bytes alone, not on how they were cut.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// How many bytes of the header have come.
    known: usize,
    /// How many bytes of the payload are still to come.
    left: usize,
    /// These are no records.
    lost: bool,
}

impl Records {
    /// Takes the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            if self.left > 0 {
                let count = self.left.min(bytes.len());
                self.left -= count;
                bytes = &bytes[count..];
                continue;
            }
            let count = (HEADER - self.known).min(bytes.len());
            self.header[self.known..self.known + count].copy_from_slice(&bytes[..count]);
            self.known += count;
            bytes = &bytes[count..];
            if self.known == HEADER {
                let [kind, major, _, high, low] = self.header;
                self.known = 0;
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.lost = !TYPES.contains(&kind) || major != 3 || self.left > LONGEST;
            }
        }
    }

    /// Whether a record has begun and is not whole. Not so where the bytes are no records at all.
    pub(super) fn is_in_the_middle(&self) -> bool {
        !self.lost && (self.known > 0 || self.left > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(length: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        let mut bytes = vec![23, 3, 3, high, low];
        // A payload that looks like headers, to be no help.
        bytes.extend((0..length).map(|at| [23, 3, 3, 0, 1][at % 5]));
        bytes
    }

    #[test]
    fn what_is_no_record_is_waited_for_by_nobody() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            &[23, 2, 0, 0, 1],
            &[19, 3, 3, 0, 1],
            &[25, 3, 3, 0, 1],
            &[23, 3, 3, 0x48, 0x01],
        ] {
            let mut records = Records::default();
            records.feed(bytes);
            assert!(!records.is_in_the_middle(), "{bytes:?}");
            records.feed(&[23, 3, 3]);
            assert!(!records.is_in_the_middle(), "{bytes:?}");
        }
        let mut longest = Records::default();
        longest.feed(&[23, 3, 3, 0x48, 0x00]);
        assert!(longest.is_in_the_middle());
    }

    proptest! {
        #[test]
        fn the_ends_of_records_are_found_however_the_bytes_are_cut(
            lengths in prop::collection::vec(prop_oneof![0usize..40, 16_000usize..18_000], 1..8),
            cuts in prop::collection::vec(prop_oneof![1usize..9, 1usize..5_000], 1..50),
        ) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for length in lengths {
                bytes.extend(record(length));
                ends.push(bytes.len());
            }
            let mut records = Records::default();
            let mut at = 0;
            for cut in cuts.into_iter().cycle() {
                if at == bytes.len() {
                    break;
                }
                let next = (at + cut).min(bytes.len());
                records.feed(&bytes[at..next]);
                at = next;
                prop_assert_eq!(records.is_in_the_middle(), !ends.contains(&at), "{}", at);
            }
        }

        #[test]
        fn arbitrary_bytes_lead_to_the_same_however_they_are_cut(
            // Begun as a record more often than chance would have it.
            begins in any::<bool>(),
            bytes in prop::collection::vec(any::<u8>(), 0..3_000),
            cuts in prop::collection::vec(1usize..600, 1..50),
        ) {
            let bytes = if begins { [&[23, 3, 1, 0, 3][..], &bytes].concat() } else { bytes };
            let mut whole = Records::default();
            whole.feed(&bytes);
            let mut cut_up = Records::default();
            let mut rest = &bytes[..];
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                cut_up.feed(piece);
                rest = behind;
            }
            prop_assert_eq!(whole, cut_up);
        }
    }
}
