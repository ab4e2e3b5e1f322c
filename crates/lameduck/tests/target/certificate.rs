//! The certificate of the tests over TLS.

use std::path::Path;
use std::sync::OnceLock;

use lameduck_testkit::Certificate;

/// One for each place that this module is compiled for, new each time that the program runs.
pub(crate) fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    // Where cargo keeps what tests write: a static is never dropped, so a temporary directory would stay behind.
    CERTIFICATE.get_or_init(|| {
        let place = module_path!().replace("::", "-");
        Certificate::kept_in(Path::new(env!("CARGO_TARGET_TMPDIR")).join(place))
    })
}
