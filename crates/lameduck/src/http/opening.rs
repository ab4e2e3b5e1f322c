//! What the first bytes of a connection say: functions of those alone.

use super::frames::PREFACE;

/// How many bytes of the preface no HTTP/1 request begins with: the method PRI is reserved for it (RFC 9113,
/// section 3.4). A peer that stops in the middle of the rest is no half head to wait for.
pub(super) const UNMISTAKABLE: usize = b"PRI ".len();

/// Which protocol a connection speaks that began so, as for [`super::connection::Connection::new`]. `spoken`: it has spoken
/// before, and that was HTTP/1.
pub(super) fn protocol(spoken: bool, first: &[u8]) -> Option<bool> {
    let seen = &first[..first.len().min(PREFACE.len())];
    if spoken || !PREFACE.starts_with(seen) {
        Some(false)
    } else if seen.len() >= UNMISTAKABLE {
        Some(true)
    } else {
        None
    }
}

/// The bytes without the empty lines before a request, which mean nothing (RFC 9112, section 2.2).
pub(super) fn without_empty_lines(first: &[u8]) -> &[u8] {
    let empty = first.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    &first[empty..]
}

#[cfg(test)]
mod tests;
