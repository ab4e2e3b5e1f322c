//! What is told, on standard error: lines for people, or a JSON object each.

mod facts;
mod line;
mod writer;

pub(crate) use self::facts::{Known, line_of};
pub(crate) use self::line::{Level, Line};
pub(crate) use self::writer::Journal;
