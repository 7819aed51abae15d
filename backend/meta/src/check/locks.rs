//! Whether locks belong to files that are there, and are noted with their clients.

use super::{Check, PAGE};
use crate::error::MetaError;

impl Check<'_> {
    pub(super) async fn locks_belong_to_files(&mut self) -> Result<(), MetaError> {
        let mut after = None;
        loop {
            let page = self.namespace().locks_after(None, after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return self.clients_have_locks().await;
            };
            after = Some(*last);
            for (place, lock) in page {
                let (inode, client) = (place.inode, &lock.owner.client);
                if self.namespace().find_inode(inode).await?.is_none() {
                    self.problem(format!("a lock is left of inode {inode}"));
                }
                if !self.namespace().is_client_noted(client, inode).await? {
                    self.problem(format!(
                        "a lock of inode {inode} is not noted of its client"
                    ));
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn clients_have_locks(&mut self) -> Result<(), MetaError> {
        let mut after = None;
        loop {
            let page = self.namespace().client_locks_after(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            for (client, inode) in page {
                let mut namespace = self.namespace();
                let locks = namespace.locks_of(inode).await?;
                let is_its = |lock: &crate::records::LockRecord| {
                    namespace.hash_of(&lock.owner.client) == client
                };
                if !locks.iter().any(|(_, lock)| is_its(lock)) {
                    self.problem(format!(
                        "a client is noted with inode {inode}, and has no lock"
                    ));
                }
            }
            tokio::task::yield_now().await;
        }
    }
}
