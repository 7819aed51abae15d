//! Tells gateways of locks that were waited for, and takes back what nobody took.

use std::time::Duration;

use sluice_wire::meta::{AwaitLockGrants, CallContext, LockGrants};

use super::MetaService;
use crate::error::MetaError;
use crate::file_locks::{Grant, LockTable};

/// How long a call waits for grants.
const PATIENCE: Duration = Duration::from_secs(1);

impl MetaService {
    pub(super) async fn await_lock_grants(
        &self,
        context: &CallContext,
        operation: &AwaitLockGrants,
    ) -> Result<LockGrants, MetaError> {
        let mut missed = Vec::new();
        for end in &operation.ended {
            let goes_back = self.file_locks.waiting(|waiting| match end.accepted {
                true => {
                    waiting.end(end.grant);
                    false
                }
                false => waiting.is_refused(end.grant),
            });
            if goes_back && self.take_back(end.grant).await? {
                self.file_locks.missed();
                missed.push(end.grant);
            }
        }
        let now = self.clock.monotonic();
        for grant in self.file_locks.waiting(|waiting| waiting.overdue(now)) {
            if self.take_back(grant).await? {
                self.file_locks.missed();
            }
        }
        let patience = if missed.is_empty() {
            PATIENCE
        } else {
            Duration::ZERO
        };
        let session = context.session;
        let clock = || self.clock.monotonic();
        let fetched = self.file_locks.await_grants(session, clock, patience).await;
        let mut grants = Vec::with_capacity(fetched.len());
        for (grant, point) in fetched {
            self.until_durable(point).await?;
            grants.push(grant);
        }
        Ok(LockGrants { grants, missed })
    }

    /// Takes a grant back: its owner has again what it had before. `false` if the grant is over already.
    pub(super) async fn take_back(&self, number: u64) -> Result<bool, MetaError> {
        let file = self
            .file_locks
            .waiting(|waiting| waiting.file_of_grant(number));
        let Some(inode) = file else {
            return Ok(false);
        };
        let file = self.hold_file(inode).await?;
        let Some(grant) = self.file_locks.waiting(|waiting| waiting.end(number)) else {
            return Ok(false);
        };
        let decide = |table: &mut LockTable, _: Option<&_>| {
            restore(table, &grant);
            Ok(())
        };
        let (restored, point) = self.change_locks(&file, decide).await?;
        drop(file);
        self.until_durable(point).await?;
        restored?;
        Ok(true)
    }
}

fn restore(table: &mut LockTable, grant: &Grant) {
    let lock = &grant.waiter.lock;
    table.unlock(&lock.owner, lock.range);
    for own in &grant.before {
        let mut before = lock.clone();
        before.range = own.range;
        // Others may have come to share what it had alone.
        before.exclusive = own.exclusive && lock.exclusive;
        table.lock(&before, own.client_state);
    }
}
