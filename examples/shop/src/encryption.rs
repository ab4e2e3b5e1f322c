//! The certificate that the shop serves HTTPS with.

use std::fs;

use lameduck::{Error, Tls};

use crate::arguments::Encryption;

/// The certificate, if there is to be one.
///
/// # Errors
/// Its files cannot be read or used, or one of our own cannot be made.
pub fn certificate(encryption: &Encryption) -> Result<Option<Tls>, Error> {
    match encryption {
        Encryption::None => Ok(None),
        Encryption::SelfSigned => self_signed().map(Some),
        Encryption::Files { certificate, key } => Ok(Some(Tls::from_pem_files(certificate, key)?)),
    }
}

/// One for localhost, in files that are gone again when this returns: it lasts as long as the process.
fn self_signed() -> Result<Tls, Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let pair = rcgen::generate_simple_self_signed(names)?;
    // A directory that only its owner may enter.
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, pair.cert.pem())?;
    fs::write(&key, pair.signing_key.serialize_pem())?;
    Ok(Tls::from_pem_files(certificate, key)?)
}
