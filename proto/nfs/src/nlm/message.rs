//! The asynchronous half: the same arguments and results, sent as calls whose reply is empty.

use super::{
    CancelArgs, GrantedArgs, LockArgs, LockResult, Procedure, TestArgs, TestResult, UnlockArgs,
};
use crate::XdrError;
use crate::xdr::{Decode, Decoder, Encode, Encoder};

/// A `_MSG` or `_RES` call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// TEST_MSG.
    Test(TestArgs<'a>),
    /// LOCK_MSG.
    Lock(LockArgs<'a>),
    /// CANCEL_MSG.
    Cancel(CancelArgs<'a>),
    /// UNLOCK_MSG.
    Unlock(UnlockArgs<'a>),
    /// GRANTED_MSG.
    Granted(GrantedArgs<'a>),
    /// TEST_RES.
    TestResult(TestResult<'a>),
    /// LOCK_RES.
    LockResult(LockResult<'a>),
    /// CANCEL_RES.
    CancelResult(LockResult<'a>),
    /// UNLOCK_RES.
    UnlockResult(LockResult<'a>),
    /// GRANTED_RES.
    GrantedResult(LockResult<'a>),
}

impl<'a> Message<'a> {
    /// Reads the arguments of `procedure`; `None` when it is not one of the asynchronous ones.
    ///
    /// # Errors
    ///
    /// [`XdrError`] when the arguments are not such.
    pub fn decode(
        procedure: Procedure,
        decoder: &mut Decoder<'a>,
    ) -> Result<Option<Self>, XdrError> {
        Ok(Some(match procedure {
            Procedure::TestMsg => Self::Test(Decode::decode(decoder)?),
            Procedure::LockMsg => Self::Lock(Decode::decode(decoder)?),
            Procedure::CancelMsg => Self::Cancel(Decode::decode(decoder)?),
            Procedure::UnlockMsg => Self::Unlock(Decode::decode(decoder)?),
            Procedure::GrantedMsg => Self::Granted(Decode::decode(decoder)?),
            Procedure::TestRes => Self::TestResult(Decode::decode(decoder)?),
            Procedure::LockRes => Self::LockResult(Decode::decode(decoder)?),
            Procedure::CancelRes => Self::CancelResult(Decode::decode(decoder)?),
            Procedure::UnlockRes => Self::UnlockResult(Decode::decode(decoder)?),
            Procedure::GrantedRes => Self::GrantedResult(Decode::decode(decoder)?),
            _ => return Ok(None),
        }))
    }

    /// The procedure that carries it.
    pub const fn procedure(&self) -> Procedure {
        match self {
            Self::Test(_) => Procedure::TestMsg,
            Self::Lock(_) => Procedure::LockMsg,
            Self::Cancel(_) => Procedure::CancelMsg,
            Self::Unlock(_) => Procedure::UnlockMsg,
            Self::Granted(_) => Procedure::GrantedMsg,
            Self::TestResult(_) => Procedure::TestRes,
            Self::LockResult(_) => Procedure::LockRes,
            Self::CancelResult(_) => Procedure::CancelRes,
            Self::UnlockResult(_) => Procedure::UnlockRes,
            Self::GrantedResult(_) => Procedure::GrantedRes,
        }
    }
}

impl Encode for Message<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Test(arguments) => arguments.encode(encoder),
            Self::Lock(arguments) => arguments.encode(encoder),
            Self::Cancel(arguments) => arguments.encode(encoder),
            Self::Unlock(arguments) => arguments.encode(encoder),
            Self::Granted(arguments) => arguments.encode(encoder),
            Self::TestResult(result) => result.encode(encoder),
            Self::LockResult(result)
            | Self::CancelResult(result)
            | Self::UnlockResult(result)
            | Self::GrantedResult(result) => result.encode(encoder),
        }
    }
}
