//! Lists a directory (RFC 1813 3.3.16 and 3.3.17).
//!
//! A page is read without a snapshot: each entry that was there throughout is in it, and one that comes or goes
//! meanwhile may or may not be, as POSIX allows.

use sluice_types::{Access, InodeId};
use sluice_wire::meta::{DirectoryEntry, Listing, ReadDirectory};

use super::context::OperationContext;
use super::permission::check;
use crate::error::MetaError;
use crate::namespace::Namespace;

/// At most so many entries in a page, whatever the caller asks for: bounds its memory.
const ENTRIES_MAX: u32 = 1024;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    read: &ReadDirectory,
) -> Result<Listing, MetaError> {
    let directory = namespace.directory(read.directory).await?;
    check(
        &directory.node.attributes,
        context.credentials,
        Access::READ,
    )?;
    let limit = read.entries_max.clamp(1, ENTRIES_MAX) as usize;
    let mut after = read.after;
    loop {
        let page = namespace
            .list_entries(directory.node.id, after, limit)
            .await?;
        after = page.entries.last().map_or(after, |(cookie, _)| *cookie);
        let mut entries: Vec<DirectoryEntry> = page
            .entries
            .into_iter()
            .map(|(cookie, entry)| DirectoryEntry {
                name: entry.name,
                inode: entry.inode,
                cookie,
                node: None,
            })
            .collect();
        if read.with_nodes {
            add_nodes(namespace, &mut entries).await?;
        }
        // A page whose entries all went while it was read is not the end.
        if !entries.is_empty() || page.end {
            return Ok(Listing {
                entries,
                end: page.end,
                directory: directory.node,
            });
        }
    }
}

/// Adds each entry's inode, and drops entries that went meanwhile.
async fn add_nodes(
    namespace: &mut Namespace<'_>,
    entries: &mut Vec<DirectoryEntry>,
) -> Result<(), MetaError> {
    let ids: Vec<InodeId> = entries.iter().map(|entry| entry.inode).collect();
    let records = namespace.find_inodes(&ids).await?;
    for (entry, record) in entries.iter_mut().zip(records) {
        entry.node = record.map(|record| record.node);
    }
    entries.retain(|entry| entry.node.is_some());
    Ok(())
}
