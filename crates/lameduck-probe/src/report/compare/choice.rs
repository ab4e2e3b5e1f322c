//! How files become servers, and which cases are shown.

use super::markup::plain;
use super::run::Run;
use super::server::Server;

/// How files become servers, and which cases are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Files of one name are runs of one server: the worst verdict of a case counts. Otherwise each file is a server.
    pub by_name: bool,
    /// Only these groups and cases; all if there are none.
    pub only: Vec<String>,
}

impl Choice {
    /// What of [`only`](Self::only) names no group or case of these runs.
    #[must_use]
    pub fn unknown(&self, runs: &[Run]) -> Option<&str> {
        let ids = || runs.iter().flat_map(|run| &run.document.cases).map(|entry| &entry.id);
        let known = |word: &str| ids().any(|id| matches(id, word));
        self.only.iter().map(String::as_str).find(|word| !known(word))
    }

    pub(super) fn shows(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| matches(id, word))
    }

    /// The servers that these runs are of, in the order of the files.
    pub(super) fn servers<'a>(&self, runs: &'a [Run]) -> Vec<Server<'a>> {
        let names = if self.by_name {
            runs.iter().map(|run| plain(&run.name)).collect()
        } else {
            apart(runs)
        };
        let mut servers: Vec<Server<'a>> = Vec::new();
        for (run, name) in runs.iter().zip(names) {
            match servers.iter_mut().find(|server| self.by_name && server.name == name) {
                Some(server) => server.runs.push(run),
                None => servers.push(Server { name, runs: vec![run] }),
            }
        }
        servers
    }
}

/// After the file; after its whole path where two files have one name.
fn apart(runs: &[Run]) -> Vec<String> {
    let twice = |name: &str| runs.iter().filter(|run| run.name == name).count() > 1;
    let name = |run: &Run| if twice(&run.name) { &run.path } else { &run.name }.clone();
    runs.iter().map(name).map(|name| plain(&name)).collect()
}

fn matches(id: &str, word: &str) -> bool {
    id == word || id.split('/').next() == Some(word)
}
