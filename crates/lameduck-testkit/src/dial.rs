//! A connection to a broker or a database, on which no wait is endless.

use std::io::{BufReader, Error, ErrorKind, Read, Result};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);

pub(crate) fn dial(addr: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&addr, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// The next so many bytes.
pub(crate) fn take(from: &mut impl Read, count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// An answer that says no, or that can't be read.
pub(crate) fn refused(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, why.into())
}
