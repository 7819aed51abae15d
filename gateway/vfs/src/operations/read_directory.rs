//! Listing a directory.

use sluice_types::{Cookie, FsError, InodeId};
use sluice_wire::meta::{Listing, ReadDirectory};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn read_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        after: Cookie,
        entries_max: u32,
        with_nodes: bool,
    ) -> Result<Listing, FsError> {
        let read = ReadDirectory {
            directory,
            after,
            entries_max,
            with_nodes,
        };
        let mut listing = self.ask(&self.as_helper(caller), read).await?;
        for entry in &mut listing.entries {
            entry.node = entry.node.take().and_then(|node| self.shown_if_known(node));
        }
        Ok(listing)
    }
}
