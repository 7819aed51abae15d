//! Why a link was not made.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::message::{LinkService, VERSION};

/// Why a link was not made. Each is said of the other side, whichever that is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Its proof is wrong, or it found ours wrong.
    #[error(
        "it has another cluster key: copy the cluster key file of one machine of the cluster to all others"
    )]
    OtherKey,
    /// What it says is not about keys.
    #[error(
        "it does not prove that it has the cluster key: it is no member of a cluster, or its links are set to be insecure"
    )]
    NoProof,
    /// It makes links in another way.
    #[error(
        "it proves its key by version {found} of the rules, and this program by version {VERSION}: run the same version"
    )]
    OtherVersion {
        /// Its version.
        found: u8,
    },
    /// It wants or serves something else.
    #[error("{expected} is on this link, and it has {found}: an address leads to the wrong port")]
    OtherService {
        /// What this side has.
        expected: LinkService,
        /// What the other has.
        found: LinkService,
    },
    /// It closed the connection before it proved anything.
    #[error(
        "it closed the connection before it proved that it has the cluster key: its links may be set to be insecure"
    )]
    Closed,
    /// It took too long.
    #[error("it did not prove within {0:?} that it has the cluster key")]
    Late(Duration),
    /// Others came while it took its time, and there were too many.
    #[error("it made room for others that came after it")]
    CrowdedOut,
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Socket(String),
}

/// Why a side ends the exchange, as it says to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The other's proof is wrong.
    OtherKey,
    /// The other's version is not known.
    OtherVersion,
    /// This is another service's port.
    OtherService(LinkService),
}

impl LinkError {
    /// A short name for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OtherKey => "other_key",
            Self::NoProof => "no_proof",
            Self::OtherVersion { .. } => "other_version",
            Self::OtherService { .. } => "other_service",
            Self::Closed => "closed",
            Self::Late(_) => "late",
            Self::CrowdedOut => "crowded_out",
            Self::Socket(_) => "socket",
        }
    }

    /// Whether to try again is of no use until somebody changes a setting.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::OtherKey | Self::NoProof | Self::OtherVersion { .. } => true,
            Self::OtherService { .. } => true,
            Self::Closed | Self::Late(_) | Self::CrowdedOut | Self::Socket(_) => false,
        }
    }

    /// What the other side is told; nothing if it would not understand.
    pub(super) fn refusal(&self, service: LinkService) -> Option<Refusal> {
        match self {
            Self::OtherKey => Some(Refusal::OtherKey),
            Self::OtherVersion { .. } => Some(Refusal::OtherVersion),
            Self::OtherService { .. } => Some(Refusal::OtherService(service)),
            Self::NoProof | Self::Closed | Self::Late(_) | Self::CrowdedOut | Self::Socket(_) => {
                None
            }
        }
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Socket(error.to_string()),
        }
    }
}
