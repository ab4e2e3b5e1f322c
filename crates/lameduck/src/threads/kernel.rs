//! What the kernel tells an ordinary user about a thread: `/proc/self/task/TID`. The only place that reads it.
//!
//! Whatever stands there is taken as it is or left out: nothing here fails, and nothing waits.

use std::time::Duration;

use crate::budget::Span;

/// A clock tick as `/proc` counts them: `USER_HZ` is 100 on every architecture that Linux and Rust share today
/// (include/uapi/asm-generic/param.h). Not asked of sysconf(3): what stands in for it, the auxiliary vector, cannot be
/// read everywhere, under valgrind for one.
#[cfg(target_os = "linux")]
const TICK_MILLIS: u64 = 10;

/// What `stat` says (proc_pid_stat(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    /// R running, S sleeping, D in a wait that nothing interrupts, and others.
    pub(super) state: char,
    /// In user and kernel mode together, in clock ticks.
    pub(super) ticks: u64,
}

/// Reads the line of `stat`. The name stands in parentheses and may itself hold any character.
pub(super) fn parse_stat(text: &str) -> Option<Stat> {
    let (front, fields) = text.rsplit_once(") ")?;
    let name = front.split_once('(')?.1.to_owned();
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The third field of all was the state; 14 and 15 are the times.
    let mut times = fields.skip(10);
    let (user, kernel): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(Stat { name, state, ticks: user.saturating_add(kernel) })
}

/// Reads `wchan`: the function of the kernel in which the thread waits. `0` stands for none, or for one that this user
/// is not told.
pub(super) fn parse_wchan(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && text != "0").then_some(text)
}

/// Says for people what a thread is doing. `used` is its processor time since the signal, which came `since` ago.
pub(super) fn describe(
    state: char,
    wchan: Option<&str>,
    used: Duration,
    since: Duration,
) -> String {
    let how = match (state, wchan) {
        ('R', _) if used * 2 >= since => "busy".to_owned(),
        ('R', _) => "running".to_owned(),
        ('D', Some(place)) => format!("in a wait that nothing interrupts ({place})"),
        ('D', None) => "in a wait that nothing interrupts".to_owned(),
        ('S' | 'I', Some(place)) => format!("asleep ({place})"),
        ('S' | 'I', None) => "asleep".to_owned(),
        ('T' | 't', _) => "stopped by a debugger or a signal".to_owned(),
        (other, _) => format!("in state {other}"),
    };
    format!("{how}, {} of processor time since the signal", Span(used))
}

/// What is known of a thread now.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) state: char,
    pub(super) used: Duration,
    pub(super) wchan: Option<String>,
}

/// Asks about one thread of this process. `None` if it has ended, or this is not Linux.
#[cfg(target_os = "linux")]
pub(super) fn ask(thread: i32) -> Option<Known> {
    let read = |file| std::fs::read(format!("/proc/self/task/{thread}/{file}")).ok();
    let stat = parse_stat(&String::from_utf8_lossy(&read("stat")?))?;
    let wchan = read("wchan").map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let used = Duration::from_millis(stat.ticks.saturating_mul(TICK_MILLIS));
    let wchan = wchan.as_deref().and_then(parse_wchan).map(str::to_owned);
    Some(Known { name: stat.name, state: stat.state, used, wchan })
}

/// The threads of this process.
#[cfg(target_os = "linux")]
pub(super) fn threads() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ask(_: i32) -> Option<Known> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn threads() -> Vec<i32> {
    Vec::new()
}

#[cfg(test)]
mod tests;
