//! What READDIR and READDIRPLUS have in common: pages of a directory.
//!
//! Cookies are the file service's, which keeps them stable for the life of an entry; `.` and `..` are put in here,
//! with the two cookies that no entry has. As cookies never go bad, their verifier is always zero and never
//! looked at. The file service is asked for about as many entries as will fit, and again until the page is full.

use sluice_proto_nfs::nfs3::{COOKIE_VERIFIER_LENGTH, Failed, FileHandle, fattr3, nfsstat3};
use sluice_proto_nfs::xdr::Encoder;
use sluice_types::{Cookie, FsError, Inode, InodeId};
use sluice_wire::meta::Listing;

use super::Apart;
use super::context::{NfsCall, Opened};
use crate::export_roots::leads_nowhere;

/// The verifier of all cookies.
pub(super) const COOKIE_VERIFIER: [u8; COOKIE_VERIFIER_LENGTH] = [0; COOKIE_VERIFIER_LENGTH];

/// Most entries asked for at once.
const ENTRIES_MAX: usize = 1024;

/// An entry to be put on a page.
pub(super) struct Listed<'a> {
    pub(super) id: InodeId,
    pub(super) name: &'a [u8],
    pub(super) cookie: Cookie,
    /// Attributes and handle, where the page has them.
    pub(super) node: Option<(fattr3, FileHandle)>,
}

/// A page being filled.
pub(super) trait Page: Sized {
    /// Whether entries come with their attributes.
    const WITH_NODES: bool;
    /// Bytes that an entry takes, about.
    const ENTRY_LENGTH: usize;

    /// Adds an entry; `false` if it does not fit.
    fn push(&mut self, entry: &Listed<'_>) -> bool;
    /// Ends the page.
    fn finish(self, end: bool) -> Encoder;
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// After which cookie.
    pub(super) after: Cookie,
    /// Bytes that the page may have, about.
    pub(super) length: u32,
}

/// Fills a page, which `begin` makes after what the encoder holds (`None` if not even an empty one fits).
pub(super) async fn fill<P: Page>(
    call: &NfsCall<'_>,
    directory: &Opened<'_>,
    wanted: Wanted,
    begin: impl FnOnce(Encoder, &fattr3) -> Option<P> + Send,
) -> Result<Apart, Failed<Option<fattr3>>> {
    let mut room = wanted.length as usize;
    let mut after = wanted.after;
    let mut listing = match list::<P>(call, directory, after, room).await {
        Ok(listing) => listing,
        Err(error) => return Err(call.failed(directory, error).await),
    };
    let attributes = call.attributes(&listing.directory);
    let too_small = Failed {
        status: nfsstat3::NFS3ERR_TOOSMALL,
        body: Some(attributes),
    };
    let Some(mut page) = begin(call.begin_ok(), &attributes) else {
        return Err(too_small);
    };
    let dots = match dots::<P>(call, directory, after, &listing.directory).await {
        Ok(dots) => dots,
        Err(error) => return Err(call.failed(directory, error).await),
    };
    let mut is_empty = true;
    let mut is_full = dots.iter().any(|dot| {
        let fits = page.push(dot);
        is_empty &= !fits;
        !fits
    });
    loop {
        for entry in &listing.entries {
            if is_full {
                break;
            }
            let node = entry.node.as_ref().filter(|_| P::WITH_NODES);
            let listed = Listed {
                id: entry.inode,
                name: entry.name.as_bytes(),
                cookie: entry.cookie,
                node: node.map(|node| (call.attributes(node), call.handle(directory.export, node))),
            };
            is_full = !page.push(&listed);
            if !is_full {
                is_empty = false;
                after = entry.cookie;
                room = room.saturating_sub(P::ENTRY_LENGTH);
            }
        }
        // An error now would make the client ask again for all that is on the page already.
        let next = match is_full || listing.end || room < P::ENTRY_LENGTH {
            true => None,
            false => list::<P>(call, directory, after, room).await.ok(),
        };
        match next {
            Some(next) if !next.entries.is_empty() || next.end => listing = next,
            _ => break,
        }
    }
    if is_full && is_empty {
        return Err(too_small);
    }
    Ok(page.finish(listing.end && !is_full).into())
}

async fn list<P: Page>(
    call: &NfsCall<'_>,
    directory: &Opened<'_>,
    after: Cookie,
    room: usize,
) -> Result<Listing, FsError> {
    let entries = (room / P::ENTRY_LENGTH).clamp(1, ENTRIES_MAX);
    let (caller, files) = (&directory.caller, call.files());
    files
        .read_directory(
            caller,
            directory.inode,
            after,
            entries as u32,
            P::WITH_NODES,
        )
        .await
}

/// `.` and `..`, where the page starts before them.
async fn dots<P: Page>(
    call: &NfsCall<'_>,
    directory: &Opened<'_>,
    after: Cookie,
    node: &Inode,
) -> Result<Vec<Listed<'static>>, FsError> {
    let mut dots = Vec::new();
    if after < Cookie::DOT {
        let with_node = P::WITH_NODES.then(|| {
            let handle = call.handle(directory.export, node);
            (call.attributes(node), handle)
        });
        dots.push(Listed {
            id: node.id,
            name: b".",
            cookie: Cookie::DOT,
            node: with_node,
        });
    }
    if after < Cookie::DOT_DOT {
        let is_root = match call.is_export_root(directory).await {
            // The number alone gives nothing out.
            Err(error) if leads_nowhere(error) => false,
            is_root => is_root?,
        };
        dots.push(Listed {
            id: if is_root { node.id } else { node.parent },
            name: b"..",
            cookie: Cookie::DOT_DOT,
            // Attributes are optional, and not worth another question.
            node: None,
        });
    }
    Ok(dots)
}
