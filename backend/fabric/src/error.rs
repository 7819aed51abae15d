//! Why a request had no reply.

use sluice_types::FsError;
use thiserror::Error;

/// Why a request had no reply. Clonable, because all requests on a connection that breaks get the same one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FabricError {
    /// There is no connection to the peer, and none could be made: the request was not sent.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable {
        /// The peer; empty for this process.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// No reply came in time; the request may have been carried out if it was `sent`.
    #[error("no reply from {address} within {waited_ms} ms")]
    DeadlinePassed {
        /// The peer.
        address: String,
        /// The deadline, in milliseconds.
        waited_ms: u64,
        /// Whether any of the request may have left this process.
        sent: bool,
    },
    /// The connection ended after the request was sent and before its reply came: the request may
    /// have been carried out.
    #[error("the connection to {address} ended before the reply: {reason}")]
    Closed {
        /// The peer.
        address: String,
        /// Why it ended.
        reason: String,
    },
    /// Larger than the fabric carries: not sent.
    #[error("a {what} of {bytes} bytes is over the limit of {limit_bytes}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The peer sent what cannot be understood.
    #[error("{address} does not keep to the protocol: {reason}")]
    Protocol {
        /// The peer.
        address: String,
        /// What was expected and what came.
        reason: String,
    },
    /// This side is shutting down: the request was not sent.
    #[error("shutting down")]
    ShuttingDown,
}

impl FabricError {
    /// Whether the request may have been carried out although no reply came.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::DeadlinePassed { sent, .. } => *sent,
            Self::Closed { .. } | Self::Protocol { .. } => true,
            Self::Unreachable { .. } | Self::TooLarge { .. } | Self::ShuttingDown => false,
        }
    }

    /// A short name for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::Closed { .. } => "closed",
            Self::TooLarge { .. } => "too_large",
            Self::Protocol { .. } => "protocol",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl From<&FabricError> for FsError {
    fn from(error: &FabricError) -> Self {
        match error {
            FabricError::Unreachable { .. }
            | FabricError::DeadlinePassed { .. }
            | FabricError::Closed { .. }
            | FabricError::ShuttingDown => Self::Unavailable,
            FabricError::TooLarge { .. } => Self::Invalid,
            FabricError::Protocol { .. } => Self::Io,
        }
    }
}

impl From<FabricError> for FsError {
    fn from(error: FabricError) -> Self {
        Self::from(&error)
    }
}
