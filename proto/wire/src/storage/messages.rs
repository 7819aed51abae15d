//! Headers of the data plane as messages.

use bytes::{Buf, BufMut};
use prost::Message;
use sluice_types::{ChunkId, ChunkIndex, ChunkRange, ChunkSize, FsError, Stability};

use super::{
    ChunkStatus, FileStatus, ScrubStep, StorageOperation, StorageOutcome, StorageReply,
    StorageRequest, TargetStatus,
};
use crate::WireError;
use crate::convert::{Field, enumeration, message, message_field};
use crate::generated::storage::v1 as message;
use message::storage_reply::Result as ResultMessage;
use message::storage_request::Operation as OperationMessage;

enumeration!(Stability = message::Stability, "a stability" { Unstable, DataSync, FileSync });

message!(ChunkId = message::ChunkId { inode, index });
message!(
    FileStatus = message::FileStatus {
        end,
        allocated_bytes
    }
);
message!(
    ChunkStatus = message::ChunkStatus {
        chunk,
        length,
        version,
        allocated_bytes
    }
);
message!(
    TargetStatus = message::TargetStatus {
        capacity_bytes,
        used_bytes,
        chunks,
        unstable_bytes,
        device_errors,
        checksum_errors,
        failed,
    }
);
message!(
    ScrubStep = message::ScrubStep {
        checked_bytes,
        damaged,
        next
    }
);

impl From<ChunkRange> for message::ChunkRange {
    fn from(range: ChunkRange) -> Self {
        Self {
            start: range.start,
            length: range.length,
        }
    }
}

impl TryFrom<message::ChunkRange> for ChunkRange {
    type Error = WireError;

    fn try_from(message: message::ChunkRange) -> Result<Self, WireError> {
        let (start, length) = (message.start, message.length);
        match start.checked_add(length) {
            Some(end) if end <= ChunkSize::MAX_BYTES => Ok(Self { start, length }),
            _ => {
                let found = format!("{length} bytes from {start}");
                Err(WireError::invalid(
                    "range",
                    "within the largest chunk",
                    found,
                ))
            }
        }
    }
}

message_field!(ChunkRange = message::ChunkRange);

impl Field<Option<message::ChunkEnd>> for Option<(ChunkIndex, u32)> {
    fn to_wire(self) -> Option<message::ChunkEnd> {
        self.map(|(chunk, length)| message::ChunkEnd {
            chunk: chunk.raw(),
            length,
        })
    }

    fn from_wire(wire: Option<message::ChunkEnd>, _field: &'static str) -> Result<Self, WireError> {
        Ok(wire.map(|end| (ChunkIndex::new(end.chunk), end.length)))
    }
}

impl From<StorageOperation> for OperationMessage {
    fn from(operation: StorageOperation) -> Self {
        match operation {
            StorageOperation::Write {
                chunk,
                range,
                stability,
            } => Self::Write(message::Write {
                chunk: chunk.to_wire(),
                range: range.to_wire(),
                stability: stability.to_wire(),
            }),
            StorageOperation::Read { chunk, range } => Self::Read(message::Read {
                chunk: chunk.to_wire(),
                range: range.to_wire(),
            }),
            StorageOperation::Commit { inode } => Self::Commit(message::Commit {
                inode: inode.to_wire(),
            }),
            StorageOperation::Truncate {
                inode,
                chunk,
                length,
            } => Self::Truncate(message::Truncate {
                inode: inode.to_wire(),
                chunk: chunk.to_wire(),
                length,
            }),
            StorageOperation::Remove { inode } => Self::Remove(message::Remove {
                inode: inode.to_wire(),
            }),
            StorageOperation::FileStatus { inode } => Self::FileStatus(message::AskFileStatus {
                inode: inode.to_wire(),
            }),
            StorageOperation::List { after, limit } => Self::List(message::AskList {
                after: after.to_wire(),
                limit,
            }),
            StorageOperation::TargetStatus => Self::TargetStatus(message::AskTargetStatus {}),
            StorageOperation::Scrub {
                after,
                budget_bytes,
            } => Self::Scrub(message::AskScrub {
                after: after.to_wire(),
                budget_bytes,
            }),
            StorageOperation::Check => Self::Check(message::AskCheck {}),
        }
    }
}

impl TryFrom<OperationMessage> for StorageOperation {
    type Error = WireError;

    fn try_from(message: OperationMessage) -> Result<Self, WireError> {
        Ok(match message {
            OperationMessage::Write(write) => Self::Write {
                chunk: Field::from_wire(write.chunk, "chunk")?,
                range: Field::from_wire(write.range, "range")?,
                stability: Field::from_wire(write.stability, "stability")?,
            },
            OperationMessage::Read(read) => Self::Read {
                chunk: Field::from_wire(read.chunk, "chunk")?,
                range: Field::from_wire(read.range, "range")?,
            },
            OperationMessage::Commit(commit) => Self::Commit {
                inode: Field::from_wire(commit.inode, "inode")?,
            },
            OperationMessage::Truncate(truncate) => Self::Truncate {
                inode: Field::from_wire(truncate.inode, "inode")?,
                chunk: Field::from_wire(truncate.chunk, "chunk")?,
                length: truncate.length,
            },
            OperationMessage::Remove(remove) => Self::Remove {
                inode: Field::from_wire(remove.inode, "inode")?,
            },
            OperationMessage::FileStatus(ask) => Self::FileStatus {
                inode: Field::from_wire(ask.inode, "inode")?,
            },
            OperationMessage::List(ask) => Self::List {
                after: Field::from_wire(ask.after, "after")?,
                limit: ask.limit,
            },
            OperationMessage::TargetStatus(_) => Self::TargetStatus,
            OperationMessage::Scrub(ask) => Self::Scrub {
                after: Field::from_wire(ask.after, "after")?,
                budget_bytes: ask.budget_bytes,
            },
            OperationMessage::Check(_) => Self::Check,
        })
    }
}

impl From<Result<StorageOutcome, FsError>> for ResultMessage {
    fn from(result: Result<StorageOutcome, FsError>) -> Self {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => return Self::Failure(error.to_wire()),
        };
        match outcome {
            StorageOutcome::Written => Self::Written(message::Written {}),
            StorageOutcome::Read => Self::Read(message::ReadDone {}),
            StorageOutcome::Committed(status) => Self::Committed(status.into()),
            StorageOutcome::Truncated => Self::Truncated(message::Truncated {}),
            StorageOutcome::Removed => Self::Removed(message::Removed {}),
            StorageOutcome::FileStatus(status) => Self::FileStatus(status.into()),
            StorageOutcome::List { chunks, end } => Self::List(message::List {
                chunks: chunks.to_wire(),
                end,
            }),
            StorageOutcome::TargetStatus(status) => Self::TargetStatus(status.into()),
            StorageOutcome::Scrub(step) => Self::Scrub(step.into()),
            StorageOutcome::Check(problems) => Self::Check(message::Check { problems }),
        }
    }
}

fn result_from_message(
    message: ResultMessage,
) -> Result<Result<StorageOutcome, FsError>, WireError> {
    Ok(Ok(match message {
        ResultMessage::Failure(failure) => {
            return Ok(Err(Field::from_wire(failure, "failure")?));
        }
        ResultMessage::Written(_) => StorageOutcome::Written,
        ResultMessage::Read(_) => StorageOutcome::Read,
        ResultMessage::Committed(status) => StorageOutcome::Committed(status.try_into()?),
        ResultMessage::Truncated(_) => StorageOutcome::Truncated,
        ResultMessage::Removed(_) => StorageOutcome::Removed,
        ResultMessage::FileStatus(status) => StorageOutcome::FileStatus(status.try_into()?),
        ResultMessage::List(list) => StorageOutcome::List {
            chunks: Field::from_wire(list.chunks, "chunks")?,
            end: list.end,
        },
        ResultMessage::TargetStatus(status) => StorageOutcome::TargetStatus(status.try_into()?),
        ResultMessage::Scrub(step) => StorageOutcome::Scrub(step.try_into()?),
        ResultMessage::Check(check) => StorageOutcome::Check(check.problems),
    }))
}

/// Appends the header of a request to `buffer`, which must grow as needed (as `Vec` and `BytesMut` do).
pub fn encode_request(request: &StorageRequest, buffer: &mut impl BufMut) {
    let message = message::StorageRequest {
        target: request.target.to_wire(),
        map_version: request.map_version.to_wire(),
        session: request.session.to_wire(),
        fence_epoch: request.fence_epoch.to_wire(),
        operation: Some(request.operation.clone().into()),
    };
    append(&message, buffer);
}

/// The header of a request that is all of `buffer`.
///
/// # Errors
/// A [`WireError`] for bytes that [`encode_request`] could not have made.
pub fn decode_request(buffer: impl Buf) -> Result<StorageRequest, WireError> {
    let message = message::StorageRequest::decode(buffer)
        .map_err(|reason| WireError::malformed("storage request", &reason))?;
    let field = "operation";
    let operation = message.operation.ok_or(WireError::Missing { field })?;
    Ok(StorageRequest {
        target: Field::from_wire(message.target, "target")?,
        map_version: Field::from_wire(message.map_version, "map_version")?,
        session: Field::from_wire(message.session, "session")?,
        fence_epoch: Field::from_wire(message.fence_epoch, "fence_epoch")?,
        operation: operation.try_into()?,
    })
}

/// Appends the header of a reply to `buffer`, which must grow as needed (as `Vec` and `BytesMut` do).
pub fn encode_reply(reply: &StorageReply, buffer: &mut impl BufMut) {
    let message = message::StorageReply {
        boot: reply.boot.to_wire(),
        result: Some(reply.result.clone().into()),
    };
    append(&message, buffer);
}

/// The header of a reply that is all of `buffer`.
///
/// # Errors
/// A [`WireError`] for bytes that [`encode_reply`] could not have made.
pub fn decode_reply(buffer: impl Buf) -> Result<StorageReply, WireError> {
    let message = message::StorageReply::decode(buffer)
        .map_err(|reason| WireError::malformed("storage reply", &reason))?;
    let field = "result";
    Ok(StorageReply {
        boot: Field::from_wire(message.boot, "boot")?,
        result: result_from_message(message.result.ok_or(WireError::Missing { field })?)?,
    })
}

fn append(message: &impl Message, buffer: &mut impl BufMut) {
    // Encoding fails only in a buffer too small, and this one grows.
    let encoded = message.encode(buffer);
    debug_assert!(encoded.is_ok(), "the buffer does not grow");
}

#[cfg(test)]
mod tests;
