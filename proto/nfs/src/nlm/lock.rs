//! TEST, LOCK, CANCEL, UNLOCK, GRANTED: arguments and results.

use super::{Cookie, Holder, Lock, LockStatus, Procedure};
use crate::XdrError;
use crate::rpc::call::remote_call;
use crate::xdr::{Decode, Decoder, Encode, Encoder, wire_struct};

wire_struct! {
    /// Arguments of TEST (`nlm4_testargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TestArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// A write lock.
        pub exclusive: bool,
        /// The lock.
        pub lock: Lock<'a>,
    }
}

/// Whether the lock would be granted (`nlm4_testrply`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestReply<'a> {
    /// No: this is who has it.
    Denied(Holder<'a>),
    /// Anything else; never [`LockStatus::Denied`].
    Other(LockStatus),
}

impl Encode for TestReply<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Denied(holder) => {
                LockStatus::Denied.encode(encoder);
                holder.encode(encoder);
            }
            Self::Other(status) => status.encode(encoder),
        }
    }
}

impl<'a> Decode<'a> for TestReply<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        match LockStatus::decode(decoder)? {
            LockStatus::Denied => Holder::decode(decoder).map(Self::Denied),
            status => Ok(Self::Other(status)),
        }
    }
}

wire_struct! {
    /// Result of TEST (`nlm4_testres`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TestResult<'a> {
        /// As in the call.
        pub cookie: Cookie<'a>,
        /// Whether the lock would be granted.
        pub reply: TestReply<'a>,
    }
}

remote_call!(Nlm, Procedure::Test, TestArgs<'_> => TestResult<'reply>);

wire_struct! {
    /// Arguments of LOCK (`nlm4_lockargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LockArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// Wait for it.
        pub block: bool,
        /// A write lock.
        pub exclusive: bool,
        /// The lock.
        pub lock: Lock<'a>,
        /// The client had it before the server's restart.
        pub reclaim: bool,
        /// The client's status monitor's state.
        pub state: i32,
    }
}

wire_struct! {
    /// Result of LOCK, CANCEL, UNLOCK and GRANTED (`nlm4_res`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LockResult<'a> {
        /// As in the call.
        pub cookie: Cookie<'a>,
        /// How it ended.
        pub status: LockStatus,
    }
}

remote_call!(Nlm, Procedure::Lock, LockArgs<'_> => LockResult<'reply>);

wire_struct! {
    /// Arguments of CANCEL (`nlm4_cancargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CancelArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// As in the LOCK.
        pub block: bool,
        /// As in the LOCK.
        pub exclusive: bool,
        /// As in the LOCK.
        pub lock: Lock<'a>,
    }
}

remote_call!(Nlm, Procedure::Cancel, CancelArgs<'_> => LockResult<'reply>);

wire_struct! {
    /// Arguments of UNLOCK (`nlm4_unlockargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UnlockArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// The range to release.
        pub lock: Lock<'a>,
    }
}

remote_call!(Nlm, Procedure::Unlock, UnlockArgs<'_> => LockResult<'reply>);

wire_struct! {
    /// Arguments of GRANTED (`nlm4_testargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct GrantedArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// A write lock.
        pub exclusive: bool,
        /// The lock.
        pub lock: Lock<'a>,
    }
}

remote_call!(Nlm, Procedure::Granted, GrantedArgs<'_> => LockResult<'reply>);
