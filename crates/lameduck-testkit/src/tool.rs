//! Programs that tests start and that not every machine has. `.ci/run` installs them all; who adds one here adds it
//! there and to CONTRIBUTING.md.

use std::fs;
use std::path::{Path, PathBuf};

use crate::missing::Missing;

/// A program of a Debian package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// A web server: [`Caddy`](crate::Caddy).
    Caddy,
    /// The browser: [`Chromium`](crate::Chromium).
    Chromium,
    /// The compiler, and what Debian's has beside it for HTTP/2 without TLS and for WebSockets.
    Go,
    /// A load balancer: [`Haproxy`](crate::Haproxy).
    Haproxy,
    /// The message broker: [`Nats`](crate::Nats).
    Nats,
    /// A web server: [`Nginx`](crate::Nginx).
    Nginx,
    /// The runtime of JavaScript.
    Node,
    /// The database: [`Postgres`](crate::Postgres).
    Postgres,
    /// The store: [`Redis`](crate::Redis).
    Redis,
    /// The server of Python's asynchronous frameworks.
    Uvicorn,
}

impl Tool {
    /// The program's name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Caddy => "caddy",
            Self::Chromium => "chromium",
            Self::Go => "go",
            Self::Haproxy => "haproxy",
            Self::Nats => "nats-server",
            Self::Nginx => "nginx",
            Self::Node => "node",
            Self::Postgres => "postgres",
            Self::Redis => "redis-server",
            Self::Uvicorn => "uvicorn",
        }
    }

    /// The Debian package that holds it, and others that tests need with it.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Caddy => "caddy",
            Self::Chromium => "chromium",
            Self::Go => "golang golang-golang-x-net-dev golang-github-gorilla-websocket-dev",
            Self::Haproxy => "haproxy",
            Self::Nats => "nats-server",
            Self::Nginx => "nginx",
            Self::Node => "nodejs",
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::Uvicorn => "uvicorn python3-wsproto",
        }
    }

    /// Where it is installed: on the `PATH`, or where Debian puts it.
    ///
    /// # Errors
    /// It is in none of these places.
    pub fn find(self) -> Result<PathBuf, Missing> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Some of the packages put theirs beside the programs of root.
        let mut folders: Vec<PathBuf> =
            std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
        if self == Self::Postgres {
            folders.extend(versions(Path::new("/usr/lib/postgresql")));
        }
        self.find_in(&folders)
    }

    fn find_in(self, folders: &[PathBuf]) -> Result<PathBuf, Missing> {
        let mut programs = folders.iter().map(|folder| folder.join(self.program()));
        programs.find(|program| program.is_file()).ok_or(Missing(self))
    }
}

/// The programs of each major version, the newest first: Debian keeps them off the `PATH`.
fn versions(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{Tool, versions};

    #[test]
    fn the_first_folder_that_holds_it_counts() {
        let dir = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = ["a", "b", "c"].map(|name| dir.path().join(name)).to_vec();
        fs::create_dir_all(folders[0].join("redis-server")).unwrap();
        for folder in &folders[1..] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("redis-server"), "").unwrap();
        }
        assert_eq!(Tool::Redis.find_in(&folders), Ok(folders[1].join("redis-server")));
    }

    #[test]
    fn one_that_is_missing_names_its_package() {
        let missing = Tool::Postgres.find_in(&[PathBuf::from("/nowhere")]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "postgres is not there\n\nhint: apt-get install postgresql"
        );
    }

    #[test]
    fn the_newest_version_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["9", "17", "15", "common"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let expected = ["17/bin", "15/bin", "9/bin"].map(|name| dir.path().join(name));
        assert_eq!(versions(dir.path()), expected);
    }
}
