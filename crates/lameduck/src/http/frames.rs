//! Walks over HTTP/2 frames, without looking into them: where one ends and the next begins, whether the peer's
//! first SETTINGS have come, and whether what is sent is of a response's body (RFC 9113, sections 3.4 and 4.1).

/// What every HTTP/2 client sends first.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The answer to the PING that h2 sends between its two GOAWAYs: type 6, flag ACK, stream 0, and the eight
/// bytes that h2 (`frame/ping.rs`) puts into it.
pub(super) const PONG: [u8; 17] = [
    0, 0, 8, 6, 1, 0, 0, 0, 0, // the frame's head
    0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54,
];

/// The type of DATA frames.
const DATA: u8 = 0;
/// The type of PING frames, and the flag of those that answer one (RFC 9113, section 6.7).
const PING: u8 = 6;
const ACK: u8 = 1;

/// A walk over what one side of an HTTP/2 connection sends, a client's preface included.
#[derive(Debug)]
pub(super) struct Frames {
    /// How many bytes of the preface are still to come.
    preface: usize,
    /// The head of the next frame, as far as it has come.
    head: [u8; 9],
    filled: usize,
    /// The type of the present frame.
    kind: u8,
    /// How many bytes of the frame's payload are still to come.
    payload: usize,
    whole: u64,
    /// Whether the peer has ever answered a PING.
    ponged: bool,
}

impl Frames {
    /// What a client sends.
    pub(super) fn of_client() -> Frames {
        Frames { preface: PREFACE.len(), ..Frames::of_server() }
    }

    /// What a server sends.
    pub(super) fn of_server() -> Frames {
        Frames { preface: 0, head: [0; 9], filled: 0, kind: 0, payload: 0, whole: 0, ponged: false }
    }

    /// Takes the bytes that came next; whether a part of a body was among them.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        let mut data = false;
        let skip = self.preface.min(bytes.len());
        self.preface -= skip;
        bytes = &bytes[skip..];
        while !bytes.is_empty() {
            if self.payload > 0 {
                data |= self.kind == DATA;
                let skip = self.payload.min(bytes.len());
                self.payload -= skip;
                self.whole += u64::from(self.payload == 0);
                bytes = &bytes[skip..];
            } else if self.filled == 0
                && let Some((head, rest)) = bytes.split_first_chunk()
            {
                // Nearly every head comes whole.
                self.begin_frame(*head);
                bytes = rest;
            } else {
                let take = (self.head.len() - self.filled).min(bytes.len());
                self.head[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
                self.filled += take;
                bytes = &bytes[take..];
                if self.filled == self.head.len() {
                    self.filled = 0;
                    self.begin_frame(self.head);
                }
            }
        }
        data
    }

    #[inline]
    fn begin_frame(&mut self, head: [u8; 9]) {
        let [a, b, c, kind, flags, ..] = head;
        self.kind = kind;
        self.ponged |= kind == PING && flags & ACK != 0;
        self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.whole += u64::from(self.payload == 0);
    }

    /// Whether the preface and the first frame, which must be SETTINGS, have come whole.
    pub(super) fn is_settled(&self) -> bool {
        self.preface == 0 && self.whole > 0
    }

    /// Whether the peer has answered a PING: hyper sends none but the one between its two GOAWAYs.
    pub(super) fn has_ponged(&self) -> bool {
        self.ponged
    }

    /// Whether the last byte was the last of a frame.
    pub(super) fn at_boundary(&self) -> bool {
        self.is_settled() && self.payload == 0 && self.filled == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 0];
        bytes.resize(9 + payload, 0xaa);
        bytes
    }

    #[test]
    fn the_peer_is_settled_once_its_whole_first_frame_came() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(4, 12));
        for cut in 0..bytes.len() {
            let mut frames = Frames::of_client();
            frames.feed(&bytes[..cut]);
            assert!(!frames.is_settled(), "{cut}");
            frames.feed(&bytes[cut..]);
            assert!(frames.is_settled() && frames.at_boundary(), "{cut}");
        }
    }

    #[test]
    fn the_answer_to_a_ping_is_seen() {
        let mut frames = Frames::of_client();
        frames.feed(PREFACE);
        frames.feed(&frame(4, 0));
        assert!(!frames.has_ponged());
        frames.feed(&PONG);
        assert!(frames.has_ponged() && frames.at_boundary());
    }

    #[test]
    fn only_what_is_in_data_frames_is_of_a_body() {
        let mut frames = Frames::of_server();
        assert!(!frames.feed(&frame(4, 12)));
        assert!(!frames.feed(&PONG));
        assert!(!frames.feed(&frame(0, 0)), "an end of stream alone");
        let data = frame(0, 3);
        assert!(!frames.feed(&data[..9]));
        assert!(frames.feed(&data[9..11]));
        assert!(frames.feed(&[&data[11..], &frame(6, 8)].concat()));
        assert!(!frames.feed(&frame(1, 20)));
    }

    proptest! {
        #[test]
        fn boundaries_are_found_however_the_bytes_are_cut(
            sizes in prop::collection::vec(0usize..300, 1..10),
            cuts in prop::collection::vec(1usize..40, 1..200),
        ) {
            let mut bytes = PREFACE.to_vec();
            let mut ends = Vec::new();
            for size in sizes {
                bytes.extend(frame(0, size));
                ends.push(bytes.len());
            }
            let mut frames = Frames::of_client();
            let mut at = 0;
            for cut in cuts.into_iter().cycle() {
                if at == bytes.len() {
                    break;
                }
                let next = (at + cut).min(bytes.len());
                frames.feed(&bytes[at..next]);
                at = next;
                prop_assert_eq!(frames.at_boundary(), ends.contains(&at));
            }
        }

        #[test]
        fn arbitrary_bytes_say_the_same_however_they_are_cut(
            bytes in prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => 0_u8..12, 1 => any::<u8>()], 0..300),
            preface: bool,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let start: &[u8] = if preface { PREFACE } else { &[] };
            let bytes = [start, &bytes].concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut piecemeal = Frames::of_client();
            for cut in cuts.windows(2) {
                piecemeal.feed(&bytes[cut[0]..cut[1]]);
                let mut whole = Frames::of_client();
                whole.feed(&bytes[..cut[1]]);
                let says = |frames: &Frames| (frames.is_settled(), frames.at_boundary(), frames.has_ponged());
                prop_assert_eq!(says(&piecemeal), says(&whole));
            }
        }
    }
}
