//! Removing an empty directory.

use sluice_types::{FileName, FsError, InodeId};
use sluice_wire::meta::{RemoveDirectory, Removed};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn remove_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Result<Removed, FsError> {
        caller.may_change()?;
        let changes = self.changing_entry(directory, &name);
        let remove = RemoveDirectory { directory, name };
        let removed = self
            .change(&self.as_caller(caller), remove, changes)
            .await?;
        self.attributes.invalidate(&removed.node.id);
        Ok(removed)
    }
}
