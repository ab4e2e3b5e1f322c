//! What the service manager says in the environment. Pure: nothing is opened here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// What follows from the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Where notifications go: a path, or after `@` an abstract name.
    pub(super) socket: Option<OsString>,
    /// How long the manager waits for a sign of life.
    pub(super) watchdog: Option<Duration>,
    /// What could not be used, and what would be right.
    pub(super) warnings: Vec<String>,
}

/// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, for the process of this id.
pub(super) fn read(pid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Said {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut said = Said::default();
    let Some(socket) = given("NOTIFY_SOCKET") else { return said };
    let bytes = socket.as_bytes();
    if !matches!(bytes, [b'/' | b'@', _, ..]) {
        said.warnings.push(format!(
            "NOTIFY_SOCKET is {socket:?}, which is neither a path nor @ and a name: the service manager is told nothing"
        ));
        return said;
    }
    said.socket = Some(socket);
    let number = |name: &str| {
        let value = given(name)?;
        Some(value.to_str().and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| {
            format!(
                "{name} is {value:?}, which is no number: the service manager gets no WATCHDOG=1"
            )
        }))
    };
    match (number("WATCHDOG_USEC"), number("WATCHDOG_PID")) {
        (None | Some(Ok(0)), _) => {}
        (Some(Err(wrong)), _) | (_, Some(Err(wrong))) => said.warnings.push(wrong),
        // For another process, such as the shell that started this one.
        (_, Some(Ok(meant))) if meant != u64::from(pid) => {}
        (Some(Ok(time)), None | Some(Ok(_))) => said.watchdog = Some(Duration::from_micros(time)),
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables, the socket, the watchdog's time in µs, and how the warning begins.
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<u64>, Option<&'a str>);

    #[test]
    fn a_watchdog_needs_a_socket_a_time_and_to_be_meant_for_this_process() {
        const SOCKET: (&str, &str) = ("NOTIFY_SOCKET", "/run/notify");
        const TIME: (&str, &str) = ("WATCHDOG_USEC", "3000000");
        let at = Some("/run/notify");
        let table: [Row<'_>; 11] = [
            (&[], None, None, None),
            (&[TIME], None, None, None),
            (&[("NOTIFY_SOCKET", "")], None, None, None),
            (&[("NOTIFY_SOCKET", "@x/y")], Some("@x/y"), None, None),
            (&[("NOTIFY_SOCKET", "vsock:2:1")], None, None, Some("NOTIFY_SOCKET is \"vsock:2:1\"")),
            (&[("NOTIFY_SOCKET", "@")], None, None, Some("NOTIFY_SOCKET is \"@\"")),
            (&[SOCKET, TIME], at, Some(3_000_000), None),
            (&[SOCKET, TIME, ("WATCHDOG_PID", "34")], at, Some(3_000_000), None),
            (&[SOCKET, TIME, ("WATCHDOG_PID", "12")], at, None, None),
            (&[SOCKET, TIME, ("WATCHDOG_PID", "x")], at, None, Some("WATCHDOG_PID is \"x\"")),
            (&[SOCKET, ("WATCHDOG_USEC", "3s")], at, None, Some("WATCHDOG_USEC is \"3s\"")),
        ];
        for (variables, socket, watchdog, warning) in table {
            let of = |name: &str| variables.iter().find(|(given, _)| *given == name);
            let said = read(34, |name| of(name).map(|(_, value)| (*value).into()));
            assert_eq!(said.socket.as_deref().and_then(|at| at.to_str()), socket, "{variables:?}");
            assert_eq!(said.watchdog, watchdog.map(Duration::from_micros), "{variables:?}");
            assert_eq!(said.warnings.len(), usize::from(warning.is_some()), "{said:?}");
            let begins = warning.is_none_or(|begin| said.warnings[0].starts_with(begin));
            assert!(begins, "{said:?}");
        }
    }
}
