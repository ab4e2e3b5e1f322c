//! Facts, as they are told.

use std::time::Duration;

use lameduck::command_support::show_time;

use super::{Level, Line};
use crate::machine::{ChildId, End, Fact, Failure, Sign};

/// What is known of a child, for a line about it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Its process id; none if it never had one.
    pub(crate) pid: Option<i32>,
    /// How old it is.
    pub(crate) age: Duration,
    /// Why it is not ready yet, or could not be started.
    pub(crate) why: String,
}

/// The line about a fact. `of` knows each child that the fact names.
pub(crate) fn line_of(fact: &Fact, grace: Duration, of: &dyn Fn(ChildId) -> Known) -> Line {
    let name = |child: ChildId| match of(child).pid {
        Some(pid) => format!("{child} (pid {pid})"),
        None => child.to_string(),
    };
    let about = |line: Line, child: ChildId| line.with("child", child.0).with("pid", of(child).pid);
    let ended = |child: ChildId, end: End| match end {
        End::NotStarted => format!("{child} could not be started: {}", of(child).why),
        End::Code(_) | End::Signal(_) => format!("{} {end}", name(child)),
    };
    let with_end = |line: Line, end: End| match end {
        End::Code(code) => line.with("exit_code", code),
        End::Signal(signal) => line.with("signal", signal),
        End::NotStarted => line,
    };
    let info = |event, text| Line::new(Level::Info, event, text);
    let error = |event, text| Line::new(Level::Error, event, text);
    match *fact {
        Fact::Ready(child, sign) => {
            let how = match sign {
                Sign::Said => "it said READY=1",
                Sign::Answered => "it answered 2xx",
                Sign::Lived => "it lives",
            };
            let age = of(child).age;
            let text = format!("{} is ready after {}: {how}", name(child), show_time(age));
            about(info("ready", text), child).with("after_ms", milliseconds(age))
        }
        Fact::Replacing { old, new } => {
            let text = format!("{new} is started to replace {}", name(old));
            info("replacing", text).with("old", old.0).with("new", new.0)
        }
        Fact::Replaced { old, end, new } => {
            let text = format!("{}; {} serves alone", ended(old, end), name(new));
            let line = about(info("replaced", text), old).with("new", new.0);
            with_end(line, end)
        }
        Fact::ReplacementFailed { new, why, old } => {
            let what = match why {
                Failure::Ended(end) => ended(new, end),
                Failure::NotReady => not_ready(&name(new), &of(new)),
            };
            let rest = match old {
                Some(old) => format!("{} serves on", name(old)),
                None => "nobody is left".to_owned(),
            };
            let text = format!("the replacement failed: {what}; {rest}");
            let line = about(error("replacement_failed", text), new);
            match why {
                Failure::Ended(end) => with_end(line, end),
                Failure::NotReady => line,
            }
        }
        Fact::Gone(child, end) => with_end(about(info("gone", ended(child, end)), child), end),
        Fact::Remembered => info(
            "remembered",
            "asked to replace the child again: that follows once this is over".to_owned(),
        ),
        Fact::Refused => Line::new(
            Level::Warn,
            "refused",
            "asked to replace the child, but everything stops: nothing is started",
        ),
        Fact::Ended(child, end) => {
            let level = if end == End::Code(0) { Level::Warn } else { Level::Error };
            let own = if end == End::NotStarted { "" } else { " by itself" };
            let text = format!("{}{own}", ended(child, end));
            with_end(about(Line::new(level, "ended", text), child), end)
        }
        Fact::NotReady(child) => about(
            error("not_ready", format!("{}; it is ended", not_ready(&name(child), &of(child)))),
            child,
        ),
        Fact::Stopping(signal) => {
            let text = format!(
                "{}: the sockets are closed, and what runs has {} to end",
                signal.name(),
                show_time(grace)
            );
            info("stopping", text).with("by", signal.name()).with("grace_ms", milliseconds(grace))
        }
        Fact::Repeated(signal) => {
            let text = format!("{}: everything stops already", signal.name());
            info("repeated", text).with("by", signal.name())
        }
        Fact::Forced(signal) => {
            let text = format!("{} again: what is left is killed", signal.name());
            Line::new(Level::Warn, "forced", text).with("by", signal.name())
        }
        Fact::Overdue(child) => {
            let text =
                format!("{} has not ended within {}, and is killed", name(child), show_time(grace));
            about(error("overdue", text), child)
        }
        Fact::Unkillable(child) => {
            let text = format!("{} was killed and is still there: it is left behind", name(child));
            about(error("unkillable", text), child)
        }
    }
}

fn not_ready(name: &str, known: &Known) -> String {
    format!("{name} was not ready within {}: {}", show_time(known.age), known.why)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
