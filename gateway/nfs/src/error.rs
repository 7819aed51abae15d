//! Why the gateway could not start.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why the gateway could not start.
#[derive(Debug, Error)]
pub enum NfsError {
    /// A socket could not be opened where it should.
    #[error("cannot listen on {address} ({transport}): {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// `tcp` or `udp`.
        transport: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The machine's rpcbind could not be talked to.
    #[error("cannot register with rpcbind at {address}: {source}")]
    Rpcbind {
        /// Where it was looked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The machine's rpcbind refused a program.
    #[error("rpcbind refused to register program {program}: another server has it?")]
    RegistrationRefused {
        /// The program's name.
        program: &'static str,
    },
}
