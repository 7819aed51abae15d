//! What each procedure does: one file per procedure of NFS, MOUNT and NLM, one per program of the rest.

pub(crate) mod mount;
pub(crate) mod nfs3;
pub(crate) mod nlm;
pub(crate) mod nsm;
pub(crate) mod portmap;

use sluice_proto_nfs::XdrError;
use sluice_proto_nfs::rpc::ReplyStatus;

/// What undecodable arguments are answered with.
const fn garbage(_error: XdrError) -> ReplyStatus {
    ReplyStatus::GarbageArguments
}
