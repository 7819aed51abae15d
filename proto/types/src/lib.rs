//! The words every Sluice crate shares: identifiers, units, attributes, layouts and stripe
//! arithmetic, the one file-system error, and the traits through which time and chance come in.
//!
//! Nothing here does I/O, and nothing here is asynchronous; a value that exists is valid
//! (parse, don't validate), so the crates above never check the same thing twice.

mod attributes;
mod clock;
mod cluster;
mod credentials;
mod error;
mod ids;
mod inode;
mod layout;
mod lock_range;
mod name;
mod payload;
mod permission;
mod rng;
mod sessions;
mod verifier;

pub use attributes::{
    Attributes, Device, FileKind, Mode, SetAttributes, SetTime, Timestamp, WccAttributes,
};
pub use clock::{Clock, SystemClock};
pub use cluster::{ClusterMap, PlacementGroup, Target, TargetState};
pub use credentials::{CallId, Credentials, GROUPS_MAX};
pub use error::FsError;
pub use ids::{
    BootId, ChunkId, ChunkIndex, Cookie, DataVersion, ExportId, FenceEpoch, FileSystemId,
    Generation, GroupId, InodeId, LeaseTerm, MapVersion, SessionId, TargetId, TargetUuid,
};
pub use inode::Inode;
pub use layout::{
    ByteRange, ChunkRange, ChunkSize, FILE_SIZE_MAX, Layout, Piece, ReplicaCount, StripeWidth,
};
pub use lock_range::LockRange;
pub use name::{FileName, LINK_COUNT_MAX, NAME_BYTES_MAX, SYMLINK_BYTES_MAX};
pub use payload::Payload;
pub use permission::{Access, granted_access, may, owns};
pub use rng::{Rng, SystemRng};
pub use sessions::LiveSessions;
pub use verifier::{Stability, WriteVerifier};
