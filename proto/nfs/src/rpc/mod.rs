//! ONC RPC version 2 (RFC 5531): who calls what, and how a call ends.

mod auth;
pub(crate) mod call;
mod program;
mod record;
mod reply;
#[cfg(test)]
mod tests;

pub use auth::{AuthFlavor, AuthSys, Credential, GroupList, MachineName, OpaqueAuth};
pub use call::{CallFault, CallHeader, RemoteCall, encode_call};
pub use program::Program;
pub use record::{MARKER_LENGTH, RecordAssembler, RecordLimits, RecordParser, Want, record_marker};
pub use reply::{AuthStatus, ReplyHeader, ReplyStatus};

/// The version of RPC spoken here.
pub const RPC_VERSION: u32 = 2;
