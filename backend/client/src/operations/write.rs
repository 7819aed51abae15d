//! Writes to a file.

use futures::{StreamExt, stream};
use sluice_types::{
    BootId, ByteRange, ChunkId, FsError, InodeId, Layout, Payload, Piece, Stability, TargetId,
    WriteVerifier,
};
use sluice_wire::storage::{StorageOperation, StorageOutcome};

use crate::Client;
use crate::route::Route;

/// A write that storage took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReceipt {
    /// The targets that got some of it, ascending, each once.
    pub targets: Vec<TargetId>,
    /// The verifier of the file's targets, with the boots in which they took this write.
    pub verifier: WriteVerifier,
}

impl Client {
    /// Writes all of `payload` at `offset`, its pieces in parallel. After an error any part of it may have been
    /// written; no part is under way any more, unless the error is [`FsError::Unavailable`].
    ///
    /// # Errors
    /// The first piece's error: [`FsError::NoSpace`], [`FsError::Io`], [`FsError::SessionLapsed`], or
    /// [`FsError::Unavailable`] if a target is away until the deadline; [`FsError::FileTooLarge`] beyond the
    /// largest file.
    pub async fn write(
        &self,
        inode: InodeId,
        layout: &Layout,
        offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Result<WriteReceipt, FsError> {
        let range = ByteRange::new(offset, payload.len() as u64)?;
        let writes = layout.pieces(range).map(|piece| {
            let part = payload.slice(piece.offset_in_range, piece.range.length as usize);
            self.write_piece(inode, layout, piece, part, stability)
        });
        let pieces = stream::iter(writes).buffered(self.config.pieces_per_call_max.max(1));
        // All are waited for, so that none is still under way when an error is returned.
        let results: Vec<Result<_, FsError>> = pieces.collect().await;
        let own = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.metrics.written_bytes.increment(payload.len() as u64);
        let mut targets: Vec<TargetId> = own.iter().map(|(target, _)| *target).collect();
        targets.sort_unstable();
        targets.dedup();
        Ok(WriteReceipt {
            targets,
            verifier: self.verifier_after(layout, &own).await?,
        })
    }

    async fn write_piece(
        &self,
        inode: InodeId,
        layout: &Layout,
        piece: Piece,
        payload: Payload,
        stability: Stability,
    ) -> Result<(TargetId, BootId), FsError> {
        let operation = StorageOperation::Write {
            chunk: ChunkId {
                inode,
                index: piece.chunk,
            },
            range: piece.range,
            stability,
        };
        let route = Route::ToWrite(layout, piece.chunk);
        let answer = self.request(route, operation, payload).await?;
        match answer.outcome {
            StorageOutcome::Written => Ok((answer.target, answer.boot)),
            _ => Err(FsError::Internal),
        }
    }
}
