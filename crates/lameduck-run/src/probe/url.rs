//! The URL that says whether a child is ready.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A plain `http://` URL. `{port}` in it stands for a free port of each child's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
}

/// Why text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Another scheme, or none.
    #[error("write a plain http:// URL, such as http://127.0.0.1:9090/readyz")]
    NotHttp,
    /// There is no host, or one with a user, or no port number where one should be.
    #[error("{0:?} is no host with a port: write one such as 127.0.0.1:9090 or [::1]:9090")]
    BadHost(String),
    /// A request is one line: no spaces, no control characters.
    #[error("{0:?} is no path: write one such as /readyz")]
    BadPath(String),
}

/// What is asked for, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// As the `Host` header has it.
    pub(super) authority: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

const PORT: &str = "{port}";

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let url = Self { text: text.to_owned() };
        url.target(1).map(|_| url)
    }
}

impl Url {
    /// Whether each child gets a port of its own.
    pub(crate) fn wants_port(&self) -> bool {
        self.text.contains(PORT)
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// As it is for a child with this port.
    fn with(&self, port: u16) -> String {
        self.text.replace(PORT, &port.to_string())
    }

    pub(super) fn target(&self, port: u16) -> Result<Target, UrlError> {
        let text = self.with(port);
        let rest = text.strip_prefix("http://").ok_or(UrlError::NotHttp)?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let bad_host = || UrlError::BadHost(authority.to_owned());
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.contains(']') => {
                (host, port.parse().map_err(|_| bad_host())?)
            }
            _ => (authority, 80),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
        if bare.is_empty() || port == 0 || !bare.bytes().all(allowed) {
            return Err(bad_host());
        }
        let path = path.split('#').next().unwrap_or_default();
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::BadPath(path.to_owned()));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { authority: authority.to_owned(), host: bare.to_owned(), port, path })
    }
}

impl Target {
    /// Where that is. A name is looked up, which may block.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_a_port_and_a_path() {
        for (text, host, port, path) in [
            ("http://127.0.0.1:9090/readyz", "127.0.0.1", 9090, "/readyz"),
            ("http://localhost", "localhost", 80, "/"),
            ("http://[::1]:81?x=1#y", "::1", 81, "/?x=1"),
            ("http://[::1]/a", "::1", 80, "/a"),
            ("http://127.0.0.1:{port}/readyz", "127.0.0.1", 4711, "/readyz"),
        ] {
            let target = text.parse::<Url>().expect(text).target(4711).unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path)
            );
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for text in ["https://127.0.0.1/", "127.0.0.1:80", "readyz", ""] {
            assert_eq!(text.parse::<Url>(), Err(UrlError::NotHttp), "{text}");
        }
        for text in
            ["http://", "http://:80/", "http://a:b/", "http://a:0/", "http://u@a/", "http://a b/"]
        {
            assert!(matches!(text.parse::<Url>(), Err(UrlError::BadHost(_))), "{text}");
        }
        assert!(matches!("http://a/b c".parse::<Url>(), Err(UrlError::BadPath(_))));
    }
}
