//! The engine's limits. What they bound, term by term, in bytes:
//!
//! - idle connections: `connections_max` x a few KiB (two tasks and a socket; no buffers are kept);
//! - half records: `connections_max` x [`READ_AHEAD_LENGTH`] at most outside the budget, the rest of a record is
//!   charged to `bytes_in_flight_max` before its buffer is made;
//! - large calls and replies of READ and READDIR: `bytes_in_flight_max` in all, `bytes_per_connection_max` of one
//!   connection, until the reply is sent;
//! - small calls: `calls_max` x [`READ_AHEAD_LENGTH`], and as much again for their replies;
//! - datagrams: `datagrams_max` x 2 x [`DATAGRAM_LENGTH_MAX`].
//!
//! A client over a limit waits: its socket is not read. A client that neither finishes a record it began
//! nor takes its replies for `stall_timeout` is disconnected, so that it cannot keep what others wait for.

use std::time::Duration;

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

/// How much may be going on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections; more are closed as they come.
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
