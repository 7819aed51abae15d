//! Walking a path from the root, for mounts and administration.

use sluice_types::{FileName, FsError, Inode, InodeId};
use sluice_wire::meta::LookupName;

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn resolve(&self, caller: &Caller, path: &[u8]) -> Result<Inode, FsError> {
        let mut node = self.node(InodeId::ROOT).await?;
        let parts = path.split(|&byte| byte == b'/');
        for part in parts.filter(|part| !part.is_empty() && *part != b".") {
            let name = LookupName::Name(FileName::new(part.to_vec())?);
            node = self.lookup(caller, node.id, name).await?.node;
        }
        Ok(node)
    }
}
