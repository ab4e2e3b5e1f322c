//! Certificates for servers under test, as the PEM files that they read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A self-signed certificate for `localhost` and its key, in a directory of their own that everyone may read, since a
/// server may run as somebody else.
#[derive(Debug)]
pub struct Certificate {
    dir: PathBuf,
    /// Removes the directory, if it is a temporary one.
    _temporary: Option<TempDir>,
    /// The certificate itself, in DER.
    der: Vec<u8>,
}

impl Certificate {
    /// A new one.
    ///
    /// # Panics
    /// If its files can't be written.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory for a certificate");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("our own directory");
        Self::make(dir.path().to_owned(), Some(dir))
    }

    /// A new one in a directory that stays, and is made if it is not there.
    ///
    /// # Panics
    /// If its files can't be written.
    #[must_use]
    pub fn kept_in(dir: impl AsRef<Path>) -> Self {
        fs::create_dir_all(&dir).expect("a directory for a certificate");
        Self::make(dir.as_ref().to_owned(), None)
    }

    fn make(dir: PathBuf, temporary: Option<TempDir>) -> Self {
        let mut certificate = Self { dir, _temporary: temporary, der: Vec::new() };
        certificate.renew();
        certificate
    }

    /// Puts another certificate and its key into the same files.
    ///
    /// # Panics
    /// If they can't be written.
    pub fn renew(&mut self) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .expect("a certificate for localhost");
        self.der = pair.cert.der().to_vec();
        fs::write(self.certificate(), pair.cert.pem()).expect("our own directory");
        fs::write(self.key(), pair.signing_key.serialize_pem()).expect("our own directory");
    }

    /// The file of the certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// The file of its key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    /// Where the files lie.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The certificate itself, in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}
