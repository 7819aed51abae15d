//! Takes a lock of a range.

use sluice_types::FsError;
use sluice_wire::meta::{CallContext, Lock, LockAnswer, LockWait, Locked};

use super::{MetaService, check_lockable};
use crate::error::MetaError;
use crate::file_locks::{LOCKS_PER_FILE_MAX, LockTable, NOTE_BYTES_MAX, Waiter, check_owner};

impl MetaService {
    pub(super) async fn lock(
        &self,
        context: &CallContext,
        lock: &Lock,
    ) -> Result<Locked, MetaError> {
        check_owner(&lock.lock.owner)?;
        if lock.note.len() > NOTE_BYTES_MAX {
            return Err(FsError::Invalid.into());
        }
        let file = self.hold_file(lock.inode).await?;
        let is_full = self.file_locks.is_full(&lock.lock.owner.client);
        let decide = |table: &mut LockTable, record: Option<&_>| {
            check_lockable(record, &context.credentials)?;
            Ok(decide(table, lock, is_full))
        };
        let (decided, point) = self.change_locks(&file, decide).await?;
        let answer = decided.map(|answer| self.queue(context, lock, answer));
        drop(file);
        self.until_durable(point).await?;
        let answer = answer?;
        if answer != LockAnswer::Granted {
            self.file_locks.denied();
        }
        Ok(Locked { answer })
    }

    /// Queues who has to wait; who has the lock waits for it no more, and need not be told.
    fn queue(&self, context: &CallContext, lock: &Lock, answer: LockAnswer) -> LockAnswer {
        let (inode, wanted) = (lock.inode, &lock.lock);
        self.file_locks.waiting(|waiting| match answer {
            LockAnswer::Granted => {
                waiting.forget(inode, wanted);
                waiting.taken(inode, wanted);
                answer
            }
            LockAnswer::Waiting => {
                let waiter = Waiter {
                    lock: wanted.clone(),
                    client_state: lock.client_state,
                    session: context.session,
                    note: lock.note.clone(),
                    polling: lock.wait == LockWait::Polling,
                    asked_at: self.clock.monotonic(),
                };
                match waiting.ask(inode, waiter) {
                    true => answer,
                    false => LockAnswer::TooMany,
                }
            }
            LockAnswer::Denied | LockAnswer::TooMany => answer,
        })
    }
}

fn decide(table: &mut LockTable, lock: &Lock, is_full: bool) -> LockAnswer {
    let wanted = &lock.lock;
    if table.holds(wanted, lock.client_state) {
        return LockAnswer::Granted;
    }
    if table.conflict(wanted).is_some() {
        return match lock.wait {
            LockWait::No => LockAnswer::Denied,
            LockWait::Called | LockWait::Polling => LockAnswer::Waiting,
        };
    }
    let before = table.len();
    table.lock(wanted, lock.client_state);
    if table.len() > before && (is_full || table.len() > LOCKS_PER_FILE_MAX) {
        table.give_up();
        return LockAnswer::TooMany;
    }
    LockAnswer::Granted
}
