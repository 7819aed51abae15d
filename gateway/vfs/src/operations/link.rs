//! Giving an inode another name.
//!
//! Nothing is asked of storage, and nothing fails after the name was made: a client that was told of a failure would send the
//! call again, and learn that the name is there already.

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
        let made = self.change(&self.as_caller(caller), link, changes).await?;
        self.note_changed(&made.node);
        Ok(made)
    }
}
