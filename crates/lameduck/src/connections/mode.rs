//! What a server does with its connections now.

/// What a server does with its connections now. It only moves forward, but for a restart that comes to nothing: from
/// `Passing` and `Paused` it may go back to `Serving`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Serves them.
    Serving = 0,
    /// Serves them, and passes each on to a successor that can be, as soon as it is idle.
    #[cfg(feature = "restart")]
    Passing = 1,
    /// The same, but takes no new ones, and drains those that cannot be passed on.
    #[cfg(feature = "restart")]
    Paused = 2,
    /// Serves them, but each HTTP/1.1 response says `Connection: close`.
    Goodbye = 3,
    /// Lets what is in flight end, and closes what is silent after the idle grace.
    Draining = 4,
    /// The deadline is over: 503 where no response head is out, else a cut.
    Cut = 5,
}

impl Mode {
    pub(crate) fn from_u8(number: u8) -> Mode {
        match number {
            0 => Mode::Serving,
            #[cfg(feature = "restart")]
            1 => Mode::Passing,
            #[cfg(feature = "restart")]
            2 => Mode::Paused,
            3 => Mode::Goodbye,
            4 => Mode::Draining,
            _ => Mode::Cut,
        }
    }

    /// Whether connections are passed on to a successor.
    #[inline]
    pub(crate) fn passes(self) -> bool {
        #[cfg(feature = "restart")]
        return matches!(self, Mode::Passing | Mode::Paused);
        #[cfg(not(feature = "restart"))]
        return false;
    }

    /// Whether what cannot be passed on to a successor drains.
    #[inline]
    pub(crate) fn is_paused(self) -> bool {
        #[cfg(feature = "restart")]
        return self == Mode::Paused;
        #[cfg(not(feature = "restart"))]
        return false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_known_by_its_number() {
        let modes = [Mode::Serving, Mode::Goodbye, Mode::Draining, Mode::Cut];
        #[cfg(feature = "restart")]
        let modes = [modes.as_slice(), &[Mode::Passing, Mode::Paused]].concat();
        for mode in modes {
            assert_eq!(Mode::from_u8(mode as u8), mode);
        }
    }
}
