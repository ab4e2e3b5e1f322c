//! Whatever the environment holds, a start comes to an end in order: an error of one line, or none.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use proptest::prelude::*;

use fixture::{SECOND, fixture};

/// Every variable that is read, and one that is not.
const NAMES: [&str; 20] = [
    "LAMEDUCK_ADMIN",
    "LAMEDUCK_CLOSE",
    "LAMEDUCK_DRAIN",
    "LAMEDUCK_FINISH",
    "LAMEDUCK_GRACE",
    "LAMEDUCK_IDLE_GRACE",
    "LAMEDUCK_LAME_DUCK",
    "LAMEDUCK_LISTENERS_EXCLUSIVE",
    "LAMEDUCK_LISTENERS_HELD",
    "LAMEDUCK_PREDECESSOR",
    "LAMEDUCK_PRESTOP",
    "LAMEDUCK_REPORT",
    "LAMEDUCK_DRIAN",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "TOKIO_WORKER_THREADS",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A folder of our own, since a value may be taken for the name of a file.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("lameduck-env-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Times, addresses, file names, and bytes that are none of these. None leads out of the folder.
fn values() -> impl Strategy<Value = OsString> {
    let known =
        ["5s", "250ms", "0", "1h", "9223372036854775807s", "127.0.0.1:0", "unix:s", "2", ""];
    prop_oneof![
        2 => prop::sample::select(known.to_vec()).prop_map(OsString::from),
        1 => "[^/\\x00]{0,12}".prop_map(OsString::from),
        1 => "[\\n\\r\\t{}\" a-z]{0,8}".prop_map(OsString::from),
        1 => "(unix:)?[\n\" a]{1,4}/[\n\" a]{0,4}".prop_map(OsString::from),
        1 => prop::collection::vec(1_u8.., 0..12).prop_map(|mut bytes| {
            bytes.retain(|byte| *byte != b'/');
            OsString::from_vec(bytes)
        }),
    ]
}

/// Each case starts a process: fewer than usual, unless it was said how many.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { usual.cases } else { 40 };
    ProptestConfig { cases, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_environment_is_read_or_refused_in_one_line(
        settings in prop::collection::vec((prop::sample::select(NAMES.to_vec()), values()), 0..4),
    ) {
        let folder = Folder::new();
        // The setup fails, so that a start that comes so far ends as well.
        let mut command = fixture(&["quiet", "setup=fail"]).cwd(&folder.0);
        for (name, value) in &settings {
            command = command.env(name, value);
        }
        let exit = command.start().wait_exit(10 * SECOND);
        prop_assert_eq!((exit.code, exit.signal), (Some(1), None), "{}", exit.stderr);
        prop_assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
        prop_assert_eq!(&exit.report()["outcome"], "failed");
        let lines: Vec<&str> = exit.stderr.lines().filter(|line| !line.starts_with('{')).collect();
        prop_assert_eq!(lines.len(), 1, "{:?}", lines);
        prop_assert!(lines[0].starts_with("fixture: error: "), "{}", lines[0]);
    }
}
