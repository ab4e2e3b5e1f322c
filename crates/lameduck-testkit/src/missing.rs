//! Why a test can't run here.

use std::error::Error;
use std::fmt;

use crate::tool::Tool;

/// A program that isn't installed on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing(
    /// The one that isn't there.
    pub Tool,
);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tool) = self;
        write!(f, "{} is not there\n\nhint: apt-get install {}", tool.program(), tool.package())
    }
}

impl Error for Missing {}
