//! A real browser.

mod devtools;
mod page;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::daemon::LIFETIME;
use crate::missing::Missing;
use crate::pause::eventually;
use crate::places::is_root;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tool::Tool;

use devtools::DevTools;
pub use page::Page;

/// How long it may take to start.
const START: Duration = Duration::from_secs(30);

/// Headless Chromium with a profile of its own. It reaches 127.0.0.1 and no other host, whatever a page asks for.
/// Dropping it ends it and removes the profile.
#[derive(Debug)]
pub struct Chromium {
    addr: SocketAddr,
    /// The path of the connection to the browser itself, which is a secret.
    path: String,
    server: Server,
    scratch: Scratch,
}

impl Chromium {
    /// Starts it, and waits until it can be steered.
    ///
    /// # Errors
    /// It isn't installed.
    ///
    /// # Panics
    /// If it doesn't start: with all that it printed.
    #[track_caller]
    pub fn start() -> Result<Self, Missing> {
        let program = Tool::Chromium.find()?;
        let scratch = Scratch::new();
        let mut profile = OsString::from("--user-data-dir=");
        profile.push(scratch.path().join("profile"));
        let mut command = Server::command(program)
            // Else it leaves a folder beside ours, and settings in the user's home.
            .env("TMPDIR", scratch.path())
            .env("HOME", scratch.path())
            .env("XDG_CONFIG_HOME", scratch.path())
            .env("XDG_CACHE_HOME", scratch.path())
            .arg(profile)
            .args(["--headless", "--remote-debugging-port=0", "--disable-gpu"])
            // Else a page of complaints that there is no D-Bus.
            .arg("--log-level=3")
            // Containers have little of /dev/shm.
            .arg("--disable-dev-shm-usage")
            // Nothing of its own accord, and nothing beyond this machine.
            .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--disable-breakpad", "--no-proxy-server"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            // A page's timers are not slowed down because nobody looks.
            .args(["--disable-background-timer-throttling", "--disable-renderer-backgrounding"]);
        if is_root() {
            // It refuses to be root otherwise.
            command = command.arg("--no-sandbox");
        }
        let server = command.arg("about:blank").lifetime(LIFETIME).start();
        let mut door = None;
        let _ = eventually(START, || {
            door = steered_at(&server.stderr());
            door.is_some() || !server.runs()
        });
        let Some((addr, path)) = door else {
            panic!("Chromium can't be steered within {START:?}\n{}", server.transcript())
        };
        Ok(Self { addr, path, server, scratch })
    }

    /// Opens a page in a tab of its own, and waits until it is loaded, 20 s at most. The page ends with the browser.
    ///
    /// # Panics
    /// If it can't be loaded: with the browser's reason.
    #[must_use]
    #[track_caller]
    pub fn open(&self, url: &str) -> Page {
        match self.try_open(url) {
            Ok(page) => page,
            Err(why) => panic!("Chromium could not open {url}: {why}"),
        }
    }

    /// Opens a page as [`open`](Self::open) does.
    ///
    /// # Errors
    /// It can't be loaded: the browser's reason.
    pub fn try_open(&self, url: &str) -> Result<Page, String> {
        let mut browser = DevTools::connect(self.addr, &self.path)?;
        let tab = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let id = tab["targetId"].as_str().ok_or_else(|| format!("no tab: {tab}"))?;
        Page::open(DevTools::connect(self.addr, &format!("/devtools/page/{id}"))?, url)
    }

    /// Its first process.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }
}

/// The address and path that it prints when it can be steered; nothing while half the line is there.
fn steered_at(printed: &str) -> Option<(SocketAddr, String)> {
    let (_, rest) = printed.split_once("DevTools listening on ws://")?;
    let (line, _) = rest.split_once('\n')?;
    let (addr, path) = line.split_once('/')?;
    Some((addr.parse().ok()?, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::steered_at;

    #[test]
    fn the_address_is_read_once_its_line_is_whole() {
        let line = "noise\n\nDevTools listening on ws://127.0.0.1:4444/devtools/browser/5f-6a\n";
        let door = (([127, 0, 0, 1], 4444).into(), "/devtools/browser/5f-6a".to_owned());
        assert_eq!(steered_at(line), Some(door));
        for end in 0..line.len() {
            assert_eq!(steered_at(&line[..end]), None, "{end}");
        }
    }
}
