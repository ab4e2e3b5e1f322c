//! `lameduck run` as people and their supervisors meet it: real processes, real signals, and servers with every fault.

mod fixture;
mod init;
mod manager;
mod misuse;
mod protocol;
mod readiness;
mod replacing;
mod signals;
mod stopping;
