//! The engine's limits. What they bound, term by term, in bytes:
//!
//! - idle connections: (`connections_max` + [`PORTMAP_CONNECTIONS_MAX`]) x a few KiB (two tasks and a socket; no buffers
//!   are kept);
//! - half records: as many x [`READ_AHEAD_LENGTH`] at most outside the budget, the rest of a record is
//!   charged to `bytes_in_flight_max` before its buffer is made;
//! - large calls and replies of READ and READDIR: `bytes_in_flight_max` in all, `bytes_per_connection_max` of one
//!   connection, until the reply is sent;
//! - small calls: `calls_max` x [`READ_AHEAD_LENGTH`], and as much again for their replies (EXPORT's is as long as the
//!   configured exports make it);
//! - datagrams: `datagrams_max` x 2 x [`DATAGRAM_LENGTH_MAX`].
//!
//! A client over a limit waits: its socket is not read. One client (one address, see `client_key`) gets a quarter
//! of `calls_max` and `bytes_in_flight_max` at most, and three quarters of the connections. A client that in `stall_timeout` neither brings [`PROGRESS_LENGTH`] of
//! a record it began, nor takes as much of its replies, is disconnected, so that it cannot keep what others wait for.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use sluice_proto_nfs::rpc::RecordLimits;

/// Most bytes read from a socket before it is known what they are.
pub(crate) const READ_AHEAD_LENGTH: usize = 4096;
/// Most bytes of a datagram, either way.
pub(crate) const DATAGRAM_LENGTH_MAX: usize = 8192;
/// Most bytes of one READ or WRITE, and of one page of a directory.
pub(crate) const TRANSFER_LENGTH_MAX: u32 = 1 << 20;
/// Payloads of WRITEs up to this length get a buffer of their own. A record's buffer is exactly as long as the record, so
/// that a longer payload keeps hardly more than itself alive.
pub(crate) const SMALL_PAYLOAD_LENGTH: usize = 1 << 10;

/// Bytes of a large record or of replies that must get on in every `stall_timeout`, or all that is left of them: slow
/// links do, clients that send a byte now and then do not.
pub(crate) const PROGRESS_LENGTH: usize = 64 << 10;
/// Connections to the port mapper's port: clients ask it once.
pub(crate) const PORTMAP_CONNECTIONS_MAX: usize = 1024;
/// The part of the process's file descriptors that connections leave to everything else.
const DESCRIPTORS_RESERVED: u64 = 8;

/// How much may be going on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections; more are closed as they come. Lowered to what the process's limit of open files allows.
    pub connections_max: usize,
    /// Calls in work over one connection.
    pub calls_per_connection_max: usize,
    /// Calls in work in all.
    pub calls_max: usize,
    /// Bytes of large calls and replies of one connection.
    pub bytes_per_connection_max: usize,
    /// Bytes of large calls and replies in all.
    pub bytes_in_flight_max: usize,
    /// Datagrams in work; more are dropped.
    pub datagrams_max: usize,
    /// How large a record may be.
    pub record: RecordLimits,
    /// How long a client may take to send on a record it began, or to take a reply.
    pub stall_timeout: Duration,
}

impl Default for Limits {
    /// 20,000 connections, 128 calls on each and 4096 in all, 64 MiB on each and 512 MiB in all, 256 datagrams, 30
    /// seconds.
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            calls_per_connection_max: 128,
            calls_max: 4096,
            bytes_per_connection_max: 64 << 20,
            bytes_in_flight_max: 512 << 20,
            datagrams_max: 256,
            record: RecordLimits::default(),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Connections that there are descriptors for; says so where they are fewer than configured.
    pub(crate) fn connections_possible(&self) -> usize {
        let descriptors = getrlimit(Resource::Nofile).current;
        let possible = connections_possible(self.connections_max, descriptors);
        if possible < self.connections_max {
            let configured = self.connections_max;
            tracing::warn!(
                configured,
                possible,
                "fewer connections: the process may not have more open files"
            );
        }
        possible
    }
}

/// Without descriptors left, the rest of the process would fail, not only connections.
fn connections_possible(configured: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else {
        return configured;
    };
    let possible = descriptors - descriptors / DESCRIPTORS_RESERVED;
    usize::try_from(possible).map_or(configured, |possible| configured.min(possible).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_others() {
        assert_eq!(connections_possible(20_000, None), 20_000);
        assert_eq!(connections_possible(20_000, Some(1 << 20)), 20_000);
        assert_eq!(connections_possible(20_000, Some(1024)), 896);
        assert_eq!(connections_possible(0, Some(0)), 1);
    }
}
