//! The routes of the server under test: which there are, and where.

use serde::Serialize;

/// Something that a case needs of a server, besides `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// `/sleep?ms=`: answers after that time.
    Sleep,
    /// `/stream?chunks=&ms=`: that many lines, one every so many milliseconds.
    Stream,
    /// `/hang`: never answers; any method.
    Hang,
    /// `/block?ms=`: blocks a thread that may be blocked.
    Block,
    /// `/starve?ms=`: blocks the thread that runs the handler.
    Starve,
    /// `POST /echo`: answers with the body, once all of it has come.
    Echo,
    /// `/ws`: a WebSocket echo.
    WebSocket,
    /// HTTP/2 with prior knowledge, on the same port.
    Http2,
    /// A readiness URL, named by the user.
    Ready,
}

impl Need {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Sleep,
        Self::Stream,
        Self::Hang,
        Self::Block,
        Self::Starve,
        Self::Echo,
        Self::WebSocket,
        Self::Http2,
        Self::Ready,
    ];

    /// The name that `--map` takes, and the default path; `None` for what is no route.
    #[must_use]
    pub fn route(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Sleep => Some(("sleep", "/sleep?ms={ms}")),
            Self::Stream => Some(("stream", "/stream?chunks={chunks}&ms={ms}")),
            Self::Hang => Some(("hang", "/hang")),
            Self::Block => Some(("block", "/block?ms={ms}")),
            Self::Starve => Some(("starve", "/starve?ms={ms}")),
            Self::Echo => Some(("echo", "/echo")),
            Self::WebSocket => Some(("ws", "/ws")),
            Self::Http2 | Self::Ready => None,
        }
    }

    /// What a server lacks that has it not.
    #[must_use]
    pub fn lacking(self) -> String {
        match self.route() {
            Some((name, path)) => format!("the route {path} (map it by --map {name}=PATH)"),
            None if self == Self::Http2 => "HTTP/2 with prior knowledge".to_owned(),
            None => "a readiness URL (name it by --ready URL)".to_owned(),
        }
    }
}

/// A mapping that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Not of the form NAME=PATH.
    #[error("--map {0}: write it like sleep=/slow?ms={{ms}}")]
    Form(String),
    /// There is no route of that name.
    #[error(
        "--map {0}: there is no such route; there are root, sleep, stream, hang, block, starve, echo and ws"
    )]
    Name(String),
    /// The path does not begin with a slash, or holds what can't stand in a request line.
    #[error("--map {0}: a path begins with a slash and holds no spaces")]
    Path(String),
}

/// Where the routes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    root: String,
    paths: Vec<(Need, String)>,
}

impl Default for Routes {
    fn default() -> Self {
        let paths =
            Need::ALL.into_iter().filter_map(|need| Some((need, need.route()?.1.to_owned())));
        Self { root: "/".to_owned(), paths: paths.collect() }
    }
}

impl Routes {
    /// Takes one `NAME=PATH`. In the path `{ms}`, `{s}` (seconds, with decimals where needed) and `{chunks}` are
    /// replaced.
    ///
    /// # Errors
    /// A [`MapError`] that says what is wrong.
    pub fn map(&mut self, text: &str) -> Result<(), MapError> {
        let (name, path) = text.split_once('=').ok_or_else(|| MapError::Form(text.to_owned()))?;
        if !path.starts_with('/') || path.contains(char::is_whitespace) {
            return Err(MapError::Path(text.to_owned()));
        }
        if name == "root" {
            path.clone_into(&mut self.root);
            return Ok(());
        }
        let entry = self
            .paths
            .iter_mut()
            .find(|(need, _)| need.route().is_some_and(|route| route.0 == name));
        let (_, mapped) = entry.ok_or_else(|| MapError::Name(text.to_owned()))?;
        path.clone_into(mapped);
        Ok(())
    }

    /// The path that answers at once.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The path of a route that takes a time, and perhaps a number of lines.
    #[must_use]
    pub fn path(&self, need: Need, ms: u64, chunks: u64) -> String {
        let path =
            self.paths.iter().find(|(route, _)| *route == need).map_or("/", |(_, path)| path);
        let seconds = if ms.is_multiple_of(1000) {
            (ms / 1000).to_string()
        } else {
            (ms as f64 / 1e3).to_string()
        };
        path.replace("{ms}", &ms.to_string())
            .replace("{s}", &seconds)
            .replace("{chunks}", &chunks.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_route_gets_its_time_in_the_unit_that_it_asks_for() {
        let mut routes = Routes::default();
        routes.map("sleep=/slow?seconds={s}").unwrap();
        assert_eq!(routes.path(Need::Sleep, 1500, 0), "/slow?seconds=1.5");
        assert_eq!(routes.path(Need::Sleep, 2000, 0), "/slow?seconds=2");
        assert_eq!(routes.path(Need::Stream, 20, 7), "/stream?chunks=7&ms=20");
    }

    #[test]
    fn a_mapping_that_cannot_be_read_is_named() {
        let mut routes = Routes::default();
        assert_eq!(routes.map("sleep"), Err(MapError::Form("sleep".to_owned())));
        assert_eq!(routes.map("nap=/x"), Err(MapError::Name("nap=/x".to_owned())));
        assert_eq!(routes.map("sleep=x"), Err(MapError::Path("sleep=x".to_owned())));
        assert_eq!(routes.map("sleep=/a b"), Err(MapError::Path("sleep=/a b".to_owned())));
    }
}
