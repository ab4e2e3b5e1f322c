//! What one client asks next, and what must come of it.

use std::time::Duration;

use crate::load::random::Random;

/// The longest pause in the middle of a request that is sent in pieces.
const BETWEEN: Duration = Duration::from_millis(5);

/// The longest body of an echo.
const BODY: u64 = 60_000;

/// One request, or two at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// Sent one after the other, with a pause between two.
    pub(super) pieces: Vec<Vec<u8>>,
    /// The bodies of the answers, in order.
    pub(super) answers: Vec<Vec<u8>>,
    /// Whether how long it takes says something of the server: it does not where the answer takes its time by design.
    pub(super) timed: bool,
}

impl Ask {
    /// One of the kinds below. The server has the routes of the probe's: `/`, `/echo`, `/stream`. What a body holds
    /// tells whose it is, so that one that went astray between two connections is seen.
    pub(super) fn any(random: &mut Random, client: usize, turn: u64) -> Self {
        match random.below(20) {
            0..10 => Self::small(),
            10..12 => Self::small().in_pieces(random),
            12..14 => Self::two(),
            14..17 => Self::echo(random, client, turn),
            17 => Self::echo(random, client, turn).in_pieces(random),
            _ => Self::stream(random.below(6)),
        }
    }

    fn small() -> Self {
        Self { pieces: vec![get("/")], answers: vec![b"OK".to_vec()], timed: true }
    }

    /// The second is sent before the first is answered.
    fn two() -> Self {
        let pieces = vec![get("/").repeat(2)];
        Self { pieces, answers: vec![b"OK".to_vec(); 2], timed: false }
    }

    fn echo(random: &mut Random, client: usize, turn: u64) -> Self {
        let label = format!("client {client}, turn {turn}: ");
        // Most are short; the long ones fill the server's buffers.
        let limit = if random.below(4) == 0 { BODY } else { 200 };
        let length = random.below(limit) as usize;
        let noise = random.bytes(length);
        let body = [label.as_bytes(), &noise].concat();
        let head =
            format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
        Self { pieces: vec![[head.as_bytes(), &body].concat()], answers: vec![body], timed: false }
    }

    /// An answer in chunks, one a millisecond.
    fn stream(chunks: u64) -> Self {
        let answer: String = (0..chunks).map(|line| format!("chunk {line:04}\n")).collect();
        let pieces = vec![get(&format!("/stream?chunks={chunks}&ms=1"))];
        Self { pieces, answers: vec![answer.into_bytes()], timed: false }
    }

    /// The same in two pieces, cut anywhere: in the head, or in the body.
    fn in_pieces(mut self, random: &mut Random) -> Self {
        if let Some(mut first) = self.pieces.pop() {
            let middle = 1 + random.below(first.len() as u64 - 1) as usize;
            let second = first.split_off(middle);
            self.pieces.extend([first, second]);
        }
        Self { timed: false, ..self }
    }

    /// How long to wait between two pieces.
    pub(super) fn between(random: &mut Random) -> Duration {
        random.up_to(BETWEEN)
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::Ask;
    use crate::load::random::Random;

    #[test]
    fn every_kind_comes_and_each_says_whole_requests() {
        let mut random = Random::new(3);
        let asks: Vec<Ask> = (0..2000).map(|turn| Ask::any(&mut random, 3, turn)).collect();
        let some = |what: &dyn Fn(&Ask) -> bool| asks.iter().filter(|ask| what(ask)).count();
        assert!(some(&|ask| ask.timed) > 500);
        assert!(some(&|ask| ask.answers.len() == 2) > 50);
        assert!(some(&|ask| ask.pieces.len() == 2) > 50);
        assert!(some(&|ask| ask.answers[0].starts_with(b"client 3, turn ")) > 100);
        assert!(some(&|ask| ask.answers[0].starts_with(b"chunk 0000\n")) > 50);
        assert!(some(&|ask| ask.answers[0].len() > 20_000) > 20);
        for ask in asks {
            let text = ask.pieces.concat();
            let heads = text.windows(4).filter(|bytes| bytes == b"\r\n\r\n").count();
            assert!(heads >= ask.answers.len(), "{ask:?}");
            assert!(ask.pieces.iter().all(|piece| !piece.is_empty()), "{ask:?}");
        }
    }
}
