//! Two servers in one process, the second of which takes over from the first: real sockets, real clients, and the
//! descriptor that the first keeps.

mod adopting;
mod busy;
mod pair;
mod passing;
mod pausing;
mod pieces;
mod thousands;
