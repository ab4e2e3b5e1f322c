//! HTTP/1.1 as a client sees it, over bytes that are there. No I/O.

mod parse;
mod reader;
mod response;

pub use parse::find_bytes;
pub use reader::ResponseReader;
pub use response::Response;
