//! What predecessor and successor say to each other, and how it is written.
//!
//! A message is `ld`, one byte for its kind, and its fields, numbers with the lowest byte first. The form of
//! [`Message::Ready`], [`Message::Commit`], [`Message::Serving`], [`Message::Background`], [`Message::Done`],
//! [`Message::Abort`] and [`Message::Leaving`] is fixed for ever, and what may follow their fields is for later
//! versions and read over. The others belong to a [`VERSION`]: between two different ones no connection is passed.
//!
//! Reading takes arbitrary bytes: it must never panic, and never allocate more than a message holds.

use std::time::Duration;

use bytes::Bytes;

/// The version of the messages that carry connections.
pub(super) const VERSION: u32 = 1;
/// How many connections one message carries at most.
pub(super) const WAVE: usize = 64;
/// How long a message is at most.
pub(super) const LONGEST: usize = 160 * 1024;
/// How many bytes that were read ahead one message carries at most, of all its connections.
pub(super) const READ_AHEAD: usize = crate::parcel::MOST_READ_AHEAD;

const MAGIC: [u8; 2] = *b"ld";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Successor: it is ready to serve, and speaks this version.
    Ready { version: u32 },
    /// Predecessor: serve from now on. It will be done within this time.
    Commit { done_within: Duration },
    /// Successor: it accepts.
    Serving,
    /// Predecessor: its timers and consumers are at rest.
    Background,
    /// Predecessor: nothing is left to pass on, and nothing will be taken back.
    Done,
    /// Predecessor: there will be no restart; end.
    Abort,
    /// Successor: it stops by itself, and drains what it has taken. Whether because something failed.
    Leaving { failed: bool },
    /// Predecessor: connections, each with a descriptor that goes along, in this order.
    Connections { wave: u32, server: String, each: Vec<Passed> },
    /// Successor: it has this many of the wave, counted from its first, and has not read from them yet.
    Taken { wave: u32, count: u16 },
    /// Successor: these of the wave, which it had taken, it cannot serve after all. It has not read from them.
    Refused { wave: u32, which: Vec<u16> },
}

/// What goes along with a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// Whether the peer has ever sent a byte.
    pub(super) spoken: bool,
    /// How long it has been silent.
    pub(super) idle: Duration,
    /// What was read from it and not used yet.
    pub(super) read_ahead: Bytes,
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// It does not begin as a message does.
    #[error("it sent something else than messages")]
    Foreign,
    /// No message is of this kind.
    #[error("it sent a message of kind {0}, which is not known")]
    Kind(u8),
    /// It ends within its fields, or says something impossible.
    #[error("it sent half a message (kind {0})")]
    Short(u8),
    /// It is longer than messages are.
    #[error("it sent a message that is too long")]
    Long,
}

const READY: u8 = 1;
const COMMIT: u8 = 2;
const SERVING: u8 = 3;
const BACKGROUND: u8 = 4;
const DONE: u8 = 5;
const ABORT: u8 = 6;
const LEAVING: u8 = 7;
const CONNECTIONS: u8 = 16;
const TAKEN: u8 = 17;
const REFUSED: u8 = 18;

impl Message {
    fn kind(&self) -> u8 {
        match self {
            Message::Ready { .. } => READY,
            Message::Commit { .. } => COMMIT,
            Message::Serving => SERVING,
            Message::Background => BACKGROUND,
            Message::Done => DONE,
            Message::Abort => ABORT,
            Message::Leaving { .. } => LEAVING,
            Message::Connections { .. } => CONNECTIONS,
            Message::Taken { .. } => TAKEN,
            Message::Refused { .. } => REFUSED,
        }
    }

    /// The message as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![MAGIC[0], MAGIC[1], self.kind()];
        match self {
            Message::Ready { version } => out.extend(version.to_le_bytes()),
            Message::Commit { done_within } => out.extend(whole_millis(*done_within).to_le_bytes()),
            Message::Serving | Message::Background | Message::Done | Message::Abort => {}
            Message::Leaving { failed } => out.push(u8::from(*failed)),
            Message::Connections { wave, server, each } => {
                out.extend(wave.to_le_bytes());
                out.extend(length(server.len()).to_le_bytes());
                out.extend(server.as_bytes());
                out.extend(length(each.len()).to_le_bytes());
                for passed in each {
                    out.push(u8::from(passed.spoken));
                    out.extend(whole_millis(passed.idle).to_le_bytes());
                    let ahead = u32::try_from(passed.read_ahead.len()).unwrap_or(u32::MAX);
                    out.extend(ahead.to_le_bytes());
                    out.extend(&passed.read_ahead);
                }
            }
            Message::Taken { wave, count } => {
                out.extend(wave.to_le_bytes());
                out.extend(count.to_le_bytes());
            }
            Message::Refused { wave, which } => {
                out.extend(wave.to_le_bytes());
                out.extend(length(which.len()).to_le_bytes());
                for index in which {
                    out.extend(index.to_le_bytes());
                }
            }
        }
        out
    }

    /// The message that these bytes are.
    ///
    /// # Errors
    /// They are none.
    pub(super) fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
        if bytes.len() > LONGEST {
            return Err(Malformed::Long);
        }
        let Some(([first, second, kind], rest)) = bytes.split_first_chunk::<3>() else {
            return Err(Malformed::Foreign);
        };
        if [*first, *second] != MAGIC {
            return Err(Malformed::Foreign);
        }
        let mut fields = Fields { rest };
        fields.message(*kind)?.ok_or(Malformed::Short(*kind))
    }
}

/// The fields of a message that are still to be read. Each method is `None` if they end too soon.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn message(&mut self, kind: u8) -> Result<Option<Message>, Malformed> {
        Ok(match kind {
            READY => self.u32().map(|version| Message::Ready { version }),
            COMMIT => self.millis().map(|done_within| Message::Commit { done_within }),
            SERVING => Some(Message::Serving),
            BACKGROUND => Some(Message::Background),
            DONE => Some(Message::Done),
            ABORT => Some(Message::Abort),
            LEAVING => self.u8().map(|failed| Message::Leaving { failed: failed != 0 }),
            CONNECTIONS => self.connections(),
            TAKEN => self.taken(),
            REFUSED => self.refused(),
            unknown => return Err(Malformed::Kind(unknown)),
        })
    }

    fn connections(&mut self) -> Option<Message> {
        let wave = self.u32()?;
        let name = usize::from(self.u16()?);
        let server = str::from_utf8(self.take(name)?).ok()?.to_owned();
        let count = usize::from(self.u16()?);
        if count > WAVE {
            return None;
        }
        let mut each = Vec::with_capacity(count);
        for _ in 0..count {
            let spoken = self.u8()? != 0;
            let idle = self.millis()?;
            let ahead = usize::try_from(self.u32()?).ok()?;
            let read_ahead = Bytes::copy_from_slice(self.take(ahead)?);
            each.push(Passed { spoken, idle, read_ahead });
        }
        self.rest.is_empty().then_some(Message::Connections { wave, server, each })
    }

    fn taken(&mut self) -> Option<Message> {
        let (wave, count) = (self.u32()?, self.u16()?);
        self.rest.is_empty().then_some(Message::Taken { wave, count })
    }

    fn refused(&mut self) -> Option<Message> {
        let wave = self.u32()?;
        let count = usize::from(self.u16()?);
        if count > WAVE {
            return None;
        }
        let which = (0..count).map(|_| self.u16()).collect::<Option<Vec<u16>>>()?;
        self.rest.is_empty().then_some(Message::Refused { wave, which })
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*number)
    }

    fn u8(&mut self) -> Option<u8> {
        self.number().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.number().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.number().map(u32::from_le_bytes)
    }

    fn millis(&mut self) -> Option<Duration> {
        self.number().map(u64::from_le_bytes).map(Duration::from_millis)
    }
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn length(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
