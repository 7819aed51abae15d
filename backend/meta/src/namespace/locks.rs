//! Locks of files as records: by file, and which files a client has some of.
//!
//! A removal of a file has to take its locks along. It looks for them only if it knows of some (most files never have
//! any), so whoever adds the first lock of a file also rewrites the file's own record: a removal that runs at the same
//! time and did not know then conflicts, runs again, and knows.

use bytes::Bytes;
use sluice_types::InodeId;
use sluice_wire::meta::{LockClient, LockPlace};

use super::{NameHash, Namespace, unknown_key};
use crate::error::MetaError;
use crate::kv::KeyRange;
use crate::records::{LockRecord, keys};

/// Locks read at once of one file: more than it may have.
const PAGE: usize = 4096;

impl Namespace<'_> {
    /// All locks of a file, with their numbers.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn locks_of(&mut self, inode: InodeId) -> Result<Vec<(u64, LockRecord)>, MetaError> {
        let mut locks = Vec::new();
        let mut range = keys::locks_of(inode);
        loop {
            let page = self.locks_in(&range, PAGE).await?;
            let is_last = page.len() < PAGE;
            if let Some((place, _)) = page.last() {
                range.start = keys::lock(inode, place.number).successor();
            }
            locks.extend(page.into_iter().map(|(place, lock)| (place.number, lock)));
            if is_last {
                return Ok(locks);
            }
        }
    }

    /// The first `limit` locks behind `after`, of one file or of all.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn locks_after(
        &mut self,
        inode: Option<InodeId>,
        after: Option<LockPlace>,
        limit: usize,
    ) -> Result<Vec<(LockPlace, LockRecord)>, MetaError> {
        let mut range = inode.map_or_else(keys::all_locks, keys::locks_of);
        if let Some(after) = after {
            let behind = keys::lock(after.inode, after.number).successor();
            range.start = range.start.max(behind);
        }
        self.locks_in(&range, limit).await
    }

    async fn locks_in(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(LockPlace, LockRecord)>, MetaError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let pairs = self.transaction.range(range, limit).await?;
        let decoded = pairs.into_iter().map(|(key, value)| {
            let place = keys::parse_lock(&key).ok_or_else(|| unknown_key("lock", &key))?;
            let (inode, number) = place;
            Ok((LockPlace { inode, number }, LockRecord::decode(&value)?))
        });
        decoded.collect()
    }

    /// Stores a lock.
    pub fn put_lock(&mut self, inode: InodeId, number: u64, lock: &LockRecord) {
        self.transaction
            .put(keys::lock(inode, number), lock.encode());
        let client = client_hash(self.names, &lock.owner.client);
        self.transaction
            .put(keys::client_lock(client, inode), Bytes::from_static(b"1"));
    }

    /// Removes a lock; see [`Self::forget_client_lock`].
    pub fn delete_lock(&mut self, inode: InodeId, number: u64) {
        self.transaction.delete(keys::lock(inode, number));
    }

    /// Notes that a client has no lock of a file any more.
    pub fn forget_client_lock(&mut self, client: &LockClient, inode: InodeId) {
        let client = client_hash(self.names, client);
        self.transaction.delete(keys::client_lock(client, inode));
    }

    /// Removes all locks of a file.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_locks(&mut self, inode: InodeId) -> Result<(), MetaError> {
        for (number, lock) in self.locks_of(inode).await? {
            self.delete_lock(inode, number);
            self.forget_client_lock(&lock.owner.client, inode);
        }
        Ok(())
    }

    /// The first `limit` files after `after` of which a client has locks (or another client with the same hash).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn files_locked_by(
        &mut self,
        client: &LockClient,
        after: Option<InodeId>,
        limit: usize,
    ) -> Result<Vec<InodeId>, MetaError> {
        let range = keys::client_locks_after(client_hash(self.names, client), after);
        let files = self.client_locks_in(&range, limit).await?;
        Ok(files.into_iter().map(|(_, inode)| inode).collect())
    }

    /// Whether it is noted that a client has locks of a file.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_client_noted(
        &mut self,
        client: &LockClient,
        inode: InodeId,
    ) -> Result<bool, MetaError> {
        let key = keys::client_lock(client_hash(self.names, client), inode);
        Ok(self.transaction.get(&key).await?.is_some())
    }

    /// The first `limit` notes after `after` that a client, by its hash, has locks of a file.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn client_locks_after(
        &mut self,
        after: Option<(u64, InodeId)>,
        limit: usize,
    ) -> Result<Vec<(u64, InodeId)>, MetaError> {
        let mut range = keys::all_client_locks();
        if let Some((client, inode)) = after {
            range.start = keys::client_lock(client, inode).successor();
        }
        self.client_locks_in(&range, limit).await
    }

    async fn client_locks_in(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(u64, InodeId)>, MetaError> {
        let pairs = self.transaction.range(range, limit).await?;
        let parsed = pairs.into_iter().map(|(key, _)| {
            keys::parse_client_lock(&key).ok_or_else(|| unknown_key("client's lock", &key))
        });
        parsed.collect()
    }

    /// The hash under which a client's locks are noted: the same for all that [`is_same_machine`] takes for one.
    pub fn hash_of(&self, client: &LockClient) -> u64 {
        client_hash(self.names, client)
    }
}

fn client_hash(names: &NameHash, client: &LockClient) -> u64 {
    let address = client.address.to_string();
    names.of_parts(&[&short_name(&client.name), address.as_bytes()])
}

/// What a machine is called up to the first dot, in small letters.
fn short_name(name: &[u8]) -> Vec<u8> {
    let short = name.split(|&byte| byte == b'.').next();
    short.unwrap_or_default().to_ascii_lowercase()
}

/// Whether two names are one machine's: machines call themselves by short and by long names.
pub fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    short_name(one) == short_name(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_its_short_and_long_name() {
        assert!(is_same_name(b"Node-7", b"node-7.example.org"));
        assert!(!is_same_name(b"node-7", b"node-70"));
        let names = NameHash::new(5);
        let hash = |name: &'static str, last: u8| {
            let name = Bytes::from_static(name.as_bytes());
            let address = [10, 0, 0, last].into();
            client_hash(&names, &LockClient { name, address })
        };
        assert_eq!(hash("node-7", 1), hash("node-7.example.org", 1));
        assert_ne!(hash("node-7", 1), hash("node-7", 2));
        assert_ne!(hash("node-7", 1), hash("node-8", 1));
    }
}
