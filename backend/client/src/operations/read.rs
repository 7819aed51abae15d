//! Reads a range of a file.

use futures::{StreamExt, TryStreamExt, stream};
use sluice_types::{ByteRange, ChunkId, FsError, InodeId, Layout, Payload, Piece};
use sluice_wire::storage::{StorageOperation, StorageOutcome};

use crate::Client;
use crate::route::Route;

impl Client {
    /// Reads exactly `range`, its pieces in parallel. What storage does not hold is zeros; the caller knows
    /// where the file ends.
    ///
    /// # Errors
    /// The first piece's error: [`FsError::Unavailable`] if a target is away until the deadline,
    /// [`FsError::Io`] if data does not match its checksum.
    pub async fn read(
        &self,
        inode: InodeId,
        layout: &Layout,
        range: ByteRange,
    ) -> Result<Payload, FsError> {
        let reads = layout
            .pieces(range)
            .map(|piece| self.read_piece(inode, layout, piece));
        let mut pieces = stream::iter(reads).buffered(self.config.pieces_per_call_max.max(1));
        let mut whole = Payload::new();
        while let Some(piece) = pieces.try_next().await? {
            whole.append(piece);
        }
        self.metrics.read_bytes.increment(whole.len() as u64);
        Ok(whole)
    }

    /// All bytes of a piece.
    async fn read_piece(
        &self,
        inode: InodeId,
        layout: &Layout,
        piece: Piece,
    ) -> Result<Payload, FsError> {
        let length = piece.range.length as usize;
        let operation = StorageOperation::Read {
            chunk: ChunkId {
                inode,
                index: piece.chunk,
            },
            range: piece.range,
        };
        let route = Route::ToRead(layout, piece.chunk);
        let answer = self.request(route, operation, Payload::new()).await?;
        let StorageOutcome::Read = answer.outcome else {
            return Err(FsError::Internal);
        };
        let mut payload = answer.payload;
        payload.truncate(length);
        payload.push_zeros(length - payload.len());
        Ok(payload)
    }
}
