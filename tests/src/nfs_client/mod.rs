//! An NFSv3 client that says exactly what a test wants said: no cache, no retries, no mercy.
//!
//! - [`Connection`] is one TCP connection with any number of calls in flight; replies are matched by
//!   xid, in whatever order they come. When the connection ends, every call on it ends with
//!   [`NfsError::Disconnected`], and the caller does not know whether it was done.
//! - [`NfsClient`] has NFSv3's procedures and MOUNT's as typed methods, as one user. It is cheap
//!   to clone; [`NfsClient::as_user`] speaks as another over the same connection.
//! - [`RawConnection`] sends bytes as they are, for tests of what no decent client sends.
//!
//! Messages are those of `sluice-proto-nfs`; whole files and trees on top are in [`files`].

mod client;
mod connection;
mod directories;
mod error;
pub mod files;
mod raw;

pub use client::{NfsClient, ReadData, User};
pub use connection::{Connection, Reply};
pub use directories::{Entry, Page};
pub use error::NfsError;
pub use raw::{Answer, RawConnection};
