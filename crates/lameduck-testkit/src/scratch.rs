//! A directory of a server's own.
//!
//! It goes with the server: at drop, and also when the test process dies without a drop. Declare it behind the server
//! in a struct, so that it is removed when nobody writes into it any more.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::Builder;

use crate::guard::Guard;
use crate::pause::eventually;

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _guard: Guard,
}

impl Scratch {
    /// For a server that runs as we do.
    ///
    /// # Panics
    /// If it can't be made.
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// For a server that runs as this user, who owns it and can reach it. Needs root.
    ///
    /// # Panics
    /// If it can't be made.
    pub(crate) fn owned_by(user: u32) -> Self {
        let places = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
        let place = places.iter().find(|place| open_to_all(place)).unwrap_or_else(|| {
            panic!(
                "no folder for temporary files that everybody can reach among {places:?}\n\n\
                 hint: set TMPDIR to one"
            )
        });
        let scratch = Self::within(place);
        if let Err(error) = chown(&scratch.path, Some(user), Some(user)) {
            panic!("{} could not be given to user {user}: {error}", scratch.path.display());
        }
        scratch
    }

    fn within(place: &Path) -> Self {
        let mut builder = Builder::new();
        let builder = builder.prefix("lameduck-").permissions(Permissions::from_mode(0o700));
        let made = builder.tempdir_in(place).and_then(|dir| {
            let guard = Guard::of_directory(dir.path())?;
            Ok(Self { path: dir.keep(), _guard: guard })
        });
        made.unwrap_or_else(|error| panic!("no directory in {}: {error}", place.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Helpers of a server that was killed may outlive it by a moment, and write.
        let mut last = None;
        let gone = eventually(Duration::from_secs(5), || match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                last = Some(error);
                false
            }
            _ => true,
        });
        if let (false, Some(error)) = (gone, last) {
            eprintln!("{} could not be removed: {error}", self.path.display());
        }
    }
}

/// Whether everybody may pass through the folder and all above it.
fn open_to_all(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    folder.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|entry| entry.permissions().mode() & 0o001 != 0)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::{Scratch, open_to_all};

    #[test]
    fn a_folder_below_a_private_one_is_not_open_to_all() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(!open_to_all(&inner));
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        assert_eq!(open_to_all(&inner), open_to_all(dir.path().parent().unwrap()));
    }

    #[test]
    fn it_is_removed_with_all_that_lies_in_it() {
        let scratch = Scratch::new();
        let path = scratch.path().to_owned();
        fs::create_dir(path.join("folder")).unwrap();
        fs::write(path.join("folder/file"), "text").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
