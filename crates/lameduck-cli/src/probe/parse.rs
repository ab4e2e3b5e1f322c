//! The values of options.

use std::time::Duration;

use lameduck_probe::Signal;

/// "5s", "250ms", "1.5s", "2m".
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err("write it like 5s or 250ms".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "write it like 5s or 250ms".to_owned())?;
    let time = Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| "that is no length of time".to_owned())?;
    if time > Duration::from_secs(3600) { Err("an hour is the most".to_owned()) } else { Ok(time) }
}

/// "TERM", "SIGTERM".
pub(super) fn signal(text: &str) -> Result<Signal, String> {
    let name = text.to_ascii_uppercase();
    let known = [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("HUP", Signal::HUP),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("WINCH", Signal::WINCH),
    ];
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let found = known.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal);
    found.ok_or_else(|| "use TERM, INT, QUIT, HUP, USR1, USR2 or WINCH".to_owned())
}

/// A readiness URL.
pub(super) fn url(text: &str) -> Result<String, String> {
    if text.starts_with("http://") {
        Ok(text.to_owned())
    } else {
        Err("it begins with http://".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit_and_nothing_else_is() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "5 s", "-1s", "5h", "NaNs", "9999m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn signals_are_read_with_and_without_sig() {
        assert_eq!(signal("TERM"), Ok(Signal::TERM));
        assert_eq!(signal("sigquit"), Ok(Signal::QUIT));
        assert!(signal("KILL").is_err(), "nothing can be proved by SIGKILL");
    }
}
