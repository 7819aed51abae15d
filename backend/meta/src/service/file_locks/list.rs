//! Lists locks, page by page.

use sluice_types::Access;
use sluice_wire::meta::{ListLocks, LockList, LockOwner, LockPlace, LockStatus};

use super::MetaService;
use crate::error::MetaError;
use crate::file_locks::Waiter;
use crate::kv::Isolation;
use crate::namespace::{Namespace, is_same_name};
use crate::records::{Held, LockRecord};

/// At most so many in one reply that are held, and as many that are waited for: 12 MiB with the longest names.
const PAGE_MAX: u32 = 4096;

impl MetaService {
    pub(super) async fn list_locks(&self, list: &ListLocks) -> Result<LockList, MetaError> {
        let limit = list.limit.clamp(1, PAGE_MAX) as usize;
        let is_wanted = |owner: &LockOwner| {
            let named = list.client.as_ref();
            named.is_none_or(|named| is_same_name(named, &owner.client.name))
        };
        let mut after = list.after;
        loop {
            let mut namespace = Namespace::begin(&*self.engine, Isolation::Latest, &self.names);
            let page = namespace.locks_after(list.inode, after, limit).await?;
            self.until_durable(namespace.commit().await?).await?;
            let end = page.len() < limit;
            after = page.last().map(|(place, _)| *place);
            let wanted = page.into_iter().filter(|(_, lock)| is_wanted(&lock.owner));
            let mut locks: Vec<_> = wanted.map(|(place, lock)| held(place, lock)).collect();
            // An empty page could not say where the next one begins.
            if locks.is_empty() && !end {
                continue;
            }
            if end {
                let wanted = |waiter: &Waiter| is_wanted(&waiter.lock.owner);
                locks.extend(self.list_waiters(list, wanted));
            }
            return Ok(LockList { locks, end });
        }
    }

    fn list_waiters(
        &self,
        list: &ListLocks,
        is_wanted: impl Fn(&Waiter) -> bool,
    ) -> Vec<LockStatus> {
        let mut waiters = self.file_locks.waiting(|waiting| {
            let all = waiting.waiters();
            let of_file = all.filter(|(inode, ..)| list.inode.is_none_or(|of| of == *inode));
            let wanted = of_file.filter(|(.., waiter)| is_wanted(waiter));
            let shown = wanted.map(|(inode, number, waiter)| LockStatus {
                place: LockPlace { inode, number },
                owner: waiter.lock.owner.clone(),
                range: Some(waiter.lock.range),
                exclusive: waiter.lock.exclusive,
                access: Access::NONE,
                deny: Access::NONE,
                waiting: true,
            });
            shown.collect::<Vec<_>>()
        });
        waiters.sort_unstable_by_key(|waiter| waiter.place);
        waiters.truncate(PAGE_MAX as usize);
        waiters
    }
}

fn held(place: LockPlace, lock: LockRecord) -> LockStatus {
    let none = Access::NONE;
    let (range, exclusive, access, deny) = match lock.held {
        Held::Range { range, exclusive } => (Some(range), exclusive, none, none),
        Held::Share { access, deny } => (None, false, access, deny),
    };
    LockStatus {
        place,
        owner: lock.owner,
        range,
        exclusive,
        access,
        deny,
        waiting: false,
    }
}
