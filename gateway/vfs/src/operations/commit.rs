//! Making a file's unstable data durable.
//!
//! The targets asked are those that this gateway wrote to since the last commit. That is all of them: a file that another
//! session may have written to was settled, and so committed everywhere, before this gateway wrote to it or
//! commits it. The range that the client names is not looked at: committing more than asked is allowed
//! (RFC 1813 3.3.21), and storage commits whole files.

use sluice_types::{FsError, Inode, InodeId, WccAttributes, WriteVerifier};

use crate::Caller;
use crate::core::Core;
use crate::nodes::check_may_write;

/// A commit that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitDone {
    /// If it differs from that of a write, the write's unstable data may be lost.
    pub verifier: WriteVerifier,
    /// The file before. A commit changes nothing that this shows, so it is what `after` shows.
    pub before: WccAttributes,
    /// The file after.
    pub after: Inode,
}

impl Core {
    pub(crate) async fn commit(
        &self,
        caller: &Caller,
        inode: InodeId,
        _offset: u64,
        _length: u32,
    ) -> Result<CommitDone, FsError> {
        caller.may_change()?;
        let ready = self.ready_file(inode).await?;
        check_may_write(&ready.node, caller)?;
        let file = &ready.file;
        let layout = ready.node.layout;
        let state = file.with_session(|session| (session.sequence(), session.commit_scope()));
        let verifier = match &state {
            Some((sequence, Some(scope))) => {
                let receipt = self.backend.commit(inode, &layout, scope.clone()).await?;
                file.with_session(|session| session.committed(*sequence, &receipt));
                receipt.verifier
            }
            _ => self.backend.verifier(&layout).await?,
        };
        if let Some((sequence, _)) = state {
            self.report(file, sequence).await?;
        }
        let after = file.node().unwrap_or(ready.node);
        Ok(CommitDone {
            verifier,
            // Not what it was when the commit began: another client's write may have come since, and whoever was told of
            // it as the commit's own change would keep what it cached of the file.
            before: after.attributes.wcc(),
            after,
        })
    }
}
