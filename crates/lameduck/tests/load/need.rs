//! What a case needs of the machine, and what is said where that is missing.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use lameduck_testkit::{Link, in_ci, is_root};
use libtest_mimic::Trial;

/// One thing that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To be root, as who a server can be run as somebody else.
    Root,
    /// Two network namespaces and a wire between them.
    Link,
    /// IPv6 on loopback.
    Ipv6,
}

/// What of that this machine lacks, and why.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    lacking: Vec<(Need, String)>,
    said: Mutex<BTreeSet<String>>,
}

impl Needs {
    pub(crate) fn look() -> Needs {
        let mut lacking = Vec::new();
        if !is_root() {
            let why = "it runs the server as root and as another user: run the tests as root";
            lacking.push((Need::Root, why.to_owned()));
        }
        if let Err(error) = Link::new(Duration::ZERO) {
            let why = format!(
                "{error}: run the tests as root, with /dev/net/tun, `ip` and python3, in a container with \
                 `--cap-add NET_ADMIN --cap-add SYS_ADMIN --device /dev/net/tun`"
            );
            lacking.push((Need::Link, why));
        }
        if let Err(error) = TcpListener::bind("[::1]:0") {
            let why = format!("no IPv6 on loopback ({error}): set net.ipv6.conf.lo.disable_ipv6=0");
            lacking.push((Need::Ipv6, why));
        }
        Needs { lacking, said: Mutex::default() }
    }

    /// A case: ignored where a need of it is lacking, failing there on CI.
    pub(crate) fn trial(
        &self,
        name: &str,
        needs: &[Need],
        case: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Trial {
        let lacking = self.lacking.iter().find(|(need, _)| needs.contains(need));
        let Some((_, why)) = lacking.cloned() else {
            return Trial::test(name, move || Ok(case()?));
        };
        if in_ci() {
            let message = format!("this can't be skipped on CI: {why}");
            return Trial::test(name, move || Err(message.into()));
        }
        if self.said.lock().is_ok_and(|mut said| said.insert(why.clone())) {
            eprintln!("ignored: {name} and all that need the same: {why}");
        }
        Trial::test(name, || Ok(())).with_ignored_flag(true)
    }
}
