//! The system calls that neither `socket2` nor `rustix` offers: the only module with `unsafe` code.
//!
//! Every function here is safe to call with any argument. None may keep a pointer or a descriptor
//! beyond its return, and none decides anything: what an option is for is written where it is used.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// One instruction of a classic BPF program.
pub(crate) use libc::sock_filter as Instruction;

/// Attaches `program` to the reuseport group of `socket`, in place of the one attached before
/// (`SO_ATTACH_REUSEPORT_CBPF`, socket(7)).
///
/// The program chooses, by its return value, which socket of the group takes a packet that belongs
/// to no connection and no handshake. On a socket that is not bound yet and has `SO_REUSEPORT` on,
/// the kernel makes a group of one. No privilege is needed.
///
/// # Errors
/// `EINVAL`: the socket has no group, or the program is not valid; whatever else a security policy
/// chooses to answer.
pub(crate) fn attach_reuseport_program(
    socket: BorrowedFd<'_>,
    program: &[Instruction],
) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: `sock_fprog` is what this option takes. Its pointer and length are those of a live
    // slice; the kernel copies the instructions and writes none, so that the cast is sound.
    unsafe { set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, &program) }
}

/// Has the kernel drop the IPv4 packets for `socket` whose time to live is below `hops`
/// (`IP_MINTTL`, ip(7)). Takes effect on IPv6 sockets too, for IPv4 peers.
///
/// # Errors
/// What `setsockopt` answers.
pub(crate) fn set_min_ttl_v4(socket: BorrowedFd<'_>, hops: u8) -> io::Result<()> {
    // SAFETY: the option takes a `c_int`.
    unsafe { set_option(socket, libc::IPPROTO_IP, libc::IP_MINTTL, &libc::c_int::from(hops)) }
}

/// Has the kernel drop the IPv6 packets for `socket` whose hop limit is below `hops`
/// (`IPV6_MINHOPCOUNT`).
///
/// # Errors
/// What `setsockopt` answers; `ENOPROTOOPT` where the socket is not an IPv6 one.
pub(crate) fn set_min_hops_v6(socket: BorrowedFd<'_>, hops: u8) -> io::Result<()> {
    // SAFETY: the option takes a `c_int`.
    unsafe {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, &libc::c_int::from(hops))
    }
}

/// Waits until the kernel has dealt with every packet that it was dealing with at the call, on
/// whatever processor (`MEMBARRIER_CMD_GLOBAL`, membarrier(2): an RCU grace period, and packets are
/// received within an RCU read-side section). Takes 8 ms as a rule, and 40 on a busy machine. No
/// privilege is needed.
///
/// # Errors
/// `ENOSYS` or `EINVAL` where the kernel does not offer it, `EPERM` where a sandbox forbids it.
pub(crate) fn wait_for_packets_under_way() -> io::Result<()> {
    // SAFETY: the call takes three integers and touches no memory of ours.
    let answer =
        unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0_u32, 0_i32) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `setsockopt` with `value` as it lies in memory.
///
/// # Safety
/// `T` must be the type that the option takes, and every pointer in `value` be valid for what the
/// kernel does with it.
unsafe fn set_option<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let size =
        libc::socklen_t::try_from(size_of::<T>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is borrowed, so it is open; pointer and size are those of `value`; the
    // caller vouches for the type.
    let answer = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), size)
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
