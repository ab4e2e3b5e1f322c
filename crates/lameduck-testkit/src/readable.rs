//! A program where an ordinary user can reach it: target directories often lie under `/root`.

use std::fs::{self, Permissions};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A copied program; its directory is removed on drop.
#[derive(Debug)]
pub struct Readable {
    dir: PathBuf,
    path: PathBuf,
}

/// Copies a program into a directory of its own that everyone may read, for [`ServerCommand::user`](crate::ServerCommand::user).
///
/// # Panics
/// If it can't be copied.
#[must_use]
pub fn readable_by_anyone(program: impl AsRef<Path>) -> Readable {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let program = program.as_ref();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("lameduck-{}-{number}", std::process::id()));
    let name = program.file_name().expect("a program has a name");
    let path = dir.join(name);
    fs::create_dir(&dir)
        .and_then(|()| fs::set_permissions(&dir, Permissions::from_mode(0o755)))
        .and_then(|()| fs::copy(program, &path))
        .and_then(|_| fs::set_permissions(&path, Permissions::from_mode(0o755)))
        .unwrap_or_else(|error| {
            panic!("{} could not be copied to {}: {error}", program.display(), path.display())
        });
    Readable { dir, path }
}

impl Readable {
    /// Where the copy lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the copy, which nobody else uses.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Deref for Readable {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for Readable {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
