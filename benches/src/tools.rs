//! The programs of others that the measurements need.

use crate::kind::Kind;
use crate::results::Results;

/// What `scripts/bench` calls the Go server that it built.
pub(crate) const GO_SERVER: &str = "bench-server-go";

/// What there is.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) valgrind: bool,
    pub(crate) h2load: bool,
    go: bool,
}

impl Tools {
    /// Looks. What is missing is only complained of where it is needed, but for Go, which every part has.
    pub(crate) fn find(results: &mut Results) -> Tools {
        let me = std::env::current_exe().ok();
        let go = me.and_then(|me| Some(me.parent()?.join(GO_SERVER).is_file())).unwrap_or(false);
        if !go {
            results.left_out("Go net/http: install golang and golang-golang-x-net-dev");
        }
        Tools { valgrind: in_path("valgrind"), h2load: in_path("h2load"), go }
    }

    /// Those of `kinds` that can run here.
    pub(crate) fn there(&self, kinds: &[Kind]) -> Vec<Kind> {
        kinds.iter().copied().filter(|&kind| self.go || kind != Kind::Go).collect()
    }
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
