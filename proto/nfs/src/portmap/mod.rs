//! The port mapper, version 2 (RFC 1833 section 3): which port a program listens on.

mod callit;
mod mapping;
mod procedure;

pub use callit::{CallItArgs, CallItResult};
pub use mapping::{DumpArgs, DumpResult, GetPortArgs, Mapping, SetArgs, Transport, UnsetArgs};
pub use procedure::Procedure;

/// The version.
pub const VERSION: u32 = 2;
/// The port that a port mapper listens on.
pub const PORT: u16 = 111;
