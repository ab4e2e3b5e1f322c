//! The servers that are compared.

use lameduck_testkit::{Caddy, Haproxy, Missing, Nginx, Reload};

use crate::lameduck::Lameduck;

/// One server in one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Nginx,
    Haproxy,
    /// With `option idle-close-on-response`.
    HaproxyIdle,
    Caddy,
    Lameduck,
}

impl Contender {
    pub(crate) const ALL: [Self; 5] =
        [Self::Nginx, Self::Haproxy, Self::HaproxyIdle, Self::Caddy, Self::Lameduck];

    /// As it is called on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "nginx" => Some(Self::Nginx),
            "haproxy" => Some(Self::Haproxy),
            "haproxy-idle" => Some(Self::HaproxyIdle),
            "caddy" => Some(Self::Caddy),
            "lameduck" => Some(Self::Lameduck),
            _ => None,
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// It isn't installed.
    pub(crate) fn start(self) -> Result<Box<dyn Reload>, Missing> {
        Ok(match self {
            Self::Nginx => Box::new(Nginx::start()?),
            Self::Haproxy => Box::new(Haproxy::start()?),
            Self::HaproxyIdle => Box::new(Haproxy::start_keeping_idle()?),
            Self::Caddy => Box::new(Caddy::start()?),
            Self::Lameduck => Box::new(Lameduck::start()),
        })
    }
}
