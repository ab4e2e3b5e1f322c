//! One datagram of the notification protocol.

/// What we understand of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// `READY=1`.
    pub(crate) ready: bool,
    /// From our own [step](crate::step): the command could not be executed, with the error's number.
    pub(crate) not_executed: Option<i32>,
}

/// A variable of our own, next to those of sd_notify(3), where an unknown one is to be ignored.
pub(super) const NOT_EXECUTED: &str = "X_LAMEDUCK_NOT_EXECUTED";

impl Message {
    /// Reads any bytes: lines `NAME=VALUE`, of which unknown ones mean nothing.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut message = Self::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => message.ready = true,
                Some((NOT_EXECUTED, number)) => message.not_executed = number.parse().ok(),
                _ => {}
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ready_is_one_line_among_others() {
        for (text, ready) in [
            ("READY=1", true),
            ("STATUS=READY=1 soon\nREADY=1\nMAINPID=7\n", true),
            ("READY=0", false),
            ("STATUS=READY=1", false),
            ("READY=1 ", false),
            ("ready=1", false),
            ("", false),
        ] {
            assert_eq!(Message::read(text.as_bytes()).ready, ready, "{text:?}");
        }
        assert_eq!(Message::read(b"X_LAMEDUCK_NOT_EXECUTED=2").not_executed, Some(2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::read(&bytes);
        }
    }
}
