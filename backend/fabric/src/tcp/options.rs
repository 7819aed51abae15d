//! Bounds and times of the data plane over TCP.

use std::time::Duration;

use sluice_types::ChunkSize;

use crate::FrameLimits;

/// The longest message, in bytes: a full page of a chunk list is far below.
const MESSAGE_BYTES_MAX: u32 = 1 << 20;

/// How an asker uses TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions {
    /// Connections to each daemon, at least 1.
    pub connections_per_peer: usize,
    /// Requests under way on one connection; more wait.
    pub requests_in_flight_per_connection_max: usize,
    /// Payload under way in both directions on one connection, in bytes; more waits.
    pub bytes_in_flight_per_connection_max: usize,
    /// Payload under way in both directions in all, in bytes; more waits.
    pub bytes_in_flight_max: usize,
    /// The largest payload; larger requests are refused.
    pub payload_bytes_max: u32,
    /// Buffers kept for use again, in bytes.
    pub buffers_idle_bytes_max: usize,
    /// How long making a connection may take.
    pub connect_deadline: Duration,
    /// How long a socket may neither take nor give a byte in the middle of a frame.
    pub stall_deadline: Duration,
    /// How long requests are refused at once after a connection could not be made; doubled with each further time.
    pub backoff_min: Duration,
    /// The longest that requests are refused at once.
    pub backoff_max: Duration,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            connections_per_peer: 2,
            requests_in_flight_per_connection_max: 256,
            bytes_in_flight_per_connection_max: 64 << 20,
            bytes_in_flight_max: 256 << 20,
            payload_bytes_max: ChunkSize::MAX_BYTES,
            buffers_idle_bytes_max: 64 << 20,
            connect_deadline: Duration::from_secs(2),
            stall_deadline: Duration::from_secs(30),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_secs(1),
        }
    }
}

impl TcpOptions {
    pub(super) fn frame_limits(&self) -> FrameLimits {
        FrameLimits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            payload_bytes_max: self.payload_bytes_max,
        }
    }
}

/// How a daemon serves TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpServerOptions {
    /// Connections at once; more are closed when they come.
    pub connections_max: usize,
    /// Requests under way from one connection; it is not read while there are so many.
    pub requests_in_flight_per_connection_max: usize,
    /// Payload under way in both directions on one connection, in bytes; it is not read while there is so much.
    pub bytes_in_flight_per_connection_max: usize,
    /// Payload under way in both directions in all, in bytes.
    pub bytes_in_flight_max: usize,
    /// The largest payload; a connection that announces a larger one is closed.
    pub payload_bytes_max: u32,
    /// Buffers kept for use again, in bytes.
    pub buffers_idle_bytes_max: usize,
    /// How long a socket may neither take nor give a byte in the middle of a frame.
    pub stall_deadline: Duration,
}

impl Default for TcpServerOptions {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            requests_in_flight_per_connection_max: 256,
            bytes_in_flight_per_connection_max: 64 << 20,
            bytes_in_flight_max: 512 << 20,
            payload_bytes_max: ChunkSize::MAX_BYTES,
            buffers_idle_bytes_max: 128 << 20,
            stall_deadline: Duration::from_secs(30),
        }
    }
}

impl TcpServerOptions {
    pub(super) fn frame_limits(&self) -> FrameLimits {
        FrameLimits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            payload_bytes_max: self.payload_bytes_max,
        }
    }
}
