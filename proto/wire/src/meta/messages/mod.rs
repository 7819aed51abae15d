//! The metadata service's operations and outcomes as messages. Conversions lie in one file per group of
//! operations, as the protobuf files do.

mod administration;
mod cluster;
mod context;
mod files;
mod locks;
mod namespace;
mod sessions;

use bytes::Bytes;
use prost::Message;
use sluice_types::FsError;

use super::{CallContext, Operation, Outcome};
use crate::WireError;
use crate::convert::Field;
use crate::generated::meta::v1 as message;
use message::reply::Result as ResultMessage;
use message::request::Operation as OperationMessage;

macro_rules! each_operation {
    ($($name:ident),* $(,)?) => {
        impl From<Operation> for OperationMessage {
            fn from(operation: Operation) -> Self {
                match operation {
                    $(Operation::$name(operation) => Self::$name(operation.into()),)*
                }
            }
        }

        impl TryFrom<OperationMessage> for Operation {
            type Error = WireError;

            fn try_from(message: OperationMessage) -> Result<Self, WireError> {
                Ok(match message {
                    $(OperationMessage::$name(message) => Self::$name(message.try_into()?),)*
                })
            }
        }

        impl From<Outcome> for ResultMessage {
            fn from(outcome: Outcome) -> Self {
                match outcome {
                    $(Outcome::$name(outcome) => Self::$name(outcome.into()),)*
                }
            }
        }

        fn result_from_message(
            message: ResultMessage,
        ) -> Result<Result<Outcome, FsError>, WireError> {
            Ok(match message {
                ResultMessage::Failure(failure) => Err(Field::from_wire(failure, "failure")?),
                $(ResultMessage::$name(message) => Ok(Outcome::$name(message.try_into()?)),)*
            })
        }
    };
}

each_operation!(
    Lookup,
    GetInode,
    SetInode,
    CheckAccess,
    Create,
    MakeDirectory,
    MakeSymlink,
    MakeNode,
    Link,
    Remove,
    RemoveDirectory,
    Rename,
    ReadSymlink,
    ReadDirectory,
    FileSystemStatus,
    BeginWrite,
    UpdateWritten,
    FinishTrim,
    ListRemovals,
    FinishRemovals,
    ListInodes,
    SetLayout,
    GetMap,
    RegisterTargets,
    OpenSession,
    CheckMetadata,
    FindRemoval,
    ListSessions,
    ListWrites,
    CloseSession,
    AwaitRecalls,
    Lock,
    Unlock,
    TestLock,
    CancelLock,
    Share,
    Unshare,
    FreeLocks,
    ListLocks,
    ClearLocks,
    AwaitLockGrants,
);

pub(super) fn request_to_message(context: CallContext, operation: Operation) -> message::Request {
    message::Request {
        context: Some(context.into()),
        operation: Some(operation.into()),
    }
}

pub(super) fn request_from_message(
    message: message::Request,
) -> Result<(CallContext, Operation), WireError> {
    let context = Field::from_wire(message.context, "context")?;
    let field = "operation";
    let operation = message.operation.ok_or(WireError::Missing { field })?;
    Ok((context, operation.try_into()?))
}

pub(super) fn reply_to_message(result: Result<Outcome, FsError>) -> message::Reply {
    let result = match result {
        Ok(outcome) => outcome.into(),
        Err(error) => ResultMessage::Failure(error.to_wire()),
    };
    message::Reply {
        result: Some(result),
    }
}

pub(super) fn reply_from_message(
    message: message::Reply,
) -> Result<Result<Outcome, FsError>, WireError> {
    let field = "result";
    result_from_message(message.result.ok_or(WireError::Missing { field })?)
}

/// A call of the metadata service as bytes.
pub fn encode_call(context: CallContext, operation: Operation) -> Bytes {
    request_to_message(context, operation)
        .encode_to_vec()
        .into()
}

/// The call in `bytes`; names in it share them.
///
/// # Errors
/// A [`WireError`] for bytes that [`encode_call`] could not have made.
pub fn decode_call(bytes: Bytes) -> Result<(CallContext, Operation), WireError> {
    let message = message::Request::decode(bytes);
    request_from_message(message.map_err(|reason| WireError::malformed("metadata call", &reason))?)
}

/// What came of a call, as bytes: for a wire, or to keep the reply of a call that must not be carried out twice.
pub fn encode_result(result: Result<Outcome, FsError>) -> Bytes {
    reply_to_message(result).encode_to_vec().into()
}

/// The result in `bytes`; names in it share them.
///
/// # Errors
/// A [`WireError`] for bytes that [`encode_result`] could not have made.
pub fn decode_result(bytes: Bytes) -> Result<Result<Outcome, FsError>, WireError> {
    let message = message::Reply::decode(bytes);
    reply_from_message(message.map_err(|reason| WireError::malformed("metadata reply", &reason))?)
}

#[cfg(test)]
mod tests;
