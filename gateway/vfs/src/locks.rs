//! Locks of files: asked of the metadata service, which has them for all gateways.
//!
//! Nothing of them is kept here. A read-only export may lock: readers do, to keep writers out.

use sluice_types::FsError;
use sluice_wire::meta::{
    AwaitLockGrants, CancelLock, FreeLocks, HeldLock, Lock, LockAnswer, LockGrantEnd, LockGrants,
    MetaOperation, Share, TestLock, Unlock, Unshare,
};

use crate::core::Core;
use crate::{Caller, Vfs};

impl Vfs {
    /// Takes a lock.
    ///
    /// # Errors
    /// Those of [`Lock`].
    pub async fn lock(&self, caller: &Caller, lock: Lock) -> Result<LockAnswer, FsError> {
        Ok(self.of_locks(caller, lock).await?.answer)
    }

    /// Releases a range.
    ///
    /// # Errors
    /// Those of [`Unlock`].
    pub async fn unlock(&self, caller: &Caller, unlock: Unlock) -> Result<LockAnswer, FsError> {
        Ok(self.of_locks(caller, unlock).await?.answer)
    }

    /// Who is in the way of a lock.
    ///
    /// # Errors
    /// Those of [`TestLock`].
    pub async fn test_lock(
        &self,
        caller: &Caller,
        test: TestLock,
    ) -> Result<Option<HeldLock>, FsError> {
        Ok(self.of_locks(caller, test).await?.holder)
    }

    /// Gives up waiting for a lock; whether there was something to give up.
    ///
    /// # Errors
    /// Those of [`CancelLock`].
    pub async fn cancel_lock(&self, caller: &Caller, cancel: CancelLock) -> Result<bool, FsError> {
        Ok(self.of_locks(caller, cancel).await?.found)
    }

    /// Takes a share.
    ///
    /// # Errors
    /// Those of [`Share`].
    pub async fn share(&self, caller: &Caller, share: Share) -> Result<LockAnswer, FsError> {
        Ok(self.of_locks(caller, share).await?.answer)
    }

    /// Releases a share.
    ///
    /// # Errors
    /// Those of [`Unshare`].
    pub async fn unshare(&self, caller: &Caller, unshare: Unshare) -> Result<LockAnswer, FsError> {
        Ok(self.of_locks(caller, unshare).await?.answer)
    }

    /// Releases all that a client holds; how many locks and shares that were.
    ///
    /// # Errors
    /// Those of [`FreeLocks`].
    pub async fn free_locks(&self, caller: &Caller, free: FreeLocks) -> Result<u64, FsError> {
        Ok(self.of_locks(caller, free).await?.count)
    }

    /// Says what became of grants, and waits up to a second for others to tell of.
    ///
    /// # Errors
    /// Those of [`AwaitLockGrants`].
    pub async fn await_lock_grants(
        &self,
        caller: &Caller,
        ended: Vec<LockGrantEnd>,
    ) -> Result<LockGrants, FsError> {
        self.of_locks(caller, AwaitLockGrants { ended }).await
    }

    /// Carries out an operation about locks to its end, also when nobody waits for it any more.
    async fn of_locks<O>(&self, caller: &Caller, operation: O) -> Result<O::Outcome, FsError>
    where
        O: MetaOperation + 'static,
        O::Outcome: 'static,
    {
        let core = self.core(caller)?;
        let context = core.as_helper(caller);
        Core::detached(async move { core.ask(&context, operation).await }).await
    }
}
