//! The file of a Unix socket: made anew where a dead one lies, removed only while it is ours.
//!
//! Must never remove a file that is no socket, or a socket that somebody serves.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{Address, BACKLOG, BindError, Problem};

/// The file of a Unix socket that this process made, or took over from a predecessor.
///
/// Known by device and inode, because another service may have put its own in its place since.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// The socket file that lies at `path` now.
    ///
    /// # Errors
    /// Nothing lies there, or something that is no socket.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        if !meta.file_type().is_socket() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // The process may change its folder before it stops.
        let path = std::path::absolute(path)?;
        Ok(Self { path, device: meta.dev(), inode: meta.ino() })
    }

    /// Removes the file if it is still the same one; says whether it did.
    ///
    /// Between the look and the removal another process could put its own there: the file system
    /// offers no way to do both at once.
    pub(crate) fn remove(&self) -> bool {
        let same = fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| meta.dev() == self.device && meta.ino() == self.inode);
        same && fs::remove_file(&self.path).is_ok()
    }
}

/// Binds a listening, non-blocking Unix stream socket at `path`, as a file that only its owner may
/// use (mode 0600, set before it listens: connecting needs the right to write, unix(7)).
///
/// A socket lying there that refuses connections has lost its process: it is removed.
pub(super) fn bind(
    address: &Address,
    path: &Path,
) -> Result<(UnixListener, SocketFile), BindError> {
    let fail = |error| BindError::unix(address, path, error);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail)?;
    socket.set_nonblocking(true).map_err(fail)?;
    let at = SockAddr::unix(path).map_err(fail)?;
    if let Err(error) = socket.bind(&at) {
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(fail(error));
        }
        remove_dead(path, &at)
            .map_err(|problem| BindError { address: address.clone(), problem })?;
        socket.bind(&at).map_err(fail)?;
    }
    let file = SocketFile::at(path).map_err(fail)?;
    let listening = fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .and_then(|()| socket.listen(BACKLOG));
    if let Err(error) = listening {
        file.remove();
        return Err(fail(error));
    }
    Ok((socket.into(), file))
}

/// Removes the socket file at `path` if nobody serves it.
fn remove_dead(path: &Path, at: &SockAddr) -> Result<(), Problem> {
    let file = match SocketFile::at(path) {
        Ok(file) => file,
        // Gone meanwhile: the bind that follows will tell.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return Err(Problem::NotASocket);
        }
        Err(error) => return Err(Problem::Other(error)),
    };
    let folder = || path.parent().unwrap_or(path).to_owned();
    let client = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(Problem::Other)?;
    // Non-blocking: a full queue answers EAGAIN, and is served.
    client.set_nonblocking(true).map_err(Problem::Other)?;
    match client.connect(at) {
        Ok(()) => Err(Problem::Served),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::CONNREFUSED) if file.remove() => Ok(()),
            Some(Errno::CONNREFUSED | Errno::ACCESS | Errno::PERM) => {
                Err(Problem::Forbidden(folder()))
            }
            Some(Errno::NOENT) => Ok(()),
            // EAGAIN: its queue is full. EPROTOTYPE: a datagram socket. Alive in either case.
            _ => Err(Problem::Served),
        },
    }
}
