//! Our own manager, such as systemd: it is told when we are ready, reloading and stopping.

use std::ffi::OsString;

use crate::clock::monotonic_microseconds;
use crate::machine::Fact;
use crate::notify::{NOTIFY_SOCKET, send};

/// Our own manager, if there is one.
#[derive(Debug)]
pub(crate) struct Manager(Option<OsString>);

impl Manager {
    /// The one that the environment names.
    pub(crate) fn of_environment() -> Self {
        Self(std::env::var_os(NOTIFY_SOCKET).filter(|place| !place.is_empty()))
    }

    /// Tells it what follows from a fact.
    ///
    /// # Errors
    /// It cannot be reached. Nothing depends on it.
    pub(crate) fn tell(&self, fact: &Fact) -> std::io::Result<()> {
        let Some(place) = &self.0 else { return Ok(()) };
        match text(fact) {
            Some(text) => send(place, &text),
            None => Ok(()),
        }
    }
}

fn text(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Ready(child, _) => Some(format!("READY=1\nSTATUS={child} serves\n")),
        Fact::ReplacementFailed { new, old: Some(old), .. } => {
            Some(format!("READY=1\nSTATUS={new} failed, {old} serves on\n"))
        }
        Fact::Replacing { old, new } => Some(format!(
            "RELOADING=1\nMONOTONIC_USEC={}\nSTATUS={new} starts, {old} serves\n",
            monotonic_microseconds()
        )),
        Fact::Stopping(_) | Fact::NotReady(_) => Some("STOPPING=1\n".to_owned()),
        Fact::ReplacementFailed { old: None, .. }
        | Fact::Replaced { .. }
        | Fact::Gone(..)
        | Fact::Remembered
        | Fact::Refused
        | Fact::Ended(..)
        | Fact::Repeated(_)
        | Fact::Forced(_)
        | Fact::Overdue(_)
        | Fact::Unkillable(_) => None,
    }
}
