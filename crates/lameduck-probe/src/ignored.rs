//! Signals that this process was started to ignore. What it starts would ignore them too: under `nohup` every server
//! would ignore SIGHUP.

/// The signals whose handling may be asked for, with their numbers.
const SIGNALS: [(&str, u32); 4] = [("HUP", 1), ("INT", 2), ("QUIT", 3), ("TERM", 15)];

/// Those of them that this process ignores, as `env --default-signal` takes them. `None`: there are none.
#[must_use]
pub fn ignored_signals() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    in_status(&status)
}

fn in_status(status: &str) -> Option<String> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    let ignored = SIGNALS.iter().filter(|(_, number)| (mask >> (number - 1)) & 1 == 1);
    let names: Vec<&str> = ignored.map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    use super::in_status;

    #[test]
    fn only_ignored_signals_are_named() {
        assert_eq!(in_status("SigIgn:\t0000000000001000\n"), None);
        assert_eq!(in_status("SigIgn:\t0000000000001001\n"), Some("HUP".to_owned()));
        assert_eq!(in_status("SigIgn:\t0000000000000006\n"), Some("INT,QUIT".to_owned()));
    }
}
