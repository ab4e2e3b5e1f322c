//! Taking over a descriptor that this process was started with.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};

/// Which descriptors were adopted in this process: never one twice.
static ADOPTED: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// Takes over the descriptor `number`, which came through exec(2), and marks it as closed on the next exec. `None` if
/// this process has adopted it before.
///
/// What came through exec has no `FD_CLOEXEC`, and what this process opened has it: std, and every crate that
/// we know, set it at the opening. So one that has it was opened here, or taken over here by somebody else.
///
/// # Errors
/// `EBADF`: it is not open. `EEXIST`: it has an owner in this process.
pub(crate) fn adopt_passed(number: RawFd) -> Result<Option<OwnedFd>, Errno> {
    if number < 0 {
        return Err(Errno::BADF);
    }
    let mut adopted = ADOPTED.lock().unwrap_or_else(PoisonError::into_inner);
    if adopted.contains(&number) {
        return Ok(None);
    }
    // SAFETY: the number is not negative, and the borrow is used for two system calls only, which answer EBADF
    // where nothing is open under it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if fcntl_getfd(borrowed)?.contains(FdFlags::CLOEXEC) {
        return Err(Errno::EXIST);
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    adopted.push(number);
    // SAFETY: it is open, as just seen. It has no owner in this process: it came through exec, and the list says
    // that nobody has adopted it here.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Calls `f` with a descriptor that came through exec(2), if one is open under that number and has not been adopted:
/// to see what it is before it is adopted. `f` must not close it.
#[cfg(feature = "restart")]
pub(crate) fn with_passed<R>(number: RawFd, f: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
    if number < 0 || ADOPTED.lock().unwrap_or_else(PoisonError::into_inner).contains(&number) {
        return None;
    }
    // SAFETY: the number is not negative. If nothing is open under it, or something that has an owner, all that is
    // done with the borrow are questions to the kernel.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let inherited = !fcntl_getfd(borrowed).ok()?.contains(FdFlags::CLOEXEC);
    inherited.then(|| f(borrowed))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    #[test]
    fn a_descriptor_is_adopted_once_and_only_if_it_came_through_exec() {
        let file = File::open("/dev/null").unwrap();
        let number = file.as_raw_fd();
        assert_eq!(adopt_passed(number).unwrap_err(), Errno::EXIST);

        // As exec leaves it.
        fcntl_setfd(&file, FdFlags::empty()).unwrap();
        let number = file.into_raw_fd();
        let adopted = adopt_passed(number).unwrap().expect("it is there");
        assert!(fcntl_getfd(&adopted).unwrap().contains(FdFlags::CLOEXEC));
        assert!(adopt_passed(number).unwrap().is_none());

        assert_eq!(adopt_passed(-1).unwrap_err(), Errno::BADF);
        assert_eq!(adopt_passed(1 << 20).unwrap_err(), Errno::BADF);
    }
}
