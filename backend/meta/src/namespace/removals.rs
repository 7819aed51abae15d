//! The queue of removed files whose storage is still to be freed.

use bytes::Bytes;
use parking_lot::Mutex;
use sluice_types::InodeId;
use sluice_wire::meta::Removal;

use super::{Namespace, unknown_key};
use crate::error::MetaError;
use crate::kv::Key;
use crate::records::{InodeRecord, RemovalRecord, decode_number, encode_number, keys};

/// Where the last listing of the queue began.
///
/// A log-structured store steps over every key that was deleted and not yet merged away, and the queue's deleted keys are
/// all at its front: with millions of files removed, each listing from the very start would take longer than the
/// one before. It is no more than a hint: keys are made from time stamps taken before the commit, so some
/// may come to lie before it, and they are found when the listing ends short of the count.
#[derive(Debug, Default)]
pub struct RemovalsFront(Mutex<Option<Key>>);

impl Namespace<'_> {
    /// Queues a removed file, whose `changed` time is that of its removal.
    pub(super) fn queue_removal(&mut self, record: &InodeRecord) {
        let id = record.node.id;
        let changed = record.node.attributes.changed;
        let seconds = u64::try_from(changed.seconds()).unwrap_or(0);
        let queued_at = seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(changed.nanoseconds()));
        let removal = RemovalRecord {
            layout: record.node.layout,
        };
        self.transaction
            .put(keys::removal(queued_at, id), removal.encode());
        self.transaction
            .put(keys::removal_of(id), encode_number(queued_at));
        self.transaction.add(keys::removal_count(), 1);
    }

    /// The oldest `limit` removals, but for a few that were queued at the same moment and committed later.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn removals(
        &mut self,
        limit: usize,
        front: &RemovalsFront,
    ) -> Result<Vec<Removal>, MetaError> {
        let count = self.counter(&keys::removal_count()).await?;
        let limit = limit.min(usize::try_from(count).unwrap_or(usize::MAX));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut range = keys::removals();
        let all = range.start.clone();
        if let Some(from) = front.0.lock().clone() {
            range.start = from;
        }
        let mut pairs = self.transaction.range(&range, limit).await?;
        if pairs.len() < limit && range.start != all {
            range.start = all;
            pairs = self.transaction.range(&range, limit).await?;
        }
        if let Some((first, _)) = pairs.first() {
            *front.0.lock() = Some(first.clone());
        }
        decode(pairs)
    }

    /// Up to `limit` removals queued after that of `after`; `None` if that one is not queued any more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn removals_after(
        &mut self,
        after: InodeId,
        limit: usize,
    ) -> Result<Option<Vec<Removal>>, MetaError> {
        let Some(queued_at) = self.transaction.get(&keys::removal_of(after)).await? else {
            return Ok(None);
        };
        let queued_at = decode_number("removal", &queued_at)?;
        let mut range = keys::removals();
        range.start = keys::removal(queued_at, after).successor();
        decode(self.transaction.range(&range, limit).await?).map(Some)
    }

    /// Up to `limit` removals after the key `after`, with their keys.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn all_removals(
        &mut self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, InodeId)>, MetaError> {
        let mut range = keys::removals();
        if let Some(after) = after {
            range.start = after.clone().successor();
        }
        let pairs = self.transaction.range(&range, limit).await?;
        let parsed = pairs.into_iter().map(|(key, _)| {
            let inode = keys::parse_removal(&key).ok_or_else(|| unknown_key("removal", &key))?;
            Ok((key, inode))
        });
        parsed.collect()
    }

    /// Whether a removed inode's storage is still to be freed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_removal_queued(&mut self, inode: InodeId) -> Result<bool, MetaError> {
        let queued_at = self.transaction.get(&keys::removal_of(inode)).await?;
        Ok(queued_at.is_some())
    }

    /// Takes a removal off the queue, if it is there.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn finish_removal(&mut self, inode: InodeId) -> Result<(), MetaError> {
        let of_inode = keys::removal_of(inode);
        let Some(queued_at) = self.transaction.get(&of_inode).await? else {
            return Ok(());
        };
        let queued_at = decode_number("removal", &queued_at)?;
        self.transaction.delete(keys::removal(queued_at, inode));
        self.transaction.delete(of_inode);
        self.transaction.add(keys::removal_count(), -1);
        Ok(())
    }
}

fn decode(pairs: Vec<(Key, Bytes)>) -> Result<Vec<Removal>, MetaError> {
    let decoded = pairs.into_iter().map(|(key, value)| {
        let inode = keys::parse_removal(&key).ok_or_else(|| unknown_key("removal", &key))?;
        let layout = RemovalRecord::decode(&value)?.layout;
        Ok(Removal { inode, layout })
    });
    decoded.collect()
}
