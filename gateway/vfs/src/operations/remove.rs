//! Removing a name that is not a directory's.
//!
//! The file is held still meanwhile: if it goes with its last name, no write that is on its way puts data on storage
//! after the removal queue was told to free it.

use sluice_types::{FileName, FsError, InodeId};
use sluice_wire::meta::{Remove, Removed};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn remove(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Result<Removed, FsError> {
        caller.may_change()?;
        let held = self.hold_named(caller, directory, &name).await?;
        let mut changes = self.changing_entry(directory, &name);
        changes.extend(self.changing_held(held.as_ref()));
        let remove = Remove { directory, name };
        let removed = self
            .change(&self.as_caller(caller), remove, changes)
            .await?;
        self.lost_name(&removed.node, held).await;
        Ok(removed)
    }
}
