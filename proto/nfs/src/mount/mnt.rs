//! MNT (RFC 1813 section 5.2.1).

use super::{DirectoryPath, Procedure};
use crate::XdrError;
use crate::nfs3::FileHandle;
use crate::rpc::call::remote_call;
use crate::xdr::{Decode, Decoder, Encode, Encoder, U32Array, wire_enum, wire_struct};

/// Most authentication flavours that an answer may list; the RFC sets no limit.
pub const AUTH_FLAVORS_MAX: usize = 32;

wire_enum! {
    /// How MNT ended (`mountstat3`).
    pub enum MountStatus {
        /// Well.
        Ok = 0 => "ok",
        /// Not owner.
        NotPermitted = 1 => "perm",
        /// No such directory.
        NotFound = 2 => "noent",
        /// I/O error.
        Io = 5 => "io",
        /// Permission denied.
        AccessDenied = 13 => "acces",
        /// Not a directory.
        NotDirectory = 20 => "notdir",
        /// Invalid argument.
        Invalid = 22 => "inval",
        /// Name too long.
        NameTooLong = 63 => "nametoolong",
        /// Not supported.
        NotSupported = 10004 => "notsupp",
        /// The server failed.
        ServerFault = 10006 => "serverfault",
    }
}

wire_struct! {
    /// Arguments of MNT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MountArgs<'a> {
        /// What to mount.
        pub path: DirectoryPath<'a>,
    }
}

wire_struct! {
    /// What MNT yields.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MountOk {
        /// The directory.
        pub handle: FileHandle,
        /// Flavours of authentication that are accepted, best first.
        pub auth_flavors: U32Array<AUTH_FLAVORS_MAX>,
    }
}

/// Result of MNT; a failure's status is never [`MountStatus::Ok`].
pub type MountResult = Result<MountOk, MountStatus>;

impl Encode for MountResult {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Ok(body) => {
                MountStatus::Ok.encode(encoder);
                body.encode(encoder);
            }
            Err(status) => status.encode(encoder),
        }
    }
}

impl<'a> Decode<'a> for MountResult {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        match MountStatus::decode(decoder)? {
            MountStatus::Ok => MountOk::decode(decoder).map(Ok),
            status => Ok(Err(status)),
        }
    }
}

remote_call!(Mount, Procedure::Mnt, MountArgs<'_> => MountResult);
