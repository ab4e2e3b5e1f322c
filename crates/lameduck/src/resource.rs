//! What the others use and what must be closed last: pools, producers, exporters. Knows nothing of HTTP or
//! tasks.

mod close;
mod handle;
mod part;
mod scope;
#[cfg(feature = "sqlx")]
mod sqlx;

pub use self::close::Close;
pub use self::handle::Resource;
pub(crate) use self::part::ResourcePart;
