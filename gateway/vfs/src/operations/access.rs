//! What the caller may do with an inode.

use sluice_types::{Access, FsError, InodeId, granted_access};
use sluice_wire::meta::AccessChecked;

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn access(
        &self,
        caller: &Caller,
        inode: InodeId,
    ) -> Result<AccessChecked, FsError> {
        let node = self.node(inode).await?;
        let mut granted = granted_access(&node.attributes, &caller.credentials);
        if caller.read_only && granted.contains(Access::WRITE) {
            let kept = [Access::READ, Access::EXECUTE].into_iter();
            let kept = kept.filter(|kind| granted.contains(*kind));
            granted = kept.fold(Access::NONE, Access::and);
        }
        Ok(AccessChecked { granted, node })
    }
}
