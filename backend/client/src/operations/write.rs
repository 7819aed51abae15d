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

/// How many times its own size the payload may be that a part keeps in memory, wherever it waits; a smaller part is
/// copied.
const KEPT_FACTOR_MAX: usize = 4;

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
            let part = part_of(&payload, &piece);
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

/// The bytes of a piece. A small part of a large call is copied: one buffer often holds the whole call, and the target that
/// gets the small part may keep it for long after the others are done.
fn part_of(payload: &Payload, piece: &Piece) -> Payload {
    let part = payload.slice(piece.offset_in_range, piece.range.length as usize);
    if part.len() * KEPT_FACTOR_MAX >= payload.len() {
        return part;
    }
    let mut copy = vec![0; part.len()];
    part.copy_to(&mut copy);
    copy.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use bytes::Bytes;

    /// A network buffer that tells when it is given back.
    #[derive(Debug)]
    struct Received {
        bytes: Vec<u8>,
        _alive: Arc<()>,
    }

    impl AsRef<[u8]> for Received {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    #[test]
    fn a_small_part_does_not_keep_the_buffer_of_the_whole_call() {
        const BYTES: usize = 1 << 20;
        let alive = Arc::new(());
        let received = Received {
            bytes: (0..BYTES).map(|at| at as u8 ^ (at >> 8) as u8).collect(),
            _alive: Arc::clone(&alive),
        };
        let payload = Payload::from(Bytes::from_owner(received));
        let chunk_bytes = u64::from(Layout::DEFAULT.chunk_size.bytes());
        let range = ByteRange::new(chunk_bytes - 50_000, BYTES as u64).expect("range");
        let mut parts: Vec<Payload> = Layout::DEFAULT
            .pieces(range)
            .map(|piece| part_of(&payload, &piece))
            .collect();
        assert_eq!(parts[0].len(), 50_000);
        assert_eq!(parts[0], payload.slice(0, 50_000));
        assert_eq!(parts[1], payload.slice(50_000, BYTES));
        drop(payload);
        assert_eq!(Arc::strong_count(&alive), 2, "the large part is not copied");
        parts.truncate(1);
        assert_eq!(Arc::strong_count(&alive), 1, "the small part is");
    }
}
