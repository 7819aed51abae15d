//! Reading a symbolic link.

use sluice_types::{FsError, InodeId};
use sluice_wire::meta::{ReadSymlink, SymlinkRead};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn read_symlink(
        &self,
        caller: &Caller,
        inode: InodeId,
    ) -> Result<SymlinkRead, FsError> {
        self.ask(&self.as_helper(caller), ReadSymlink { inode })
            .await
    }
}
