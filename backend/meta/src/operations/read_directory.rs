//! Lists a directory (RFC 1813 3.3.16 and 3.3.17).
//!
//! A page is read without a snapshot: each entry that was there throughout is in it, and one that comes or goes
//! meanwhile may or may not be, as POSIX allows.

use sluice_types::{Access, InodeId, SessionId};
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
    let page = namespace
        .list_entries(directory.node.id, read.after, limit)
        .await?;
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
        add_nodes(namespace, context.session, &mut entries).await?;
    }
    Ok(Listing {
        entries,
        end: page.end,
        directory: directory.node,
    })
}

/// Adds each entry's inode, but for files that another session writes: only that one knows their sizes and times, and a
/// listing is no reason to end the writing. One that went since its entry was read is left out, but not the entry: its name may have been
/// given to another inode, and so have been there throughout.
async fn add_nodes(
    namespace: &mut Namespace<'_>,
    asker: SessionId,
    entries: &mut [DirectoryEntry],
) -> Result<(), MetaError> {
    let ids: Vec<InodeId> = entries.iter().map(|entry| entry.inode).collect();
    let records = namespace.find_inodes(&ids).await?;
    for (entry, record) in entries.iter_mut().zip(records) {
        let node = record.map(|record| record.node);
        entry.node = node.filter(|node| node.writer.raw() == 0 || node.writer == asker);
    }
    Ok(())
}
