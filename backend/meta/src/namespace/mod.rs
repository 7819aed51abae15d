//! The file system's tree as typed records over one key-value transaction.
//!
//! [`Namespace`] knows how inodes, entries and the removal queue are stored; it knows no rules of
//! POSIX, which are in [`crate::operations`].

mod entries;
mod locks;
mod name_hash;
mod removals;

use bytes::Bytes;
use sluice_types::{FileKind, FsError, InodeId, SessionId};
use smallvec::SmallVec;

pub use entries::Found;
pub use locks::is_same_name;
pub use name_hash::NameHash;
pub use removals::RemovalsFront;

use crate::error::MetaError;
use crate::kv::{self, CommitPoint, Engine, Isolation, Key};
use crate::records::{CallHash, InodeRecord, ReplyRecord, keys};

/// A file that was read while another session than the asker's writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignWriter {
    /// The file.
    pub inode: InodeId,
    /// Its writer, which may have ended.
    pub writer: SessionId,
}

/// The tree in one transaction.
pub struct Namespace<'a> {
    transaction: Box<dyn kv::Transaction>,
    names: &'a NameHash,
    asker: SessionId,
    /// Inodes that were read one by one.
    seen: SmallVec<[InodeId; 4]>,
    /// Inodes that were stored or removed.
    changed: SmallVec<[InodeId; 4]>,
    foreign_writer: Option<ForeignWriter>,
}

impl<'a> Namespace<'a> {
    /// The tree in a new transaction of `engine`.
    pub fn begin(engine: &dyn Engine, isolation: Isolation, names: &'a NameHash) -> Self {
        Self {
            transaction: engine.begin(isolation),
            names,
            asker: SessionId::new(0),
            seen: SmallVec::new(),
            changed: SmallVec::new(),
            foreign_writer: None,
        }
    }

    /// Names the session that asks.
    #[must_use]
    pub fn asked_by(self, asker: SessionId) -> Self {
        Self { asker, ..self }
    }

    /// A file among those read that another session than the asker's writes.
    pub fn foreign_writer(&self) -> Option<ForeignWriter> {
        self.foreign_writer
    }

    /// Inodes that this stores or removes.
    pub fn changed(&self) -> SmallVec<[InodeId; 4]> {
        self.changed.clone()
    }

    /// Inodes that were read, but not changed.
    pub fn seen_unchanged(&self) -> SmallVec<[InodeId; 4]> {
        let seen = self.seen.iter().copied();
        seen.filter(|inode| !self.changed.contains(inode)).collect()
    }

    /// An inode.
    ///
    /// # Errors
    /// [`FsError::Stale`] if there is none of that number.
    pub async fn inode(&mut self, id: InodeId) -> Result<InodeRecord, MetaError> {
        let found = self.find_inode(id).await?;
        found.ok_or(MetaError::Refused(FsError::Stale))
    }

    /// An inode that must be a directory.
    ///
    /// # Errors
    /// [`FsError::Stale`], [`FsError::NotDirectory`].
    pub async fn directory(&mut self, id: InodeId) -> Result<InodeRecord, MetaError> {
        let record = self.inode(id).await?;
        match record.node.attributes.kind {
            FileKind::Directory => Ok(record),
            _ => Err(FsError::NotDirectory.into()),
        }
    }

    /// An inode that an entry leads to, so that it must be there.
    ///
    /// # Errors
    /// [`MetaError::Damaged`] if it is not.
    pub async fn entry_inode(&mut self, id: InodeId) -> Result<InodeRecord, MetaError> {
        let found = self.find_inode(id).await?;
        found.ok_or_else(|| MetaError::Damaged {
            record: "inode",
            expected: "the inode of an entry",
            found: format!("no inode {id}"),
        })
    }

    /// An inode, if there is one of that number.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_inode(&mut self, id: InodeId) -> Result<Option<InodeRecord>, MetaError> {
        self.seen.push(id);
        let value = self.transaction.get(&keys::inode(id)).await?;
        let record = value.map(|value| InodeRecord::decode(id, &value));
        let record = record.transpose()?;
        let writer = record.as_ref().map(|record| record.node.writer);
        if let Some(writer) = writer.filter(|writer| writer.raw() != 0 && *writer != self.asker) {
            self.foreign_writer = Some(ForeignWriter { inode: id, writer });
        }
        Ok(record)
    }

    /// Inodes in the order asked for; `None` where there is none of that number.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_inodes(
        &mut self,
        ids: &[InodeId],
    ) -> Result<Vec<Option<InodeRecord>>, MetaError> {
        self.seen.extend_from_slice(ids);
        let keys: Vec<Key> = ids.iter().copied().map(keys::inode).collect();
        let values = self.transaction.get_many(&keys).await?;
        let decoded = ids.iter().zip(values).map(|(id, value)| {
            value
                .map(|value| InodeRecord::decode(*id, &value))
                .transpose()
        });
        decoded.collect()
    }

    /// The first `limit` inodes after `after`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inodes_after(
        &mut self,
        after: Option<InodeId>,
        limit: usize,
    ) -> Result<Vec<InodeRecord>, MetaError> {
        let range = keys::inodes_after(after);
        let pairs = self.transaction.range(&range, limit).await?;
        let decoded = pairs.into_iter().map(|(key, value)| {
            let id = keys::parse_inode(&key).ok_or_else(|| unknown_key("inode", &key))?;
            InodeRecord::decode(id, &value)
        });
        decoded.collect()
    }

    /// Stores a changed inode.
    pub fn put_inode(&mut self, record: &InodeRecord) {
        let key = keys::inode(record.node.id);
        self.changed.push(record.node.id);
        self.transaction.put(key, record.encode());
    }

    /// Stores a new inode and counts it.
    pub fn add_inode(&mut self, record: &InodeRecord) {
        self.put_inode(record);
        self.transaction.add(keys::inode_count(), 1);
    }

    /// Removes an inode, counts it out, and queues its storage to be freed if it may have some.
    pub fn remove_inode(&mut self, record: &InodeRecord) {
        let id = record.node.id;
        self.changed.push(id);
        self.transaction.delete(keys::inode(id));
        self.transaction.add(keys::inode_count(), -1);
        match record.node.attributes.kind {
            FileKind::Symlink => self.transaction.delete(keys::symlink(id)),
            FileKind::Regular if record.may_have_data() => self.queue_removal(record),
            _ => {}
        }
    }

    /// A symbolic link's target.
    ///
    /// # Errors
    /// [`MetaError::Damaged`] if it has none.
    pub async fn symlink_target(&mut self, id: InodeId) -> Result<Bytes, MetaError> {
        let target = self.transaction.get(&keys::symlink(id)).await?;
        target.ok_or_else(|| MetaError::Damaged {
            record: "symbolic link",
            expected: "a target",
            found: format!("none for inode {id}"),
        })
    }

    /// Stores a symbolic link's target.
    pub fn put_symlink_target(&mut self, id: InodeId, target: Bytes) {
        self.transaction.put(keys::symlink(id), target);
    }

    /// The value of a counter.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn counter(&mut self, key: &Key) -> Result<u64, MetaError> {
        let value = self.transaction.get(key).await?;
        Ok(u64::try_from(kv::counter_value(value.as_deref())).unwrap_or(0))
    }

    /// Stores how a call was answered, beside what it did.
    pub fn put_reply(&mut self, call: CallHash, reply: &ReplyRecord) {
        self.transaction.put(keys::reply(call), reply.encode());
    }

    /// Forgets the writes, keeping what was read.
    pub fn discard_writes(&mut self) {
        self.changed.clear();
        self.transaction.discard_writes();
    }

    /// Commits; see [`kv::Transaction::commit`].
    ///
    /// # Errors
    /// Those of the store.
    pub async fn commit(self) -> Result<CommitPoint, MetaError> {
        Ok(self.transaction.commit().await?)
    }
}

fn unknown_key(record: &'static str, key: &Key) -> MetaError {
    MetaError::Damaged {
        record,
        expected: "a key of its kind",
        found: format!("{key:?}"),
    }
}
