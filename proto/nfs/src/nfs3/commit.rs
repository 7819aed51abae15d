//! COMMIT (RFC 1813 section 3.3.21).

use super::{Failed, FileHandle, Procedure, WRITE_VERIFIER_LENGTH, WccData};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of COMMIT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CommitArgs {
        /// The file.
        pub file: FileHandle,
        /// First byte to make durable.
        pub offset: u64,
        /// How many bytes; 0 means to the end of the file.
        pub count: u32,
    }
}

wire_struct! {
    /// What COMMIT yields.
    #[derive(Debug, Clone, Copy)]
    pub struct CommitOk {
        /// The file before and after.
        pub wcc: WccData,
        /// The same as the WRITEs got, unless data was lost between.
        pub verifier: [u8; WRITE_VERIFIER_LENGTH],
    }
}

/// Result of COMMIT; a failure carries the file before and after.
pub type CommitResult = Result<CommitOk, Failed<WccData>>;

remote_call!(Nfs, Procedure::Commit, CommitArgs => CommitResult);
