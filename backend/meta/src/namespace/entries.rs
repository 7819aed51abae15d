//! Directory entries: one key for each, found by the hash of the name.
//!
//! An entry lies at the first free cookie from its name's home on (linear probing), and stays there for
//! its life, so that its cookie can be a listing position. An entry that lies beyond its home is
//! *displaced*; all cookies from its home to it are taken, by other entries or by tombstones. Hence:
//!
//! * A search ends at the first cookie that has nothing.
//! * A removed entry leaves a tombstone only if a later entry of the same run is displaced past it;
//!   and when a run ends here, tombstones just before it are not needed any more and go too.
//! * An insertion takes the first tombstone on its way.
//!
//! Cookies have 63 bits, so runs of more than one entry hardly ever happen; a lookup is one read.

use sluice_types::{Cookie, FileName, FsError, InodeId};

use super::{Namespace, unknown_key};
use crate::error::MetaError;
use crate::records::{Entry, EntryRecord, keys};

/// An entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub cookie: Cookie,
    /// What it leads to.
    pub inode: InodeId,
}

/// A part of a directory, in cookie order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<(Cookie, Entry)>,
    /// Whether these were the last.
    pub end: bool,
}

/// Where the search for a name ended.
struct Probe {
    found: Option<Found>,
    /// Where the name would be put: the first tombstone on the way, or the end of the run.
    free: Option<Cookie>,
}

impl Namespace<'_> {
    /// Finds `name` in `directory`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_entry(
        &mut self,
        directory: InodeId,
        name: &FileName,
    ) -> Result<Option<Found>, MetaError> {
        Ok(self.probe(directory, name).await?.found)
    }

    /// Adds `name`, which must not be there, and gives its cookie.
    ///
    /// # Errors
    /// [`FsError::Exists`] if it is there after all.
    pub async fn insert_entry(
        &mut self,
        directory: InodeId,
        name: &FileName,
        inode: InodeId,
    ) -> Result<Cookie, MetaError> {
        let probe = self.probe(directory, name).await?;
        if probe.found.is_some() {
            return Err(FsError::Exists.into());
        }
        let cookie = probe.free.ok_or(FsError::NoSpace)?;
        self.put_entry(directory, cookie, name, inode);
        Ok(cookie)
    }

    /// Sets the entry at `cookie`.
    pub fn put_entry(
        &mut self,
        directory: InodeId,
        cookie: Cookie,
        name: &FileName,
        inode: InodeId,
    ) {
        let entry = EntryRecord::Entry(Entry {
            inode,
            name: name.clone(),
        });
        self.transaction
            .put(keys::entry(directory, cookie), entry.encode());
    }

    /// Removes the entry at `cookie`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_entry(
        &mut self,
        directory: InodeId,
        cookie: Cookie,
    ) -> Result<(), MetaError> {
        let key = keys::entry(directory, cookie);
        if self.is_probed_past(directory, cookie).await? {
            self.transaction.put(key, EntryRecord::Tombstone.encode());
            return Ok(());
        }
        self.transaction.delete(key);
        // The run ends here now or nothing behind is displaced: tombstones before may be needless.
        let mut before = self.names.previous(cookie);
        while self.entry_at(directory, before).await? == Some(EntryRecord::Tombstone)
            && !self.is_probed_past(directory, before).await?
        {
            self.transaction.delete(keys::entry(directory, before));
            before = self.names.previous(before);
        }
        Ok(())
    }

    /// Up to `limit` entries after `after`. At least one key is looked at, so a page is empty only at the end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_entries(
        &mut self,
        directory: InodeId,
        after: Cookie,
        limit: usize,
    ) -> Result<Page, MetaError> {
        let mut entries = Vec::new();
        let mut from = after;
        loop {
            let wanted = limit - entries.len();
            let range = keys::entries_after(directory, from);
            let pairs = self.transaction.range(&range, wanted).await?;
            let end = pairs.len() < wanted;
            for (key, value) in pairs {
                let (_, cookie) =
                    keys::parse_entry(&key).ok_or_else(|| unknown_key("entry", &key))?;
                from = cookie;
                if let EntryRecord::Entry(entry) = EntryRecord::decode(&value)? {
                    entries.push((cookie, entry));
                }
            }
            if end || entries.len() >= limit {
                return Ok(Page { entries, end });
            }
        }
    }

    /// Up to `limit` cookies of all directories after `after`, in key order; `None` for a tombstone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn all_entries(
        &mut self,
        after: Option<(InodeId, Cookie)>,
        limit: usize,
    ) -> Result<Vec<(InodeId, Cookie, Option<Entry>)>, MetaError> {
        let mut range = keys::all_entries();
        if let Some((directory, cookie)) = after {
            range.start = keys::entry(directory, cookie).successor();
        }
        let pairs = self.transaction.range(&range, limit).await?;
        let decoded = pairs.into_iter().map(|(key, value)| {
            let (directory, cookie) =
                keys::parse_entry(&key).ok_or_else(|| unknown_key("entry", &key))?;
            let entry = match EntryRecord::decode(&value)? {
                EntryRecord::Entry(entry) => Some(entry),
                EntryRecord::Tombstone => None,
            };
            Ok((directory, cookie, entry))
        });
        decoded.collect()
    }

    async fn probe(&mut self, directory: InodeId, name: &FileName) -> Result<Probe, MetaError> {
        let mut cookie = self.names.home(name);
        let mut free = None;
        for _ in 0..self.names.span() {
            match self.entry_at(directory, cookie).await? {
                None => {
                    let free = free.or(Some(cookie));
                    return Ok(Probe { found: None, free });
                }
                Some(EntryRecord::Tombstone) => free = free.or(Some(cookie)),
                Some(EntryRecord::Entry(entry)) if entry.name == *name => {
                    let inode = entry.inode;
                    let found = Some(Found { cookie, inode });
                    return Ok(Probe { found, free });
                }
                Some(EntryRecord::Entry(_)) => {}
            }
            cookie = self.names.next(cookie);
        }
        Ok(Probe { found: None, free })
    }

    /// Whether an entry behind `cookie` was placed by probing past it.
    async fn is_probed_past(
        &mut self,
        directory: InodeId,
        cookie: Cookie,
    ) -> Result<bool, MetaError> {
        let mut behind = self.names.next(cookie);
        while behind != cookie {
            match self.entry_at(directory, behind).await? {
                None => return Ok(false),
                Some(EntryRecord::Tombstone) => {}
                Some(EntryRecord::Entry(entry)) => {
                    let home = self.names.home(&entry.name);
                    let displaced = self.names.distance(home, behind);
                    if displaced >= self.names.distance(cookie, behind) {
                        return Ok(true);
                    }
                }
            }
            behind = self.names.next(behind);
        }
        Ok(false)
    }

    async fn entry_at(
        &mut self,
        directory: InodeId,
        cookie: Cookie,
    ) -> Result<Option<EntryRecord>, MetaError> {
        let value = self
            .transaction
            .get(&keys::entry(directory, cookie))
            .await?;
        value.map(|value| EntryRecord::decode(&value)).transpose()
    }
}

#[cfg(test)]
mod tests;
