//! What the environment says, and the settings that follow from code and environment together.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use super::{Hangup, Service};
use crate::Error;
use crate::budget::{Budget, Span, span_of};
use crate::phase::{self, Rules};
use crate::report::Destination;

/// Every variable that lameduck reads.
const VARIABLES: [&str; 11] = [
    "LAMEDUCK_ADMIN",
    "LAMEDUCK_CLOSE",
    "LAMEDUCK_DRAIN",
    "LAMEDUCK_FINISH",
    "LAMEDUCK_GRACE",
    "LAMEDUCK_IDLE_GRACE",
    "LAMEDUCK_LAME_DUCK",
    "LAMEDUCK_LISTENERS_EXCLUSIVE",
    "LAMEDUCK_LISTENERS_HELD",
    "LAMEDUCK_PRESTOP",
    "LAMEDUCK_REPORT",
];

/// Variables that say nothing without a feature of this crate, which features, and whether they are on.
const FEATURES: [(&str, &str, bool); 3] = [
    ("LAMEDUCK_ADMIN", "admin", cfg!(feature = "admin")),
    ("LAMEDUCK_LISTENERS_EXCLUSIVE", "http1", cfg!(feature = "http1")),
    ("LAMEDUCK_LISTENERS_HELD", "http1", cfg!(feature = "http1")),
];

/// What follows from code and environment together.
pub(super) struct Settings {
    pub(super) rules: Rules,
    #[cfg_attr(not(feature = "admin"), expect(dead_code, reason = "nobody asks"))]
    pub(super) admin: Option<String>,
    /// Whether nobody else holds the sockets that `LISTEN_FDS` passes on.
    #[cfg_attr(not(feature = "http1"), expect(dead_code, reason = "nobody asks"))]
    pub(super) listeners_exclusive: bool,
    /// What the log says at the start.
    pub(super) remarks: Vec<String>,
    /// What it warns of.
    pub(super) warnings: Vec<String>,
}

/// Where the report goes: known before anything else, since a bad setting is reported too.
pub(super) fn destination(service: &Service, stderr: bool) -> Destination {
    let file = report_file().ok().flatten();
    Destination { stderr, file, callback: service.on_report.clone() }
}

/// The file that the report goes to, if one was named. It is not made before the end.
///
/// # Errors
/// It could not be written.
fn report_file() -> Result<Option<PathBuf>, Error> {
    let named = std::env::var_os("LAMEDUCK_REPORT").filter(|path| !path.is_empty());
    let Some(path) = named.map(PathBuf::from) else { return Ok(None) };
    let wrong = |what: String| {
        Err(Error::msg(format!("LAMEDUCK_REPORT is {path:?}, which cannot be written: {what}")))
    };
    if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return wrong("it is a folder; name a file in it, such as report.json".to_owned());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return wrong(format!("there is no folder {folder:?}; create it, or choose another path"));
    }
    let (at, access) = match path.exists() {
        true => (path.as_path(), Access::WRITE_OK),
        false => (folder, Access::WRITE_OK | Access::EXEC_OK),
    };
    match accessat(CWD, at, access, AtFlags::EACCESS) {
        Err(error @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => wrong(format!(
            "{error}; give this user the right to write {at:?}, or choose another path"
        )),
        // What else may be wrong, or that the system cannot be asked, shows when it is written.
        Ok(()) | Err(_) => Ok(Some(path)),
    }
}

/// How many threads the runtime is to have: read here, since tokio panics where it cannot read it.
///
/// # Errors
/// It is no number.
pub(super) fn threads() -> Result<usize, Error> {
    let Some(value) = std::env::var_os("TOKIO_WORKER_THREADS") else {
        return Ok(std::thread::available_parallelism().map_or(1, usize::from));
    };
    match value.to_str().and_then(|text| text.parse::<usize>().ok()) {
        Some(count @ 1..) => Ok(count),
        Some(0) | None => Err(Error::msg(format!(
            "TOKIO_WORKER_THREADS is {value:?}, which is no number of threads; write it like \
             TOKIO_WORKER_THREADS=4"
        ))),
    }
}

/// Reads the environment.
///
/// # Errors
/// A variable that cannot be read, or a budget that does not fit.
pub(super) fn settings(service: &Service) -> Result<Settings, Error> {
    let variable = |name: &str| std::env::var_os(name);
    let budget: Budget = service.budget.overridden(variable)?;
    let grace = span_of("LAMEDUCK_GRACE", variable)?.or(service.grace);
    let pre_stop = span_of("LAMEDUCK_PRESTOP", variable)?.unwrap_or(Duration::ZERO);
    budget.check(grace, pre_stop)?;
    report_file()?;
    let mut remarks = Vec::new();
    if grace.is_none() {
        remarks.push(format!(
            "give this process at least {} s to stop (Docker's default is 10)",
            budget.needed_seconds(pre_stop)
        ));
    }
    if budget.total() > Duration::from_secs(3600) {
        remarks.push(format!("a stop may take up to {}", Span(budget.total())));
    }
    let mut warnings = unknown(std::env::vars_os().map(|(name, _)| name));
    warnings.extend(without_feature(
        |name| variable(name).is_some_and(|value| !value.is_empty()),
        &FEATURES,
    ));
    let hangup = match &service.hangup {
        Hangup::Stop => phase::Hangup::Stop,
        Hangup::Reload(_) => phase::Hangup::Reload,
        #[cfg(feature = "restart")]
        Hangup::Restart => phase::Hangup::Restart,
        Hangup::Default if std::io::stdin().is_terminal() => phase::Hangup::Stop,
        Hangup::Default => phase::Hangup::Ignore,
    };
    let rules = Rules {
        budget,
        start: service.start,
        hangup,
        repeated_term_forces: service.repeated_term_forces,
    };
    let admin = match variable("LAMEDUCK_ADMIN").filter(|address| !address.is_empty()) {
        Some(address) => Some(address.into_string().map_err(|address| {
            Error::msg(format!(
                "LAMEDUCK_ADMIN is {address:?}, which is no address; write it like LAMEDUCK_ADMIN=127.0.0.1:9090"
            ))
        })?),
        None => service.admin.clone().filter(|address| !address.is_empty()),
    };
    let listeners_exclusive = yes_or_no("LAMEDUCK_LISTENERS_EXCLUSIVE")?;
    Ok(Settings { rules, admin, listeners_exclusive, remarks, warnings })
}

/// What a variable says that is 1 or 0; 0 where it is not set.
///
/// # Errors
/// It is neither.
fn yes_or_no(name: &str) -> Result<bool, Error> {
    match std::env::var_os(name).as_deref().map(std::ffi::OsStr::as_encoded_bytes) {
        None | Some(b"" | b"0") => Ok(false),
        Some(b"1") => Ok(true),
        Some(_) => Err(Error::msg(format!(
            "{name} is {:?}, which is neither 0 nor 1; write it like {name}=1",
            std::env::var_os(name).unwrap_or_default()
        ))),
    }
}

/// A remark for each variable that looks like one of ours and is none: a slip of the pen would otherwise be
/// in silence what the default is.
fn unknown(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut unknown: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("LAMEDUCK_") && !VARIABLES.contains(&name.as_str()))
        // What a predecessor says to its successor, which is nobody's to set.
        .filter(|name| name != "LAMEDUCK_PREDECESSOR")
        .collect();
    unknown.sort();
    unknown
        .into_iter()
        .map(|name| {
            format!("{name} is not a variable of lameduck; there are {}", VARIABLES.join(", "))
        })
        .collect()
}

/// A remark for each variable that is set and needs a feature that this build lacks.
fn without_feature(is_set: impl Fn(&str) -> bool, features: &[(&str, &str, bool)]) -> Vec<String> {
    let idle = features.iter().filter(|(name, _, on)| !on && is_set(name));
    idle.map(|(name, feature, _)| {
        format!("{name} changes nothing: it needs the feature `{feature}` of lameduck, which this build lacks")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_whose_feature_is_off_is_remarked_on() {
        let features =
            [("LAMEDUCK_ADMIN", "admin", false), ("LAMEDUCK_LISTENERS_HELD", "http1", true)];
        let remarks = without_feature(|_| true, &features);
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        assert!(
            remarks[0].starts_with("LAMEDUCK_ADMIN changes nothing: it needs the feature `admin`")
        );
        assert_eq!(without_feature(|_| false, &features), Vec::<String>::new());
    }

    #[test]
    fn a_variable_with_a_slip_of_the_pen_is_remarked_on() {
        let names = ["LAMEDUCK_DRIAN", "LAMEDUCK_DRAIN", "PATH"].map(OsString::from);
        let remarks = unknown(names.into_iter());
        assert_eq!(remarks.len(), 1);
        assert!(remarks[0].starts_with("LAMEDUCK_DRIAN is not"), "{remarks:?}");
    }
}
