//! Writing to a file.
//!
//! The data goes to storage first; only then the file's size and times change, here and, for a synchronous write, at the
//! metadata service, before the reply. So after a crash no size covers data that is not there, and no one sees new times
//! with old data. Writes to one file share its guard and run in parallel.

use sluice_types::{
    ByteRange, FsError, Inode, InodeId, Payload, Stability, WccAttributes, WriteVerifier,
};

use crate::Caller;
use crate::core::Core;
use crate::file_state::{Applied, Written};
use crate::nodes::{Ready, check_may_write};

/// A write that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteDone {
    /// Bytes written: all.
    pub written: u32,
    /// The stability reached, at least that asked for.
    pub stability: Stability,
    /// To be compared with that of the commit.
    pub verifier: WriteVerifier,
    /// The file before.
    pub before: WccAttributes,
    /// The file after.
    pub after: Inode,
}

impl Core {
    pub(crate) async fn write(
        &self,
        caller: &Caller,
        inode: InodeId,
        offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Result<WriteDone, FsError> {
        caller.may_change()?;
        let written = u32::try_from(payload.len()).map_err(|_| FsError::Invalid)?;
        let range = ByteRange::new(offset, u64::from(written))?;
        let ready = self.ready_file(inode).await?;
        check_may_write(&ready.node, caller)?;
        if range.is_empty() {
            return self.write_nothing(ready, stability).await;
        }
        self.ensure_session(&ready.file, caller).await?;
        let layout = ready.node.layout;
        let sent = self
            .backend
            .write(inode, &layout, offset, payload, stability)
            .await;
        let at = self.clock.monotonic();
        let receipt = match sent {
            Ok(receipt) => receipt,
            Err(error) => {
                let note = |session: &mut crate::file_state::WriteSession| {
                    session.note_failure(range.end(), at);
                };
                ready.file.with_session(note);
                return Err(error);
            }
        };
        let applied = ready.file.with_session(|session| {
            session.apply(&Written {
                offset,
                length: range.length(),
                stability,
                receipt: &receipt,
                now: self.clock.now(),
                at,
            })
        });
        // The session cannot end while the guard is held.
        let applied = applied.ok_or(FsError::Internal)?;
        self.metrics.written_bytes.increment(range.length());
        self.report_written(&ready, &applied, stability).await?;
        Ok(WriteDone {
            written,
            stability,
            verifier: receipt.verifier,
            // Both of the moment when the write was applied: another one may have come since, and would else seem to be
            // part of this one.
            before: applied.before,
            after: applied.after,
        })
    }

    /// Tells the metadata service what a reply of this stability promises to be durable.
    async fn report_written(
        &self,
        ready: &Ready,
        applied: &Applied,
        stability: Stability,
    ) -> Result<(), FsError> {
        let needed = match stability {
            Stability::Unstable => false,
            // What is needed to read the data back: the size, if it grew.
            Stability::DataSync => !applied.size_recorded,
            Stability::FileSync => true,
        };
        match needed {
            true => self.report(&ready.file, applied.sequence).await,
            false => Ok(()),
        }
    }

    /// RFC 1813 3.3.7: a count of 0 succeeds and changes nothing.
    async fn write_nothing(
        &self,
        ready: Ready,
        stability: Stability,
    ) -> Result<WriteDone, FsError> {
        Ok(WriteDone {
            written: 0,
            stability,
            verifier: self.backend.verifier(&ready.node.layout).await?,
            before: ready.node.attributes.wcc(),
            after: ready.node,
        })
    }
}
