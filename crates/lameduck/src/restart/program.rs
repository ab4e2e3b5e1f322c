//! The program that a successor runs: what lies at the path that this process was started by, once more.

use std::env;
use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use command_fds::CommandFdExt;

use super::environment::{self, Said, VARIABLE};

/// Path, arguments and directory as they were when this process began. The environment is what it is at the restart.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
}

impl Program {
    /// What this process was started by. To be asked at its beginning: later `/proc/self/exe` may be deleted, and the
    /// directory another one.
    ///
    /// # Errors
    /// The path or the directory cannot be told.
    pub(crate) fn of_this_process() -> std::io::Result<Program> {
        let exe = env::current_exe()?;
        let folder = env::current_dir()?;
        let arguments: Vec<OsString> = env::args_os().collect();
        let named = arguments.first().and_then(|named| find(Path::new(named), &folder));
        // Only if it is this program: the first argument can be anything.
        let path = named.filter(|named| is_same(named, &exe)).unwrap_or(exe);
        Ok(Program { path, arguments, folder })
    }

    /// Starts it, with these listening sockets under the numbers that they have here, and the link.
    ///
    /// # Errors
    /// One line: which file or folder, and why not.
    pub(super) fn start(
        &self,
        link: OwnedFd,
        said: &[Said],
        mut sockets: Vec<OwnedFd>,
    ) -> Result<Child, String> {
        if !self.folder.is_dir() {
            return Err(format!(
                "the folder {:?}, where this process was started, is not there any more",
                self.folder
            ));
        }
        let mut command = Command::new(&self.path);
        let mut arguments = self.arguments.iter();
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env(VARIABLE, environment::write(std::process::id(), link.as_raw_fd(), said))
            // They say what came with this process, and to whom.
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_FDNAMES");
        if env::var("WATCHDOG_PID").is_ok_and(|id| id == std::process::id().to_string()) {
            // It means the service's main process, which the successor is to be.
            command.env_remove("WATCHDOG_PID");
        }
        sockets.push(link);
        command.preserved_fds(sockets);
        command.spawn().map_err(|error| format!("cannot start {:?}: {error}", self.path))
    }
}

/// Where a shell would have found it: a path as it stands, so that a symbolic link which points to a newer program by
/// then is followed; a name along `PATH`.
fn find(named: &Path, folder: &Path) -> Option<PathBuf> {
    if named.as_os_str().as_encoded_bytes().contains(&b'/') {
        return Some(folder.join(named));
    }
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|path| folder.join(path).join(named)).find(|path| path.is_file())
}

/// Whether both are one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
    id(one).is_some_and(|one| Some(one) == id(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_stands_and_a_name_is_looked_for() {
        let folder = Path::new("/srv/shop");
        assert_eq!(find(Path::new("./shop"), folder), Some("/srv/shop/./shop".into()));
        assert_eq!(find(Path::new("/opt/shop"), folder), Some("/opt/shop".into()));
        assert!(find(Path::new("sh"), folder).expect("a shell").ends_with("sh"));
        assert_eq!(find(Path::new("no-such-program"), folder), None);
    }

    #[test]
    fn this_process_was_started_by_this_program() {
        let program = Program::of_this_process().expect("a program");
        assert!(is_same(&program.path, &env::current_exe().expect("a path")));
        assert!(!is_same(&program.path, Path::new("/bin/sh")));
    }
}
