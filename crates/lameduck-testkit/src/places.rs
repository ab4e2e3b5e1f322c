//! Where cargo put what is to be run, and where we run.

use std::path::{Path, PathBuf};

/// The example program `name` of this workspace.
///
/// # Panics
/// If it isn't built: cargo builds the examples of the package under test, not those of others.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    built(&profile_dir().join("examples").join(name), "cargo build --examples")
}

/// The program `name` of this workspace. Within its own package `env!("CARGO_BIN_EXE_<name>")` is the better way.
///
/// # Panics
/// If it isn't built.
#[must_use]
pub fn bin(name: &str) -> PathBuf {
    built(&profile_dir().join(name), "cargo build --bins")
}

/// True if this process is root, and so may make namespaces and run servers as others.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// True on the CI machines (`CI=true`), where a test that can't run is an error, not a skip.
#[must_use]
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// `target/<profile>`: test programs lie in its `deps`, examples in its `examples`, programs in itself.
fn profile_dir() -> PathBuf {
    let me = std::env::current_exe().expect("a process knows its own program");
    let dir = me.parent().expect("a program lies in a directory");
    let inner = dir.ends_with("deps") || dir.ends_with("examples");
    if inner {
        dir.parent().expect("target/<profile>/deps has a parent").to_owned()
    } else {
        dir.to_owned()
    }
}

fn built(path: &Path, how: &str) -> PathBuf {
    assert!(
        path.is_file(),
        "{} is not there\n\nhint: run `{how}` first (with the profile of the tests)",
        path.display()
    );
    path.to_owned()
}
