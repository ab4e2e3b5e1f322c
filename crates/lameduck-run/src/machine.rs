//! What to do now: the pure machine of `lameduck run`. No I/O, and no clock but what it is told.

mod action;
mod child_id;
mod coming;
mod end;
mod event;
mod fact;
mod leaving;
#[expect(clippy::module_inception, reason = "the folder is named for the type")]
mod machine;
mod readiness;
mod rules;
mod state;
mod stopping;
#[cfg(test)]
mod tests;

pub(crate) use self::action::Action;
pub(crate) use self::child_id::ChildId;
pub(crate) use self::end::End;
pub(crate) use self::event::{Event, Sign, StopSignal};
pub(crate) use self::fact::{Fact, Failure};
pub(crate) use self::machine::Machine;
pub use self::readiness::Readiness;
pub(crate) use self::rules::Rules;
