//! Whether all records agree with one another.
//!
//! What must hold, beyond each record being readable:
//!
//! * every entry leads to an inode, lies where a lookup of its name finds it, and a directory has one entry, in
//!   its parent;
//! * a directory's entry count is the number of its entries, its link count 2 and its number of directories;
//! * any other inode's link count is the number of its names, and none has no name;
//! * a symbolic link has a target; a queued removal is of no inode that is there;
//! * a lock is of an inode that is there, and noted with its client;
//! * the counters are right.
//!
//! It reads in pages, entries and inodes side by side in key order, and counts the names of inodes in windows of
//! inode numbers: for each window one pass over all entries, so memory is bounded by the window and not by the
//! number of files. The store that it is given must not change meanwhile: a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use sluice_types::{Cookie, FileKind, InodeId};

use crate::error::MetaError;
use crate::kv::{Engine, Isolation};
use crate::namespace::{NameHash, Namespace};
use crate::records::{Entry, InodeRecord, keys};

mod locks;

/// Records read at once.
const PAGE: usize = 1024;

/// How many inodes' names are counted in one pass over the entries: some 100 bytes of memory each.
const WINDOW: usize = 1 << 20;

/// At most so many problems are told; a damaged store could have more than fit anywhere.
const PROBLEMS_MAX: usize = 1000;

/// Checks the whole store; what is wrong, in words.
pub(crate) async fn run(
    engine: &Arc<dyn Engine>,
    names: &NameHash,
) -> Result<Vec<String>, MetaError> {
    let mut check = Check {
        engine,
        names,
        problems: Vec::new(),
        inode_count: 0,
    };
    let mut after = None;
    while let Some(last) = check.window(after).await? {
        after = Some(last);
    }
    check.entries_lead_somewhere().await?;
    check.removals_are_gone().await?;
    check.locks_belong_to_files().await?;
    check.counters().await?;
    Ok(check.problems)
}

struct Check<'a> {
    engine: &'a Arc<dyn Engine>,
    names: &'a NameHash,
    problems: Vec<String>,
    inode_count: u64,
}

/// What was seen of an inode of the window.
struct Seen {
    record: InodeRecord,
    /// Names that lead to it.
    names: u32,
    /// Entries in it, and directories among them.
    entries: u64,
    directories: u32,
}

impl Check<'_> {
    fn namespace(&self) -> Namespace<'_> {
        Namespace::begin(&**self.engine, Isolation::Latest, self.names)
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    /// Checks the inodes of the next window; gives the last one's number, or `None` after all.
    async fn window(&mut self, after: Option<InodeId>) -> Result<Option<InodeId>, MetaError> {
        let mut window = self.read_inodes(after).await?;
        let Some(last) = window.keys().max().copied() else {
            return Ok(None);
        };
        self.inode_count += window.len() as u64;
        self.count_names(&mut window).await?;
        let mut seen: Vec<Seen> = window.into_values().collect();
        seen.sort_unstable_by_key(|seen| seen.record.node.id);
        for seen in seen {
            self.judge(&seen).await?;
        }
        Ok(Some(last))
    }

    async fn read_inodes(
        &self,
        after: Option<InodeId>,
    ) -> Result<HashMap<InodeId, Seen>, MetaError> {
        let mut window = HashMap::new();
        let mut after = after;
        while window.len() < WINDOW {
            let page = self.namespace().inodes_after(after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.node.id);
            for record in page {
                let seen = Seen {
                    record,
                    names: 0,
                    entries: 0,
                    directories: 0,
                };
                window.insert(seen.record.node.id, seen);
            }
            tokio::task::yield_now().await;
        }
        Ok(window)
    }

    /// Counts, over all entries, those in and those that lead to inodes of the window.
    async fn count_names(&mut self, window: &mut HashMap<InodeId, Seen>) -> Result<(), MetaError> {
        let mut from = None;
        loop {
            let page = self.namespace().all_entries(from, PAGE).await?;
            let Some((directory, cookie, _)) = page.last() else {
                return Ok(());
            };
            from = Some((*directory, *cookie));
            for (directory, _, entry) in page {
                let Some(entry) = entry else { continue };
                let is_directory = self.is_directory(window, entry.inode).await?;
                if let Some(seen) = window.get_mut(&directory) {
                    seen.entries += 1;
                    seen.directories += u32::from(is_directory);
                }
                if let Some(seen) = window.get_mut(&entry.inode) {
                    seen.names += 1;
                    if is_directory && seen.record.node.parent != directory {
                        let told = seen.record.node.parent;
                        self.problem(format!(
                            "directory {} is in {directory}, but its parent is told to be {told}",
                            entry.inode
                        ));
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn is_directory(
        &self,
        window: &HashMap<InodeId, Seen>,
        inode: InodeId,
    ) -> Result<bool, MetaError> {
        let kind = match window.get(&inode) {
            Some(seen) => Some(seen.record.node.attributes.kind),
            None => {
                let record = self.namespace().find_inode(inode).await?;
                record.map(|record| record.node.attributes.kind)
            }
        };
        Ok(kind == Some(FileKind::Directory))
    }

    async fn judge(&mut self, seen: &Seen) -> Result<(), MetaError> {
        let (node, attributes) = (&seen.record.node, &seen.record.node.attributes);
        let is_directory = attributes.kind == FileKind::Directory;
        let names = seen.names + u32::from(node.id == InodeId::ROOT);
        let (names_right, links_right) = if is_directory {
            (1, 2 + seen.directories)
        } else {
            (names.max(1), names)
        };
        if names != names_right {
            self.problem(format!("inode {} has {names} names", node.id));
        }
        if attributes.link_count != links_right {
            self.problem(format!(
                "inode {} has a link count of {}, and {links_right} would be right",
                node.id, attributes.link_count
            ));
        }
        if seen.record.entry_count != seen.entries {
            self.problem(format!(
                "inode {} has {} entries, and tells {}",
                node.id, seen.entries, seen.record.entry_count
            ));
        }
        if attributes.kind == FileKind::Symlink {
            let target = self.namespace().symlink_target(node.id).await;
            if target.map(|target| target.len() as u64) != Ok(attributes.size_bytes) {
                self.problem(format!("symbolic link {} has no such target", node.id));
            }
        }
        Ok(())
    }

    /// Every entry is found under its name, and leads to an inode; its directory is one.
    async fn entries_lead_somewhere(&mut self) -> Result<(), MetaError> {
        let mut from = None;
        loop {
            let page = self.namespace().all_entries(from, PAGE).await?;
            let Some((directory, cookie, _)) = page.last() else {
                return Ok(());
            };
            from = Some((*directory, *cookie));
            for (directory, cookie, entry) in page {
                match entry {
                    Some(entry) => self.judge_entry(directory, cookie, &entry).await?,
                    None if self.namespace().directory(directory).await.is_err() => {
                        self.problem(format!("a tombstone is left of {directory}"));
                    }
                    None => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn judge_entry(
        &mut self,
        directory: InodeId,
        cookie: Cookie,
        entry: &Entry,
    ) -> Result<(), MetaError> {
        let found = self.namespace().find_entry(directory, &entry.name).await?;
        if found.map(|found| found.cookie) != Some(cookie) {
            self.problem(format!(
                "entry {} of {directory} cannot be found by its name",
                entry.name
            ));
        }
        if self.namespace().find_inode(entry.inode).await?.is_none() {
            self.problem(format!(
                "entry {} of {directory} leads to {}, which is not there",
                entry.name, entry.inode
            ));
        }
        if self.namespace().directory(directory).await.is_err() {
            self.problem(format!(
                "entry {} is in {directory}, which is no directory",
                entry.name
            ));
        }
        Ok(())
    }

    async fn removals_are_gone(&mut self) -> Result<(), MetaError> {
        let mut count = 0;
        let mut from = None;
        loop {
            let page = self.namespace().all_removals(from.as_ref(), PAGE).await?;
            let Some((key, _)) = page.last() else {
                break;
            };
            from = Some(key.clone());
            for (_, inode) in page {
                count += 1;
                if self.namespace().find_inode(inode).await?.is_some() {
                    self.problem(format!("inode {inode} is there, and queued as removed"));
                }
                if !self.namespace().is_removal_queued(inode).await? {
                    self.problem(format!("the removal of {inode} cannot be finished"));
                }
            }
            tokio::task::yield_now().await;
        }
        let told = self.namespace().counter(&keys::removal_count()).await?;
        if told != count {
            self.problem(format!("{count} removals are queued, {told} are counted"));
        }
        Ok(())
    }

    async fn counters(&mut self) -> Result<(), MetaError> {
        let (told, count) = (
            self.namespace().counter(&keys::inode_count()).await?,
            self.inode_count,
        );
        if told != count {
            self.problem(format!("{count} inodes are there, {told} are counted"));
        }
        if self.namespace().find_inode(InodeId::ROOT).await?.is_none() {
            self.problem("there is no root directory".into());
        }
        Ok(())
    }
}
