//! Giving an inode another name.

use sluice_types::{FileName, FsError, InodeId};
use sluice_wire::meta::{Link, Made};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn link(
        &self,
        caller: &Caller,
        inode: InodeId,
        directory: InodeId,
        name: FileName,
    ) -> Result<Made, FsError> {
        caller.may_change()?;
        let mut changes = self.changing_entry(directory, &name);
        changes.push(self.changing(inode));
        let link = Link {
            inode,
            directory,
            name,
        };
        let mut made = self.change(&self.as_caller(caller), link, changes).await?;
        made.node = self.shown(made.node).await?;
        Ok(made)
    }
}
